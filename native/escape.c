/* steno.formats._escape: UTF-8 bytes to the inside of a JSON string, as tlog writes it.
 *
 * A recorder's speed is decided here: every byte of output passes through. Doing it in Python takes
 * three passes (decode, encode, escape) and twice the time; see docs/performance.md.
 *
 * Sources: RFC 8259, section 7 (escapes); Unicode standard, table 3-7 (well-formed UTF-8); tlog's
 * lib/tlog/json_stream.c (which control characters have a short escape, and DEL escaped too).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Each byte becomes at most six: \u001b. */
enum { MOST_PER_BYTE = 6, WORD = 8 };

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

/* Return the length of the character that begins at `at`, 0 when it goes on beyond `end`, -1 when
 * no character begins so. */
static int measure_character(const unsigned char *at, const unsigned char *end)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    int length;
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
        return -1;
    }
    for (int i = 1; i < length; i++) {
        if (at + i == end)
            return 0;
        if (at[i] < low || at[i] > high)
            return -1;
        low = 0x80;
        high = 0xbf;
    }
    return length;
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

/* Escape `size` bytes into `out`, which has room. Return how many bytes that made, or -1 when the
 * bytes are not UTF-8; `used` and `characters` tell how far they are whole characters. */
static Py_ssize_t escape_bytes(const unsigned char *in, Py_ssize_t size, unsigned char *out,
                               Py_ssize_t *used, Py_ssize_t *characters)
{
    const unsigned char *at = in, *end = in + size;
    unsigned char *first = out;
    Py_ssize_t count = 0;
    while (at < end) {
        if (end - at >= WORD) {
            size_t plain = copy_plain(out, at);
            at += plain;
            out += plain;
            count += (Py_ssize_t)plain;
            if (plain == WORD)
                continue;
        }
        if (*at < 0x80) {
            out = put_ascii(out, *at++);
        } else {
            int length = measure_character(at, end);
            if (length < 0)
                return -1;
            if (length == 0)
                break;
            memcpy(out, at, (size_t)length);
            at += length;
            out += length;
        }
        count++;
    }
    *used = at - in;
    *characters = count;
    return out - first;
}

static PyObject *escape(PyObject *module, PyObject *data)
{
    char *in;
    Py_ssize_t size, used = 0, characters = 0, written;
    unsigned char *out;
    PyObject *result;
    (void)module;
    if (PyBytes_AsStringAndSize(data, &in, &size) < 0)
        return NULL;
    if (size > (PY_SSIZE_T_MAX - WORD) / MOST_PER_BYTE)
        return PyErr_NoMemory();
    out = PyMem_Malloc((size_t)size * MOST_PER_BYTE + WORD);
    if (out == NULL)
        return PyErr_NoMemory();
    written = escape_bytes((const unsigned char *)in, size, out, &used, &characters);
    if (written < 0)
        result = Py_NewRef(Py_None);
    else
        result = Py_BuildValue("(y#nn)", (const char *)out, written, characters, used);
    PyMem_Free(out);
    return result;
}

static PyMethodDef methods[] = {
    {"escape", escape, METH_O,
     PyDoc_STR("escape(data, /)\n--\n\nReturn data's UTF-8 text as the inside of a JSON string, how "
               "many characters and how many bytes\nof data that is (an unfinished character at "
               "the end is left out); None when it is not UTF-8.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_escape",
    .m_doc = PyDoc_STR("UTF-8 bytes to the inside of a JSON string."),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__escape(void);

PyMODINIT_FUNC PyInit__escape(void)
{
    return PyModuleDef_Init(&definition);
}
