/* A burst of output: read, passed on and encoded. */
#ifndef STENO_BURST_H
#define STENO_BURST_H

#include "row.h"
#include "waits.h"

enum {
    READ_BYTES = 4096,   /* terminals never give more */
    LONG_BYTES = 1024,   /* after a read this long there is likely more */
    JOIN_BYTES = 3072,   /* a long one shorter than this is worth another before it is passed on */
    MOST_BYTES = 262144, /* of a burst; one piece more may go beyond */
    CARRIED_BYTES = 3,   /* the beginning of a character */
    PIECE_BYTES = CARRIED_BYTES + 2 * READ_BYTES,
    BURST_US = 10000,    /* what was passed on is recorded so soon */
    MOMENT_US = 300,     /* enough for who reads it to get the processor */
    FULL_MESSAGES = 2,   /* are recorded at a time: of the default size, 32 KiB */
};

/* Why a burst came to a stop. */
enum stop {
    QUIET,     /* nothing more is to be expected now */
    OVER,      /* others have their turn, or the next read tells why */
    ODD,       /* the piece was not passed on whole */
    NO_MEMORY, /* the piece was passed on, and cannot be encoded */
    FAILED,    /* what was passed on and encoded cannot be recorded */
};

/* What becomes of the burst when full messages were recorded. */
enum recorded { GO_ON, ENOUGH, NOT_RECORDED };

struct burst {
    int source, sink;
    struct waits *waits;  /* what ends the burst */
    long long base_ns;    /* CLOCK_BOOTTIME at instant 0 */
    ptrdiff_t left_bytes; /* so much may be read yet */
    ptrdiff_t carried;    /* bytes of `piece`: the beginning of a character that came before */
    struct row row;       /* what was passed on and is not recorded */
    enum recorded (*record_full)(struct burst *of);

    long long until_us, began_us;
    ptrdiff_t read_bytes; /* all, what is carried now included */

    /* The bytes of the last read, behind those carried. */
    unsigned char piece[PIECE_BYTES];
    ptrdiff_t piece_bytes, taken;
    long long piece_at_us;
};

/* Read, pass on, encode and record until there is a reason to stop; the members up to `record_full`
 * are set, and the row has begun. */
enum stop run_burst(struct burst *of);

#endif
