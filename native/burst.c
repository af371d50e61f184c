#define _GNU_SOURCE 1 /* CLOCK_BOOTTIME */
#include "burst.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long instant_us(long long base_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (now.tv_sec * 1000000000LL + now.tv_nsec - base_ns) / 1000;
}

/* Read what is there; while output comes in a row, wait a little for more. */
static ssize_t read_some(struct burst *of, unsigned char *at)
{
    ssize_t got = read(of->source, at, READ_BYTES);
    if (got < 0 && errno == EAGAIN && of->read_bytes != 0 &&
        wait_for_one(of->waits, of->source, POLLIN, of->until_us))
        got = read(of->source, at, READ_BYTES);
    return got;
}

/* Read a piece; return whether one came; EAGAIN says that none has come yet. */
static int read_piece(struct burst *of)
{
    unsigned char *at = of->piece + of->carried;
    ssize_t more, got;
    errno = 0;
    got = read_some(of, at);
    if (got <= 0)
        return 0;
    if (got >= LONG_BYTES && got < JOIN_BYTES) {
        more = read(of->source, at + got, READ_BYTES);
        got += more > 0 ? more : 0;
    }
    of->length = got;
    of->left_bytes -= got;
    of->piece_at_us = instant_us(of->base_ns);
    return 1;
}

/* Return whether all of the piece was passed on; an error is met again by who tries the rest. */
static int pass_on(struct burst *of)
{
    const unsigned char *at = of->piece + of->carried;
    of->taken = 0;
    do {
        ssize_t taken = write(of->sink, at + of->taken, (size_t)(of->length - of->taken));
        if (taken < 0 && errno != EAGAIN)
            return 0;
        of->taken += taken > 0 ? taken : 0;
        if (of->taken == of->length)
            return 1;
    } while (wait_for_one(of->waits, of->sink, POLLOUT, of->until_us));
    return 0;
}

static ptrdiff_t size_of(const struct encoding *encoded)
{
    return (encoded->text_end - encoded->text) + (encoded->binary_end - encoded->binary) +
           (encoded->middle_end - encoded->middle) + RECORD_BYTES;
}

static void encode_piece(struct burst *of)
{
    const unsigned char *end = of->piece + of->carried + of->length;
    clear_encoding(&of->part);
    of->part_used = encode_bytes(&of->part, of->piece, end, 0) - of->piece;
}

/* Add the piece to the stretch; return 0, and leave that as it is, when there is no room. */
static int add_piece(struct burst *of)
{
    if (size_of(&of->encoded) + size_of(&of->part) > of->room)
        return 0;
    if (of->encoded.runs == 0)
        of->at_us = of->piece_at_us;
    append_encoding(&of->encoded, &of->part);
    of->used += of->part_used;
    of->read_bytes += of->length;
    of->carried += of->length - of->part_used;
    memmove(of->piece, of->piece + of->part_used, (size_t)of->carried);
    return 1;
}

static int is_same_time(const struct burst *of)
{
    return of->encoded.runs == 0 || of->piece_at_us / 1000 == of->at_us / 1000;
}

/* Wait a moment after a short piece: whoever reads what was passed on, on this processor perhaps,
 * shall not wait until Python has recorded it. */
static int await_more(const struct burst *of)
{
    long long until_us = now_us() + MOMENT_US;
    return wait_for_one(of->waits, of->source, POLLIN,
                        until_us < of->until_us ? until_us : of->until_us);
}

enum stop run_burst(struct burst *of)
{
    if (of->until_us == 0)
        of->until_us = now_us() + BURST_US;
    while (of->left_bytes > 0) {
        if (!read_piece(of))
            return errno == EAGAIN ? QUIET : OVER;
        if (!pass_on(of))
            return ODD;
        encode_piece(of);
        if (!is_same_time(of) || !add_piece(of))
            return FULL;
        if (of->length < LONG_BYTES && !await_more(of))
            return QUIET;
    }
    return OVER;
}

enum stop continue_burst(struct burst *of)
{
    of->room = is_same_time(of) ? of->most : of->room - size_of(&of->encoded);
    clear_encoding(&of->encoded);
    of->used = 0;
    if (!add_piece(of)) {
        of->room = of->most;
        if (!add_piece(of))
            return ODD;
    }
    return of->length < LONG_BYTES && !await_more(of) ? QUIET : run_burst(of);
}

static void begin_encoding(struct encoding *to, unsigned char *text, char *binary, char *middle,
                           const char *marks)
{
    *to = (struct encoding){.text = text, .binary = binary, .middle = middle, .marks = marks};
    clear_encoding(to);
}

void begin_burst(struct burst *of, const char *marks)
{
    of->room = of->room < MOST_BYTES ? of->room : MOST_BYTES;
    of->most = of->most < MOST_BYTES ? of->most : MOST_BYTES;
    of->until_us = 0;
    of->used = of->read_bytes = 0;
    of->carried = of->length = of->taken = 0;
    of->at_us = of->piece_at_us = 0;
    begin_encoding(&of->encoded, of->text, of->binary, of->middle, marks);
    begin_encoding(&of->part, of->part_text, of->part_binary, of->part_middle, marks);
}
