/* Output that came in a row, encoded in stretches that fit into messages. Pure; see
 * steno.formats.stretches.Row.
 *
 * The text of all stretches is written without a gap, so that a message's is known by its ends; and so
 * is the binary member's inside, where a comma stands between two stretches.
 */
#ifndef STENO_ROW_H
#define STENO_ROW_H

#include "text_encoding.h"

enum {
    RECORD_BYTES = 32, /* as in Stretch.size_bytes */
    EXPANSION = MOST_TEXT + MOST_BINARY + MOST_TIMING,
    LEAST_MOST_BYTES = RECORD_BYTES + 4 * EXPANSION, /* any character fits */
};

struct stretch {
    long long at_us; /* when the first of it came */
    ptrdiff_t used;  /* bytes that it stands for */
    int begins;      /* a message */
    struct encoding encoded;
};

struct format {
    ptrdiff_t room, most; /* how much goes into the first message yet, and how much into any */
    const char *marks;    /* see struct encoding */
};

struct row {
    ptrdiff_t room, most; /* how large the last stretch may become, and how large any */
    struct stretch *stretches;
    ptrdiff_t count, allotted;
    ptrdiff_t full; /* stretches before the last that begins a message */
    int begun;      /* messages, since the full ones were dropped */
    struct encoding begin; /* where the first stretch is written */
    void *buffers;
};

/* Begin a row that holds so many bytes at most; return -1 when there is no memory. */
int begin_row(struct row *of, ptrdiff_t bytes, const struct format *format);

/* Encode what came at `at_us`, from `at` to `end`; return where it stopped: before an unfinished
 * character at the end, or at NULL when there is no memory. */
const unsigned char *encode_part(struct row *of, const unsigned char *at, const unsigned char *end,
                                 long long at_us);

/* Return the first stretch that begins a message; the end when none does. */
const struct stretch *find_message(const struct stretch *at, const struct stretch *end);

/* Where the binary member's inside of stretches that are a message ends. */
const char *find_binary_end(const struct stretch *first, const struct stretch *end);

/* The most that their timing takes. */
ptrdiff_t limit_timing(const struct stretch *first, const struct stretch *end);

/* Write their timing; return its end. */
char *put_timing(char *out, const struct stretch *first, const struct stretch *end);

/* Forget the full stretches: there is room again. */
void drop_full(struct row *of);

/* Give the memory back. */
void end_row(struct row *of);

#endif
