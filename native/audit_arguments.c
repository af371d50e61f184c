/* steno.audit._records.join_arguments: what steno.audit.values.arguments does, for what comes in order. */
#include "audit_output.h"

/* What EXECVE records say, as long as it comes in order; see steno.audit.values.arguments. */
struct joining {
    PyObject *arguments;
    struct output joined; /* the pieces of the last argument, decoded */
    size_t written_length; /* of all of them, as they stand */
    long pieces, announced, count; /* -1: nonsense; -2: not said */
    bool is_whole, is_in_order;
};

/* Read digits, at most nine, without zeros before them; return where they end, NULL for none. */
static const unsigned char *read_number(const unsigned char *at, const unsigned char *end,
                                        long *number)
{
    const unsigned char *begin = at;
    *number = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - begin < 9)
        *number = *number * 10 + (*at++ - '0');
    return at == begin || (*begin == '0' && at - begin > 1) ? NULL : at;
}

static long read_count(struct slice value)
{
    long number;
    const unsigned char *end = value.at + value.length, *at = value.at;
    while (at < end && *at == '0')
        at++;
    if (value.length == 0 || value.length > 9)
        return -1;
    if (at == end)
        return 0;
    return read_number(at, end, &number) == end ? number : -1;
}

static int add_piece(struct joining *to, struct slice raw)
{
    if (put_content(&to->joined, raw) < 0)
        return -1;
    while (raw.length > 0 && raw.at[0] == '"')
        raw = (struct slice){raw.at + 1, raw.length - 1};
    while (raw.length > 0 && raw.at[raw.length - 1] == '"')
        raw.length--;
    to->written_length += raw.length;
    to->pieces++;
    return 0;
}

/* End the argument that is being put together, if any. */
static int end_argument(struct joining *to)
{
    PyObject *bytes;
    if (to->pieces == 0)
        return 0;
    if (to->announced >= -1)
        to->is_whole = to->is_whole && to->announced == (long)to->written_length;
    bytes = make_bytes(written(&to->joined));
    to->pieces = 0;
    to->joined.used = to->written_length = 0;
    to->announced = -2;
    return append_stolen(to->arguments, bytes);
}

/* Take `a1`, `a1[0]` or `a1_len`; what comes out of order is left to Python. */
static int join_numbered(struct joining *to, const struct item *item)
{
    const unsigned char *end = item->name.at + item->name.length, *at;
    long number, piece = 0, current = (long)PyList_Size(to->arguments);
    at = read_number(item->name.at + 1, end, &number);
    if (at == NULL) {
        to->is_in_order = false;
        return 0;
    }
    if (at < end && *at == '[') {
        at = read_number(at + 1, end, &piece);
        if (at == NULL || at + 1 != end || *at != ']') {
            to->is_in_order = false;
            return 0;
        }
    } else if (end - at == 4 && memcmp(at, "_len", 4) == 0) {
        if (end_argument(to) < 0)
            return -1;
        to->is_in_order = number == PyList_Size(to->arguments) && to->announced == -2;
        to->announced = read_count(item->value);
        return 0;
    } else if (at != end) {
        to->is_in_order = false;
        return 0;
    }
    if (to->pieces != 0 && number == current && piece == to->pieces)
        return add_piece(to, item->value);
    if (end_argument(to) < 0)
        return -1;
    to->is_in_order = number == PyList_Size(to->arguments) && piece == 0;
    return to->is_in_order ? add_piece(to, item->value) : 0;
}

static int join_record(struct joining *to, struct record *record)
{
    if (read_items(record) < 0)
        return -1;
    for (size_t i = 0; i < record->item_count && to->is_in_order; i++) {
        const struct item *item = &record->items[i];
        if (is_text(item->name, "argc"))
            to->count = read_count(item->value);
        else if (item->name.length > 1 && item->name.at[0] == 'a' &&
                 join_numbered(to, item) < 0)
            return -1;
    }
    return 0;
}

static int join_records(struct joining *to, PyObject *records, PyTypeObject *type)
{
    for (Py_ssize_t i = 0; i < PyList_Size(records) && to->is_in_order; i++) {
        PyObject *record = PyList_GetItem(records, i);
        if (Py_TYPE(record) != type) {
            PyErr_SetString(PyExc_TypeError, "not a list of records");
            return -1;
        }
        if (join_record(to, (struct record *)record) < 0)
            return -1;
    }
    return to->is_in_order ? end_argument(to) : 0;
}

PyObject *join_arguments(PyObject *module, PyObject *records)
{
    struct joining to = {.announced = -2, .count = -1, .is_whole = true, .is_in_order = true};
    struct state *state = PyModule_GetState(module);
    PyObject *result = NULL;
    if (state == NULL)
        return NULL;
    if (!PyList_Check(records)) {
        PyErr_SetString(PyExc_TypeError, "not a list of records");
        return NULL;
    }
    to.arguments = PyList_New(0);
    if (to.arguments != NULL && join_records(&to, records, state->record_type) == 0) {
        if (!to.is_in_order || to.announced != -2)
            result = Py_NewRef(Py_None);
        else
            result = Py_BuildValue("OO", to.arguments,
                                   to.is_whole && to.count == PyList_Size(to.arguments) ? Py_True
                                                                                        : Py_False);
    }
    Py_XDECREF(to.arguments);
    PyMem_Free(to.joined.at);
    return result;
}
