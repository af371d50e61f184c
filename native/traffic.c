/* steno.recorder._traffic: wait, and pass on what is ordinary meanwhile, without Python.
 *
 * Keys that nobody records and output that comes in a row pass here: between a key and its echo,
 * and between two reads of a flood, no Python runs. Whatever else happens ends the wait: a signal,
 * a reader that does not take all, an end. See steno.recorder.traffic and docs/performance.md.
 *
 * Output is encoded and recorded by who passes it on, message by message: it is in that processor's
 * cache, and the terminals' buffers last as long as that takes. See docs/performance.md.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <string.h>

#include "burst.h"

struct traffic {
    struct waits waits;
    int timeout_ms;
    PyObject *record;      /* is told what is full */
    PyThreadState *python; /* ours, while others may run */
    struct burst burst;    /* its source is -1 when output is not passed on here */
};

/* Wait; return the place of output that is there to be passed on, if any. */
static struct pollfd *await_output(struct traffic *of)
{
    struct pollfd *output = find_wait(&of->waits, of->burst.source);
    wait_for_any(&of->waits, of->timeout_ms < 0 ? FOR_EVER : now_us() + of->timeout_ms * 1000LL);
    return output != NULL && output->revents & POLLIN ? output : NULL;
}

/* Wait, pass on and encode; return why output stopped. */
static enum stop carry_traffic(struct traffic *of, const struct format *format)
{
    int source = of->burst.source;
    struct pollfd *output = await_output(of);
    ptrdiff_t largest, row_bytes;
    enum stop stop;
    if (output == NULL)
        return QUIET;
    /* It holds the messages that are not recorded yet, and one piece more. */
    largest = format->room > format->most ? format->room : format->most;
    row_bytes = of->burst.left_bytes;
    if (largest < row_bytes / FULL_MESSAGES)
        row_bytes = FULL_MESSAGES * largest;
    if (begin_row(&of->burst.row, row_bytes + PIECE_BYTES, format) < 0)
        return NO_MEMORY;
    output->fd = -1; /* what else is ready ends the burst, but not that there is more of it */
    output->revents = 0;
    stop = run_burst(&of->burst);
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

static PyObject *build_odd(const struct burst *of, enum stop stop)
{
    if (stop != ODD)
        Py_RETURN_NONE;
    return Py_BuildValue("y#nL", (const char *)of->piece + of->carried, of->piece_bytes, of->taken,
                         of->piece_at_us);
}

/* A steno.formats.stretches.Stretch's attributes. */
static PyObject *build_stretch(const struct stretch *stretch)
{
    const struct encoding *of = &stretch->encoded;
    struct run first = first_run(of), last = last_run(of);
    return Py_BuildValue("y#y#n(nn)s#(nn)", (const char *)of->text, of->text_end - of->text,
                         of->binary, of->binary_end - of->binary, stretch->used, first.characters,
                         first.binary, of->middle, of->middle_end - of->middle, last.characters,
                         last.binary);
}

static PyObject *list_stretches(const struct stretch *first, const struct stretch *end)
{
    PyObject *list = PyList_New(0);
    for (; list != NULL && first != end; first++) {
        PyObject *one = Py_BuildValue("LN", first->at_us, build_stretch(first));
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

/* What stretches that are a message say: when it begins, in ms, its timing, text and binary. */
static PyObject *build_message(const struct stretch *first, const struct stretch *end)
{
    const struct encoding *from = &first->encoded;
    const char *binary_end = find_binary_end(first, end);
    char *timing = PyMem_Malloc((size_t)limit_timing(first, end));
    PyObject *message;
    if (timing == NULL)
        return PyErr_NoMemory();
    message = Py_BuildValue("Ly#y#y#", first->at_us / 1000, timing,
                            put_timing(timing, first, end) - timing, (const char *)from->text,
                            end[-1].encoded.text_end - from->text, from->binary,
                            binary_end - from->binary);
    PyMem_Free(timing);
    return message;
}

/* Have what is full recorded. */
static enum recorded record_full(struct traffic *of)
{
    struct row *row = &of->burst.row;
    const struct stretch *end = row->stretches + row->full;
    const struct stretch *first = find_message(row->stretches, end), *at = first, *next;
    PyObject *whole = PyList_New(0), *answer;
    int goes_on;
    for (; whole != NULL && at != end; at = next) {
        PyObject *message;
        next = find_message(at + 1, end);
        message = build_message(at, next);
        if (message == NULL || PyList_Append(whole, message) < 0)
            Py_CLEAR(whole);
        Py_XDECREF(message);
    }
    answer = PyObject_CallFunction(of->record, "NN", list_stretches(row->stretches, first), whole);
    goes_on = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    drop_full(row);
    return goes_on < 0 ? NOT_RECORDED : goes_on ? GO_ON : ENOUGH;
}

/* The same in the midst of a burst. */
static enum recorded record_full_of(struct burst *burst)
{
    struct traffic *of = (struct traffic *)((char *)burst - offsetof(struct traffic, burst));
    enum recorded recorded;
    PyEval_RestoreThread(of->python);
    recorded = record_full(of);
    of->python = PyEval_SaveThread();
    return recorded;
}

/* A steno.formats.stretches.Row's attributes. */
static PyObject *build_row(const struct burst *of)
{
    const struct row *row = &of->row;
    return Py_BuildValue("Ny#n", list_stretches(row->stretches, row->stretches + row->count),
                         (const char *)of->piece, of->carried, of->read_bytes);
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

/* Take in where output goes and what it is encoded for. */
static int read_output(struct traffic *traffic, struct format *format, PyObject *output)
{
    struct burst *of = &traffic->burst;
    const char *carried;
    Py_ssize_t carried_bytes, marks_bytes;
    if (!PyArg_ParseTuple(output, "iiLnnny#s#O", &of->source, &of->sink, &of->base_ns,
                          &of->left_bytes, &format->room, &format->most, &carried, &carried_bytes,
                          &format->marks, &marks_bytes, &traffic->record))
        return -1;
    if (of->left_bytes < 1 || of->left_bytes > MOST_BYTES || format->most < LEAST_MOST_BYTES ||
        carried_bytes > CARRIED_BYTES || marks_bytes != 2) {
        PyErr_SetString(PyExc_ValueError, "no turn of output may be like that");
        return -1;
    }
    memcpy(of->piece, carried, (size_t)carried_bytes);
    of->carried = carried_bytes;
    return 0;
}

static PyObject *build_traffic(struct traffic *of, enum stop stop)
{
    if (stop == NO_MEMORY)
        return PyErr_NoMemory();
    if (stop == FAILED || (of->burst.row.begun != 0 && record_full(of) == NOT_RECORDED))
        return NULL;
    return Py_BuildValue("NnNNN", list_ready(&of->waits), of->waits.key_bytes,
                         build_odd_keys(&of->waits), build_row(&of->burst),
                         build_odd(&of->burst, stop));
}

static PyObject *carry(PyObject *module, PyObject *arguments)
{
    PyObject *waits, *output, *result;
    struct traffic of;
    struct format format = {0, 0, NULL};
    enum stop stop;
    (void)module;
    of.waits.key_bytes = of.waits.odd_bytes = of.waits.taken = 0;
    of.burst.waits = &of.waits;
    of.burst.record_full = record_full_of;
    of.burst.source = -1;
    of.burst.carried = of.burst.read_bytes = 0;
    of.burst.row = (struct row){.count = 0};
    if (!PyArg_ParseTuple(arguments, "O!i(ii)O", &PyList_Type, &waits, &of.timeout_ms,
                          &of.waits.key_source, &of.waits.key_sink, &output))
        return NULL;
    if (read_waits(&of.waits, waits) < 0 ||
        (output != Py_None && read_output(&of, &format, output) < 0))
        return NULL;
    of.python = PyEval_SaveThread();
    stop = carry_traffic(&of, &format);
    PyEval_RestoreThread(of.python);
    result = build_traffic(&of, stop);
    end_row(&of.burst.row);
    return result;
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
