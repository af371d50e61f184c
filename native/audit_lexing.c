/* Lines of audit records to their parts. */
#include "audit_lexing.h"

#include "json_text.h"

enum { MOST_NODE = 255, MOST_NAME = 64, SEPARATOR = 0x1d };

/* Character classes. */
enum { DIGIT = 1, HEXADECIMAL = 2, TYPE = 4, NAME_FIRST = 8, NAME = 16 };

/* For each byte; those from 0x80 on are of none. Digits are 31, A-F 30, a-f 26, G-Z 28, g-z 24. */
static const unsigned char classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 16, 0, 0, 0, 0, 0,
    0, 30, 30, 30, 30, 30, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 20, 0, 20, 0, 28,
    0, 26, 26, 26, 26, 26, 26, 24, 24, 24, 24, 24, 24, 24, 24, 24,
    24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 0, 0, 0, 0, 0,
};

static bool is_of(unsigned char byte, unsigned int wanted)
{
    return (classes[byte] & wanted) != 0;
}

bool is_equal(struct slice one, struct slice other)
{
    return one.length == other.length && memcmp(one.at, other.at, one.length) == 0;
}

bool is_text(struct slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.at, text, slice.length) == 0;
}

static bool begins_with(const unsigned char *at, const unsigned char *end, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(end - at) >= length && memcmp(at, text, length) == 0;
}

/* Where a head is being read. */
struct cursor {
    const unsigned char *at, *end;
};

static bool pass(struct cursor *cursor, const char *text)
{
    if (!begins_with(cursor->at, cursor->end, text))
        return false;
    cursor->at += strlen(text);
    return true;
}

static bool pass_number(struct cursor *cursor, int least, int most, int64_t *number)
{
    int count = 0;
    *number = 0;
    while (count < most && cursor->at < cursor->end && is_of(*cursor->at, DIGIT)) {
        *number = *number * 10 + (*cursor->at++ - '0');
        count++;
    }
    return count >= least;
}

static bool pass_node(struct cursor *cursor, struct slice *node)
{
    *node = (struct slice){cursor->at, 0};
    if (!pass(cursor, "node="))
        return true;
    node->at = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != ' ')
        cursor->at++;
    node->length = (size_t)(cursor->at - node->at);
    return node->length >= 1 && node->length <= MOST_NODE && pass(cursor, " ");
}

static bool pass_type(struct cursor *cursor, struct slice *type)
{
    type->at = cursor->at;
    while (cursor->at < cursor->end && is_of(*cursor->at, TYPE))
        cursor->at++;
    type->length = (size_t)(cursor->at - type->at);
    return type->length >= 1 && type->length <= MOST_NAME;
}

/* Read `[node=HOST ]type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL):` and one blank. */
bool read_head(struct slice line, struct head *head)
{
    struct cursor cursor = {line.at, line.at + line.length};
    int64_t seconds, milliseconds;
    if (!pass_node(&cursor, &head->node) || !pass(&cursor, "type=") ||
        !pass_type(&cursor, &head->type) || !pass(&cursor, " msg=audit(") ||
        !pass_number(&cursor, 1, 11, &seconds) || !pass(&cursor, ".") ||
        !pass_number(&cursor, 3, 3, &milliseconds) || !pass(&cursor, ":") ||
        !pass_number(&cursor, 1, 18, &head->serial) || !pass(&cursor, "):"))
        return false;
    (void)pass(&cursor, " ");
    head->at_unix_us = seconds * 1000000 + milliseconds * 1000;
    head->length = (size_t)(cursor.at - line.at);
    return true;
}

/* Whether the line is blank, or one that ausearch prints between events. */
bool is_passed_over(struct slice line)
{
    if (is_text(line, "----") || begins_with(line.at, line.at + line.length, "time->"))
        return true;
    for (size_t i = 0; i < line.length; i++) {
        unsigned char byte = line.at[i];
        if (byte != ' ' && (byte < '\t' || byte > '\r'))
            return false;
    }
    return true;
}

static bool holds_quoted_message(struct slice part)
{
    const unsigned char *at = part.at, *end = part.at + part.length;
    while (at < end && (at = memchr(at, '\'', (size_t)(end - at))) != NULL) {
        if (at - part.at >= 4 && memcmp(at - 4, "msg=", 4) == 0)
            return true;
        at++;
    }
    return false;
}

struct body split_body(struct slice line, size_t head_length)
{
    struct body body = {{line.at + head_length, line.length - head_length}, {line.at, 0}};
    const unsigned char *end = line.at + line.length;
    const unsigned char *separator =
        body.main.length == 0 ? NULL : memchr(body.main.at, SEPARATOR, body.main.length);
    if (separator != NULL) {
        body.suffix = (struct slice){separator + 1, (size_t)(end - separator - 1)};
        body.main.length = (size_t)(separator - body.main.at);
    }
    while (body.main.length > 0 && body.main.at[body.main.length - 1] == ' ')
        body.main.length--;
    if (body.main.length > 0 && body.main.at[body.main.length - 1] == '\'' &&
        holds_quoted_message(body.main))
        body.main.length--;
    return body;
}

struct scan begin_scan(struct slice part)
{
    return (struct scan){part.at, part.at + part.length, {part.at, 0}};
}

/* Return the length of the field's name that begins at `at`, or 0 where none does. */
static size_t measure_name(const unsigned char *at, const unsigned char *end)
{
    size_t length = 0, most = (size_t)(end - at);
    if (most == 0 || !is_of(*at, NAME_FIRST))
        return 0;
    while (length < most && length <= MOST_NAME && is_of(at[length], NAME))
        length++;
    return length < most && length <= MOST_NAME && at[length] == '=' ? length : 0;
}

static const unsigned char *find_blank(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *blank = at == end ? NULL : memchr(at, ' ', (size_t)(end - at));
    return blank == NULL ? end : blank;
}

/* Find the blank that ends the value at `at`; those within quotes or braces do not. */
static const unsigned char *find_end_of_value(const unsigned char *at, const unsigned char *end)
{
    if (at < end && *at == '"') {
        const unsigned char *quote = memchr(at + 1, '"', (size_t)(end - at - 1));
        at = quote == NULL ? at : quote + 1;
    } else if (at < end && *at == '{') {
        const unsigned char *close = at + 1;
        while (close < end && (close = memchr(close, '}', (size_t)(end - close))) != NULL) {
            if (close[-1] == ' ') {
                at = close + 1;
                break;
            }
            close++;
        }
    }
    return find_blank(at, end);
}

/* Find where `op=deleting user entries id=` ends: before what has a name. */
static const unsigned char *find_end_of_operation(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *last = at;
    while (at < end) {
        if (*at == ' ') {
            at++;
            continue;
        }
        if (measure_name(at, end) != 0)
            break;
        last = at = find_end_of_value(at, end);
    }
    return last;
}

static const unsigned char *skip_blanks(const unsigned char *at, const unsigned char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

static bool is_in_braces(unsigned char byte)
{
    return byte != '{' && byte != '}';
}

/* Read SELinux' `avc:  denied  { read write } for`; return where it ends, or NULL. */
static const unsigned char *read_denial(const unsigned char *at, const unsigned char *end,
                                        struct slice *result, struct slice *permissions)
{
    if (!begins_with(at, end, "avc: "))
        return NULL;
    at = skip_blanks(at + 5, end);
    result->at = at;
    while (at < end && *at != ' ' && is_in_braces(*at))
        at++;
    result->length = (size_t)(at - result->at);
    if (result->length == 0 || at == end || *at != ' ')
        return NULL;
    at = skip_blanks(at, end);
    if (at == end || *at != '{')
        return NULL;
    at = skip_blanks(at + 1, end);
    permissions->at = at;
    while (at < end && is_in_braces(*at))
        at++;
    permissions->length = (size_t)(at - permissions->at);
    while (permissions->length > 0 && permissions->at[permissions->length - 1] == ' ')
        permissions->length--;
    if (permissions->length == 0 || at == end || *at != '}' || !begins_with(at + 1, end, " "))
        return NULL;
    at = skip_blanks(at + 1, end);
    if (!begins_with(at, end, "for") || (at + 3 < end && at[3] != ' '))
        return NULL;
    return at + 3;
}

/* Make the denial's two fields, the second one for the next call. */
static bool begin_denial(struct scan *scan, struct item *item)
{
    struct slice permissions;
    const unsigned char *after = read_denial(scan->at, scan->end, &item->value, &permissions);
    if (after == NULL)
        return false;
    item->name = (struct slice){(const unsigned char *)"seresult", 8};
    scan->permissions = permissions;
    scan->at = after;
    return true;
}

enum item_kind next_item(struct scan *scan, struct item *item)
{
    const unsigned char *end = scan->end, *value;
    size_t length;
    if (scan->permissions.length != 0) {
        *item = (struct item){{(const unsigned char *)"seperms", 7}, scan->permissions};
        scan->permissions.length = 0;
        return FIELD;
    }
    while (scan->at < end &&
           (*scan->at == ' ' || (*scan->at == 'm' && begins_with(scan->at, end, "msg='"))))
        scan->at += *scan->at == ' ' ? 1 : 5;
    if (scan->at == end)
        return NO_ITEM;
    if (*scan->at == 'a' && begin_denial(scan, item))
        return FIELD;
    length = measure_name(scan->at, end);
    item->name = (struct slice){scan->at, length};
    value = length == 0 ? scan->at : scan->at + length + 1;
    scan->at = find_end_of_value(value, end);
    if (is_text(item->name, "op") && value < end && *value != '"')
        scan->at = find_end_of_operation(scan->at, end);
    item->value = (struct slice){value, (size_t)(scan->at - value)};
    return length == 0 ? WORD_ALONE : FIELD;
}

struct slice find_quoted(struct slice raw)
{
    size_t length = raw.length;
    while (length > 1 && raw.at[length - 1] != '"')
        length--;
    if (length > 1)
        return (struct slice){raw.at + 1, length - 2};
    return (struct slice){raw.at + 1, raw.length - 1};
}

bool is_hexadecimal(struct slice slice)
{
    if (slice.length == 0 || slice.length % 2 != 0)
        return false;
    for (size_t i = 0; i < slice.length; i++)
        if (!is_of(slice.at[i], HEXADECIMAL))
            return false;
    return true;
}

static unsigned char value_of_digit(unsigned char digit)
{
    return (unsigned char)(digit <= '9' ? digit - '0' : (digit & 0x0f) + 9);
}

void decode_hexadecimal(struct slice slice, unsigned char *out)
{
    for (size_t i = 0; i + 1 < slice.length; i += 2)
        *out++ = (unsigned char)(value_of_digit(slice.at[i]) << 4 | value_of_digit(slice.at[i + 1]));
}

/* Load one to seven bytes, with blanks behind them: the first one lowest. */
static inline uint64_t load_short(const unsigned char *at, size_t length)
{
    uint64_t word = EVERY_BYTE(' ') << length * 8;
    if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, at, 4);
        memcpy(&last, at + length - 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        first = __builtin_bswap32(first);
        last = __builtin_bswap32(last);
#endif
        return word | first | (uint64_t)last << (length - 4) * 8;
    }
    return word | at[0] | (uint64_t)at[length / 2] << length / 2 * 8 |
           (uint64_t)at[length - 1] << (length - 1) * 8;
}

/* Copy fewer bytes than a word, if all of them are copied as they are. */
static inline bool copy_short(unsigned char *out, const unsigned char *at, size_t length)
{
    uint64_t word = load_short(at, length);
    bool is_plain = mark_special(word) == 0;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(out, &word, WORD);
    return is_plain;
}

unsigned char *put_json_text(unsigned char *out, struct slice slice, bool *is_valid)
{
    const unsigned char *at = slice.at, *end = slice.at + slice.length;
    *is_valid = true;
    while (at < end) {
        if (end - at >= WORD) {
            size_t plain = copy_plain(out, at);
            at += plain;
            out += plain;
            if (plain == WORD)
                continue;
        } else if (copy_short(out, at, (size_t)(end - at))) {
            return out + (end - at);
        }
        if (*at < 0x80) {
            out = put_ascii(out, *at++);
        } else {
            struct sequence sequence = measure(at, end);
            if (sequence.is_whole)
                memcpy(out, at, (size_t)sequence.length);
            else
                memcpy(out, "\xef\xbf\xbd", 3);
            *is_valid = *is_valid && sequence.is_whole;
            out += sequence.is_whole ? sequence.length : 3;
            at += sequence.length;
        }
    }
    return out;
}
