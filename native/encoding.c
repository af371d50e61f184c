/* steno.formats._encoding: bytes to what a tlog message says of them.
 *
 * A recorder's speed is decided here: every byte of output passes through. Python's codecs take
 * twice as long for text, in three passes, and a hundred times as long for what is no text, where
 * most runs are one character long; see docs/performance.md.
 *
 * Sources: RFC 8259, section 7 (escapes); Unicode standard, table 3-7 (well-formed UTF-8) and
 * section 3.9 (maximal subparts); tlog, doc/log_format.md (timing) and lib/tlog/json_stream.c (which
 * control characters have a short escape, and DEL escaped too).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Each byte becomes at most six of text, \u001b, four of the binary member, 255 and a comma, and
 * four of timing, ]1/1. */
enum { MOST_TEXT = 6, MOST_BINARY = 4, MOST_TIMING = 4, WORD = 8 };

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))

/* Return a word with the highest bit set of the first byte of `word` (in little-endian order) that
 * is not copied as it is, and perhaps of later ones; 0 when all eight are copied. */
static inline uint64_t mark_special(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"');
    uint64_t backslash = word ^ EVERY_BYTE('\\');
    uint64_t del = word ^ EVERY_BYTE(0x7f);
    uint64_t control = (word - EVERY_BYTE(0x20)) & ~word;
    uint64_t same = ((quote - EVERY_BYTE(1)) & ~quote) | ((backslash - EVERY_BYTE(1)) & ~backslash) |
                    ((del - EVERY_BYTE(1)) & ~del);
    return (control | same | word) & EVERY_BYTE(0x80);
}

/* Return how many of the bytes at `at` are copied as they are, at most eight; copies all eight. */
static inline size_t copy_plain(unsigned char *out, const unsigned char *at)
{
    uint64_t word, marks;
    memcpy(&word, at, WORD);
    memcpy(out, &word, WORD);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    marks = mark_special(word);
    return marks == 0 ? WORD : (size_t)__builtin_ctzll(marks) / 8;
}

/* How a sequence of bytes >= 0x80 begins: a character of `length` bytes; when `is_whole` is not set,
 * one cut short after `length` bytes, by the end of the data or by a byte that does not fit. The
 * latter, Unicode's "maximal subpart", is what one U+FFFD stands for. */
struct sequence {
    Py_ssize_t length;
    int is_whole;
    int is_open; /* the data ended within it */
};

static struct sequence measure(const unsigned char *at, const unsigned char *end)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    Py_ssize_t length, i;
    if (first >= 0xc2 && first < 0xe0) {
        length = 2;
    } else if (first >= 0xe0 && first < 0xf0) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first < 0xf5) {
        length = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return (struct sequence){1, 0, 0};
    }
    for (i = 1; i < length; i++) {
        if (at + i == end)
            return (struct sequence){i, 0, 1};
        if (at[i] < low || at[i] > high)
            return (struct sequence){i, 0, 0};
        low = 0x80;
        high = 0xbf;
    }
    return (struct sequence){length, 1, 0};
}

/* Write one ASCII character that may need an escape; return where the next one goes. */
static unsigned char *put_ascii(unsigned char *out, unsigned char character)
{
    static const char shorts[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char digits[] = "0123456789abcdef";
    if (character >= 0x20 && character != '"' && character != '\\' && character != 0x7f) {
        *out++ = character;
        return out;
    }
    *out++ = '\\';
    if (character == '"' || character == '\\') {
        *out++ = character;
    } else if (character < 0x20 && shorts[character] != 0) {
        *out++ = (unsigned char)shorts[character];
    } else {
        memcpy(out, "u00", 3);
        out[3] = (unsigned char)digits[character >> 4];
        out[4] = (unsigned char)digits[character & 15];
        out += 5;
    }
    return out;
}

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
