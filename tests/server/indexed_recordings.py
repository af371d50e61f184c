"""Recordings in a store, for the tests of the indexer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from waiting import wait_for

from steno.formats.cutter import Cutter, Identity
from steno.model import NO_AUDIT_SESSION, End, Output, Piece, Start, Window
from steno.store.protocol import Store

START_US = 1_700_000_000_000_000


def read_recording(folder: Path, name: str) -> tuple[str, bytes]:
    """Return a real recording's id and its original bytes."""
    data = (folder / f"{name}.log").read_bytes()
    return json.loads(data.split(b"\n")[0])["rec"], data


def make_lines(
    rec: str, *pieces: Piece, end: End | None = None, started_unix_us: int = START_US
) -> list[bytes]:
    """Return the chained lines of a made-up recording, one message a piece."""
    start = Start(user="avery", host="web1", started_unix_us=started_unix_us, recorder="steno 0")
    cutter = Cutter(Identity("web1", rec, "avery", "xterm", NO_AUDIT_SESSION, start))
    lines: list[bytes] = []
    for piece in pieces:
        lines += cutter.add(piece)
        if (line := cutter.cut()) is not None:
            lines.append(line)
    if end is not None:
        lines += cutter.end(end, pieces[-1].at_us if pieces else 0)
    return lines


def shell(*texts: str, gap_ms: int = 1000) -> list[Piece]:
    """Return a window and lines of output, `gap_ms` apart."""
    pieces: list[Piece] = [Window(0, 80, 24)]
    for number, text in enumerate(texts):
        pieces.append(Output(number * gap_ms * 1000, f"{text}\r\n".encode()))
    return pieces


def index_of(store: Store, rec: str) -> tuple[object, ...]:
    """Return all that is derived from a recording."""
    keyframes = [store.keyframe(rec, number) for number in range(len(store.keyframes(rec)))]
    return (
        list(store.lines(rec)),
        store.commands(rec),
        keyframes,
        store.activity(rec),
        store.damages(rec),
        store.find(rec),
    )


def wait_until(is_so: Callable[[], bool], limit_s: float = 100.0) -> None:
    """Wait for the background; fail when it takes too long."""
    wait_for(is_so, "it did not come about", limit_s)
