/* Objects of Python's for bytes of audit logs; what comes again and again is one object. */
#include "audit_module.h"

static PyObject *decode_text(struct slice slice)
{
    return PyUnicode_DecodeUTF8((const char *)slice.at, (Py_ssize_t)slice.length,
                                "surrogateescape");
}

PyObject *make_bytes(struct slice slice)
{
    return PyBytes_FromStringAndSize((const char *)slice.at, (Py_ssize_t)slice.length);
}

struct slice slice_of(PyObject *bytes)
{
    return (struct slice){(const unsigned char *)PyBytes_AsString(bytes),
                          (size_t)PyBytes_Size(bytes)};
}

PyObject *intern(struct state *state, struct slice slice)
{
    struct interned *place;
    PyObject *text;
    if (slice.length > MOST_INTERNED)
        return decode_text(slice);
    place = &state->interned[hash_bytes(0, slice) % INTERNED];
    if (place->text != NULL &&
        is_equal((struct slice){place->bytes, place->length}, slice))
        return Py_NewRef(place->text);
    text = decode_text(slice);
    if (text == NULL)
        return NULL;
    Py_XDECREF(place->text);
    place->text = Py_NewRef(text);
    place->length = slice.length;
    memcpy(place->bytes, slice.at, slice.length);
    return text;
}
