/* Bytes that grow, and what is written into them. */
#include "audit_output.h"

int grow_output(struct output *to, size_t count)
{
    unsigned char *at;
    size_t room = to->room == 0 ? 4096 : to->room;
    if (count > (size_t)PY_SSIZE_T_MAX / 4 - to->used) {
        (void)PyErr_NoMemory();
        return -1;
    }
    while (room < to->used + count + WORD)
        room *= 2;
    at = PyMem_Realloc(to->at, room);
    if (at == NULL) {
        (void)PyErr_NoMemory();
        return -1;
    }
    to->at = at;
    to->room = room;
    return 0;
}

int put_content(struct output *to, struct slice raw)
{
    if (raw.length > 0 && raw.at[0] == '"') {
        struct slice inner = find_quoted(raw);
        return put_bytes(to, inner.at, inner.length);
    }
    if (!is_hexadecimal(raw))
        return put_bytes(to, raw.at, raw.length);
    if (reserve(to, raw.length / 2) < 0)
        return -1;
    decode_hexadecimal(raw, to->at + to->used);
    to->used += raw.length / 2;
    return 0;
}

int put_string(struct output *to, struct slice slice, bool *is_valid)
{
    if (slice.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, slice.length * MOST_JSON) < 0)
        return -1;
    to->used = (size_t)(put_json_text(to->at + to->used, slice, is_valid) - to->at);
    return 0;
}

int put_hexadecimal(struct output *to, struct slice slice)
{
    static const char digits[] = "0123456789abcdef";
    if (slice.length > (size_t)PY_SSIZE_T_MAX / 16 || reserve(to, slice.length * 2) < 0)
        return -1;
    for (size_t i = 0; i < slice.length; i++) {
        to->at[to->used++] = (unsigned char)digits[slice.at[i] >> 4];
        to->at[to->used++] = (unsigned char)digits[slice.at[i] & 15];
    }
    return 0;
}

int put_value(struct output *to, struct slice value)
{
    static const char begin[] = ",\"value\":\"";
    unsigned char *out;
    bool is_valid;
    if (value.length > (size_t)PY_SSIZE_T_MAX / (MOST_JSON * 8) ||
        reserve(to, value.length * MOST_JSON + sizeof begin) < 0)
        return -1;
    out = put_json_text(copy(to->at + to->used, begin, sizeof begin - 1), value, &is_valid);
    *out++ = '"';
    to->used = (size_t)(out - to->at);
    return 0;
}
