#include "row.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEP_BYTES = 4096, /* are encoded before it is looked whether they fit */
    FIRST_STRETCHES = 8,
};

int begin_row(struct row *of, ptrdiff_t bytes, const struct format *format)
{
    size_t all = (size_t)bytes;
    /* Written from the beginning of each part on, so that text alone touches no more than its own.
     * Between two stretches there may be a byte for a comma. */
    unsigned char *buffers = malloc(all * (EXPANSION + 1) + 3 * SPARE + MOST_RECORD);
    if (buffers == NULL)
        return -1;
    *of = (struct row){.room = format->room, .most = format->most, .buffers = buffers};
    of->begin.marks = format->marks;
    of->begin.text = buffers;
    of->begin.binary = (char *)buffers + all * MOST_TEXT + SPARE;
    of->begin.middle = of->begin.binary + all * (MOST_BINARY + 1) + SPARE;
    clear_encoding(&of->begin);
    return 0;
}

void end_row(struct row *of)
{
    free(of->stretches);
    free(of->buffers);
}

static ptrdiff_t size_of(const struct encoding *encoded)
{
    return (encoded->text_end - encoded->text) + (encoded->binary_end - encoded->binary) +
           (encoded->middle_end - encoded->middle) + RECORD_BYTES;
}

/* Join what comes next to the last stretch; return whether it belongs there and fits. */
static int join_last(const struct row *of, const struct encoding *next, long long at_us)
{
    struct stretch *last = of->count == 0 ? NULL : &of->stretches[of->count - 1];
    if (last == NULL || last->at_us / 1000 != at_us / 1000 ||
        size_of(&last->encoded) + size_of(next) > of->room)
        return 0;
    join_encoding(&last->encoded, next);
    return 1;
}

/* Leave no room in the middle between the last stretch and what comes next. */
static void close_up(const struct stretch *last, struct encoding *next)
{
    size_t middle = (size_t)(next->middle_end - next->middle);
    memmove(last->encoded.middle_end, next->middle, middle);
    next->middle = last->encoded.middle_end;
    next->middle_end = next->middle + middle;
}

static int allot_more(struct row *of)
{
    ptrdiff_t allotted = 2 * of->allotted + FIRST_STRETCHES;
    struct stretch *more = realloc(of->stretches, (size_t)allotted * sizeof *more);
    if (more == NULL)
        return -1;
    of->stretches = more;
    of->allotted = allotted;
    return 0;
}

/* Begin a stretch with what comes next; return -1 when there is no memory. */
static int add_stretch(struct row *of, struct encoding *next, long long at_us)
{
    ptrdiff_t left = of->room;
    int begins;
    if (of->count != 0) {
        const struct stretch *last = &of->stretches[of->count - 1];
        left = last->at_us / 1000 == at_us / 1000 ? 0 : left - size_of(&last->encoded);
        close_up(last, next);
    }
    if (of->count == of->allotted && allot_more(of) < 0)
        return -1;
    begins = size_of(next) > left;
    of->room = begins ? of->most : left;
    if (begins) {
        of->full = of->count;
        of->begun++;
    }
    of->stretches[of->count++] = (struct stretch){at_us, 0, begins, *next};
    return 0;
}

/* What is encoded next is written behind the last stretch. */
static struct encoding begin_next(const struct row *of)
{
    struct encoding next = of->begin;
    if (of->count != 0)
        follow_encoding(&next, &of->stretches[of->count - 1].encoded);
    return next;
}

const unsigned char *encode_part(struct row *of, const unsigned char *at, const unsigned char *end,
                                 long long at_us)
{
    ptrdiff_t step = STEP_BYTES;
    while (at < end) {
        struct encoding next = begin_next(of);
        const unsigned char *stop = end - at < step ? end : at + step;
        stop = encode_bytes(&next, at, stop, 0);
        if (stop == at)
            break;
        if (!join_last(of, &next, at_us)) {
            if (size_of(&next) > of->most) {
                step = (of->most - RECORD_BYTES) / EXPANSION; /* surely fits */
                continue;
            }
            if (add_stretch(of, &next, at_us) < 0)
                return NULL;
        }
        of->stretches[of->count - 1].used += stop - at;
        at = stop;
        step = STEP_BYTES;
    }
    return at;
}

void drop_full(struct row *of)
{
    const struct stretch *kept = of->stretches + of->full;
    const struct encoding *from = &kept->encoded;
    const struct encoding *last = &of->stretches[of->count - 1].encoded;
    ptrdiff_t text = from->text - of->begin.text;
    ptrdiff_t binary = from->binary - of->begin.binary;
    ptrdiff_t middle = from->middle - of->begin.middle;
    memmove(of->begin.text, from->text, (size_t)(last->text_end - from->text));
    memmove(of->begin.binary, from->binary, (size_t)(last->binary_end - from->binary));
    memmove(of->begin.middle, from->middle, (size_t)(last->middle_end - from->middle));
    of->count -= of->full;
    memmove(of->stretches, kept, (size_t)of->count * sizeof *kept);
    for (ptrdiff_t i = 0; i < of->count; i++) {
        struct encoding *encoded = &of->stretches[i].encoded;
        encoded->text -= text, encoded->text_end -= text;
        encoded->binary -= binary, encoded->binary_end -= binary;
        encoded->middle -= middle, encoded->middle_end -= middle;
    }
    of->full = of->begun = 0;
}

const struct stretch *find_message(const struct stretch *at, const struct stretch *end)
{
    while (at != end && !at->begins)
        at++;
    return at;
}

const char *find_binary_end(const struct stretch *first, const struct stretch *end)
{
    const char *binary_end = first->encoded.binary;
    for (; first != end; first++)
        if (first->encoded.binary_end != first->encoded.binary)
            binary_end = first->encoded.binary_end;
    return binary_end;
}

ptrdiff_t limit_timing(const struct stretch *first, const struct stretch *end)
{
    ptrdiff_t bytes = 0;
    for (; first != end; first++)
        bytes += first->encoded.middle_end - first->encoded.middle + 3 * MOST_RECORD;
    return bytes;
}

char *put_timing(char *out, const struct stretch *first, const struct stretch *end)
{
    for (const struct stretch *at = first; at != end; at++) {
        const struct encoding *encoded = &at->encoded;
        size_t middle = (size_t)(encoded->middle_end - encoded->middle);
        if (at != first)
            out = put_delay(out, at->at_us / 1000 - at[-1].at_us / 1000);
        out = put_run(out, encoded->marks, first_run(encoded));
        if (encoded->runs < 2)
            continue;
        memcpy(out, encoded->middle, middle);
        out = put_run(out + middle, encoded->marks, last_run(encoded));
    }
    return out;
}
