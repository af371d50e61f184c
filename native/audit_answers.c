/* What steno.audit._records.Encoder asks Python, and remembers. */
#include "audit_encoder.h"

void forget_fields(struct known_fields *known)
{
    for (size_t i = 0; i < known->room; i++)
        PyMem_Free(known->places[i]);
    PyMem_Free(known->places);
    *known = (struct known_fields){NULL, 0, 0};
}

static struct known **find_place(struct known **places, size_t room, uint64_t hash,
                                 struct slice type, struct slice name)
{
    size_t at = (size_t)hash & (room - 1);
    for (;; at = (at + 1) & (room - 1)) {
        const struct known *known = places[at];
        if (known == NULL || (known->hash == hash && known->key_length == type.length + name.length &&
                              memcmp(known->bytes, type.at, type.length) == 0 &&
                              memcmp(known->bytes + type.length, name.at, name.length) == 0))
            return &places[at];
    }
}

static int grow_known(struct known_fields *known)
{
    size_t room = known->room == 0 ? FIRST_ROOM : known->room * 2;
    struct known **places = PyMem_Calloc(room, sizeof *places);
    if (places == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < known->room; i++) {
        size_t at;
        if (known->places[i] == NULL)
            continue;
        at = (size_t)known->places[i]->hash & (room - 1);
        while (places[at] != NULL)
            at = (at + 1) & (room - 1);
        places[at] = known->places[i];
    }
    PyMem_Free(known->places);
    known->places = places;
    known->room = room;
    return 0;
}

static int read_kind(PyObject *number, unsigned char *kind)
{
    long value = PyLong_AsLong(number);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < 0 || value >= KINDS) {
        PyErr_SetString(PyExc_ValueError, "a kind is a number below 256");
        return -1;
    }
    *kind = (unsigned char)value;
    return 0;
}

static int ask_kind(struct encoder *encoder, struct slice type, struct slice name,
                    unsigned char *kind)
{
    PyObject *number =
        PyObject_CallFunction(encoder->kind_of, "s#s#", (const char *)type.at,
                              (Py_ssize_t)type.length, (const char *)name.at,
                              (Py_ssize_t)name.length);
    int result = number == NULL ? -1 : read_kind(number, kind);
    Py_XDECREF(number);
    return result;
}

static struct known *make_known(struct encoder *encoder, uint64_t hash, struct slice type,
                                struct slice name)
{
    static const char after[] = "\":{\"raw\":\"";
    struct known *known = PyMem_Malloc(sizeof *known + type.length + 2 * name.length + sizeof after);
    unsigned char *at;
    if (known == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    known->hash = hash;
    known->seen_in = 0;
    known->next = NULL;
    known->times = 0;
    known->type_length = type.length;
    known->key_length = type.length + name.length;
    known->begin_length = 1 + name.length + sizeof after - 1;
    at = known->bytes;
    memcpy(at, type.at, type.length);
    at += type.length;
    memcpy(at, name.at, name.length);
    at += name.length;
    *at++ = '"';
    memcpy(at, name.at, name.length);
    memcpy(at + name.length, after, sizeof after - 1);
    if (ask_kind(encoder, type, name, &known->kind) < 0) {
        PyMem_Free(known);
        return NULL;
    }
    return known;
}

struct known *know_field(struct encoder *encoder, uint64_t type_hash, struct slice type,
                                struct slice name)
{
    struct known_fields *all = &encoder->known;
    uint64_t hash = hash_bytes(type_hash, name);
    struct known **place;
    if (all->count * 2 >= all->room && grow_known(all) < 0)
        return NULL;
    place = find_place(all->places, all->room, hash, type, name);
    if (*place == NULL) {
        *place = make_known(encoder, hash, type, name);
        all->count += *place != NULL;
    }
    return *place;
}

bool is_named(const struct known *known, struct slice name)
{
    return known->key_length - known->type_length == name.length &&
           memcmp(known->bytes + known->type_length, name.at, name.length) == 0;
}

/* Write the question as bytes; return how many, or 0 when they are too many to remember. */
static size_t write_question(const struct question *question, unsigned char *out)
{
    size_t length = question->raw.length, at = 4;
    if (length > MOST_QUESTION || question->fact.length > MOST_QUESTION / 4 ||
        question->suffix.length > MOST_QUESTION / 4 ||
        length + question->fact.length + question->suffix.length + at > MOST_QUESTION)
        return 0;
    out[0] = question->kind;
    out[1] = (unsigned char)question->fact.length;
    out[2] = (unsigned char)question->suffix.length;
    out[3] = question->suffix.at != NULL;
    if (question->fact.length != 0)
        memcpy(out + at, question->fact.at, question->fact.length);
    at += question->fact.length;
    if (question->suffix.at != NULL)
        memcpy(out + at, question->suffix.at, question->suffix.length);
    at += question->suffix.length;
    memcpy(out + at, question->raw.at, length);
    return at + length;
}

/* Write what an answer says, a str, bytes or None. */
static int put_answer(struct output *to, PyObject *answer)
{
    PyObject *bytes;
    int result;
    if (answer == Py_None)
        return 0;
    if (PyUnicode_Check(answer))
        bytes = PyUnicode_AsEncodedString(answer, "utf-8", "surrogateescape");
    else
        bytes = PyObject_Bytes(answer);
    if (bytes == NULL)
        return -1;
    result = put_value(to, (struct slice){(const unsigned char *)PyBytes_AsString(bytes),
                                          (size_t)PyBytes_Size(bytes)});
    Py_DECREF(bytes);
    return result;
}

static int ask_now(struct encoder *encoder, const struct question *question)
{
    PyObject *answer = PyObject_CallFunction(
        encoder->value, "iy#y#y#", (int)question->kind, (const char *)question->raw.at,
        (Py_ssize_t)question->raw.length,
        question->fact.length == 0 ? "" : (const char *)question->fact.at,
        (Py_ssize_t)question->fact.length, (const char *)question->suffix.at,
        (Py_ssize_t)question->suffix.length);
    int result = answer == NULL ? -1 : put_answer(&encoder->output, answer);
    Py_XDECREF(answer);
    return result;
}

static int remember(struct encoder *encoder, struct answer **set, uint64_t hash,
                    struct slice question, struct slice answer)
{
    struct answer *kept;
    unsigned int way = encoder->next_way++ % WAYS;
    if (answer.length > MOST_ANSWER)
        return 0;
    kept = PyMem_Malloc(sizeof *kept + question.length + answer.length);
    if (kept == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    kept->hash = hash;
    kept->question_length = (uint32_t)question.length;
    kept->answer_length = (uint32_t)answer.length;
    memcpy(kept->bytes, question.at, question.length);
    if (answer.length != 0)
        memcpy(kept->bytes + question.length, answer.at, answer.length);
    PyMem_Free(set[way]);
    set[way] = kept;
    return 0;
}

int ask(struct encoder *encoder, const struct question *question)
{
    unsigned char bytes[MOST_QUESTION];
    struct slice key = {bytes, write_question(question, bytes)};
    struct output *to = &encoder->output;
    size_t begin = to->used;
    struct answer **set;
    uint64_t hash;
    if (key.length == 0)
        return ask_now(encoder, question);
    hash = hash_bytes(1, key);
    set = encoder->answers[hash % ANSWER_SETS];
    for (int way = 0; way < WAYS; way++) {
        const struct answer *kept = set[way];
        if (kept != NULL && kept->hash == hash &&
            is_equal((struct slice){kept->bytes, kept->question_length}, key))
            return put_bytes(to, kept->bytes + kept->question_length, kept->answer_length);
    }
    if (ask_now(encoder, question) < 0)
        return -1;
    return remember(encoder, set, hash, key, (struct slice){to->at + begin, to->used - begin});
}

void forget_answers(struct encoder *encoder)
{
    for (size_t set = 0; set < ANSWER_SETS; set++) {
        for (size_t way = 0; way < WAYS; way++) {
            PyMem_Free(encoder->answers[set][way]);
            encoder->answers[set][way] = NULL;
        }
    }
}

/* Ask for the kinds of the arguments of the record's system call. */
static int ask_call(struct encoder *encoder, struct slice arch, struct slice syscall,
                    struct call *call)
{
    PyObject *kinds = PyObject_CallFunction(
        encoder->kinds_of_arguments, "y#y#",
        arch.length == 0 ? "" : (const char *)arch.at,
        (Py_ssize_t)arch.length,
        syscall.length == 0 ? "" : (const char *)syscall.at,
        (Py_ssize_t)syscall.length);
    int result = kinds == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < ARGUMENTS; i++) {
        PyObject *kind = PySequence_GetItem(kinds, i);
        result = kind == NULL ? -1 : read_kind(kind, &call->kinds[i]);
        Py_XDECREF(kind);
    }
    Py_XDECREF(kinds);
    return result;
}

int find_kind_of_argument(struct encoder *encoder, struct slice arch, struct slice syscall,
                          unsigned int number, unsigned char *kind)
{
    struct call *call, made = {.key_length = 0};
    size_t length = 1 + arch.length + syscall.length;
    if (arch.length > 16 || syscall.length > 16) {
        if (ask_call(encoder, arch, syscall, &made) < 0)
            return -1;
        *kind = made.kinds[number];
        return 0;
    }
    made.key[0] = (unsigned char)arch.length;
    if (arch.length != 0)
        memcpy(made.key + 1, arch.at, arch.length);
    if (syscall.length != 0)
        memcpy(made.key + 1 + arch.length, syscall.at, syscall.length);
    call = &encoder->calls[hash_bytes(2, (struct slice){made.key, length}) % CALLS];
    if (call->key_length != length || memcmp(call->key, made.key, length) != 0) {
        made.key_length = length;
        if (ask_call(encoder, arch, syscall, &made) < 0)
            return -1;
        *call = made;
    }
    *kind = call->kinds[number];
    return 0;
}
