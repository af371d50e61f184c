/* steno.audit._records.Encoder: records to the JSON of Event.records. */
#include "audit_encoder.h"

static int put_records(struct encoder *encoder, PyObject *records, PyTypeObject *type)
{
    Py_ssize_t count = PyList_Size(records);
    if (put(&encoder->output, "[") < 0)
        return -1;
    for (Py_ssize_t i = 0; i < count && i < PyList_Size(records); i++) {
        PyObject *record = Py_NewRef(PyList_GetItem(records, i));
        int result = -1;
        if (Py_TYPE(record) != type)
            PyErr_SetString(PyExc_TypeError, "not a list of records");
        else if (i == 0 || put(&encoder->output, ",") == 0)
            result = put_record(encoder, (struct record *)record);
        Py_DECREF(record);
        if (result < 0)
            return -1;
    }
    return put(&encoder->output, "]");
}

static PyObject *encode(struct encoder *encoder, PyObject *records)
{
    struct state *state = PyType_GetModuleState(Py_TYPE((PyObject *)encoder));
    PyObject *result = NULL;
    if (state == NULL)
        return NULL;
    if (!PyList_Check(records)) {
        PyErr_SetString(PyExc_TypeError, "not a list of records");
        return NULL;
    }
    if (encoder->is_busy) {
        PyErr_SetString(PyExc_RuntimeError, "an encoder serves one caller at a time");
        return NULL;
    }
    encoder->is_busy = true;
    encoder->output.used = 0;
    if (put_records(encoder, records, state->record_type) == 0)
        result = PyBytes_FromStringAndSize((const char *)encoder->output.at,
                                           (Py_ssize_t)encoder->output.used);
    encoder->is_busy = false;
    return result;
}

static PyObject *forget(struct encoder *encoder, PyObject *nothing)
{
    (void)nothing;
    if (encoder->is_busy) {
        PyErr_SetString(PyExc_RuntimeError, "an encoder serves one caller at a time");
        return NULL;
    }
    forget_answers(encoder);
    Py_RETURN_NONE;
}

static int read_classes(struct encoder *encoder, const char *classes, Py_ssize_t count)
{
    if (count > KINDS) {
        PyErr_SetString(PyExc_ValueError, "there are at most 256 kinds");
        return -1;
    }
    memset(encoder->classes, ASK, KINDS);
    for (Py_ssize_t i = 0; i < count; i++) {
        encoder->classes[i] = (unsigned char)classes[i];
        if (encoder->classes[i] >= CLASSES) {
            PyErr_SetString(PyExc_ValueError, "no such class");
            return -1;
        }
    }
    return 0;
}

static PyObject *new_encoder(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *value, *kind_of, *kinds_of_arguments;
    const char *classes;
    Py_ssize_t count;
    struct encoder *encoder;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Encoder takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOy#", &value, &kind_of, &kinds_of_arguments, &classes,
                          &count))
        return NULL;
    encoder = (struct encoder *)allocate(type, 0); /* all zero */
    if (encoder == NULL)
        return NULL;
    encoder->value = Py_NewRef(value);
    encoder->kind_of = Py_NewRef(kind_of);
    encoder->kinds_of_arguments = Py_NewRef(kinds_of_arguments);
    if (read_classes(encoder, classes, count) < 0) {
        Py_DECREF(encoder);
        return NULL;
    }
    return (PyObject *)encoder;
}

static int visit_encoder(struct encoder *encoder, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)encoder));
    Py_VISIT(encoder->value);
    Py_VISIT(encoder->kind_of);
    Py_VISIT(encoder->kinds_of_arguments);
    return 0;
}

static int clear_encoder(struct encoder *encoder)
{
    Py_CLEAR(encoder->value);
    Py_CLEAR(encoder->kind_of);
    Py_CLEAR(encoder->kinds_of_arguments);
    return 0;
}

static void free_encoder(struct encoder *encoder)
{
    PyTypeObject *type = Py_TYPE((PyObject *)encoder);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject_GC_UnTrack(encoder);
    (void)clear_encoder(encoder);
    forget_fields(&encoder->known);
    forget_answers(encoder);
    PyMem_Free(encoder->output.at);
    PyMem_Free(encoder->scratch.at);
    release(encoder);
    Py_DECREF(type);
}

static PyMethodDef encoder_methods[] = {
    {"encode", (PyCFunction)encode, METH_O,
     PyDoc_STR("encode(records, /)\n--\n\nReturn the records as a JSON array.")},
    {"forget", (PyCFunction)forget, METH_NOARGS,
     PyDoc_STR("forget()\n--\n\nForget what the decoder answered.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, "Records to JSON; see steno.audit.encoding."},
    {Py_tp_new, (void *)new_encoder},
    {Py_tp_dealloc, (void *)free_encoder},
    {Py_tp_traverse, (void *)visit_encoder},
    {Py_tp_clear, (void *)clear_encoder},
    {Py_tp_methods, encoder_methods},
    {0, NULL},
};

PyType_Spec encoder_spec = {
    .name = "steno.audit._records.Encoder",
    .basicsize = sizeof(struct encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = encoder_slots,
};
