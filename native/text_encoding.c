#include "text_encoding.h"

#include <string.h>

#include "json_text.h"

static char *put_number(char *out, ptrdiff_t number)
{
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

static void put_record(struct encoding *to, struct run run)
{
    char *out = to->middle_end;
    *out++ = to->marks[run.binary != 0];
    out = put_number(out, run.characters);
    if (run.binary != 0) {
        *out++ = '/';
        out = put_number(out, run.binary);
    }
    to->middle_end = out;
}

/* Another run begins: the current one, if any, is the first or stands in the middle. */
static void finish_run(struct encoding *to)
{
    if (to->runs == 1)
        to->first = to->current;
    else if (to->runs > 1)
        put_record(to, to->current);
}

/* Go on with the current run, or begin another one when it is of the other kind. */
static void extend(struct encoding *to, ptrdiff_t characters, ptrdiff_t binary)
{
    if (to->runs != 0 && (to->current.binary != 0) == (binary != 0)) {
        to->current.characters += characters;
        to->current.binary += binary;
        return;
    }
    finish_run(to);
    to->current = (struct run){characters, binary};
    to->runs++;
}

static void put_invalid(struct encoding *to, const unsigned char *at, ptrdiff_t length)
{
    memcpy(to->text_end, "\xef\xbf\xbd", 3);
    to->text_end += 3;
    for (ptrdiff_t i = 0; i < length; i++) {
        if (to->binary_end != to->binary)
            *to->binary_end++ = ',';
        to->binary_end = put_number(to->binary_end, at[i]);
    }
    extend(to, 1, length);
}

/* Encode text from `at` on, as far as it goes; return where it ends. */
static const unsigned char *put_text(struct encoding *to, const unsigned char *at,
                                     const unsigned char *end, struct sequence *after)
{
    unsigned char *out = to->text_end;
    ptrdiff_t characters = 0;
    *after = (struct sequence){0, 0, 0};
    while (at < end) {
        if (end - at >= WORD) {
            size_t plain = copy_plain(out, at);
            at += plain;
            out += plain;
            characters += (ptrdiff_t)plain;
            if (plain == WORD)
                continue;
        }
        if (*at < 0x80) {
            out = put_ascii(out, *at++);
        } else {
            *after = measure(at, end);
            if (!after->is_whole)
                break;
            memcpy(out, at, (size_t)after->length);
            out += after->length;
            at += after->length;
        }
        characters++;
    }
    to->text_end = out;
    if (characters != 0)
        extend(to, characters, 0);
    return at;
}

const unsigned char *encode_bytes(struct encoding *to, const unsigned char *at,
                                  const unsigned char *end, int is_final)
{
    while (at < end) {
        struct sequence bad;
        at = put_text(to, at, end, &bad);
        if (at == end || (bad.is_open && !is_final))
            break;
        put_invalid(to, at, bad.length);
        at += bad.length;
    }
    return at;
}

void append_encoding(struct encoding *to, const struct encoding *from)
{
    struct run first = first_run(from);
    size_t text = (size_t)(from->text_end - from->text);
    size_t binary = (size_t)(from->binary_end - from->binary);
    size_t middle = (size_t)(from->middle_end - from->middle);
    if (from->runs == 0)
        return;
    memcpy(to->text_end, from->text, text);
    to->text_end += text;
    if (binary != 0 && to->binary_end != to->binary)
        *to->binary_end++ = ',';
    memcpy(to->binary_end, from->binary, binary);
    to->binary_end += binary;
    extend(to, first.characters, first.binary);
    if (from->runs > 1) {
        finish_run(to);
        memcpy(to->middle_end, from->middle, middle);
        to->middle_end += middle;
        to->current = from->current;
        to->runs += from->runs - 1;
    }
}
