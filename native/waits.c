#define _GNU_SOURCE 1
#include "waits.h"

#include <time.h>
#include <unistd.h>

enum { MOST_KEYS = 65536 }; /* then it is somebody else's turn */

long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int poll_until(struct pollfd *fds, nfds_t count, long long until_us)
{
    long long left_us = until_us - now_us();
    struct timespec left = {0, 0};
    if (until_us == FOR_EVER)
        return ppoll(fds, count, NULL, NULL);
    if (left_us > 0)
        left = (struct timespec){left_us / 1000000, left_us % 1000000 * 1000};
    return ppoll(fds, count, &left, NULL);
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
static int wait_besides_keys(struct waits *of, nfds_t count, long long until_us)
{
    for (;;) {
        int ready = poll_until(of->fds, count, until_us);
        struct pollfd *keys = find_wait(of, of->key_source);
        if (ready <= 0 || keys == NULL || !(keys->revents & POLLIN) || of->odd_bytes != 0)
            return ready;
        if (!pass_keys(of, keys) || of->key_bytes >= MOST_KEYS)
            return ready;
        if (keys->revents != 0 || ready > 1)
            return ready - (keys->revents == 0);
    }
}

void wait_for_any(struct waits *of, long long until_us)
{
    for (nfds_t i = 0; i < of->count; i++)
        of->fds[i].revents = 0;
    wait_besides_keys(of, of->count, until_us);
}

int wait_for_one(struct waits *of, int fd, short events, long long until_us)
{
    struct pollfd *one = &of->fds[of->count];
    *one = (struct pollfd){.fd = fd, .events = events};
    return wait_besides_keys(of, of->count + 1, until_us) == 1 && one->revents != 0;
}
