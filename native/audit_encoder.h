/* What the parts of steno.audit._records.Encoder share. */
#ifndef STENO_AUDIT_ENCODER_H
#define STENO_AUDIT_ENCODER_H

#include "audit_module.h"
#include "audit_output.h"

/* How values of a kind are decoded; src/steno/audit/encoding.py says which kind is of which class. */
enum class {
    ASK,           /* steno.audit.values.decoding knows */
    AS_IT_IS,      /* nothing but quotes to take off */
    STRING,        /* quoted or hexadecimal */
    TITLE,         /* the same, with NULs between arguments */
    ID,            /* auditd's suffix knows, else ask */
    ARCH,          /* ask; later fields need it */
    SYSCALL,       /* ask, with the arch; later fields need it */
    IF_NEGATIVE,   /* ask when it begins with a minus */
    AFTER_ANOTHER, /* ask, with the argument before */
    ARGUMENT_0,    /* its kind depends on the system call */
    ARGUMENT_3 = ARGUMENT_0 + 3,
    CLASSES
};

enum { KINDS = 256, ARGUMENTS = 4, NAME_ROOM = 64 };

/* A field of a type of record. `bytes` holds the type and the name, and how the field begins. */
struct known {
    uint64_t hash, seen_in; /* the number of the record in which it was seen last */
    struct known *next;     /* what came after it the last time, of the same table */
    size_t type_length, key_length, begin_length;
    unsigned int times;
    unsigned char kind;
    unsigned char bytes[];
};

struct known_fields {
    struct known **places;
    size_t count, room;
};

enum { FIRST_ROOM = 1024, MOST_KNOWN = 8192 };

/* An answer of steno.audit.values.decoding: what it was asked, and the JSON that follows of it. */
struct answer {
    uint64_t hash;
    uint32_t question_length, answer_length;
    unsigned char bytes[];
};

enum { ANSWER_SETS = 4096, WAYS = 4, MOST_QUESTION = 256, MOST_ANSWER = 2048 };

/* The kinds of a system call's arguments. */
struct call {
    size_t key_length;
    unsigned char key[48];
    unsigned char kinds[ARGUMENTS];
};

enum { CALLS = 1024 };

struct encoder {
    PyObject_HEAD
    PyObject *value, *kind_of, *kinds_of_arguments;
    unsigned char classes[KINDS];
    struct output output, scratch; /* what is returned; what is decoded on the way */
    struct known_fields known;
    struct answer *answers[ANSWER_SETS][WAYS];
    unsigned int next_way;
    struct call calls[CALLS];
    uint64_t number; /* of records so far */
    bool is_busy;
};

struct question {
    struct slice raw, fact, suffix; /* `suffix.at` is NULL where there is none */
    unsigned char kind;
};

void forget_fields(struct known_fields *known);

/* Return what is known of the field, asking when nothing is yet; NULL on failure. */
struct known *know_field(struct encoder *encoder, uint64_t type_hash, struct slice type,
                         struct slice name);
bool is_named(const struct known *known, struct slice name);

/* Write what the decoder answers, now or earlier. */
int ask(struct encoder *encoder, const struct question *question);
void forget_answers(struct encoder *encoder);

/* Find the kind of argument `number` of a system call. */
int find_kind_of_argument(struct encoder *encoder, struct slice arch, struct slice syscall,
                          unsigned int number, unsigned char *kind);

/* Write a record as JSON. */
int put_record(struct encoder *encoder, struct record *record);

#endif
