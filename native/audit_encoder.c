/* steno.audit._records.Encoder: records to the JSON of Event.records. */
#include "audit_module.h"

#include "json_text.h"

/* How values of a kind are decoded; src/steno/audit/encoding.py says which kind is of which class. */
enum class {
    ASK,           /* steno.audit.decoding knows */
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

/* --- what is written --- */

struct output {
    unsigned char *at;
    size_t used, room;
};

/* Make room for `count` bytes more, and a word beyond. */
static int reserve(struct output *to, size_t count)
{
    unsigned char *at;
    size_t room = to->room == 0 ? 4096 : to->room;
    if (count > (size_t)PY_SSIZE_T_MAX / 4 - to->used) {
        (void)PyErr_NoMemory();
        return -1;
    }
    if (to->used + count + WORD <= to->room)
        return 0;
    while (room < to->used + count + WORD)
        room *= 2;
    at = PyMem_Realloc(to->at, room);
    if (at == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    to->at = at;
    to->room = room;
    return 0;
}

static int put_bytes(struct output *to, const void *bytes, size_t count)
{
    if (reserve(to, count) < 0)
        return -1;
    memcpy(to->at + to->used, bytes, count);
    to->used += count;
    return 0;
}

static inline int put(struct output *to, const char *text)
{
    return put_bytes(to, text, strlen(text));
}

static inline unsigned char *copy(unsigned char *out, const void *bytes, size_t count)
{
    memcpy(out, bytes, count);
    return out + count;
}

/* Write the inside of a JSON string; `*is_valid` may be NULL. */
static int put_string(struct output *to, struct slice slice, bool *is_valid)
{
    bool ignored;
    if (slice.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, slice.length * MOST_JSON) < 0)
        return -1;
    to->used = (size_t)(put_json_text(to->at + to->used, slice,
                                      is_valid == NULL ? &ignored : is_valid) -
                        to->at);
    return 0;
}

static int put_hexadecimal(struct output *to, struct slice slice)
{
    static const char digits[] = "0123456789abcdef";
    if (slice.length > (size_t)PY_SSIZE_T_MAX / 16 || reserve(to, slice.length * 2) < 0)
        return -1;
    for (size_t i = 0; i < slice.length; i++) {
        to->at[to->used++] = (unsigned char)digits[slice.at[i] >> 4];
        to->at[to->used++] = (unsigned char)digits[slice.at[i] & 15];
    }
    return 0;
}

static int put_value(struct output *to, struct slice value)
{
    static const char begin[] = ",\"value\":\"";
    unsigned char *out;
    bool is_valid;
    if (value.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, value.length * MOST_JSON + sizeof begin) < 0)
        return -1;
    out = put_json_text(copy(to->at + to->used, begin, sizeof begin - 1), value, &is_valid);
    *out++ = '"';
    to->used = (size_t)(out - to->at);
    return 0;
}

/* --- what is remembered --- */

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

/* An answer of steno.audit.decoding: what it was asked, and the JSON that follows of it. */
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
    struct output output;
    struct known_fields known;
    struct answer *answers[ANSWER_SETS][WAYS];
    unsigned int next_way;
    struct call calls[CALLS];
    uint64_t number; /* of records so far */
    bool is_busy;
};

static void forget_fields(struct known_fields *known)
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

/* Return what is known of the field, asking when nothing is yet; NULL on failure. */
static struct known *know_field(struct encoder *encoder, uint64_t type_hash, struct slice type,
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

static bool is_named(const struct known *known, struct slice name)
{
    return known->key_length - known->type_length == name.length &&
           memcmp(known->bytes + known->type_length, name.at, name.length) == 0;
}

/* --- asking --- */

struct question {
    struct slice raw, fact, suffix; /* `suffix.at` is NULL where there is none */
    unsigned char kind;
};

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

/* Write what the decoder answers, now or earlier. */
static int ask(struct encoder *encoder, const struct question *question)
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

/* --- a record --- */

enum { MOST_SUFFIXES = 64 };

/* What is known while a record is written. */
struct writing {
    struct encoder *encoder;
    const struct record *record;
    struct known *before; /* the field before; NULL: there is none */
    uint64_t type_hash;
    struct slice arch, syscall, argument_before;
    uint64_t used; /* a bit for each of auditd's fields that has told its own */
    bool is_in_suffix, has_fields, has_words;
};

static struct slice take_quotes_off(struct slice value)
{
    if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
        return (struct slice){value.at + 1, value.length - 2};
    return value;
}

static bool is_upper_case_of(struct slice upper, struct slice name)
{
    if (upper.length != name.length)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = name.at[i];
        if (byte >= 'a' && byte <= 'z')
            byte = (unsigned char)(byte - 'a' + 'A');
        if (upper.at[i] != byte)
            return false;
    }
    return true;
}

/* Find the first thing that auditd said about the field. */
static struct slice take_suffix(struct writing *writing, struct slice name)
{
    const struct record *record = writing->record;
    size_t count = record->item_count - record->own_count;
    for (size_t i = 0; i < count && i < MOST_SUFFIXES && !writing->is_in_suffix; i++) {
        const struct item *item = &record->items[record->own_count + i];
        if (!is_upper_case_of(item->name, name))
            continue;
        writing->used |= UINT64_C(1) << i;
        return take_quotes_off(item->value);
    }
    return (struct slice){NULL, 0};
}

static void separate_arguments(unsigned char *bytes, size_t *length)
{
    for (size_t i = 0; i < *length; i++)
        bytes[i] = bytes[i] == '\0' ? ' ' : bytes[i];
    while (*length > 0 && bytes[*length - 1] == ' ')
        (*length)--;
}

/* Write a quoted or hexadecimal string's value; what is neither has none. */
static int put_decoded(struct output *to, struct slice raw, bool is_title)
{
    unsigned char *bytes;
    size_t length;
    int result;
    bool is_quoted = raw.length > 0 && raw.at[0] == '"';
    struct slice source = is_quoted ? find_quoted(raw) : raw;
    if (is_quoted && !is_title)
        return put_value(to, source);
    if (!is_quoted && !is_hexadecimal(raw))
        return 0;
    length = is_quoted ? source.length : source.length / 2;
    bytes = PyMem_Malloc(length + 1);
    if (bytes == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    if (is_quoted)
        memcpy(bytes, source.at, length);
    else
        decode_hexadecimal(source, bytes);
    if (is_title)
        separate_arguments(bytes, &length);
    result = put_value(to, (struct slice){bytes, length});
    PyMem_Free(bytes);
    return result;
}

/* Ask for the kinds of the arguments of the record's system call. */
static int ask_call(struct writing *writing, struct call *call)
{
    PyObject *kinds = PyObject_CallFunction(
        writing->encoder->kinds_of_arguments, "y#y#",
        writing->arch.length == 0 ? "" : (const char *)writing->arch.at,
        (Py_ssize_t)writing->arch.length,
        writing->syscall.length == 0 ? "" : (const char *)writing->syscall.at,
        (Py_ssize_t)writing->syscall.length);
    int result = kinds == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; result == 0 && i < ARGUMENTS; i++) {
        PyObject *kind = PySequence_GetItem(kinds, i);
        result = kind == NULL ? -1 : read_kind(kind, &call->kinds[i]);
        Py_XDECREF(kind);
    }
    Py_XDECREF(kinds);
    return result;
}

static int find_kind_of_argument(struct writing *writing, unsigned int number, unsigned char *kind)
{
    struct slice arch = writing->arch, syscall = writing->syscall;
    struct call *call, made = {.key_length = 0};
    size_t length = 1 + arch.length + syscall.length;
    if (arch.length > 16 || syscall.length > 16) {
        if (ask_call(writing, &made) < 0)
            return -1;
        *kind = made.kinds[number];
        return 0;
    }
    made.key[0] = (unsigned char)arch.length;
    if (arch.length != 0)
        memcpy(made.key + 1, arch.at, arch.length);
    if (syscall.length != 0)
        memcpy(made.key + 1 + arch.length, syscall.at, syscall.length);
    call = &writing->encoder->calls[hash_bytes(2, (struct slice){made.key, length}) % CALLS];
    if (call->key_length != length || memcmp(call->key, made.key, length) != 0) {
        made.key_length = length;
        if (ask_call(writing, &made) < 0)
            return -1;
        *call = made;
    }
    *kind = call->kinds[number];
    return 0;
}

static int put_meaning(struct writing *writing, const struct item *item, unsigned char kind)
{
    struct encoder *encoder = writing->encoder;
    struct question question = {.raw = item->value, .kind = kind};
    enum class class = encoder->classes[kind];
    switch (class) {
    case AS_IT_IS:
        if (item->value.length == 0 || item->value.at[0] != '"')
            return 0;
        return put_decoded(&encoder->output, item->value, false);
    case STRING:
    case TITLE:
        return put_decoded(&encoder->output, item->value, class == TITLE);
    case ID:
        question.suffix = take_suffix(writing, item->name);
        if (question.suffix.at != NULL)
            return put_value(&encoder->output, question.suffix);
        break;
    case ARCH:
        writing->arch = item->value;
        question.suffix = take_suffix(writing, item->name);
        break;
    case SYSCALL:
        writing->syscall = item->value;
        question.fact = writing->arch;
        question.suffix = take_suffix(writing, item->name);
        break;
    case IF_NEGATIVE:
        if (item->value.length != 0 && item->value.at[0] != '-')
            return 0;
        break;
    case AFTER_ANOTHER:
        question.fact = writing->argument_before;
        break;
    default:
        break;
    }
    return ask(encoder, &question);
}

/* Write how the field begins; there is room. */
static unsigned char *put_name(unsigned char *out, struct known *known, struct slice name,
                               uint64_t number)
{
    char again[NAME_ROOM];
    if (known->seen_in != number) {
        known->seen_in = number;
        known->times = 1;
        return copy(out, known->bytes + known->key_length, known->begin_length);
    }
    known->times++;
    (void)PyOS_snprintf(again, sizeof again, "#%u\":{\"raw\":\"", known->times);
    *out++ = '"';
    return copy(copy(out, name.at, name.length), again, strlen(again));
}

/* Write the field but for its meaning. */
static int put_raw(struct writing *writing, struct known *known, const struct item *item)
{
    struct output *to = &writing->encoder->output;
    unsigned char *out;
    bool is_valid;
    if (item->value.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, item->value.length * MOST_JSON + item->name.length + NAME_ROOM) < 0)
        return -1;
    out = to->at + to->used;
    if (writing->has_fields)
        *out++ = ',';
    writing->has_fields = true;
    out = put_name(out, known, item->name, writing->encoder->number);
    out = put_json_text(out, item->value, &is_valid);
    *out++ = '"';
    to->used = (size_t)(out - to->at);
    if (!is_valid && (put(to, ",\"raw_hex\":\"") < 0 || put_hexadecimal(to, item->value) < 0 ||
                      put(to, "\"") < 0))
        return -1;
    return 0;
}

/* Return what is known of the record's next field: mostly what came there the last time. */
static struct known *know_next(struct writing *writing, struct slice name)
{
    struct known *before = writing->before, *known = before == NULL ? NULL : before->next;
    if (known == NULL || !is_named(known, name))
        known = know_field(writing->encoder, writing->type_hash, writing->record->type_name, name);
    if (before != NULL && known != NULL)
        before->next = known;
    writing->before = known;
    return known;
}

static int put_field(struct writing *writing, const struct item *item)
{
    struct encoder *encoder = writing->encoder;
    struct known *known = know_next(writing, item->name);
    unsigned char kind, class;
    if (known == NULL || put_raw(writing, known, item) < 0)
        return -1;
    kind = known->kind;
    class = encoder->classes[kind];
    if (class >= ARGUMENT_0 &&
        find_kind_of_argument(writing, (unsigned int)class - ARGUMENT_0, &kind) < 0)
        return -1;
    if (put_meaning(writing, item, kind) < 0)
        return -1;
    if (class >= ARGUMENT_0)
        writing->argument_before = item->value;
    return put(&encoder->output, "}");
}

/* Write the record's own fields, and those of auditd's that no other field has used. */
static int put_fields(struct writing *writing)
{
    const struct record *record = writing->record;
    for (size_t i = 0; i < record->item_count; i++) {
        const struct item *item = &record->items[i];
        size_t number = i - record->own_count;
        if (item->name.length == 0) {
            writing->has_words = true;
            continue;
        }
        writing->is_in_suffix = i >= record->own_count;
        if (writing->is_in_suffix && number < MOST_SUFFIXES && (writing->used >> number & 1) != 0)
            continue;
        if (put_field(writing, item) < 0)
            return -1;
    }
    return 0;
}

/* Collect the words, with one blank between. */
static int collect_words(struct output *to, const struct record *record)
{
    for (size_t i = 0; i < record->item_count; i++) {
        const struct item *item = &record->items[i];
        if (item->name.length != 0)
            continue;
        if ((to->used != 0 && put(to, " ") < 0) ||
            put_bytes(to, item->value.at, item->value.length) < 0)
            return -1;
    }
    return 0;
}

static int put_words(struct output *to, const struct record *record)
{
    struct output words = {NULL, 0, 0};
    struct slice collected;
    bool is_valid = true;
    int result = collect_words(&words, record);
    collected = (struct slice){words.at, words.used};
    if (result == 0 && (put(to, ",\"words\":\"") < 0 || put_string(to, collected, &is_valid) < 0 ||
                        put(to, "\"") < 0))
        result = -1;
    if (result == 0 && !is_valid &&
        (put(to, ",\"words_hex\":\"") < 0 || put_hexadecimal(to, collected) < 0 ||
         put(to, "\"") < 0))
        result = -1;
    PyMem_Free(words.at);
    return result;
}

static int put_record(struct encoder *encoder, struct record *record)
{
    struct output *to = &encoder->output;
    struct writing writing = {.encoder = encoder, .record = record};
    if (encoder->known.count > MOST_KNOWN)
        forget_fields(&encoder->known);
    encoder->number++;
    writing.type_hash = hash_bytes(0, record->type_name);
    if (read_items(record) < 0 || put(to, "{\"type\":\"") < 0 ||
        put_bytes(to, record->type_name.at, record->type_name.length) < 0 ||
        put(to, "\",\"fields\":{") < 0 || put_fields(&writing) < 0 || put(to, "}") < 0 ||
        (writing.has_words && put_words(to, record) < 0))
        return -1;
    return put(to, "}");
}

/* --- the type --- */

static int put_records(struct encoder *encoder, PyObject *records, PyTypeObject *type)
{
    Py_ssize_t count = PyList_Size(records);
    if (put(&encoder->output, "[") < 0)
        return -1;
    for (Py_ssize_t i = 0; i < count && i < PyList_Size(records); i++) {
        PyObject *record = Py_NewRef(PyList_GetItem(records, i));
        int result = -1;
        if (Py_TYPE(record) != type)
            PyErr_SetString(PyExc_TypeError, "not a list of records");
        else if (i == 0 || put(&encoder->output, ",") == 0)
            result = put_record(encoder, (struct record *)record);
        Py_DECREF(record);
        if (result < 0)
            return -1;
    }
    return put(&encoder->output, "]");
}

static PyObject *encode(struct encoder *encoder, PyObject *records)
{
    struct state *state = PyType_GetModuleState(Py_TYPE((PyObject *)encoder));
    PyObject *result = NULL;
    if (state == NULL)
        return NULL;
    if (!PyList_Check(records)) {
        PyErr_SetString(PyExc_TypeError, "not a list of records");
        return NULL;
    }
    if (encoder->is_busy) {
        PyErr_SetString(PyExc_RuntimeError, "an encoder serves one caller at a time");
        return NULL;
    }
    encoder->is_busy = true;
    encoder->output.used = 0;
    if (put_records(encoder, records, state->record_type) == 0)
        result = PyBytes_FromStringAndSize((const char *)encoder->output.at,
                                           (Py_ssize_t)encoder->output.used);
    encoder->is_busy = false;
    return result;
}

static void forget_answers(struct encoder *encoder)
{
    for (size_t set = 0; set < ANSWER_SETS; set++) {
        for (size_t way = 0; way < WAYS; way++) {
            PyMem_Free(encoder->answers[set][way]);
            encoder->answers[set][way] = NULL;
        }
    }
}

static PyObject *forget(struct encoder *encoder, PyObject *nothing)
{
    (void)nothing;
    if (encoder->is_busy) {
        PyErr_SetString(PyExc_RuntimeError, "an encoder serves one caller at a time");
        return NULL;
    }
    forget_answers(encoder);
    Py_RETURN_NONE;
}

static int read_classes(struct encoder *encoder, const char *classes, Py_ssize_t count)
{
    if (count > KINDS) {
        PyErr_SetString(PyExc_ValueError, "there are at most 256 kinds");
        return -1;
    }
    memset(encoder->classes, ASK, KINDS);
    for (Py_ssize_t i = 0; i < count; i++) {
        encoder->classes[i] = (unsigned char)classes[i];
        if (encoder->classes[i] >= CLASSES) {
            PyErr_SetString(PyExc_ValueError, "no such class");
            return -1;
        }
    }
    return 0;
}

static PyObject *new_encoder(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *value, *kind_of, *kinds_of_arguments;
    const char *classes;
    Py_ssize_t count;
    struct encoder *encoder;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Encoder takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOy#", &value, &kind_of, &kinds_of_arguments, &classes,
                          &count))
        return NULL;
    encoder = (struct encoder *)allocate(type, 0); /* all zero */
    if (encoder == NULL)
        return NULL;
    encoder->value = Py_NewRef(value);
    encoder->kind_of = Py_NewRef(kind_of);
    encoder->kinds_of_arguments = Py_NewRef(kinds_of_arguments);
    if (read_classes(encoder, classes, count) < 0) {
        Py_DECREF(encoder);
        return NULL;
    }
    return (PyObject *)encoder;
}

static int visit_encoder(struct encoder *encoder, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)encoder));
    Py_VISIT(encoder->value);
    Py_VISIT(encoder->kind_of);
    Py_VISIT(encoder->kinds_of_arguments);
    return 0;
}

static int clear_encoder(struct encoder *encoder)
{
    Py_CLEAR(encoder->value);
    Py_CLEAR(encoder->kind_of);
    Py_CLEAR(encoder->kinds_of_arguments);
    return 0;
}

static void free_encoder(struct encoder *encoder)
{
    PyTypeObject *type = Py_TYPE((PyObject *)encoder);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(encoder);
    (void)clear_encoder(encoder);
    forget_fields(&encoder->known);
    forget_answers(encoder);
    PyMem_Free(encoder->output.at);
    release(encoder);
    Py_DECREF(type);
}

static PyMethodDef encoder_methods[] = {
    {"encode", (PyCFunction)encode, METH_O,
     PyDoc_STR("encode(records, /)\n--\n\nReturn the records as a JSON array.")},
    {"forget", (PyCFunction)forget, METH_NOARGS,
     PyDoc_STR("forget()\n--\n\nForget what the decoder answered.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, "Records to JSON; see steno.audit.encoding."},
    {Py_tp_new, (void *)new_encoder},
    {Py_tp_dealloc, (void *)free_encoder},
    {Py_tp_traverse, (void *)visit_encoder},
    {Py_tp_clear, (void *)clear_encoder},
    {Py_tp_methods, encoder_methods},
    {0, NULL},
};

PyType_Spec encoder_spec = {
    .name = "steno.audit._records.Encoder",
    .basicsize = sizeof(struct encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = encoder_slots,
};
