/* What the parts of steno.audit._records share. */
#ifndef STENO_AUDIT_MODULE_H
#define STENO_AUDIT_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "audit_lexing.h"

/* Strings that come again and again: names of types and fields, and of hosts. */
enum { INTERNED = 1024, MOST_INTERNED = 64 };

struct interned {
    PyObject *text;
    size_t length;
    unsigned char bytes[MOST_INTERNED];
};

struct state {
    PyTypeObject *record_type, *encoder_type;
    struct interned interned[INTERNED];
};

static inline uint64_t hash_bytes(uint64_t seed, struct slice slice)
{
    const unsigned char *at = slice.at;
    size_t left = slice.length;
    uint64_t hash = seed ^ (slice.length * UINT64_C(0x9e3779b97f4a7c15)), word;
    for (; left >= 8; at += 8, left -= 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    word = 0;
    if (left != 0)
        memcpy(&word, at, left);
    hash = (hash ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 29;
}

/* One audit record; see src/steno/audit/_records.pyi. */
struct record {
    PyObject_HEAD
    PyObject *type, *node, *key, *line;
    long long at_unix_us, serial;
    Py_ssize_t offset_bytes;
    struct slice type_name; /* in `line` */
    size_t head_length;
    struct item *items; /* NULL until they are asked for; words have no name */
    size_t item_count, own_count; /* how many in all, and before auditd's */
};

/* Read the record's items, if that was not done; -1 with an exception on failure. */
int read_items(struct record *record);

/* Return a string for `slice`, the same object where it came lately. */
PyObject *intern(struct state *state, struct slice slice);

/* A record, whose event the next one often shares, and its head. */
struct before {
    const struct record *record; /* borrowed; NULL: there is none */
    struct head head;
};

/* Make a record of `line`, which becomes the record's own and is lost on failure, too. */
struct record *make_record(struct state *state, PyObject *line, const struct head *head,
                           const unsigned char *head_at, const struct before *before);

static inline struct slice slice_text(const char *text)
{
    return (struct slice){(const unsigned char *)text, strlen(text)};
}

/* The bytes that an object holds, borrowed. */
struct slice slice_of(PyObject *bytes);

PyObject *make_bytes(struct slice slice);

/* Append `item`, NULL for a failure, to a list, and let go of it. */
int append_stolen(PyObject *list, PyObject *item);

/* Return the first field of that name, NULL where there is none; the items must have been read. */
const struct item *find_item(const struct record *record, struct slice name);

/* Return the first values of the fields that a tuple names, as a tuple. */
PyObject *get_values(struct record *record, PyObject *names);

PyObject *find_likeness(PyObject *module, PyObject *arguments);
PyObject *gather(PyObject *module, PyObject *arguments);
PyObject *join_arguments(PyObject *module, PyObject *records);
PyObject *measure_events(PyObject *module, PyObject *arguments);

extern PyType_Spec encoder_spec, record_spec;

#endif
