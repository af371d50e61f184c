/* A record's JSON, for steno.audit._records.Encoder; steno.audit.encoding describes it. */
#include "audit_encoder.h"

enum { MOST_SUFFIXES = 64 };

/* What is known while a record is written. */
struct writing {
    struct encoder *encoder;
    const struct record *record;
    struct known *before; /* the field before; NULL: there is none */
    uint64_t type_hash;
    struct slice arch, syscall, argument_before;
    uint64_t used; /* a bit for each of auditd's fields that has told its own */
    bool is_in_suffix, has_fields, has_words;
};

static struct slice take_quotes_off(struct slice value)
{
    if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
        return (struct slice){value.at + 1, value.length - 2};
    return value;
}

static bool is_upper_case_of(struct slice upper, struct slice name)
{
    if (upper.length != name.length)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = name.at[i];
        if (byte >= 'a' && byte <= 'z')
            byte = (unsigned char)(byte - 'a' + 'A');
        if (upper.at[i] != byte)
            return false;
    }
    return true;
}

/* Find the first thing that auditd said about the field. */
static struct slice take_suffix(struct writing *writing, struct slice name)
{
    const struct record *record = writing->record;
    size_t count = record->item_count - record->own_count;
    for (size_t i = 0; i < count && i < MOST_SUFFIXES && !writing->is_in_suffix; i++) {
        const struct item *item = &record->items[record->own_count + i];
        if (!is_upper_case_of(item->name, name))
            continue;
        writing->used |= UINT64_C(1) << i;
        return take_quotes_off(item->value);
    }
    return (struct slice){NULL, 0};
}

static void separate_arguments(struct output *title)
{
    for (size_t i = 0; i < title->used; i++)
        title->at[i] = title->at[i] == '\0' ? ' ' : title->at[i];
    while (title->used > 0 && title->at[title->used - 1] == ' ')
        title->used--;
}

/* Write a quoted or hexadecimal string's value; what is neither has none. */
static int put_decoded(struct encoder *encoder, struct slice raw, bool is_title)
{
    struct output *scratch = &encoder->scratch;
    bool is_quoted = raw.length > 0 && raw.at[0] == '"';
    if (is_quoted && !is_title)
        return put_value(&encoder->output, find_quoted(raw));
    if (!is_quoted && !is_hexadecimal(raw))
        return 0;
    scratch->used = 0;
    if (put_content(scratch, raw) < 0)
        return -1;
    if (is_title)
        separate_arguments(scratch);
    return put_value(&encoder->output, written(scratch));
}

static int put_meaning(struct writing *writing, const struct item *item, unsigned char kind)
{
    struct encoder *encoder = writing->encoder;
    struct question question = {.raw = item->value, .kind = kind};
    enum class class = encoder->classes[kind];
    switch (class) {
    case AS_IT_IS:
        if (item->value.length == 0 || item->value.at[0] != '"')
            return 0;
        return put_decoded(encoder, item->value, false);
    case STRING:
    case TITLE:
        return put_decoded(encoder, item->value, class == TITLE);
    case ID:
        question.suffix = take_suffix(writing, item->name);
        if (question.suffix.at != NULL)
            return put_value(&encoder->output, question.suffix);
        break;
    case ARCH:
        writing->arch = item->value;
        question.suffix = take_suffix(writing, item->name);
        break;
    case SYSCALL:
        writing->syscall = item->value;
        question.fact = writing->arch;
        question.suffix = take_suffix(writing, item->name);
        break;
    case IF_NEGATIVE:
        if (item->value.length != 0 && item->value.at[0] != '-')
            return 0;
        break;
    case AFTER_ANOTHER:
        question.fact = writing->argument_before;
        break;
    default:
        break;
    }
    return ask(encoder, &question);
}

/* Write how the field begins; there is room. */
static unsigned char *put_name(unsigned char *out, struct known *known, struct slice name,
                               uint64_t number)
{
    char again[NAME_ROOM];
    if (known->seen_in != number) {
        known->seen_in = number;
        known->times = 1;
        return copy(out, known->bytes + known->key_length, known->begin_length);
    }
    known->times++;
    (void)PyOS_snprintf(again, sizeof again, "#%u\":{\"raw\":\"", known->times);
    *out++ = '"';
    return copy(copy(out, name.at, name.length), again, strlen(again));
}

/* Write the field but for its meaning. */
static int put_raw(struct writing *writing, struct known *known, const struct item *item)
{
    struct output *to = &writing->encoder->output;
    unsigned char *out;
    bool is_valid;
    if (item->value.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, item->value.length * MOST_JSON + item->name.length + NAME_ROOM) < 0)
        return -1;
    out = to->at + to->used;
    if (writing->has_fields)
        *out++ = ',';
    writing->has_fields = true;
    out = put_name(out, known, item->name, writing->encoder->number);
    out = put_json_text(out, item->value, &is_valid);
    *out++ = '"';
    to->used = (size_t)(out - to->at);
    if (!is_valid && (put(to, ",\"raw_hex\":\"") < 0 || put_hexadecimal(to, item->value) < 0 ||
                      put(to, "\"") < 0))
        return -1;
    return 0;
}

/* Return what is known of the record's next field: mostly what came there the last time. */
static struct known *know_next(struct writing *writing, struct slice name)
{
    struct known *before = writing->before, *known = before == NULL ? NULL : before->next;
    if (known == NULL || !is_named(known, name))
        known = know_field(writing->encoder, writing->type_hash, writing->record->type_name, name);
    if (before != NULL && known != NULL)
        before->next = known;
    writing->before = known;
    return known;
}

static int put_field(struct writing *writing, const struct item *item)
{
    struct encoder *encoder = writing->encoder;
    struct known *known = know_next(writing, item->name);
    unsigned char kind, class;
    if (known == NULL || put_raw(writing, known, item) < 0)
        return -1;
    kind = known->kind;
    class = encoder->classes[kind];
    if (class >= ARGUMENT_0 &&
        find_kind_of_argument(encoder, writing->arch, writing->syscall,
                              (unsigned int)class - ARGUMENT_0, &kind) < 0)
        return -1;
    if (put_meaning(writing, item, kind) < 0)
        return -1;
    if (class >= ARGUMENT_0)
        writing->argument_before = item->value;
    return put(&encoder->output, "}");
}

/* Write the record's own fields, and those of auditd's that no other field has used. */
static int put_fields(struct writing *writing)
{
    const struct record *record = writing->record;
    for (size_t i = 0; i < record->item_count; i++) {
        const struct item *item = &record->items[i];
        size_t number = i - record->own_count;
        if (item->name.length == 0) {
            writing->has_words = true;
            continue;
        }
        writing->is_in_suffix = i >= record->own_count;
        if (writing->is_in_suffix && number < MOST_SUFFIXES && (writing->used >> number & 1) != 0)
            continue;
        if (put_field(writing, item) < 0)
            return -1;
    }
    return 0;
}

/* Collect the words, with one blank between. */
static int collect_words(struct output *to, const struct record *record)
{
    for (size_t i = 0; i < record->item_count; i++) {
        const struct item *item = &record->items[i];
        if (item->name.length != 0)
            continue;
        if ((to->used != 0 && put(to, " ") < 0) ||
            put_bytes(to, item->value.at, item->value.length) < 0)
            return -1;
    }
    return 0;
}

static int put_words(struct encoder *encoder, const struct record *record)
{
    struct output *to = &encoder->output, *words = &encoder->scratch;
    bool is_valid;
    words->used = 0;
    if (collect_words(words, record) < 0 || put(to, ",\"words\":\"") < 0 ||
        put_string(to, written(words), &is_valid) < 0 || put(to, "\"") < 0)
        return -1;
    if (is_valid)
        return 0;
    if (put(to, ",\"words_hex\":\"") < 0 || put_hexadecimal(to, written(words)) < 0)
        return -1;
    return put(to, "\"");
}

int put_record(struct encoder *encoder, struct record *record)
{
    struct output *to = &encoder->output;
    struct writing writing = {.encoder = encoder, .record = record};
    if (encoder->known.count > MOST_KNOWN)
        forget_fields(&encoder->known);
    encoder->number++;
    writing.type_hash = hash_bytes(0, record->type_name);
    if (read_items(record) < 0 || put(to, "{\"type\":\"") < 0 ||
        put_bytes(to, record->type_name.at, record->type_name.length) < 0 ||
        put(to, "\",\"fields\":{") < 0 || put_fields(&writing) < 0 || put(to, "}") < 0 ||
        (writing.has_words && put_words(encoder, record) < 0))
        return -1;
    return put(to, "}");
}
