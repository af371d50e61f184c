/* A burst of output: read, passed on and encoded in stretches, as steno.formats.payload.Stretch. */
#ifndef STENO_BURST_H
#define STENO_BURST_H

#include "text_encoding.h"
#include "waits.h"

enum {
    READ_BYTES = 4096,  /* terminals never give more */
    LONG_BYTES = 1024,  /* after a read this long there is likely more */
    JOIN_BYTES = 3072,  /* a long one shorter than this is worth another before it is passed on */
    MOST_BYTES = 16384, /* of a stretch at most, and the default size of a message */
    CARRIED_BYTES = 3,  /* the beginning of a character */
    RECORD_BYTES = 32,  /* as in Stretch.size_bytes */
    PIECE_BYTES = CARRIED_BYTES + 2 * READ_BYTES,
    BURST_US = 10000,   /* what was passed on is recorded so soon */
    MOMENT_US = 300,    /* enough for who reads it to get the processor */
};

/* Why a burst came to a stop. */
enum stop {
    QUIET, /* nothing more is to be expected now */
    OVER,  /* others have their turn, or the next read tells why */
    FULL,  /* the piece belongs to the next stretch */
    ODD,   /* the piece was not passed on whole, or is too large for any message */
};

struct burst {
    int source, sink;
    struct waits *waits;  /* what ends the burst */
    long long until_us;
    long long base_ns;    /* CLOCK_BOOTTIME at instant 0 */
    ptrdiff_t left_bytes; /* so much may be read yet */
    ptrdiff_t room, most; /* how large this stretch may be, and how large any */

    struct encoding encoded; /* the stretch: what was passed on and fits */
    ptrdiff_t used;          /* bytes that it stands for */
    long long at_us;         /* when the first of it came */
    ptrdiff_t read_bytes;    /* of all stretches */

    /* The bytes of the last read, behind the beginning of a character that came before. */
    unsigned char piece[PIECE_BYTES];
    ptrdiff_t carried, length, taken;
    long long piece_at_us;
    struct encoding part; /* the piece, encoded up to an unfinished character */
    ptrdiff_t part_used;

    unsigned char text[MOST_BYTES + SPARE], part_text[PIECE_BYTES * MOST_TEXT + SPARE];
    char binary[MOST_BYTES + SPARE], part_binary[PIECE_BYTES * MOST_BINARY];
    char middle[MOST_BYTES + SPARE], part_middle[PIECE_BYTES * MOST_TIMING];
};

/* Begin the first stretch of a burst, whose members from `source` to `most` are set. */
void begin_burst(struct burst *of, const char *marks);

/* Read, pass on and encode what fits into the stretch. */
enum stop run_burst(struct burst *of);

/* After FULL: begin another stretch, with the piece that did not go into the last one, and go on. */
enum stop continue_burst(struct burst *of);

#endif
