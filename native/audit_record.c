/* steno.audit._records.Record: one audit record. */
#include "audit_module.h"

#include <structmember.h>

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

struct record *make_record(struct state *state, PyObject *line, const struct head *head,
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
        (struct slice){slice_of(line).at + (head->type.at - head_at), head->type.length};
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
    slice = slice_of(line);
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
    body = split_body(slice_of(record->line), record->head_length);
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

const struct item *find_item(const struct record *record, struct slice name)
{
    const unsigned char *prints = prints_of(record), *end = prints + record->item_count, *at;
    unsigned char print = make_print(name);
    for (at = prints; at < end; at++) {
        at = memchr(at, print, (size_t)(end - at));
        if (at == NULL)
            break;
        if (name.length != 0 && is_equal(record->items[at - prints].name, name))
            return &record->items[at - prints];
    }
    return NULL;
}

/* Return the first field's value, None where there is none; NULL on failure. */
static PyObject *find_value(const struct record *record, PyObject *name)
{
    const struct item *item;
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL)
        return NULL;
    item = find_item(record, (struct slice){(const unsigned char *)text, (size_t)length});
    return item == NULL ? Py_NewRef(Py_None) : make_bytes(item->value);
}

static PyObject *get_field(struct record *record, PyObject *name)
{
    return read_items(record) < 0 ? NULL : find_value(record, name);
}

PyObject *get_values(struct record *record, PyObject *names)
{
    Py_ssize_t count = PyTuple_Size(names);
    PyObject *values;
    if (count < 0 || read_items(record) < 0)
        return NULL;
    values = PyTuple_New(count);
    for (Py_ssize_t i = 0; values != NULL && i < count; i++) {
        PyObject *value = find_value(record, PyTuple_GetItem(names, i));
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
    {Py_tp_doc, "One audit record; see steno/audit/_records.pyi."},
    {Py_tp_new, (void *)new_record},
    {Py_tp_dealloc, (void *)free_record},
    {Py_tp_repr, (void *)show_record},
    {Py_tp_members, record_members},
    {Py_tp_getset, record_properties},
    {Py_tp_methods, record_methods},
    {0, NULL},
};

PyType_Spec record_spec = {
    .name = "steno.audit._records.Record",
    .basicsize = sizeof(struct record),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = record_slots,
};
