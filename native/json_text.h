/* Bytes to the inside of a JSON string: what the modules in C share.
 *
 * Sources: RFC 8259, section 7 (escapes); Unicode standard, table 3-7 (well-formed UTF-8) and
 * section 3.9 (maximal subparts); tlog, lib/tlog/json_stream.c (which control characters have a short
 * escape, and DEL escaped too).
 */
#ifndef STENO_JSON_TEXT_H
#define STENO_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WORD = 8 };

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
    ptrdiff_t length;
    int is_whole;
    int is_open; /* the data ended within it */
};

static inline struct sequence measure(const unsigned char *at, const unsigned char *end)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    ptrdiff_t length, i;
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

/* What stands for a character; of no length for those that are copied as they are. */
struct escape {
    char text[7];
    unsigned char length;
};

static const struct escape escapes[0x80] = {
    [0x00] = {"\\u0000", 6}, [0x01] = {"\\u0001", 6}, [0x02] = {"\\u0002", 6},
    [0x03] = {"\\u0003", 6}, [0x04] = {"\\u0004", 6}, [0x05] = {"\\u0005", 6},
    [0x06] = {"\\u0006", 6}, [0x07] = {"\\u0007", 6}, [0x08] = {"\\b", 2}, [0x09] = {"\\t", 2},
    [0x0a] = {"\\n", 2}, [0x0b] = {"\\u000b", 6}, [0x0c] = {"\\f", 2}, [0x0d] = {"\\r", 2},
    [0x0e] = {"\\u000e", 6}, [0x0f] = {"\\u000f", 6}, [0x10] = {"\\u0010", 6},
    [0x11] = {"\\u0011", 6}, [0x12] = {"\\u0012", 6}, [0x13] = {"\\u0013", 6},
    [0x14] = {"\\u0014", 6}, [0x15] = {"\\u0015", 6}, [0x16] = {"\\u0016", 6},
    [0x17] = {"\\u0017", 6}, [0x18] = {"\\u0018", 6}, [0x19] = {"\\u0019", 6},
    [0x1a] = {"\\u001a", 6}, [0x1b] = {"\\u001b", 6}, [0x1c] = {"\\u001c", 6},
    [0x1d] = {"\\u001d", 6}, [0x1e] = {"\\u001e", 6}, [0x1f] = {"\\u001f", 6}, ['"'] = {"\\\"", 2},
    ['\\'] = {"\\\\", 2}, [0x7f] = {"\\u007f", 6},
};

/* Write one ASCII character that may need an escape; return where the next one goes. */
static inline unsigned char *put_ascii(unsigned char *out, unsigned char character)
{
    const struct escape *escape = &escapes[character];
    if (escape->length == 0) {
        *out++ = character;
        return out;
    }
    memcpy(out, escape->text, escape->length);
    return out + escape->length;
}

#endif
