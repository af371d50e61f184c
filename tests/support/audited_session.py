"""A real session with its audit log (tests/data/audit/f1): events, recording, trail, truth."""

from __future__ import annotations

import json
from pathlib import Path

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.audit.session.typed_lines import TypedLine
from steno.audit.trail import TrailEncoder, TrailHead
from steno.formats.asciicast import Decoder
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Input, Piece, Start

F1 = Path(__file__).parents[1] / "data" / "audit" / "f1"
BOOT_ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
HOST = "vm"
SHELL_PID = 21997
TERMINAL = "/dev/pts/2"
ENDED = 1795161730771289


def read_events(session: int | None = None) -> list[Event]:
    """Return the log's events, all or one audit session's."""
    reader = EventReader()
    events = reader.feed((F1 / "audit-enriched.log").read_bytes()) + reader.finish()
    return [event for event in events if session is None or event.audit_session == session]


def read_truth() -> list[dict[str, object]]:
    """Return what was done in avery's session, in order."""
    return [json.loads(line) for line in (F1 / "truth-s1-avery.jsonl").open(encoding="utf-8")]


def read_typed() -> list[TypedLine]:
    """Return the lines that avery typed at a shell, each with its true instant."""
    return [
        TypedLine(str(one["text"]).removesuffix("\r"), round(float(str(one["t"])) * 1_000_000))
        for one in read_truth()
        if one["kind"] == "command"
    ]


def make_recording(rec: str, *, keeps_input: bool = False, **facts: object) -> list[bytes]:
    """Return avery's terminal as the lines of a Steno recording.

    Args:
        rec: The recording's id.
        keeps_input: Whether what was typed is in it.
        facts: Facts of its start in place of the true ones.
    """
    decoder = Decoder()
    track = decoder.feed((F1 / "term-s1-avery.cast").read_bytes()) + decoder.finish()
    pieces: list[Piece] = [item for item in track if isinstance(item, Piece)]
    if not keeps_input:
        pieces = [piece for piece in pieces if not isinstance(piece, Input)]
    start_us = round(float(str(read_truth()[0]["t"])) * 1_000_000)
    true_facts: dict[str, object] = {
        "user": "avery",
        "login_user": "avery",
        "host": HOST,
        "started_unix_us": start_us,
        "recorder": "steno test",
        "service": "sshd",
        "boot_id": BOOT_ID,
        "audit_session": 4,
        "pid": SHELL_PID,
        "inner_terminal": TERMINAL,
        "terminal": "/dev/pts/9",
        "columns": 100,
        "rows": 30,
        "records": ["output", "window"],
    }
    start = Start(**{**true_facts, **facts})  # type: ignore[arg-type]  # whatever a test wants
    cutter = Cutter(Identity(HOST, rec, "avery", "xterm", start.audit_session or 0, start))
    lines = [cutter.begin(0)]
    cut_us = 0
    for piece in pieces:
        lines += cutter.add(piece)
        if piece.at_us - cut_us > 1_000_000 and (line := cutter.cut()) is not None:
            lines.append(line)
            cut_us = piece.at_us
    last_us = pieces[-1].at_us
    return [*lines, *cutter.end(End("exit", exit_status=0, output_bytes=1), last_us)]


def make_trail(trail: str, events: list[Event]) -> list[bytes]:
    """Return events as the lines of an audit trail."""
    encoder = TrailEncoder()
    head = TrailHead(trail, HOST, BOOT_ID, events[0].at_unix_us, "steno test", "session")
    return [encoder.encode(head), *(encoder.encode(event) for event in events)]
