#define _GNU_SOURCE 1
#include "waits.h"

#include <time.h>
#include <unistd.h>

enum { MOST_KEYS = 65536 }; /* then it is somebody else's turn */

long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

struct pollfd *find_wait(struct waits *of, int fd)
{
    for (nfds_t i = 0; fd >= 0 && i < of->count; i++)
        if (of->fds[i].fd == fd)
            return &of->fds[i];
    return NULL;
}

/* Pass keys on; return whether that went well. An end or an error is met again by Python's read. */
static int pass_keys(struct waits *of, struct pollfd *ready)
{
    ssize_t taken, got = read(of->key_source, of->keys, sizeof of->keys);
    if (got <= 0)
        return 0;
    taken = write(of->key_sink, of->keys, (size_t)got);
    ready->revents &= ~POLLIN;
    if (taken == got) {
        of->key_bytes += got;
        return 1;
    }
    of->odd_bytes = got;
    of->taken = taken > 0 ? taken : 0;
    return 0;
}

/* Wait for the first `count` descriptors; return how many are ready besides keys passed on. */
static int wait_besides_keys(struct waits *of, nfds_t count, long long until_ms)
{
    for (;;) {
        long long left_ms = until_ms == FOR_EVER ? FOR_EVER : until_ms - now_ms();
        int ready = poll(of->fds, count, until_ms == FOR_EVER || left_ms > 0 ? (int)left_ms : 0);
        struct pollfd *keys = find_wait(of, of->key_source);
        if (ready <= 0 || keys == NULL || !(keys->revents & POLLIN) || of->odd_bytes != 0)
            return ready;
        if (!pass_keys(of, keys) || of->key_bytes >= MOST_KEYS)
            return ready;
        if (keys->revents != 0 || ready > 1)
            return ready - (keys->revents == 0);
    }
}

void wait_for_any(struct waits *of, long long until_ms)
{
    for (nfds_t i = 0; i < of->count; i++)
        of->fds[i].revents = 0;
    wait_besides_keys(of, of->count, until_ms);
}

int wait_for_one(struct waits *of, int fd, short events, long long until_ms)
{
    struct pollfd *one = &of->fds[of->count];
    *one = (struct pollfd){.fd = fd, .events = events};
    return wait_besides_keys(of, of->count + 1, until_ms) == 1 && one->revents != 0;
}
