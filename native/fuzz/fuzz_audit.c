/* libFuzzer target for audit_lexing.c: any bytes as lines of an audit log.
 * Build: clang -g -fsanitize=fuzzer,address,undefined native/fuzz/fuzz_audit.c native/audit_lexing.c */
#include "../audit_lexing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so)
        abort();
}

/* What a slice names must lie within the line, but for names that no line holds. */
static void check_place(struct slice slice, struct slice line)
{
    if (is_text(slice, "seresult") || is_text(slice, "seperms"))
        return;
    demand(slice.at >= line.at && slice.at + slice.length <= line.at + line.length);
}

/* Written into a buffer of just the size that is promised to be enough. */
static void check_text(struct slice slice)
{
    bool is_valid;
    size_t room = slice.length * MOST_JSON + 8;
    unsigned char *out = malloc(room), *end;
    demand(out != NULL);
    end = put_json_text(out, slice, &is_valid);
    demand(end >= out && (size_t)(end - out) <= slice.length * MOST_JSON);
    for (const unsigned char *at = out; at < end; at++) {
        demand(*at >= 0x20 && *at != 0x7f);
        if (*at == '\\')
            at++;
        else
            demand(*at != '"');
    }
    free(out);
}

static void check_value(struct slice value)
{
    check_text(value);
    if (value.length > 0 && value.at[0] == '"')
        check_place(find_quoted(value), value);
    if (is_hexadecimal(value)) {
        unsigned char *bytes = malloc(value.length / 2);
        demand(bytes != NULL);
        decode_hexadecimal(value, bytes);
        check_text((struct slice){bytes, value.length / 2});
        free(bytes);
    }
}

/* Items come in order, and none is empty or comes twice. */
static void check_part(struct slice part, struct slice line)
{
    struct scan scan = begin_scan(part);
    struct item item;
    enum item_kind kind;
    const unsigned char *before = part.at;
    while ((kind = next_item(&scan, &item)) != NO_ITEM) {
        check_place(item.name, line);
        check_place(item.value, line);
        demand(item.value.at >= before);
        demand(item.value.at + item.value.length <= part.at + part.length);
        demand((kind == FIELD) == (item.name.length > 0));
        demand(kind == FIELD || item.value.length > 0);
        before = item.value.at + item.value.length;
        check_value(item.value);
    }
    demand(scan.at == scan.end);
}

static void check_line(struct slice line)
{
    struct head head;
    struct body body;
    (void)is_passed_over(line);
    if (!read_head(line, &head))
        return;
    demand(head.length <= line.length && head.serial >= 0 && head.at_unix_us >= 0);
    demand(head.type.length > 0);
    check_place(head.type, line);
    check_place(head.node, line);
    body = split_body(line, head.length);
    check_part(body.main, line);
    check_part(body.suffix, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    while (data < end) {
        const uint8_t *newline = memchr(data, '\n', (size_t)(end - data));
        size_t length = (size_t)((newline == NULL ? end : newline) - data);
        unsigned char *line = malloc(length == 0 ? 1 : length); /* exactly as large, so that reading beyond is seen */
        demand(line != NULL);
        memcpy(line, data, length);
        check_line((struct slice){line, length});
        free(line);
        data += length + (newline != NULL);
    }
    return 0;
}
