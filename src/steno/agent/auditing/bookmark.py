"""Up to where the journal's records are in the trail, kept for who is started next."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from steno.audit.witness.witness import Known
from steno.files import replace_file
from steno.structs import decode_json


class Bookmark(msgspec.Struct, frozen=True):
    """Up to where the journal's records are in the trail.

    Attributes:
        boot_id: Of which boot.
        cursor: The journal's name for an entry: all up to it is in the trail, or not wanted.
        done: Of the entries behind it, the events (instant, serial) that are, too.
        known: What was known there of processes that let people in.
        has_audit: Whether audit records came there.
        journal_boot_id: What the journal calls that boot, where that is something else.
        serial: The greatest serial of an audit event up to there; None: nobody took note of it.
        is_deaf: Whether journald had stopped there to take audit events.
    """

    boot_id: str
    cursor: str | None = None
    done: list[tuple[int, int]] = []
    known: list[Known] = []
    has_audit: bool = False
    journal_boot_id: str | None = None
    serial: int | None = None
    is_deaf: bool = False


def read_bookmark(path: Path) -> Bookmark | None:
    """Return what was kept; None: nothing, or nothing that can be understood."""
    try:
        return decode_json(path.read_bytes(), Bookmark)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_bookmark(path: Path, bookmark: Bookmark) -> None:
    """Keep a bookmark; where that cannot be written, the one before it stands."""
    with suppress(OSError):
        replace_file(path, msgspec.json.encode(bookmark) + b"\n")
