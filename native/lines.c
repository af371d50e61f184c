/* Messages to lines. A flood of output makes hundreds of them in a second, which the relay's
 * processor has to make beside all else; in Python each took three times as long as its digest.
 *
 * Source: tlog 12.1, lib/tlog/json_sink.c (the members and their order); the `steno` member behind
 * them is the caller's.
 */
#include "lines.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NUMBERS = 160, DIGEST_BYTES = 64 };

static const char NO_DIGEST[] = "a digest has 64 digits";

struct span {
    const char *at;
    Py_ssize_t size;
};

#define SPAN(literal) ((struct span){literal, sizeof(literal) - 1})

struct line {
    struct span head; /* all before the number */
    long long number, first_ms;
    long long time_ms; /* negative: there is none */
    struct span window, timing, in_txt, in_bin, out_txt, out_bin;
    struct span member, prev, member_end; /* `prev` stands within the member */
};

static int put_numbers(char *out, const struct line *of)
{
    int size = snprintf(out, MOST_NUMBERS, "%lld,\"pos\":%lld,", of->number, of->first_ms);
    if (of->time_ms >= 0)
        size += snprintf(out + size, (size_t)(MOST_NUMBERS - size), "\"time\":%lld.%03lld,",
                         of->time_ms / 1000, of->time_ms % 1000);
    return size;
}

/* Return a line, or NULL when there is no memory. */
static PyObject *put_line(const struct line *of)
{
    char numbers[MOST_NUMBERS];
    const struct span parts[] = {
        of->head,
        {numbers, put_numbers(numbers, of)},
        SPAN("\"timing\":\""),
        of->window,
        of->timing,
        SPAN("\",\"in_txt\":\""),
        of->in_txt,
        SPAN("\",\"in_bin\":["),
        of->in_bin,
        SPAN("],\"out_txt\":\""),
        of->out_txt,
        SPAN("\",\"out_bin\":["),
        of->out_bin,
        SPAN("]"),
        of->member,
        of->prev,
        of->member_end,
        SPAN("}\n"),
    };
    const size_t count = sizeof parts / sizeof *parts;
    Py_ssize_t size = 0;
    PyObject *line;
    char *out;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    line = PyBytes_FromStringAndSize(NULL, size);
    if (line == NULL)
        return NULL;
    out = PyBytes_AsString(line);
    for (size_t i = 0; i < count; i++) {
        memcpy(out, parts[i].at, (size_t)parts[i].size);
        out += parts[i].size;
    }
    return line;
}

PyObject *render_line(PyObject *module, PyObject *arguments)
{
    struct line of = {.window = SPAN(""), .prev = SPAN(""), .member_end = SPAN("")};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#LL(Ly#y#y#y#y#)y#", &of.head.at, &of.head.size, &of.number,
                          &of.time_ms, &of.first_ms, &of.timing.at, &of.timing.size, &of.in_txt.at,
                          &of.in_txt.size, &of.in_bin.at, &of.in_bin.size, &of.out_txt.at,
                          &of.out_txt.size, &of.out_bin.at, &of.out_bin.size, &of.member.at,
                          &of.member.size))
        return NULL;
    return put_line(&of);
}

/* What all of a chain's lines share, and the digest of the last one. */
struct chain {
    struct line line;
    long long started_ms;
    char prev[DIGEST_BYTES];
    PyObject *digest;
};

/* Keep a line's digest for the next one; return -1 with an exception set when there is none. */
static int take_digest(struct chain *chain, PyObject *line)
{
    PyObject *text = PyObject_CallFunctionObjArgs(chain->digest, line, NULL);
    Py_ssize_t size = 0;
    const char *at = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &size);
    if (at != NULL && size == DIGEST_BYTES)
        memcpy(chain->prev, at, DIGEST_BYTES);
    else if (at != NULL)
        PyErr_SetString(PyExc_ValueError, NO_DIGEST);
    Py_XDECREF(text);
    return PyErr_Occurred() ? -1 : 0;
}

/* Render one message behind the last line; add it to `lines`. */
static int chain_line(struct chain *chain, PyObject *message, PyObject *lines)
{
    struct line *of = &chain->line;
    PyObject *line;
    int status;
    if (!PyArg_ParseTuple(message, "Ly#y#y#", &of->first_ms, &of->timing.at, &of->timing.size,
                          &of->out_txt.at, &of->out_txt.size, &of->out_bin.at, &of->out_bin.size))
        return -1;
    of->time_ms = chain->started_ms + of->first_ms;
    line = put_line(of);
    if (line == NULL)
        return -1;
    of->number++;
    status = PyList_Append(lines, line);
    if (status == 0)
        status = take_digest(chain, line);
    Py_DECREF(line);
    return status;
}

PyObject *chain_lines(PyObject *module, PyObject *arguments)
{
    struct chain chain = {.line = {.in_txt = SPAN(""), .in_bin = SPAN("")}};
    struct line *of = &chain.line;
    PyObject *messages, *lines;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!y#LLy#(y#y#)s#O", &PyList_Type, &messages, &of->head.at,
                          &of->head.size, &of->number, &chain.started_ms, &of->window.at,
                          &of->window.size, &of->member.at, &of->member.size, &of->member_end.at,
                          &of->member_end.size, &of->prev.at, &of->prev.size, &chain.digest))
        return NULL;
    if (of->prev.size != DIGEST_BYTES) {
        PyErr_SetString(PyExc_ValueError, NO_DIGEST);
        return NULL;
    }
    memcpy(chain.prev, of->prev.at, DIGEST_BYTES);
    of->prev.at = chain.prev;
    lines = PyList_New(0);
    for (Py_ssize_t i = 0; lines != NULL && i < PyList_Size(messages); i++)
        if (chain_line(&chain, PyList_GetItem(messages, i), lines) < 0)
            Py_CLEAR(lines);
    return lines == NULL ? NULL : Py_BuildValue("Ns#", lines, chain.prev, of->prev.size);
}
