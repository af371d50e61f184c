/* steno.recorder._traffic: wait, and pass on what is ordinary meanwhile, without Python.
 *
 * Keys that nobody records and output that comes in a row pass here: between a key and its echo,
 * and between two reads of a flood, no Python runs. Whatever else happens ends the wait: a signal,
 * a reader that does not take all, output that fits into no message, an end. See
 * steno.recorder.traffic and docs/performance.md.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <poll.h>
#include <string.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "burst.h"

enum { MOST_WAITS = 64, MOST_KEYS = 65536 };

struct traffic {
    struct pollfd waits[MOST_WAITS];
    nfds_t count;
    int timeout_ms; /* -1: for ever */
    int key_source, key_sink; /* -1: keys are not passed here */
    unsigned char keys[READ_BYTES];
    ptrdiff_t key_bytes;         /* passed on */
    ptrdiff_t odd_bytes, taken;  /* of `keys`, when they were not taken whole, and how much was */
    struct burst burst;          /* its source is -1 when output is not passed here */
};

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct pollfd *find_ready(struct traffic *of, int fd)
{
    for (nfds_t i = 0; i < of->count; i++)
        if (of->waits[i].fd == fd && of->waits[i].revents & POLLIN)
            return &of->waits[i];
    return NULL;
}

/* Pass keys on; return whether that went well. An end or an error is met again by Python's read. */
static int pass_keys(struct traffic *of, struct pollfd *ready)
{
    ssize_t taken, got = read(of->key_source, of->keys, sizeof of->keys);
    if (got <= 0)
        return 0;
    taken = write(of->key_sink, of->keys, (size_t)got);
    ready->revents &= ~POLLIN;
    if (taken == got) {
        of->key_bytes += got;
        return 1;
    }
    of->odd_bytes = got;
    of->taken = taken > 0 ? taken : 0;
    return 0;
}

/* Wait, passing keys on; return the wait that has output to be passed on, if any. */
static struct pollfd *await(struct traffic *of)
{
    long long until_ms = of->timeout_ms < 0 ? 0 : now_ms() + of->timeout_ms;
    int left_ms = of->timeout_ms;
    for (;;) {
        int count = poll(of->waits, of->count, left_ms);
        struct pollfd *ready;
        if (count <= 0)
            return NULL;
        ready = find_ready(of, of->key_source);
        if (ready != NULL && !pass_keys(of, ready))
            return NULL;
        if (ready == NULL || count > 1 || ready->revents != 0 || of->key_bytes > MOST_KEYS)
            return find_ready(of, of->burst.source);
        if (of->timeout_ms >= 0) {
            long long rest_ms = until_ms - now_ms();
            left_ms = rest_ms > 0 ? (int)rest_ms : 0;
        }
    }
}

static int add_stretch(PyObject *stretches, const struct burst *of)
{
    const struct encoding *to = &of->encoded;
    struct run first = first_run(to), last = last_run(to);
    PyObject *stretch;
    int result;
    if (to->runs == 0)
        return 0;
    stretch = Py_BuildValue("L(y#y#n(nn)s#(nn))", of->at_us, (const char *)to->text,
                            to->text_end - to->text, to->binary, to->binary_end - to->binary,
                            of->used, first.characters, first.binary, to->middle,
                            to->middle_end - to->middle, last.characters, last.binary);
    if (stretch == NULL)
        return -1;
    result = PyList_Append(stretches, stretch);
    Py_DECREF(stretch);
    return result;
}

/* Wait and pass on; fill `stretches`; return why the burst stopped, or -1 with an error set. */
static int carry_traffic(struct traffic *of, PyObject *stretches)
{
    struct burst *burst = &of->burst;
    struct pollfd *ready;
    int stop = QUIET;
    Py_BEGIN_ALLOW_THREADS;
    ready = await(of);
    if (ready != NULL)
        stop = (int)run_burst(burst);
    Py_END_ALLOW_THREADS;
    if (ready == NULL)
        return stop;
    if (add_stretch(stretches, burst) < 0)
        return -1;
    while (stop == FULL) {
        Py_BEGIN_ALLOW_THREADS;
        stop = (int)continue_burst(burst);
        Py_END_ALLOW_THREADS;
        if (add_stretch(stretches, burst) < 0)
            return -1;
    }
    if (stop != OVER || burst->read_bytes != 0) /* else Python's read tells why nothing comes */
        ready->revents &= ~POLLIN;
    return stop;
}

static PyObject *list_ready(const struct traffic *of)
{
    PyObject *list = PyList_New(0);
    for (nfds_t i = 0; list != NULL && i < of->count; i++) {
        PyObject *one;
        if (of->waits[i].revents == 0)
            continue;
        one = Py_BuildValue("ii", of->waits[i].fd, (int)of->waits[i].revents);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *build_odd_keys(const struct traffic *of)
{
    if (of->odd_bytes == 0)
        Py_RETURN_NONE;
    return Py_BuildValue("y#n", (const char *)of->keys, of->odd_bytes, of->taken);
}

static PyObject *build_odd(const struct burst *of, int stop)
{
    if (stop != ODD)
        Py_RETURN_NONE;
    return Py_BuildValue("Ly#n", of->piece_at_us, (const char *)of->piece + of->carried, of->length,
                         of->taken);
}

static int read_waits(struct traffic *of, PyObject *waits)
{
    Py_ssize_t count = PyList_Size(waits);
    if (count < 0)
        return -1;
    if (count > MOST_WAITS) {
        PyErr_SetString(PyExc_ValueError, "too many descriptors to wait for");
        return -1;
    }
    of->count = (nfds_t)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        struct pollfd *wait = &of->waits[i];
        if (!PyArg_ParseTuple(PyList_GetItem(waits, i), "ih", &wait->fd, &wait->events))
            return -1;
        wait->revents = 0;
    }
    return 0;
}

/* Take in where output goes and what it is encoded into. */
static int read_output(struct burst *of, PyObject *output)
{
    const char *carried, *marks;
    Py_ssize_t carried_bytes, marks_bytes;
    if (!PyArg_ParseTuple(output, "iiLnnny#s#", &of->source, &of->sink, &of->base_ns,
                          &of->left_bytes, &of->room, &of->most, &carried, &carried_bytes, &marks,
                          &marks_bytes))
        return -1;
    if (carried_bytes > CARRIED_BYTES || marks_bytes != 2) {
        PyErr_SetString(PyExc_ValueError, "at most three bytes are carried, and there are two marks");
        return -1;
    }
    begin_burst(of, marks);
    memcpy(of->piece, carried, (size_t)carried_bytes);
    of->carried = carried_bytes;
    return 0;
}

static PyObject *carry(PyObject *module, PyObject *arguments)
{
    struct traffic of;
    PyObject *waits, *output, *stretches;
    int stop;
    (void)module;
    of.key_bytes = of.odd_bytes = of.taken = 0;
    of.burst.source = -1;
    of.burst.carried = of.burst.read_bytes = 0;
    if (!PyArg_ParseTuple(arguments, "O!i(ii)O", &PyList_Type, &waits, &of.timeout_ms,
                          &of.key_source, &of.key_sink, &output))
        return NULL;
    if (read_waits(&of, waits) < 0 || (output != Py_None && read_output(&of.burst, output) < 0))
        return NULL;
    stretches = PyList_New(0);
    if (stretches == NULL)
        return NULL;
    stop = carry_traffic(&of, stretches);
    if (stop < 0) {
        Py_DECREF(stretches);
        return NULL;
    }
    return Py_BuildValue("NnNNny#N", list_ready(&of), of.key_bytes, build_odd_keys(&of), stretches,
                         of.burst.read_bytes, (const char *)of.burst.piece, of.burst.carried,
                         build_odd(&of.burst, stop));
}

static PyMethodDef methods[] = {
    {"carry", carry, METH_VARARGS,
     PyDoc_STR("carry(waits, timeout_ms, keys, output, /)\n--\n\nWait, and pass on what is ordinary "
               "meanwhile; see steno.recorder.traffic.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_traffic",
    .m_doc = PyDoc_STR("Waiting, and passing on what is ordinary meanwhile."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__traffic(void);

PyMODINIT_FUNC PyInit__traffic(void)
{
    return PyModuleDef_Init(&definition);
}
