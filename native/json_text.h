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

/* Write one ASCII character that may need an escape; return where the next one goes. */
static inline unsigned char *put_ascii(unsigned char *out, unsigned char character)
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

#endif
