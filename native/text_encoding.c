#include "text_encoding.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json_text.h"

static char *put_number(char *out, ptrdiff_t number)
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

char *put_run(char *out, const char *marks, struct run run)
{
    *out++ = marks[run.binary != 0];
    out = put_number(out, run.characters);
    if (run.binary != 0) {
        *out++ = '/';
        out = put_number(out, run.binary);
    }
    return out;
}

char *put_delay(char *out, long long delay_ms)
{
    *out++ = '+';
    return put_number(out, (ptrdiff_t)delay_ms);
}

/* Another run begins: the current one, if any, is the first or stands in the middle. */
static void finish_run(struct encoding *to)
{
    if (to->runs == 1)
        to->first = to->current;
    else if (to->runs > 1)
        to->middle_end = put_run(to->middle_end, to->marks, to->current);
}

/* Go on with the current run, or begin another one when it is of the other kind. */
static void extend(struct encoding *to, ptrdiff_t characters, ptrdiff_t binary)
{
    if (to->runs != 0 && (to->current.binary != 0) == (binary != 0)) {
        to->current.characters += characters;
        to->current.binary += binary;
        return;
    }
    finish_run(to);
    to->current = (struct run){characters, binary};
    to->runs++;
}

static void put_invalid(struct encoding *to, const unsigned char *at, ptrdiff_t length)
{
    memcpy(to->text_end, "\xef\xbf\xbd", 3);
    to->text_end += 3;
    for (ptrdiff_t i = 0; i < length; i++) {
        if (to->binary_end != to->binary)
            *to->binary_end++ = ',';
        to->binary_end = put_number(to->binary_end, at[i]);
    }
    extend(to, 1, length);
}

enum { LONG_TEXT = 64 };

/* Text on its way: from `at`, before `end`, to `out`. */
struct passage {
    const unsigned char *at, *end;
    unsigned char *out;
    ptrdiff_t characters;
};

#ifdef __SSE2__
enum { PART = 16, BLOCK = 4 * PART, READ_AHEAD = 2 * BLOCK };

/* What a block is made of, a bit for each byte: what needs an escape, what belongs to longer
 * characters, and what goes on with one (0x80 to 0xbf). */
struct marks {
    uint64_t escaped, high, continued;
};

static uint64_t list_bytes(__m128i matches)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(matches);
}

static struct marks mark_block(const unsigned char *at)
{
    struct marks marks = {0, 0, 0};
    for (int i = 0; i < BLOCK; i += PART) {
        __m128i part = _mm_loadu_si128((const __m128i *)(at + i));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(part, _mm_set1_epi8(0x1f)), part);
        __m128i quote = _mm_cmpeq_epi8(part, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(part, _mm_set1_epi8('\\'));
        __m128i del = _mm_cmpeq_epi8(part, _mm_set1_epi8(0x7f));
        __m128i escaped = _mm_or_si128(_mm_or_si128(control, quote), _mm_or_si128(backslash, del));
        marks.escaped |= list_bytes(escaped) << i;
        marks.high |= list_bytes(part) << i;
        marks.continued |= list_bytes(_mm_cmplt_epi8(part, _mm_set1_epi8(-0x40))) << i;
    }
    return marks;
}

static uint64_t first_bits(int count)
{
    return count == BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/* Return how much of a block is well-formed and ends with whole characters. */
static int check_block(const unsigned char *at, const unsigned char *end, uint64_t high)
{
    while (high != 0) {
        int place = __builtin_ctzll(high);
        struct sequence sequence = measure(at + place, end);
        int after = place + (int)sequence.length;
        if (!sequence.is_whole || after > BLOCK)
            return place;
        high &= ~first_bits(after);
    }
    return BLOCK;
}

/* Copy at most BLOCK bytes, and perhaps more of them than asked for. */
static unsigned char *copy_some(unsigned char *out, const unsigned char *at, int length)
{
    memcpy(out, at, BLOCK / 2);
    if (length > BLOCK / 2)
        memcpy(out + BLOCK / 2, at + BLOCK / 2, BLOCK / 2);
    return out + length;
}

/* Encode blocks of text as far as they are well-formed. All places of a block are known at once: where
 * the next one is, nobody can predict. */
static void put_blocks(struct passage *of)
{
    while (of->end - of->at >= READ_AHEAD) {
        struct marks marks = mark_block(of->at);
        int length = marks.high == 0 ? BLOCK : check_block(of->at, of->end, marks.high), from = 0;
        uint64_t escaped = marks.escaped & first_bits(length);
        uint64_t continued = marks.continued & first_bits(length);
        for (; escaped != 0; escaped &= escaped - 1) {
            int place = __builtin_ctzll(escaped);
            const struct escape *escape = &escapes[of->at[place]];
            of->out = copy_some(of->out, of->at + from, place - from);
            memcpy(of->out, escape, sizeof *escape);
            of->out += escape->length;
            from = place + 1;
        }
        of->out = copy_some(of->out, of->at + from, length - from);
        of->at += length;
        of->characters += length - (continued == 0 ? 0 : __builtin_popcountll(continued));
        if (length < BLOCK)
            return;
    }
}
#else
static void put_blocks(struct passage *of)
{
    (void)of; /* words will do */
}
#endif

/* Encode text by words as far as there is no longer character. */
static void put_words(struct passage *of)
{
    while (of->end - of->at >= WORD) {
        size_t plain = copy_plain(of->out, of->at);
        of->at += plain;
        of->out += plain;
        of->characters += (ptrdiff_t)plain;
        if (plain == WORD)
            continue;
        if (*of->at >= 0x80)
            return;
        of->out = put_ascii(of->out, *of->at++);
        of->characters++;
    }
}

/* Encode one character; return 0 when there is none that is well-formed. */
static int put_character(struct passage *of, struct sequence *sequence)
{
    if (*of->at < 0x80) {
        of->out = put_ascii(of->out, *of->at++);
    } else {
        *sequence = measure(of->at, of->end);
        if (!sequence->is_whole)
            return 0;
        memcpy(of->out, of->at, (size_t)sequence->length);
        of->out += sequence->length;
        of->at += sequence->length;
    }
    of->characters++;
    return 1;
}

/* Encode text from `at` on, as far as it goes; return where it ends. Among bytes that are no text it
 * goes on by blocks only when it has turned out to be long. */
static const unsigned char *put_text(struct encoding *to, const unsigned char *at,
                                     const unsigned char *end, struct sequence *after)
{
    struct passage of = {at, end, to->text_end, 0};
    int is_long = to->current.binary == 0;
    *after = (struct sequence){0, 0, 0};
    do {
        if (is_long || of.characters >= LONG_TEXT)
            put_blocks(&of);
        put_words(&of);
    } while (of.at < end && put_character(&of, after));
    to->text_end = of.out;
    if (of.characters != 0)
        extend(to, of.characters, 0);
    return of.at;
}

const unsigned char *encode_bytes(struct encoding *to, const unsigned char *at,
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

void follow_encoding(struct encoding *next, const struct encoding *to)
{
    next->text = to->text_end;
    next->binary = to->binary_end;
    if (to->binary_end != to->binary)
        *next->binary++ = ',';
    next->middle = to->middle_end + MOST_RECORD;
    next->marks = to->marks;
    clear_encoding(next);
}

void join_encoding(struct encoding *to, const struct encoding *next)
{
    struct run first = first_run(next);
    size_t middle = (size_t)(next->middle_end - next->middle);
    if (next->runs == 0)
        return;
    to->text_end = next->text_end;
    if (next->binary_end != next->binary)
        to->binary_end = next->binary_end;
    extend(to, first.characters, first.binary);
    if (next->runs > 1) {
        finish_run(to);
        memmove(to->middle_end, next->middle, middle);
        to->middle_end += middle;
        to->current = next->current;
        to->runs += next->runs - 1;
    }
}
