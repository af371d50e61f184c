/* steno.audit._records: lines of audit logs to records, and those to JSON.
 *
 * Every byte of an audit log passes through; Python alone is slower by an order of magnitude than what a busy
 * host writes (docs/performance.md). What values mean is decided in Python alone (steno.audit.values.decoding):
 * it is asked once for each (kind, value, fact), and the answers are kept in a table of fixed size.
 * Values that hardly ever come twice (names, titles) are decoded here as it does.
 *
 * Lexing is in audit_lexing.c; references in Python are in tests/audit/.
 */
#include "audit_module.h"

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
    {"find_likeness", find_likeness, METH_VARARGS,
     PyDoc_STR("find_likeness(records, places, counted, /)\n--\n\nSee steno.audit.likeness.")},
    {"gather", gather, METH_VARARGS,
     PyDoc_STR("gather(records, places, names, make, path, /)\n--\n\nSee steno.audit.words.gathering.")},
    {"join_arguments", join_arguments, METH_O,
     PyDoc_STR("join_arguments(records, /)\n--\n\nReturn what steno.audit.values.arguments does, or None "
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
