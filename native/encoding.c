/* steno.formats._encoding: bytes to what a tlog message says of them.
 *
 * A recorder's speed is decided here: every byte of output passes through. Python's codecs take
 * twice as long for text, in three passes, and a hundred times as long for what is no text, where
 * most runs are one character long; see docs/performance.md.
 *
 * Source: tlog, doc/log_format.md (timing); json_text.h names those of the text.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "json_text.h"

/* Each byte becomes at most six of text, \u001b, four of the binary member, 255 and a comma, and
 * four of timing, ]1/1. */
enum { MOST_TEXT = 6, MOST_BINARY = 4, MOST_TIMING = 4 };

/* A run of text, or of bytes that are no text: its characters, and how many bytes of the binary
 * member they stand for (0 for text). */
struct run {
    Py_ssize_t characters, binary;
};

/* What is being made, in buffers with room for the worst. */
struct encoding {
    unsigned char *text, *text_end;
    char *binary, *binary_end;
    char *middle, *middle_end;
    struct run first, current;
    int runs; /* how many have begun */
    const char *marks;
};

static char *put_number(char *out, Py_ssize_t number)
{
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

static void put_record(struct encoding *to, struct run run)
{
    char *out = to->middle_end;
    *out++ = to->marks[run.binary != 0];
    out = put_number(out, run.characters);
    if (run.binary != 0) {
        *out++ = '/';
        out = put_number(out, run.binary);
    }
    to->middle_end = out;
}

/* Go on with the current run, or begin another one when it is of the other kind. */
static void extend(struct encoding *to, Py_ssize_t characters, Py_ssize_t binary)
{
    if (to->runs != 0 && (to->current.binary != 0) == (binary != 0)) {
        to->current.characters += characters;
        to->current.binary += binary;
        return;
    }
    if (to->runs == 1)
        to->first = to->current;
    else if (to->runs > 1)
        put_record(to, to->current);
    to->current = (struct run){characters, binary};
    to->runs++;
}

static void put_invalid(struct encoding *to, const unsigned char *at, Py_ssize_t length)
{
    memcpy(to->text_end, "\xef\xbf\xbd", 3);
    to->text_end += 3;
    for (Py_ssize_t i = 0; i < length; i++) {
        if (to->binary_end != to->binary)
            *to->binary_end++ = ',';
        to->binary_end = put_number(to->binary_end, at[i]);
    }
    extend(to, 1, length);
}

/* Encode text from `at` on, as far as it goes; return where it ends. */
static const unsigned char *put_text(struct encoding *to, const unsigned char *at,
                                     const unsigned char *end, struct sequence *after)
{
    unsigned char *out = to->text_end;
    Py_ssize_t characters = 0;
    *after = (struct sequence){0, 0, 0};
    while (at < end) {
        if (end - at >= WORD) {
            size_t plain = copy_plain(out, at);
            at += plain;
            out += plain;
            characters += (Py_ssize_t)plain;
            if (plain == WORD)
                continue;
        }
        if (*at < 0x80) {
            out = put_ascii(out, *at++);
        } else {
            *after = measure(at, end);
            if (!after->is_whole)
                break;
            memcpy(out, at, (size_t)after->length);
            out += after->length;
            at += after->length;
        }
        characters++;
    }
    to->text_end = out;
    if (characters != 0)
        extend(to, characters, 0);
    return at;
}

/* Encode from `at` to `end`; return where it stopped: before an unfinished character at the end,
 * unless `is_final`. */
static const unsigned char *encode_bytes(struct encoding *to, const unsigned char *at,
                                         const unsigned char *end, int is_final)
{
    while (at < end) {
        struct sequence bad;
        at = put_text(to, at, end, &bad);
        if (at == end || (bad.is_open && !is_final))
            break;
        put_invalid(to, at, bad.length);
        at += bad.length;
    }
    return at;
}

static PyObject *encode(PyObject *module, PyObject *arguments)
{
    const char *in, *marks;
    Py_ssize_t size, marks_size, used;
    int is_final;
    unsigned char *room;
    struct encoding to = {0};
    struct run last = {0, 0};
    PyObject *result;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#s#p", &in, &size, &marks, &marks_size, &is_final))
        return NULL;
    if (marks_size != 2) {
        PyErr_SetString(PyExc_ValueError, "there are two marks");
        return NULL;
    }
    if (size > (PY_SSIZE_T_MAX - 64) / (MOST_TEXT + MOST_BINARY + MOST_TIMING))
        return PyErr_NoMemory();
    /* Written piece by piece, so that text alone touches no more than its own part. */
    room = PyMem_Malloc((size_t)size * (MOST_TEXT + MOST_BINARY + MOST_TIMING) + 64);
    if (room == NULL)
        return PyErr_NoMemory();
    to.marks = marks;
    to.text = to.text_end = room;
    to.binary = to.binary_end = (char *)room + size * MOST_TEXT + WORD;
    to.middle = to.middle_end = to.binary + size * MOST_BINARY;
    used = encode_bytes(&to, (const unsigned char *)in, (const unsigned char *)in + size, is_final) -
           (const unsigned char *)in;
    if (to.runs > 1)
        last = to.current;
    else
        to.first = to.current;
    result = Py_BuildValue("y#y#n(nn)s#(nn)", (const char *)to.text, to.text_end - to.text,
                           to.binary, to.binary_end - to.binary, used,
                           to.first.characters, to.first.binary, to.middle,
                           to.middle_end - to.middle, last.characters, last.binary);
    PyMem_Free(room);
    return result;
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS,
     PyDoc_STR("encode(data, marks, is_final, /)\n--\n\nEncode bytes for a message; see "
               "steno.formats.payload.Stretch.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_encoding",
    .m_doc = PyDoc_STR("Bytes to what a tlog message says of them."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__encoding(void);

PyMODINIT_FUNC PyInit__encoding(void)
{
    return PyModuleDef_Init(&definition);
}
