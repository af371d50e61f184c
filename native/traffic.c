/* steno.recorder._traffic: wait, and pass on what is ordinary meanwhile, without Python.
 *
 * Keys that nobody records and output that comes in a row pass here: between a key and its echo,
 * and between two reads of a flood, no Python runs. Whatever else happens ends the wait: a signal,
 * a reader that does not take all, output that fits into no message, an end. See
 * steno.recorder.traffic and docs/performance.md.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "burst.h"

struct traffic {
    struct waits waits;
    int timeout_ms;
    struct burst burst; /* its source is -1 when output is not passed on here */
};

/* Wait; return the place of output that is there to be passed on, if any. */
static struct pollfd *await_output(struct traffic *of)
{
    struct pollfd *output = find_wait(&of->waits, of->burst.source);
    wait_for_any(&of->waits, of->timeout_ms < 0 ? FOR_EVER : now_us() + of->timeout_ms * 1000LL);
    return output != NULL && output->revents & POLLIN ? output : NULL;
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

/* Pass a burst on; fill `stretches`; return why it stopped, or -1 with an error set. */
static int pass_burst(struct burst *of, PyObject *stretches)
{
    int stop;
    Py_BEGIN_ALLOW_THREADS;
    stop = (int)run_burst(of);
    Py_END_ALLOW_THREADS;
    while (add_stretch(stretches, of) == 0) {
        if (stop != FULL)
            return stop;
        Py_BEGIN_ALLOW_THREADS;
        stop = (int)continue_burst(of);
        Py_END_ALLOW_THREADS;
    }
    return -1;
}

/* Wait and pass on; fill `stretches`; return why output stopped, or -1 with an error set. */
static int carry_traffic(struct traffic *of, PyObject *stretches)
{
    struct pollfd *output;
    int stop, source = of->burst.source;
    Py_BEGIN_ALLOW_THREADS;
    output = await_output(of);
    Py_END_ALLOW_THREADS;
    if (output == NULL)
        return QUIET;
    output->fd = -1; /* what else is ready ends the burst, but not that there is more of it */
    output->revents = 0;
    stop = pass_burst(&of->burst, stretches);
    output->fd = source;
    if (stop == OVER && of->burst.read_bytes == 0)
        output->revents = POLLIN; /* Python's read tells why nothing comes */
    return stop;
}

static PyObject *list_ready(const struct waits *of)
{
    PyObject *list = PyList_New(0);
    for (nfds_t i = 0; list != NULL && i < of->count; i++) {
        const struct pollfd *wait = &of->fds[i];
        PyObject *one;
        if (wait->revents == 0)
            continue;
        one = Py_BuildValue("ii", wait->fd, (int)wait->revents);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *build_odd_keys(const struct waits *of)
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

static int read_waits(struct waits *of, PyObject *waits)
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
        struct pollfd *wait = &of->fds[i];
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
    of.waits.key_bytes = of.waits.odd_bytes = of.waits.taken = 0;
    of.burst.waits = &of.waits;
    of.burst.source = -1;
    of.burst.carried = of.burst.read_bytes = 0;
    if (!PyArg_ParseTuple(arguments, "O!i(ii)O", &PyList_Type, &waits, &of.timeout_ms,
                          &of.waits.key_source, &of.waits.key_sink, &output))
        return NULL;
    if (read_waits(&of.waits, waits) < 0 || (output != Py_None && read_output(&of.burst, output) < 0))
        return NULL;
    stretches = PyList_New(0);
    if (stretches == NULL)
        return NULL;
    stop = carry_traffic(&of, stretches);
    if (stop < 0) {
        Py_DECREF(stretches);
        return NULL;
    }
    return Py_BuildValue("NnNNny#N", list_ready(&of.waits), of.waits.key_bytes,
                         build_odd_keys(&of.waits), stretches, of.burst.read_bytes,
                         (const char *)of.burst.piece, of.burst.carried,
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
