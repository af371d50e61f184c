/* steno.audit._records.find_likeness: what an event says but for its numbers; see steno.audit.likeness. */
#include "audit_module.h"
#include "audit_places.h"

/* What is longer hardly ever comes twice. */
enum { MOST_LIKENESS = 4096, MOST_INODES = 16, MOST_DIGITS = 18, LAST_ARGUMENT = 3 };

enum { PID, PARENT_PID, SESSION, NUMBERS, UNSEEN = -1 };

struct likeness {
    size_t length, inode_count;
    long long numbers[NUMBERS], inodes[MOST_INODES];
    bool has_main; /* the record that says who did it */
    unsigned char bytes[MOST_LIKENESS];
};

static void begin_likeness(struct likeness *likeness)
{
    likeness->length = likeness->inode_count = 0;
    likeness->has_main = false;
    for (int field = 0; field < NUMBERS; field++)
        likeness->numbers[field] = UNSEEN;
}

/* A record while it is added: `from` is where that begins which is not in the likeness yet. */
struct adding {
    struct likeness *to;
    const unsigned char *from;
};

/* Add bytes; false: there are too many, and the event has no likeness. */
static bool add_bytes(struct likeness *to, const void *bytes, size_t length)
{
    if (length > MOST_LIKENESS - to->length)
        return false;
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
    return true;
}

/* Add what stands before the value, and pass over the value. */
static bool leave_out(struct adding *adding, struct slice value)
{
    const unsigned char *from = adding->from;
    adding->from = value.at + value.length;
    return add_bytes(adding->to, from, (size_t)(value.at - from));
}

/* Read digits; what else steno.audit.words.things.number_of takes for a number, nobody writes. */
static bool read_digits(struct slice value, long long *number)
{
    if (value.length == 0 || value.length > MOST_DIGITS)
        return false;
    *number = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        *number = *number * 10 + (value.at[i] - '0');
    }
    return true;
}

/* Tell which number of an argument the name is of, a0 to a3; -1: of none. */
static int number_of_argument(struct slice name)
{
    if (name.length != 2 || name.at[0] != 'a' || name.at[1] < '0' ||
        name.at[1] > '0' + LAST_ARGUMENT)
        return -1;
    return name.at[1] - '0';
}

static int number_of_field(struct slice name)
{
    if (is_text(name, "pid"))
        return PID;
    if (is_text(name, "ppid"))
        return PARENT_PID;
    return is_text(name, "ses") ? SESSION : -1;
}

/* Leave the main record's numbers out, and those arguments that do not count. */
static bool add_main(struct adding *adding, const struct record *record, unsigned long counted)
{
    struct likeness *to = adding->to;
    for (size_t i = 0; i < record->own_count; i++) {
        const struct item *item = &record->items[i];
        int argument = number_of_argument(item->name), field;
        if (argument >= 0) {
            if ((counted >> argument & 1) == 0 && !leave_out(adding, item->value))
                return false;
            continue;
        }
        field = number_of_field(item->name);
        if (field < 0)
            continue;
        /* The first of a name counts; a second one makes it a record like no other. */
        if (to->numbers[field] != UNSEEN || !read_digits(item->value, &to->numbers[field]) ||
            !leave_out(adding, item->value))
            return false;
    }
    return true;
}

/* Leave a PATH record's inode out, but not which path before it has the same one. */
static bool add_path(struct adding *adding, const struct record *record)
{
    struct likeness *to = adding->to;
    const struct item *item = find_item(record, slice_text("inode"));
    unsigned char same = 0;
    if (item == NULL)
        return true;
    if (to->inode_count == MOST_INODES ||
        !read_digits(item->value, &to->inodes[to->inode_count]) ||
        !leave_out(adding, item->value))
        return false;
    while (to->inodes[same] != to->inodes[to->inode_count])
        same++;
    to->inode_count++;
    return add_bytes(to, &same, 1);
}

static struct slice value_of(const struct record *record, const char *name)
{
    const struct item *item = find_item(record, slice_text(name));
    return item == NULL ? slice_text("") : item->value;
}

/* Ask which arguments of the record's call count, a bit for each; -1 with an exception. */
static long ask_counted(PyObject *counted, const struct record *record)
{
    PyObject *arch = make_bytes(value_of(record, "arch"));
    PyObject *number = make_bytes(value_of(record, "syscall"));
    PyObject *call = arch == NULL || number == NULL ? NULL : PyTuple_Pack(2, arch, number);
    PyObject *answer = call == NULL ? NULL : PyObject_GetItem(counted, call);
    long bits = answer == NULL ? -1 : PyLong_AsLong(answer);
    Py_XDECREF(arch);
    Py_XDECREF(number);
    Py_XDECREF(call);
    Py_XDECREF(answer);
    return bits;
}

/* Add the record that says who did it; 0: the event has no likeness, -1: an exception. */
static int add_call_or_report(struct adding *adding, const struct record *record,
                              enum place place, PyObject *counted)
{
    long bits = place == CALL ? ask_counted(counted, record) : ~0L;
    if (bits == -1 && PyErr_Occurred())
        return -1;
    if (adding->to->has_main)
        return 0;
    adding->to->has_main = true;
    return add_main(adding, record, (unsigned long)bits);
}

/* Add a record; 0: the event has no likeness, -1: an exception. */
static int add_record(struct likeness *to, struct record *record, enum place place,
                      PyObject *counted)
{
    struct slice line = slice_of(record->line);
    struct adding adding = {to, line.at + record->head_length};
    size_t begin = to->length;
    int result = 1;
    if (read_items(record) < 0)
        return -1;
    /* Host and type. */
    if (!add_bytes(to, line.at, (size_t)(record->type_name.at - line.at) + record->type_name.length))
        return 0;
    if (place == CALL || place == LEAD)
        result = add_call_or_report(&adding, record, place, counted);
    else if (place == PATH)
        result = add_path(&adding, record);
    if (result <= 0)
        return result;
    if (!add_bytes(to, adding.from, (size_t)(line.at + line.length - adding.from)))
        return 0;
    /* Where a record ends is part of it: the dispatcher's may hold newlines. */
    begin = to->length - begin;
    return add_bytes(to, &begin, sizeof begin);
}

/* Add all records; 0: the event has no likeness, -1: an exception. */
static int add_records(struct state *state, struct likeness *to, PyObject *records,
                       PyObject *places, PyObject *counted)
{
    for (Py_ssize_t i = 0; i < PyList_Size(records); i++) {
        PyObject *object = PyList_GetItem(records, i), *place;
        struct record *record = (struct record *)object;
        int result;
        if (Py_TYPE(object) != state->record_type) {
            PyErr_SetString(PyExc_TypeError, "not a list of records");
            return -1;
        }
        place = PyDict_GetItemWithError(places, record->type);
        if (place == NULL)
            return PyErr_Occurred() ? -1 : 0;
        result = add_record(to, record, (enum place)PyLong_AsLong(place), counted);
        if (result <= 0)
            return result;
    }
    return to->has_main;
}

static PyObject *make_numbers(const struct likeness *likeness)
{
    PyObject *numbers = PyTuple_New(NUMBERS + (Py_ssize_t)likeness->inode_count);
    for (size_t i = 0; numbers != NULL && i < NUMBERS + likeness->inode_count; i++) {
        long long value = i < NUMBERS ? likeness->numbers[i] : likeness->inodes[i - NUMBERS];
        PyObject *number = value == UNSEEN ? Py_NewRef(Py_None) : PyLong_FromLongLong(value);
        if (number == NULL || PyTuple_SetItem(numbers, (Py_ssize_t)i, number) < 0)
            Py_CLEAR(numbers);
    }
    return numbers;
}

PyObject *find_likeness(PyObject *module, PyObject *arguments)
{
    struct state *state = PyModule_GetState(module);
    struct likeness likeness;
    PyObject *records, *places, *counted, *numbers;
    int result;
    if (state == NULL || !PyArg_ParseTuple(arguments, "O!O!O", &PyList_Type, &records,
                                           &PyDict_Type, &places, &counted))
        return NULL;
    begin_likeness(&likeness);
    result = add_records(state, &likeness, records, places, counted);
    if (result <= 0)
        return result == 0 ? Py_NewRef(Py_None) : NULL;
    numbers = make_numbers(&likeness);
    return numbers == NULL ? NULL
                           : Py_BuildValue("y#N", (const char *)likeness.bytes,
                                           (Py_ssize_t)likeness.length, numbers);
}
