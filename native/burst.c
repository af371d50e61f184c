/* steno.recorder._burst: pass a burst of output on and encode it, without Python in between.
 *
 * What comes in a row is read, written and encoded here, for as long as that is all there is to
 * do. Whatever else happens is left to Python: a reader that does not take all, output that fits
 * into no message, the end. See steno.recorder.burst and docs/performance.md.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text_encoding.h"

enum {
    READ_BYTES = 4096,   /* terminals never give more */
    LONG_BYTES = 1024,   /* after a read this long there is likely more */
    JOIN_BYTES = 3072,   /* a long one shorter than this is worth another before it is passed on */
    MOST_BYTES = 16384,  /* of a stretch at most, and the default size of a message */
    CARRIED_BYTES = 3,   /* the beginning of a character */
    RECORD_BYTES = 32,   /* as in steno.formats.payload.Stretch.size_bytes */
    PIECE_BYTES = CARRIED_BYTES + 2 * READ_BYTES,
};

/* Why the loop came to a stop. */
enum stop {
    QUIET, /* nothing more is to be expected now */
    OVER,  /* others have their turn, or the next read tells why */
    FULL,  /* the piece belongs to the next stretch */
    ODD,   /* the piece was not passed on whole, or is too large for any message */
};

struct burst {
    int source, sink;
    long long base_ns;
    ptrdiff_t left_bytes; /* so much may be read yet */
    ptrdiff_t room, most; /* how large this stretch may be, and how large any */

    struct encoding encoded; /* the stretch: what was passed on and fits */
    ptrdiff_t used;          /* bytes that it stands for */
    long long at_us;         /* when the first of it came */
    ptrdiff_t read_bytes;    /* of all stretches */

    /* The bytes of the last read, behind the beginning of a character that came before. */
    unsigned char piece[PIECE_BYTES];
    ptrdiff_t carried, length, taken;
    long long piece_at_us;

    unsigned char text[MOST_BYTES + PIECE_BYTES * MOST_TEXT + SPARE];
    char binary[MOST_BYTES + PIECE_BYTES * MOST_BINARY + SPARE];
    char middle[MOST_BYTES + PIECE_BYTES * MOST_TIMING + SPARE];
};

static long long now_us(long long base_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (now.tv_sec * 1000000000LL + now.tv_nsec - base_ns) / 1000;
}

/* Read a piece; return whether one came; EAGAIN says that none has come yet. */
static int read_piece(struct burst *of)
{
    unsigned char *at = of->piece + of->carried;
    ssize_t more, got;
    errno = 0;
    got = read(of->source, at, READ_BYTES);
    if (got <= 0)
        return 0;
    if (got >= LONG_BYTES && got < JOIN_BYTES) {
        more = read(of->source, at + got, READ_BYTES);
        got += more > 0 ? more : 0;
    }
    of->length = got;
    of->left_bytes -= got;
    of->piece_at_us = now_us(of->base_ns);
    return 1;
}

/* Return whether all of the piece was passed on; an error is met again by who tries the rest. */
static int pass_on(struct burst *of)
{
    ssize_t taken = write(of->sink, of->piece + of->carried, (size_t)of->length);
    of->taken = taken > 0 ? taken : 0;
    return of->taken == of->length;
}

static ptrdiff_t size_of(const struct encoding *encoded)
{
    return (encoded->text_end - encoded->text) + (encoded->binary_end - encoded->binary) +
           (encoded->middle_end - encoded->middle) + RECORD_BYTES;
}

/* Encode the piece behind the others; return 0, and leave those as they are, when there is no room. */
static int encode_piece(struct burst *of)
{
    struct encoding to = of->encoded;
    const unsigned char *end = of->piece + of->carried + of->length;
    const unsigned char *rest = encode_bytes(&to, of->piece, end, 0);
    if (size_of(&to) > of->room)
        return 0;
    of->encoded = to;
    of->used += rest - of->piece;
    of->read_bytes += of->length;
    of->carried = end - rest;
    memmove(of->piece, rest, (size_t)of->carried);
    return 1;
}

static int is_same_time(const struct burst *of)
{
    return of->encoded.runs == 0 || of->piece_at_us / 1000 == of->at_us / 1000;
}

static enum stop run_burst(struct burst *of)
{
    while (of->left_bytes > 0) {
        if (!read_piece(of))
            return errno == EAGAIN ? QUIET : OVER;
        if (!pass_on(of))
            return ODD;
        if (!is_same_time(of))
            return FULL;
        if (of->encoded.runs == 0)
            of->at_us = of->piece_at_us;
        if (!encode_piece(of))
            return FULL;
        if (of->length < LONG_BYTES)
            return QUIET;
    }
    return OVER;
}

static void begin_stretch(struct burst *of)
{
    const char *marks = of->encoded.marks;
    of->encoded = (struct encoding){.text = of->text,
                                    .text_end = of->text,
                                    .binary = of->binary,
                                    .binary_end = of->binary,
                                    .middle = of->middle,
                                    .middle_end = of->middle,
                                    .marks = marks};
    of->used = 0;
    of->at_us = of->piece_at_us;
}

/* Begin another stretch, with the piece that did not go into the last one. */
static enum stop go_on(struct burst *of)
{
    int is_message_full = is_same_time(of);
    of->room = is_message_full ? of->most : of->room - size_of(&of->encoded);
    begin_stretch(of);
    if (!encode_piece(of)) {
        of->room = of->most;
        if (is_message_full || !encode_piece(of))
            return ODD;
    }
    return of->length < LONG_BYTES ? QUIET : run_burst(of);
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

static PyObject *build_odd(const struct burst *of, enum stop stop)
{
    if (stop != ODD)
        Py_RETURN_NONE;
    return Py_BuildValue("Ly#n", of->piece_at_us, (const char *)of->piece + of->carried, of->length,
                         of->taken);
}

static PyObject *run(struct burst *of)
{
    PyObject *stretches = PyList_New(0);
    enum stop stop = OVER;
    int is_first = 1;
    if (stretches == NULL)
        return NULL;
    do {
        Py_BEGIN_ALLOW_THREADS;
        stop = is_first ? run_burst(of) : go_on(of);
        Py_END_ALLOW_THREADS;
        is_first = 0;
        if (add_stretch(stretches, of) < 0) {
            Py_DECREF(stretches);
            return NULL;
        }
    } while (stop == FULL);
    return Py_BuildValue("Nny#NO", stretches, of->read_bytes, (const char *)of->piece, of->carried,
                         build_odd(of, stop), stop == QUIET ? Py_True : Py_False);
}

static PyObject *burst(PyObject *module, PyObject *arguments)
{
    struct burst of;
    const char *carried;
    Py_ssize_t carried_bytes, marks_bytes;
    (void)module;
    memset(&of, 0, offsetof(struct burst, piece));
    if (!PyArg_ParseTuple(arguments, "iiLnnny#s#", &of.source, &of.sink, &of.base_ns,
                          &of.left_bytes, &of.room, &of.most, &carried, &carried_bytes,
                          &of.encoded.marks, &marks_bytes))
        return NULL;
    if (carried_bytes > CARRIED_BYTES || marks_bytes != 2) {
        PyErr_SetString(PyExc_ValueError, "at most three bytes are carried, and there are two marks");
        return NULL;
    }
    memcpy(of.piece, carried, (size_t)carried_bytes);
    of.carried = carried_bytes;
    of.room = of.room < MOST_BYTES ? of.room : MOST_BYTES;
    of.most = of.most < MOST_BYTES ? of.most : MOST_BYTES;
    of.piece_at_us = 0;
    begin_stretch(&of);
    return run(&of);
}

static PyMethodDef methods[] = {
    {"burst", burst, METH_VARARGS,
     PyDoc_STR("burst(source, sink, base_ns, turn_bytes, free_bytes, most_bytes, carried, marks, /)\n--\n\nPass a burst on "
               "and encode it; see steno.recorder.burst.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_burst",
    .m_doc = PyDoc_STR("A burst of output, passed on and encoded."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__burst(void);

PyMODINIT_FUNC PyInit__burst(void)
{
    return PyModuleDef_Init(&definition);
}
