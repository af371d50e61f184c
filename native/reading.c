#include "reading.h"

#include <stdlib.h>
#include <string.h>

#define OWN "steno-shell"
#define TLOG "tlog-rec-session"

struct piece {
    const char *start;
    size_t length;
};

static bool equals(struct piece piece, const char *text)
{
    return piece.length == strlen(text) && memcmp(piece.start, text, piece.length) == 0;
}

/* A number of one to `digits` decimal digits, at most `most`; -1: it is none. */
static long long read_number(struct piece piece, size_t digits, long long most)
{
    long long number = 0;
    if (piece.length == 0 || piece.length > digits)
        return -1;
    for (size_t i = 0; i < piece.length; i++) {
        if (piece.start[i] < '0' || piece.start[i] > '9')
            return -1;
        number = number * 10 + (piece.start[i] - '0');
    }
    return number <= most ? number : -1;
}

static enum action read_action(struct piece value)
{
    if (equals(value, "terminal"))
        return ACTION_TERMINAL;
    if (equals(value, "pipes"))
        return ACTION_PIPES;
    if (equals(value, "exec"))
        return ACTION_EXEC;
    return equals(value, "deny") ? ACTION_DENY : ACTION_NONE;
}

enum field { SHELL, ARGV0, MESSAGE, ACTION, STATUS, WAIT, FIELDS };

static bool take_field(struct answer *answer, enum field field, struct piece value)
{
    long long number = 0;
    switch (field) {
    case SHELL:
        answer->shell = value.start;
        return value.start[0] == '/' && value.length < PATH_BYTES;
    case ARGV0:
        answer->argv0 = value.start;
        return value.length > 0 && value.length < PATH_BYTES;
    case MESSAGE:
        answer->message = value.start;
        return value.length <= MESSAGE_BYTES;
    case ACTION:
        answer->action = read_action(value);
        return answer->action != ACTION_NONE;
    case STATUS:
        number = read_number(value, 3, 255);
        answer->status = (int)number;
        return number >= 0;
    case WAIT:
        number = read_number(value, 1, 1);
        answer->must_wait = number == 1;
        return number >= 0;
    case FIELDS:
        break;
    }
    return true;
}

/* Take the next `name=value` and its NUL off [*at, end); false: no field stands there. */
static bool next_field(const char **at, const char *end, struct piece *name, struct piece *value)
{
    const char *start = *at;
    const char *nul = memchr(start, '\0', (size_t)(end - start));
    if (!nul)
        return false;
    const char *equal = memchr(start, '=', (size_t)(nul - start));
    if (!equal || equal == start)
        return false;
    *name = (struct piece){start, (size_t)(equal - start)};
    *value = (struct piece){equal + 1, (size_t)(nul - equal - 1)};
    *at = nul + 1;
    return true;
}

bool read_answer(char *packet, size_t length, struct answer *answer)
{
    static const char *const names[FIELDS] = {"shell", "argv0", "message", "action", "status", "wait"};
    const char *at = packet + MAGIC_BYTES, *end = packet + length;
    struct piece name, value;
    unsigned seen = 0;

    *answer = (struct answer){.action = ACTION_NONE, .message = "", .status = 1};
    if (length < MAGIC_BYTES || length > ANSWER_BYTES || memcmp(packet, MAGIC, MAGIC_BYTES) != 0)
        return false;
    while (at < end) {
        unsigned field = 0;
        if (!next_field(&at, end, &name, &value))
            return false;
        while (field < FIELDS && !equals(name, names[field]))
            field++;
        if (field < FIELDS && (seen & 1U << field))
            return false;
        if (!take_field(answer, (enum field)field, value))
            return false;
        seen |= 1U << field;
    }
    if (answer->action == ACTION_NONE)
        return false;
    return answer->action == ACTION_DENY || (answer->shell && answer->argv0);
}

static struct piece trimmed(struct piece piece)
{
    while (piece.length && strchr(" \t\r", piece.start[0]) && piece.start[0])
        piece.start++, piece.length--;
    while (piece.length && strchr(" \t\r", piece.start[piece.length - 1]) &&
           piece.start[piece.length - 1])
        piece.length--;
    return piece;
}

/* Take the next line, trimmed, off `rest`; false: there is none. */
static bool next_line(struct piece *rest, struct piece *line)
{
    if (!rest->length)
        return false;
    const char *newline = memchr(rest->start, '\n', rest->length);
    size_t length = newline ? (size_t)(newline - rest->start) : rest->length;
    *line = trimmed((struct piece){rest->start, length});
    rest->start += newline ? length + 1 : length;
    rest->length -= newline ? length + 1 : length;
    return true;
}

/* Split `piece` at the first `separator`; false: there is none. */
static bool split(struct piece piece, char separator, struct piece *left, struct piece *right)
{
    const char *at = piece.length ? memchr(piece.start, separator, piece.length) : NULL;
    if (!at)
        return false;
    *left = (struct piece){piece.start, (size_t)(at - piece.start)};
    *right = (struct piece){at + 1, piece.length - left->length - 1};
    return true;
}

static bool copy(struct piece piece, char *to, size_t size)
{
    if (piece.length >= size || (piece.length && memchr(piece.start, '\0', piece.length)))
        return false;
    if (piece.length)
        memcpy(to, piece.start, piece.length);
    to[piece.length] = '\0';
    return true;
}

static const char *take_setting(struct settings *settings, struct piece key, struct piece value)
{
    if (equals(key, "on_failure")) {
        settings->may_start = equals(value, "allow");
        return settings->may_start || equals(value, "deny") ? NULL : "on_failure: neither deny nor allow";
    }
    if (equals(key, "rescue")) {
        settings->may_rescue = equals(value, "root-console");
        return settings->may_rescue || equals(value, "none") ? NULL
                                                             : "rescue: neither root-console nor none";
    }
    if (equals(key, "contact"))
        return copy(value, settings->contact, CONTACT_BYTES) ? NULL : "contact: too long";
    return "unknown key";
}

const char *read_settings(const char *text, size_t length, struct settings *settings, int *line_number)
{
    struct piece rest = {text, length}, line, key, value;
    *settings = (struct settings){.may_start = false, .may_rescue = true};
    for (*line_number = 1; next_line(&rest, &line); ++*line_number) {
        const char *wrong;
        if (!line.length || line.start[0] == '#')
            continue;
        if (!split(line, '=', &key, &value))
            wrong = "not a line of the form key = value";
        else
            wrong = take_setting(settings, trimmed(key), trimmed(value));
        if (wrong)
            return wrong;
    }
    return NULL;
}

bool find_user_shell(const char *text, size_t length, const char *user, char shell[PATH_BYTES])
{
    struct piece rest = {text, length}, line, name, path;
    while (next_line(&rest, &line)) {
        if (line.length && line.start[0] != '#' && split(line, ':', &name, &path) &&
            equals(trimmed(name), user))
            return copy(trimmed(path), shell, PATH_BYTES) && shell[0] == '/';
    }
    return false;
}

bool find_account(const char *text, size_t length, unsigned long uid, char user[PATH_BYTES],
                  char shell[PATH_BYTES])
{
    struct piece rest = {text, length}, line;
    while (next_line(&rest, &line)) {
        struct piece fields[7], left = line;
        int count = 0;
        while (count < 6 && split(left, ':', &fields[count], &left))
            count++;
        fields[count] = left;
        if (count == 6 && read_number(fields[2], 10, 4294967295) == (long long)uid &&
            copy(fields[0], user, PATH_BYTES))
            return copy(fields[6], shell, PATH_BYTES);
    }
    return false;
}

static bool is_same(char left, char right)
{
    return left == right || ((left == '-' || left == '/') && (right == '-' || right == '/'));
}

static bool fits_name(struct piece line, const char *wanted)
{
    if (!strchr(wanted, '/')) {
        const char *slash = memrchr(line.start, '/', line.length);
        size_t skipped = slash ? (size_t)(slash - line.start) + 1 : 0;
        return equals((struct piece){line.start + skipped, line.length - skipped}, wanted);
    }
    if (line.length != strlen(wanted))
        return false;
    for (size_t i = 0; i < line.length; i++) {
        if (!is_same(line.start[i], wanted[i]))
            return false;
    }
    return true;
}

bool find_listed(const char *text, size_t length, const char *wanted, bool is_name,
                 char shell[PATH_BYTES])
{
    struct piece rest = {text, length}, line, comment;
    while (next_line(&rest, &line)) {
        if (split(line, '#', &line, &comment))
            line = trimmed(line);
        if (line.length && line.start[0] == '/' &&
            (is_name ? fits_name(line, wanted) : equals(line, wanted)))
            return copy(line, shell, PATH_BYTES);
    }
    return false;
}

bool select_by_name(const char *argv0, char shell[PATH_BYTES])
{
    static const char mark[] = "-shell-";
    const char *slash = strrchr(argv0, '/'), *base = slash ? slash + 1 : argv0, *encoded;
    size_t length = 0;

    base += *base == '-';
    if (strncmp(base, OWN, sizeof OWN - 1) == 0) {
        encoded = base + sizeof OWN - 1;
        if (strncmp(encoded, mark, sizeof mark - 1) == 0)
            encoded += sizeof mark - 2;
    } else {
        encoded = strstr(base, mark);
        encoded = encoded ? encoded + sizeof mark - 2 : "";
    }
    if (encoded[0] != '-' || strlen(encoded) >= PATH_BYTES)
        return false;
    for (; *encoded; encoded++) {
        if (*encoded == '\\' && encoded[1])
            shell[length++] = *++encoded;
        else
            shell[length++] = *encoded == '-' ? '/' : *encoded;
    }
    shell[length] = '\0';
    if (!strchr(shell + 1, '/'))
        memmove(shell, shell + 1, length);
    return shell[0] != '\0';
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool is_recording_shell(const char *shell)
{
    return strncmp(base_of(shell), OWN, sizeof OWN - 1) == 0 ||
           strncmp(base_of(shell), TLOG, sizeof TLOG - 1) == 0;
}

bool is_real_shell(const char *shell)
{
    static const char *const none[] = {"", "nologin", "false", "true", "sync", "halt", "shutdown"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (strcmp(base_of(shell), none[i]) == 0)
            return false;
    }
    return shell[0] == '/' && !is_recording_shell(shell);
}
