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
    of->piece_bytes = got;
    of->left_bytes -= got;
    of->piece_at_us = instant_us(of->base_ns);
    if (of->read_bytes == 0)
        of->began_us = of->piece_at_us;
    return 1;
}

/* Return whether all of the piece was passed on; an error is met again by who tries the rest. */
static int pass_on(struct burst *of)
{
    const unsigned char *at = of->piece + of->carried;
    of->taken = 0;
    do {
        ssize_t taken = write(of->sink, at + of->taken, (size_t)(of->piece_bytes - of->taken));
        if (taken < 0 && errno != EAGAIN)
            return 0;
        of->taken += taken > 0 ? taken : 0;
        if (of->taken == of->piece_bytes)
            return 1;
    } while (wait_for_one(of->waits, of->sink, POLLOUT, of->until_us));
    return 0;
}

/* Encode the piece while it is at hand; return -1 when there is no memory. */
static int add_piece(struct burst *of)
{
    const unsigned char *end = of->piece + of->carried + of->piece_bytes;
    const unsigned char *after = encode_part(&of->row, of->piece, end, of->piece_at_us);
    if (after == NULL)
        return -1;
    of->read_bytes += of->piece_bytes;
    of->carried = end - after;
    memmove(of->piece, after, (size_t)of->carried);
    return 0;
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
    of->read_bytes = of->piece_bytes = of->taken = 0;
    of->until_us = now_us() + BURST_US;
    do {
        if (!read_piece(of))
            return errno == EAGAIN ? QUIET : OVER;
        if (!pass_on(of))
            return ODD;
        if (add_piece(of) < 0)
            return NO_MEMORY;
        if (of->row.begun >= FULL_MESSAGES) {
            enum recorded recorded = of->record_full(of);
            if (recorded != GO_ON)
                return recorded == ENOUGH ? OVER : FAILED;
        }
        if (of->piece_bytes < LONG_BYTES && !await_more(of))
            return QUIET;
    } while (of->left_bytes > 0 && of->piece_at_us - of->began_us < BURST_US);
    return OVER;
}
