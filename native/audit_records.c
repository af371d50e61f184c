/* steno.audit._records: lines of audit logs to records, and those to JSON.
 *
 * Every byte of an audit log passes through; Python alone is slower by an order of magnitude than what a busy
 * host writes (docs/performance.md). What values mean is decided in Python alone (steno.audit.decoding):
 * it is asked once for each (kind, value, fact), and the answers are kept in a table of fixed size.
 * Values that hardly ever come twice (names, titles) are decoded here as it does.
 *
 * Lexing is in audit_lexing.c; references in Python are in tests/audit/.
 */
#include "audit_module.h"

#include <structmember.h>

static PyObject *decode_text(struct slice slice)
{
    return PyUnicode_DecodeUTF8((const char *)slice.at, (Py_ssize_t)slice.length,
                                "surrogateescape");
}

static PyObject *make_bytes(struct slice slice)
{
    return PyBytes_FromStringAndSize((const char *)slice.at, (Py_ssize_t)slice.length);
}

PyObject *intern(struct state *state, struct slice slice)
{
    struct interned *place;
    PyObject *text;
    if (slice.length > MOST_INTERNED)
        return decode_text(slice);
    place = &state->interned[hash_bytes(0, slice) % INTERNED];
    if (place->text != NULL &&
        is_equal((struct slice){place->bytes, place->length}, slice))
        return Py_NewRef(place->text);
    text = decode_text(slice);
    if (text == NULL)
        return NULL;
    Py_XDECREF(place->text);
    place->text = Py_NewRef(text);
    place->length = slice.length;
    memcpy(place->bytes, slice.at, slice.length);
    return text;
}

/* --- Record --- */

static struct slice line_of(PyObject *line)
{
    return (struct slice){(const unsigned char *)PyBytes_AsString(line),
                          (size_t)PyBytes_Size(line)};
}

/* A record, whose event the next one often shares, and its head. */
struct before {
    const struct record *record; /* borrowed; NULL: there is none */
    struct head head;
};

static bool is_same_event(const struct before *before, const struct head *head)
{
    return before->record != NULL && before->head.serial == head->serial &&
           before->head.at_unix_us == head->at_unix_us && is_equal(before->head.node, head->node);
}

static int fill_record(struct state *state, struct record *record, const struct head *head,
                       const struct before *before)
{
    record->at_unix_us = head->at_unix_us;
    record->serial = head->serial;
    record->head_length = head->length;
    record->type = intern(state, head->type);
    if (record->type == NULL)
        return -1;
    if (is_same_event(before, head)) {
        record->node = Py_NewRef(before->record->node);
        record->key = Py_NewRef(before->record->key);
        return 0;
    }
    record->node = intern(state, head->node);
    if (record->node == NULL)
        return -1;
    record->key = Py_BuildValue("OLL", record->node, record->at_unix_us, record->serial);
    return record->key == NULL ? -1 : 0;
}

/* Make a record of `line`, which becomes the record's own and is lost on failure, too. */
static struct record *make_record(struct state *state, PyObject *line, const struct head *head,
                                  const unsigned char *head_at, const struct before *before)
{
    struct record *record = line == NULL ? NULL : PyObject_New(struct record, state->record_type);
    if (record == NULL) {
        Py_XDECREF(line);
        return NULL;
    }
    record->type = record->node = record->key = NULL;
    record->items = NULL;
    record->offset_bytes = -1;
    record->line = line;
    record->type_name =
        (struct slice){line_of(line).at + (head->type.at - head_at), head->type.length};
    if (fill_record(state, record, head, before) < 0) {
        Py_DECREF(record);
        return NULL;
    }
    return record;
}

static PyObject *new_record(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"line", "offset_bytes", NULL};
    struct state *state = PyType_GetModuleState(type);
    struct record *record;
    struct before none = {.record = NULL};
    struct slice slice;
    struct head head;
    PyObject *line;
    Py_ssize_t offset_bytes = -1;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(arguments, keywords, "S|n", names, &line,
                                                      &offset_bytes))
        return NULL;
    slice = line_of(line);
    if (!read_head(slice, &head)) {
        PyErr_SetString(PyExc_ValueError, "not an audit record");
        return NULL;
    }
    record = make_record(state, Py_NewRef(line), &head, slice.at, &none);
    if (record != NULL)
        record->offset_bytes = offset_bytes;
    return (PyObject *)record;
}

static void free_record(struct record *record)
{
    PyTypeObject *type = Py_TYPE((PyObject *)record);
    Py_XDECREF(record->type);
    Py_XDECREF(record->node);
    Py_XDECREF(record->key);
    Py_XDECREF(record->line);
    PyMem_Free(record->items);
    PyObject_Free(record);
    Py_DECREF(type);
}

/* A byte that tells most names from each other. */
static unsigned char make_print(struct slice name)
{
    if (name.length == 0)
        return 0;
    return (unsigned char)(name.at[0] * 5U + name.at[name.length - 1] * 31U + name.length * 67U);
}

/* Behind a record's items, there is one for each. */
static unsigned char *prints_of(const struct record *record)
{
    return (unsigned char *)(record->items + record->item_count);
}

/* Items while they are read: most records have no more than these. */
enum { MOST_AT_FIRST = 64 };

struct reading {
    struct item first[MOST_AT_FIRST], *items;
    size_t count, room;
};

static int add_item(struct reading *to, const struct item *item)
{
    if (to->count == to->room) {
        struct item *more = PyMem_Malloc(2 * to->room * sizeof *more);
        if (more == NULL)
            return -1;
        memcpy(more, to->items, to->count * sizeof *more);
        if (to->items != to->first)
            PyMem_Free(to->items);
        to->items = more;
        to->room *= 2;
    }
    to->items[to->count++] = *item;
    return 0;
}

static int add_items(struct reading *to, struct slice part)
{
    struct scan scan = begin_scan(part);
    struct item item;
    enum item_kind kind;
    while ((kind = next_item(&scan, &item)) != NO_ITEM) {
        if (kind == WORD_ALONE)
            item.name.length = 0;
        if (add_item(to, &item) < 0)
            return -1;
    }
    return 0;
}

int read_items(struct record *record)
{
    struct reading to;
    struct body body;
    int result;
    if (record->items != NULL)
        return 0;
    to.items = to.first;
    to.count = 0;
    to.room = MOST_AT_FIRST;
    body = split_body(line_of(record->line), record->head_length);
    result = add_items(&to, body.main);
    record->own_count = to.count;
    if (result == 0)
        result = add_items(&to, body.suffix);
    record->item_count = to.count;
    if (result == 0)
        record->items = PyMem_Malloc((to.count + 1) * (sizeof *record->items + 1));
    if (record->items != NULL) {
        memcpy(record->items, to.items, to.count * sizeof *record->items);
        for (size_t i = 0; i < to.count; i++)
            prints_of(record)[i] = make_print(to.items[i].name);
    } else {
        (void)PyErr_NoMemory();
    }
    if (to.items != to.first)
        PyMem_Free(to.items);
    return record->items == NULL ? -1 : 0;
}

/* What is done with each item of a record; returns less than 0 on failure. */
typedef int (*visitor)(void *context, const struct item *item);

static int visit_items(struct record *record, visitor visit, void *context)
{
    if (read_items(record) < 0)
        return -1;
    for (size_t i = 0; i < record->item_count; i++)
        if (visit(context, &record->items[i]) < 0)
            return -1;
    return 0;
}

struct collection {
    struct state *state;
    PyObject *into;
};

static int collect_field(void *context, const struct item *item)
{
    struct collection *collection = context;
    PyObject *name, *value;
    int result = -1;
    if (item->name.length == 0)
        return 0;
    name = intern(collection->state, item->name);
    if (name == NULL)
        return -1;
    value = PyDict_GetItemWithError(collection->into, name);
    if (value != NULL || PyErr_Occurred()) {
        Py_DECREF(name);
        return value == NULL ? -1 : 0;
    }
    value = make_bytes(item->value);
    if (value != NULL)
        result = PyDict_SetItem(collection->into, name, value);
    Py_DECREF(name);
    Py_XDECREF(value);
    return result;
}

static int collect_pair(void *context, const struct item *item)
{
    struct collection *collection = context;
    PyObject *name, *pair;
    int result;
    if (item->name.length == 0)
        return 0;
    name = intern(collection->state, item->name);
    if (name == NULL)
        return -1;
    pair = Py_BuildValue("Ny#", name, (const char *)item->value.at,
                         (Py_ssize_t)item->value.length);
    if (pair == NULL)
        return -1;
    result = PyList_Append(collection->into, pair);
    Py_DECREF(pair);
    return result;
}

static int collect_word(void *context, const struct item *item)
{
    struct collection *collection = context;
    PyObject *word;
    int result;
    if (item->name.length != 0)
        return 0;
    word = make_bytes(item->value);
    if (word == NULL)
        return -1;
    result = PyList_Append(collection->into, word);
    Py_DECREF(word);
    return result;
}

static PyObject *collect(struct record *record, PyObject *into, visitor visit)
{
    struct collection collection = {
        PyType_GetModuleState(Py_TYPE((PyObject *)record)), into};
    if (into != NULL && (collection.state == NULL ||
                         visit_items(record, visit, &collection) < 0)) {
        Py_DECREF(into);
        return NULL;
    }
    return into;
}

static PyObject *get_fields(struct record *record, void *closure)
{
    (void)closure;
    return collect(record, PyDict_New(), collect_field);
}

static PyObject *get_pairs(struct record *record, void *closure)
{
    (void)closure;
    return collect(record, PyList_New(0), collect_pair);
}

static PyObject *get_words(struct record *record, void *closure)
{
    PyObject *words = collect(record, PyList_New(0), collect_word), *blank, *joined = NULL;
    (void)closure;
    if (words == NULL)
        return NULL;
    blank = PyBytes_FromStringAndSize(" ", 1);
    if (blank != NULL)
        joined = PyObject_CallMethod(blank, "join", "O", words);
    Py_XDECREF(blank);
    Py_DECREF(words);
    return joined;
}

/* Return the first field's value, None where there is none; NULL on failure. */
static PyObject *find_field(const struct record *record, PyObject *name)
{
    struct slice wanted;
    Py_ssize_t length;
    const unsigned char *prints = prints_of(record), *end = prints + record->item_count, *at;
    unsigned char print;
    wanted.at = (const unsigned char *)PyUnicode_AsUTF8AndSize(name, &length);
    if (wanted.at == NULL)
        return NULL;
    wanted.length = (size_t)length;
    print = make_print(wanted);
    for (at = prints; at < end; at++) {
        const struct item *item;
        at = memchr(at, print, (size_t)(end - at));
        if (at == NULL)
            break;
        item = &record->items[at - prints];
        if (wanted.length != 0 && is_equal(item->name, wanted))
            return make_bytes(item->value);
    }
    return Py_NewRef(Py_None);
}

static PyObject *get_field(struct record *record, PyObject *name)
{
    return read_items(record) < 0 ? NULL : find_field(record, name);
}

PyObject *get_values(struct record *record, PyObject *names)
{
    Py_ssize_t count = PyTuple_Size(names);
    PyObject *values;
    if (count < 0 || read_items(record) < 0)
        return NULL;
    values = PyTuple_New(count);
    for (Py_ssize_t i = 0; values != NULL && i < count; i++) {
        PyObject *value = find_field(record, PyTuple_GetItem(names, i));
        if (value == NULL || PyTuple_SetItem(values, i, value) < 0)
            Py_CLEAR(values);
    }
    return values;
}

static PyObject *show_record(struct record *record)
{
    return PyUnicode_FromFormat("<Record %U %lld>", record->type, record->serial);
}

static PyMemberDef record_members[] = {
    {"type", T_OBJECT_EX, offsetof(struct record, type), READONLY, NULL},
    {"node", T_OBJECT_EX, offsetof(struct record, node), READONLY, NULL},
    {"key", T_OBJECT_EX, offsetof(struct record, key), READONLY, NULL},
    {"line", T_OBJECT_EX, offsetof(struct record, line), READONLY, NULL},
    {"at_unix_us", T_LONGLONG, offsetof(struct record, at_unix_us), READONLY, NULL},
    {"serial", T_LONGLONG, offsetof(struct record, serial), READONLY, NULL},
    {"offset_bytes", T_PYSSIZET, offsetof(struct record, offset_bytes), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef record_properties[] = {
    {"fields", (getter)get_fields, NULL, NULL, NULL},
    {"pairs", (getter)get_pairs, NULL, NULL, NULL},
    {"words", (getter)get_words, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef record_methods[] = {
    {"get", (PyCFunction)get_field, METH_O,
     PyDoc_STR("get(name, /)\n--\n\nReturn the first field's value, or None.")},
    {"values", (PyCFunction)get_values, METH_O,
     PyDoc_STR("values(names, /)\n--\n\nReturn the first values of all those fields.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot record_slots[] = {
    {Py_tp_doc, "One audit record; see steno.audit.records.RecordLike."},
    {Py_tp_new, (void *)new_record},
    {Py_tp_dealloc, (void *)free_record},
    {Py_tp_repr, (void *)show_record},
    {Py_tp_members, record_members},
    {Py_tp_getset, record_properties},
    {Py_tp_methods, record_methods},
    {0, NULL},
};

static PyType_Spec record_spec = {
    .name = "steno.audit._records.Record",
    .basicsize = sizeof(struct record),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = record_slots,
};

/* --- split --- */

struct splitting {
    struct state *state;
    PyObject *records, *damage;
    struct before before; /* in `records` */
    Py_ssize_t offset_bytes, lines;
};

int append_stolen(PyObject *list, PyObject *item)
{
    int result;
    if (item == NULL)
        return -1;
    result = PyList_Append(list, item);
    Py_DECREF(item);
    return result;
}

static int split_line(struct splitting *to, struct slice line)
{
    struct head head;
    struct record *record;
    to->lines++;
    if (!read_head(line, &head)) {
        if (is_passed_over(line))
            return 0;
        return append_stolen(to->damage,
                             Py_BuildValue("nny#", to->lines - 1, to->offset_bytes,
                                           (const char *)line.at, (Py_ssize_t)line.length));
    }
    record = make_record(to->state, make_bytes(line), &head, line.at, &to->before);
    if (record == NULL)
        return -1;
    record->offset_bytes = to->offset_bytes;
    to->before = (struct before){record, head};
    return append_stolen(to->records, (PyObject *)record);
}

static int split_lines(struct splitting *to, struct slice data)
{
    const unsigned char *at = data.at, *end = data.at + data.length, *newline;
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        struct slice line = {at, (size_t)(newline - at)};
        if (split_line(to, line) < 0)
            return -1;
        to->offset_bytes += (Py_ssize_t)line.length + 1;
        at = newline + 1;
    }
    return 0;
}

static PyObject *split(PyObject *module, PyObject *arguments)
{
    struct splitting to = {.state = PyModule_GetState(module)};
    PyObject *result = NULL;
    const char *data;
    Py_ssize_t size, begin;
    if (to.state == NULL ||
        !PyArg_ParseTuple(arguments, "y#n", &data, &size, &to.offset_bytes))
        return NULL;
    begin = to.offset_bytes;
    to.records = PyList_New(0);
    to.damage = PyList_New(0);
    if (to.records != NULL && to.damage != NULL &&
        split_lines(&to, (struct slice){(const unsigned char *)data, (size_t)size}) == 0)
        result = Py_BuildValue("OOnn", to.records, to.damage, to.offset_bytes - begin, to.lines);
    Py_XDECREF(to.records);
    Py_XDECREF(to.damage);
    return result;
}

/* Put records one after the other that are of one event into lists, EOE left out. */
static PyObject *group_records(PyObject *records)
{
    PyObject *groups = PyList_New(0), *group = NULL, *key = NULL;
    Py_ssize_t count = PyList_Size(records);
    for (Py_ssize_t i = 0; groups != NULL && i < count; i++) {
        PyObject *object = PyList_GetItem(records, i);
        const struct record *record = (const struct record *)object;
        int result = 0;
        if (is_text(record->type_name, "EOE"))
            continue;
        if (record->key != key) {
            key = record->key;
            group = PyList_New(0);
            result = append_stolen(groups, group);
        }
        if (result < 0 || PyList_Append(group, object) < 0)
            Py_CLEAR(groups);
    }
    return groups;
}

static PyObject *split_events(PyObject *module, PyObject *arguments)
{
    PyObject *parts = split(module, arguments), *groups;
    if (parts == NULL)
        return NULL;
    groups = group_records(PyTuple_GetItem(parts, 0));
    Py_DECREF(parts);
    return groups;
}

/* --- the module --- */

static PyMethodDef methods[] = {
    {"split", split, METH_VARARGS,
     PyDoc_STR("split(data, offset_bytes, /)\n--\n\nReturn the records of all whole lines in `data`, "
               "what is none as (line, offset, bytes), how many bytes and how many lines were used.")},
    {"split_events", split_events, METH_VARARGS,
     PyDoc_STR("split_events(data, offset_bytes, /)\n--\n\nReturn the records of all whole lines in "
               "`data`, those of one event that follow each other in one list, EOE left out.")},
    {"measure_events", measure_events, METH_VARARGS,
     PyDoc_STR("measure_events(data, at, node, serial, deadline_us, is_next, effects, /)\n--\n\n"
               "See steno.audit.coalescing.Coalescer.pass_whole_events.")},
    {"gather", gather, METH_VARARGS,
     PyDoc_STR("gather(records, places, names, make, path, /)\n--\n\nSee steno.audit.gathering.")},
    {"join_arguments", join_arguments, METH_O,
     PyDoc_STR("join_arguments(records, /)\n--\n\nReturn what steno.audit.arguments does, or None "
               "for what is out of order.")},
    {NULL, NULL, 0, NULL},
};

static int add_types(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    if (state == NULL)
        return -1;
    state->record_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &record_spec, NULL);
    if (state->record_type == NULL || PyModule_AddType(module, state->record_type) < 0)
        return -1;
    state->encoder_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &encoder_spec, NULL);
    if (state->encoder_type == NULL)
        return -1;
    return PyModule_AddType(module, state->encoder_type);
}

static int visit_state(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = PyModule_GetState(module);
    Py_VISIT(state->record_type);
    Py_VISIT(state->encoder_type);
    return 0;
}

static int clear_state(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    Py_CLEAR(state->record_type);
    Py_CLEAR(state->encoder_type);
    for (size_t i = 0; i < INTERNED; i++)
        Py_CLEAR(state->interned[i].text);
    return 0;
}

static void free_state(void *module)
{
    (void)clear_state(module);
}

static struct PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_types}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_records",
    .m_doc = PyDoc_STR("Lines of audit logs to records, and those to JSON."),
    .m_size = sizeof(struct state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = visit_state,
    .m_clear = clear_state,
    .m_free = free_state,
};

PyMODINIT_FUNC PyInit__records(void);

PyMODINIT_FUNC PyInit__records(void)
{
    return PyModuleDef_Init(&definition);
}
