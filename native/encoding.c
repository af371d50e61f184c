/* steno.formats._encoding: bytes to what a tlog message says of them, and messages to lines.
 *
 * A recorder's speed is decided here: every byte of output passes through. Python's codecs take
 * twice as long for text, in three passes, and a hundred times as long for what is no text, where
 * most runs are one character long; see docs/performance.md.
 *
 * Source: tlog, doc/log_format.md (timing); json_text.h names those of the text.
 */
#include "lines.h"

#include "text_encoding.h"

static PyObject *encode(PyObject *module, PyObject *arguments)
{
    const char *in, *marks;
    Py_ssize_t size, marks_size, used;
    int is_final;
    unsigned char *room;
    struct encoding to = {0};
    struct run first, last;
    PyObject *result;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#s#p", &in, &size, &marks, &marks_size, &is_final))
        return NULL;
    if (marks_size != 2) {
        PyErr_SetString(PyExc_ValueError, "there are two marks");
        return NULL;
    }
    if (size > (PY_SSIZE_T_MAX - SPARE) / (MOST_TEXT + MOST_BINARY + MOST_TIMING))
        return PyErr_NoMemory();
    /* Written piece by piece, so that text alone touches no more than its own part. */
    room = PyMem_Malloc((size_t)size * (MOST_TEXT + MOST_BINARY + MOST_TIMING) + SPARE);
    if (room == NULL)
        return PyErr_NoMemory();
    to.marks = marks;
    to.text = to.text_end = room;
    to.binary = to.binary_end = (char *)room + size * MOST_TEXT + SPARE / 2;
    to.middle = to.middle_end = to.binary + size * MOST_BINARY;
    used = encode_bytes(&to, (const unsigned char *)in, (const unsigned char *)in + size, is_final) -
           (const unsigned char *)in;
    first = first_run(&to);
    last = last_run(&to);
    result = Py_BuildValue("y#y#n(nn)s#(nn)", (const char *)to.text, to.text_end - to.text,
                           to.binary, to.binary_end - to.binary, used,
                           first.characters, first.binary, to.middle,
                           to.middle_end - to.middle, last.characters, last.binary);
    PyMem_Free(room);
    return result;
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS,
     PyDoc_STR("encode(data, marks, is_final, /)\n--\n\nEncode bytes for a message; see "
               "steno.formats.stretches.Stretch.")},
    {"render_line", render_line, METH_VARARGS, PyDoc_STR(RENDER_LINE_DOC)},
    {"chain_lines", chain_lines, METH_VARARGS, PyDoc_STR(CHAIN_LINES_DOC)},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_encoding",
    .m_doc = PyDoc_STR("Bytes to what a tlog message says of them, and messages to lines."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__encoding(void);

PyMODINIT_FUNC PyInit__encoding(void)
{
    return PyModuleDef_Init(&definition);
}
