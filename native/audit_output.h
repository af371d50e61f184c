/* Bytes that grow, and what is written into them. */
#ifndef STENO_AUDIT_OUTPUT_H
#define STENO_AUDIT_OUTPUT_H

#include "audit_module.h"

#include "json_text.h"

/* The bytes are PyMem_Free's; all zero before the first is written. */
struct output {
    unsigned char *at;
    size_t used, room;
};

int grow_output(struct output *to, size_t count);

/* Make room for `count` bytes more, and a word beyond; all of these return -1 with an exception. */
static inline int reserve(struct output *to, size_t count)
{
    if (to->room != 0 && count <= to->room - WORD - to->used)
        return 0;
    return grow_output(to, count);
}

static inline int put_bytes(struct output *to, const void *bytes, size_t count)
{
    if (reserve(to, count) < 0)
        return -1;
    memcpy(to->at + to->used, bytes, count);
    to->used += count;
    return 0;
}

/* Write the bytes that a quoted or a hexadecimal string stands for, of anything else its own. */
int put_content(struct output *to, struct slice raw);

/* Write the inside of a JSON string; `*is_valid` tells whether all of it was UTF-8. */
int put_string(struct output *to, struct slice slice, bool *is_valid);
int put_hexadecimal(struct output *to, struct slice slice);

/* Write `,"value":"..."`. */
int put_value(struct output *to, struct slice value);

static inline int put(struct output *to, const char *text)
{
    return put_bytes(to, text, strlen(text));
}

static inline unsigned char *copy(unsigned char *out, const void *bytes, size_t count)
{
    memcpy(out, bytes, count);
    return out + count;
}

static inline struct slice written(const struct output *from)
{
    return (struct slice){from->at, from->used};
}

#endif
