/* steno.audit._records.measure_events: how far events stand whole, one after the other. */
#include "audit_module.h"

/* What a record does to its event; the same numbers as in steno.audit.coalescing. */
enum effect { GOES_ON, ENDS, ENDS_UNSEEN, STANDS_ALONE, STRANGE };

/* What is looked for, and how far it was found. */
struct measuring {
    struct state *state;
    PyObject *effects;
    struct slice node;
    long long serial, deadline_us, newest_us;
    int is_next; /* serials must be without gaps */
    Py_ssize_t lines, events;
};

/* The lines of one event, from `begin` to `end`. */
struct run {
    struct head head;
    const unsigned char *end;
    Py_ssize_t lines;
    bool is_open, is_done;
};

/* Return what records of a type do; less than 0 on failure. */
static int find_effect(struct measuring *to, struct slice type)
{
    PyObject *name = intern(to->state, type), *effect;
    long value = STRANGE;
    if (name == NULL)
        return -1;
    effect = PyDict_GetItemWithError(to->effects, name);
    Py_DECREF(name);
    if (effect != NULL)
        value = PyLong_AsLong(effect);
    if (PyErr_Occurred())
        return -1;
    return value < 0 || value > STRANGE ? STRANGE : (int)value;
}

/* Take a line of the run; 0: it makes the event one that must be looked at closer. */
static int take_line(struct measuring *to, struct run *run, const struct head *head)
{
    int effect = find_effect(to, head->type);
    if (effect < 0)
        return -1;
    if (effect == STRANGE || (run->is_done && effect != ENDS_UNSEEN))
        return 0;
    if (effect != ENDS_UNSEEN)
        run->is_open = true;
    if (effect != GOES_ON && run->is_open) {
        run->is_open = false;
        run->is_done = true;
    }
    return 1;
}

static bool is_of_run(const struct run *run, const struct head *head)
{
    return run->lines == 0 ||
           (run->head.serial == head->serial && run->head.at_unix_us == head->at_unix_us &&
            is_equal(run->head.node, head->node));
}

static bool is_expected(const struct measuring *to, const struct head *head)
{
    return is_equal(head->node, to->node) && head->at_unix_us <= to->deadline_us &&
           (to->is_next ? head->serial == to->serial + 1 : head->serial > to->serial);
}

/* Measure the event at `at`; 1: it is whole; 0: it is not, or not so simple; -1: failure. */
static int measure_run(struct measuring *to, struct run *run, const unsigned char *at,
                       const unsigned char *end)
{
    const unsigned char *newline;
    *run = (struct run){.end = at};
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        struct head head;
        int result;
        if (!read_head((struct slice){at, (size_t)(newline - at)}, &head))
            return 0;
        if (!is_of_run(run, &head))
            break;
        if (run->lines == 0 && !is_expected(to, &head))
            return 0;
        run->head = head;
        result = take_line(to, run, &head);
        if (result <= 0)
            return result;
        run->lines++;
        run->end = at = newline + 1;
    }
    return run->is_done;
}

PyObject *measure_events(PyObject *module, PyObject *arguments)
{
    struct measuring to = {.state = PyModule_GetState(module)};
    struct run run;
    const char *data, *node;
    const unsigned char *at, *end;
    Py_ssize_t size, begin, node_size;
    int result;
    if (to.state == NULL ||
        !PyArg_ParseTuple(arguments, "y#ny#LLpO!", &data, &size, &begin, &node, &node_size,
                          &to.serial, &to.deadline_us, &to.is_next, &PyDict_Type, &to.effects))
        return NULL;
    if (begin < 0 || begin > size) {
        PyErr_SetString(PyExc_ValueError, "there is no such place");
        return NULL;
    }
    to.node = (struct slice){(const unsigned char *)node, (size_t)node_size};
    at = (const unsigned char *)data + begin;
    end = (const unsigned char *)data + size;
    while ((result = measure_run(&to, &run, at, end)) > 0) {
        at = run.end;
        to.lines += run.lines;
        to.events++;
        to.serial = run.head.serial;
        if (run.head.at_unix_us > to.newest_us)
            to.newest_us = run.head.at_unix_us;
    }
    if (result < 0)
        return NULL;
    return Py_BuildValue("nnnLL", (Py_ssize_t)(at - (const unsigned char *)data), to.lines,
                         to.events, to.serial, to.newest_us);
}
