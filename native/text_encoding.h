/* Bytes to what a tlog message says of them: the inside of its text and binary members, and the
 * runs that its timing tells of. Pure.
 *
 * Source: tlog, doc/log_format.md (timing); json_text.h names those of the text.
 */
#ifndef STENO_TEXT_ENCODING_H
#define STENO_TEXT_ENCODING_H

#include <stddef.h>

/* Each byte becomes at most six of text, \u001b, four of the binary member, 255 and a comma, and
 * four of timing, ]1/1. Text is written by words, up to SPARE bytes beyond its end. */
enum { MOST_TEXT = 6, MOST_BINARY = 4, MOST_TIMING = 4, SPARE = 64, MOST_RECORD = 48 };

/* A run of text, or of bytes that are no text: its characters, and how many bytes of the binary
 * member they stand for (0 for text). */
struct run {
    ptrdiff_t characters, binary;
};

/* What is being made, in buffers with room for the worst; begin it with all zero but these and
 * the two marks, those of runs of text and of bytes. */
struct encoding {
    unsigned char *text, *text_end;
    char *binary, *binary_end;
    char *middle, *middle_end;
    struct run first, current;
    int runs; /* how many have begun */
    const char *marks;
};

/* Forget what was encoded; the buffers and the marks stay. */
static inline void clear_encoding(struct encoding *of)
{
    of->text_end = of->text;
    of->binary_end = of->binary;
    of->middle_end = of->middle;
    of->runs = 0;
    of->first = of->current = (struct run){0, 0};
}

/* Encode from `at` to `end`, behind what was encoded before; return where it stopped: before an
 * unfinished character at the end, unless `is_final`. */
const unsigned char *encode_bytes(struct encoding *to, const unsigned char *at,
                                  const unsigned char *end, int is_final);

/* Have what comes next written directly behind what was encoded before, as an encoding of its own:
 * into the same buffers, whose middle needs room for MOST_RECORD more. */
void follow_encoding(struct encoding *next, const struct encoding *to);

/* Add what was written directly behind, whole characters all, to what was encoded before. */
void join_encoding(struct encoding *to, const struct encoding *next);

/* Write a run's timing record, of MOST_RECORD bytes at most, or that of a delay; return its end. */
char *put_run(char *out, const char *marks, struct run run);
char *put_delay(char *out, long long delay_ms);

/* The first and the last run; no characters in the last when there is only one. */
static inline struct run first_run(const struct encoding *of)
{
    return of->runs > 1 ? of->first : of->current;
}

static inline struct run last_run(const struct encoding *of)
{
    return of->runs > 1 ? of->current : (struct run){0, 0};
}

#endif
