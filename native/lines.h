/* A recording's lines: what steno.formats._encoding offers beside the encoding of streams. */
#ifndef STENO_LINES_H
#define STENO_LINES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define RENDER_LINE_DOC                                                                            \
    "render_line(head, number, time_ms, content, member, /)\n--\n\nReturn a message as a line; "   \
    "see steno.formats.tlog.render_line."
PyObject *render_line(PyObject *module, PyObject *arguments);

#define CHAIN_LINES_DOC                                                                            \
    "chain_lines(messages, head, number, started_ms, window, member, prev, digest, /)\n--\n\n"     \
    "Return messages that follow each other as lines, and the last one's digest; see "             \
    "steno.formats.tlog.chain_lines."
PyObject *chain_lines(PyObject *module, PyObject *arguments);

#endif
