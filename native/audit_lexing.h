/* Lines of audit records to their parts; pure: nothing is copied, nothing is kept. See
 * src/steno/audit/records.py for the format, tests/audit/ for a reference in Python. */
#ifndef STENO_AUDIT_LEXING_H
#define STENO_AUDIT_LEXING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else. */
struct slice {
    const unsigned char *at;
    size_t length;
};

/* What stands before the fields; `node` is empty where the line has none. */
struct head {
    struct slice node, type;
    int64_t at_unix_us, serial;
    size_t length;
};

/* Where the fields stand: the record's own, and auditd's behind the byte 0x1d. */
struct body {
    struct slice main, suffix;
};

enum item_kind { NO_ITEM, FIELD, WORD_ALONE };

/* A field, or a word that is none (then `name` is empty). */
struct item {
    struct slice name, value;
};

/* How far a part of the body was read. */
struct scan {
    const unsigned char *at, *end;
    struct slice permissions; /* of a denial, not yet handed out */
};

bool read_head(struct slice line, struct head *head);
bool is_passed_over(struct slice line);
struct body split_body(struct slice line, size_t head_length);
struct scan begin_scan(struct slice part);
enum item_kind next_item(struct scan *scan, struct item *item);

bool is_equal(struct slice one, struct slice other);
bool is_text(struct slice slice, const char *text);

/* The bytes between the quotes of a value that begins with one: up to the last quote, as
 * steno.audit.values.escaping does it. */
struct slice find_quoted(struct slice raw);

bool is_hexadecimal(struct slice slice);

/* Decode hexadecimal digits, an even number of them, into half as many bytes. */
void decode_hexadecimal(struct slice slice, unsigned char *out);

/* Write as the inside of a JSON string: at most MOST_JSON bytes for each; U+FFFD for what is not UTF-8,
 * and `*is_valid` tells whether there was any. Reads nothing beyond `slice`, writes at most WORD bytes
 * beyond what it returns the end of. */
enum { MOST_JSON = 6 };
unsigned char *put_json_text(unsigned char *out, struct slice slice, bool *is_valid);

#endif
