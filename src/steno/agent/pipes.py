"""The pipes that a captured command gets in the place of its session's streams."""

from __future__ import annotations

import os

import msgspec

from steno.agent.shared import is_null, is_same_file
from steno.agent.strangers import let_go
from steno.errors import TerminalError

Streams = tuple[int, int, int]
"""Descriptors of input, output and error, in this order."""


class Pipes(msgspec.Struct, frozen=True):
    """What lies between a command and its session's own streams.

    Attributes:
        inner: What the command gets as 0, 1 and 2; to be closed here when it has them.
        ways: Name, source and sink of each stream that is relayed; the session owns them.
    """

    inner: Streams
    ways: tuple[tuple[str, int, int], ...]


def open_pipes(streams: Streams, uid: int, *, relays_input: bool) -> Pipes:
    """Put pipes between a command and its session's streams; takes over `streams`.

    Standard output and error that go to one place get one pipe, so that they keep their order; they
    cannot be told apart then. The pipes belong to the user, who may open them by name
    (/dev/stderr). Without `relays_input` the command gets the session's own input.

    Raises:
        TerminalError: The system has no descriptors left; all are closed.
    """
    input_, output, error = streams
    opened: list[int] = []
    ways: list[tuple[str, int, int]] = []
    is_one = is_same_file(output, error) and not is_null(output)
    try:
        inner = [input_, *_open_pipe(uid, opened)]
        inner[1], source = inner[2], inner[1]
        ways.append(("output", source, output))
        if is_one:
            inner[2] = inner[1]
        else:
            source, inner[2] = _open_pipe(uid, opened)
            ways.append(("error", source, error))
        if relays_input:
            inner[0], sink = _open_pipe(uid, opened)
            ways.append(("input", input_, sink))
        for name, source, sink in ways:
            os.set_blocking(sink if name == "input" else source, False)
    except OSError as failure:
        let_go([*streams, *opened])
        raise TerminalError(f"no pipes for the command: {failure.strerror}") from failure
    if is_one:
        let_go([error])
    return Pipes((inner[0], inner[1], inner[2]), tuple(ways))


def _open_pipe(uid: int, opened: list[int]) -> tuple[int, int]:
    reader, writer = os.pipe()
    opened += [reader, writer]
    os.fchown(reader, uid, -1)
    return reader, writer
