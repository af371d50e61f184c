/* The descriptors that are waited for; keys are passed on meanwhile. */
#ifndef STENO_WAITS_H
#define STENO_WAITS_H

#include <poll.h>
#include <stddef.h>

enum { MOST_WAITS = 256, KEYS_BYTES = 4096, FOR_EVER = -1 };

struct waits {
    struct pollfd fds[MOST_WAITS + 1]; /* room for the one of wait_for_one */
    nfds_t count;
    int key_source, key_sink; /* -1: keys are not passed on here */
    ptrdiff_t key_bytes;      /* passed on */
    unsigned char keys[KEYS_BYTES];
    ptrdiff_t odd_bytes, taken; /* of `keys`, when they were not taken whole, and how much was */
};

/* Microseconds on a clock that nobody sets. */
long long now_us(void);

/* Return the descriptor's place; NULL when it is not waited for. */
struct pollfd *find_wait(struct waits *of, int fd);

/* Wait until something is ready, or until then on that clock; `revents` tells what. */
void wait_for_any(struct waits *of, long long until_us);

/* Wait until `fd` is ready; return 0 when something else is (`revents` tells), or it took too long. */
int wait_for_one(struct waits *of, int fd, short events, long long until_us);

#endif
