/* steno.audit._records.gather: an event's records, sorted by what they tell. */
#include "audit_module.h"
#include "audit_places.h"

/* What becomes of it; all are owned. The first ones are NULL until there is one. */
struct gathering {
    PyObject *single[TITLE + 1], *lead;
    PyObject *paths, *parents, *runs, *targets, *details;
    PyObject *places, *names, *make, *path; /* borrowed */
    struct state *state;
};

static long find_place(const struct gathering *to, const struct record *record)
{
    PyObject *place = PyDict_GetItemWithError(to->places, record->type);
    if (place == NULL)
        return PyErr_Occurred() ? -1 : (long)LEAD;
    return PyLong_AsLong(place);
}

static void keep(PyObject **place, PyObject *record)
{
    PyObject *before = *place;
    *place = Py_NewRef(record);
    Py_XDECREF(before);
}

static bool is_parent(const struct record *record)
{
    const struct item *type = find_item(record, slice_text("nametype"));
    return type != NULL && is_text(type->value, "PARENT");
}

static int add_path(struct gathering *to, struct record *record)
{
    PyObject *values = get_values(record, to->names), *path;
    if (values == NULL)
        return -1;
    path = PyObject_CallFunctionObjArgs(to->make, to->path, values, NULL);
    Py_DECREF(values);
    return append_stolen(is_parent(record) ? to->parents : to->paths, path);
}

static int add_record(struct gathering *to, PyObject *object)
{
    struct record *record = (struct record *)object;
    long place = find_place(to, record);
    if (place >= CALL && place <= TITLE) {
        keep(&to->single[place], object);
        return 0;
    }
    switch (place) {
    case PATH:
        return add_path(to, record);
    case RUN:
        return PyList_Append(to->runs, object);
    case TARGET:
        return PyList_Append(to->targets, object);
    case DETAIL:
        return PyDict_SetItem(to->details, record->type, object);
    case LEAD:
        if (to->lead == NULL)
            keep(&to->lead, object);
        return 0;
    default:
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "no such place");
        return -1;
    }
}

static int add_records(struct gathering *to, PyObject *records)
{
    for (Py_ssize_t i = 0; i < PyList_Size(records); i++) {
        PyObject *record = PyList_GetItem(records, i);
        if (Py_TYPE(record) != to->state->record_type) {
            PyErr_SetString(PyExc_TypeError, "not a list of records");
            return -1;
        }
        if (add_record(to, record) < 0)
            return -1;
    }
    return 0;
}

static PyObject *or_none(PyObject *object)
{
    return object == NULL ? Py_None : object;
}

static void let_go(struct gathering *to)
{
    for (int i = CALL; i <= TITLE; i++)
        Py_XDECREF(to->single[i]);
    Py_XDECREF(to->lead);
    Py_XDECREF(to->paths);
    Py_XDECREF(to->parents);
    Py_XDECREF(to->runs);
    Py_XDECREF(to->targets);
    Py_XDECREF(to->details);
}

PyObject *gather(PyObject *module, PyObject *arguments)
{
    struct gathering to = {.state = PyModule_GetState(module)};
    PyObject *records, *result = NULL;
    if (to.state == NULL ||
        !PyArg_ParseTuple(arguments, "O!O!O!OO", &PyList_Type, &records, &PyDict_Type, &to.places,
                          &PyTuple_Type, &to.names, &to.make, &to.path))
        return NULL;
    to.paths = PyList_New(0);
    to.parents = PyList_New(0);
    to.runs = PyList_New(0);
    to.targets = PyList_New(0);
    to.details = PyDict_New();
    if (to.paths != NULL && to.parents != NULL && to.runs != NULL && to.targets != NULL &&
        to.details != NULL && add_records(&to, records) == 0)
        result = Py_BuildValue("OOOOOOOOOO", or_none(to.single[CALL]), or_none(to.lead),
                               or_none(to.single[DIRECTORY]), to.paths, to.parents, to.runs,
                               or_none(to.single[PEER]), or_none(to.single[TITLE]), to.targets,
                               to.details);
    let_go(&to);
    return result;
}
