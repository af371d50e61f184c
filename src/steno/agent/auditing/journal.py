"""Audit records in the systemd journal, where no auditd takes them.

journald keeps a record's text without its head, and that in fields; here they are put together
again. Source: systemd 252, journald-audit.c, process_audit_string(); journalctl(1), `-o export`,
and systemd's JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from steno.audit.coalescing import RecordGroup
from steno.audit.records import DamagedLine, LineReader, Record
from steno.errors import NotFoundError
from steno.files import replace_file
from steno.structs import decode_json

FIELDS = ("MESSAGE", "_AUDIT_TYPE", "_AUDIT_TYPE_NAME", "_AUDIT_ID", "_SOURCE_REALTIME_TIMESTAMP")
_LENGTH_BYTES = 8
_MOST_BYTES = 1 << 20
"""A field that says to be longer is damage."""

Key = tuple[str, int, int]


class Bookmark(msgspec.Struct, frozen=True):
    """Up to where the journal's records are in the trail.

    Attributes:
        boot_id: Of which boot.
        cursor: The journal's name for an entry: all up to it is in the trail, or not wanted.
        done: Of the entries behind it, the events (instant, serial) that are, too.
    """

    boot_id: str
    cursor: str | None = None
    done: list[tuple[int, int]] = []


def read_bookmark(path: Path) -> Bookmark | None:
    """Return what was kept; None: nothing, or nothing that can be understood."""
    try:
        return decode_json(path.read_bytes(), Bookmark)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


class JournalReader:
    """Turns `journalctl -o export` into records, and knows up to where they were dealt with.

    Args:
        bookmark: Where reading begins.
    """

    def __init__(self, bookmark: Bookmark) -> None:
        self._boot_id = bookmark.boot_id
        self._lines = LineReader()
        self._rest = b""
        self._entry: dict[bytes, bytes] = {}
        self._cursor = bookmark.cursor
        self._damage: list[DamagedLine] = []
        self._number = 0
        self._skipped = {(at_unix_us, serial) for at_unix_us, serial in bookmark.done}
        self._open: dict[Key, tuple[int, str | None]] = {}
        """For each event that began, the number and cursor of the entry before it."""
        self._done: dict[tuple[int, int], int] = {}
        """For each event that was taken, the number of the last entry by then."""

    def skip(self, events: Iterable[tuple[int, int]]) -> None:
        """Take these events (instant, serial) to be dealt with already."""
        self._skipped |= {*events}

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        self._rest += data
        records: list[Record] = []
        at = 0
        while (end := self._rest.find(b"\n", at)) >= 0:
            line = self._rest[at:end]
            if not line:
                records += self._take_entry()
            elif b"=" in line:
                name, _, value = line.partition(b"=")
                self._entry[name] = value
            else:
                after = self._take_long(line, end + 1)
                if after is None:
                    break
                end = after
            at = end + 1
        self._rest = self._rest[at:]
        return records

    def finish(self) -> list[Record]:
        """Return what is left at the end: an entry that is not whole is none."""
        return self._take_entry() if self._entry and not self._rest else []

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        damage, self._damage = self._damage, []
        return damage

    def take(self, group: RecordGroup) -> bool:
        """Take note that an event is dealt with; return whether that is so for the first time."""
        self._open.pop((group.node, group.at_unix_us, group.serial), None)
        event = group.at_unix_us, group.serial
        self._done[event] = self._number
        return event not in self._skipped

    def bookmark(self) -> Bookmark:
        """Return where to go on if all events that were taken are written."""
        # Dicts keep the order in which the events began.
        safe = self._number, self._cursor
        number, cursor = next(iter(self._open.values()), safe)
        self._done = {event: last for event, last in self._done.items() if last > number}
        return Bookmark(self._boot_id, cursor, sorted(self._done))

    def _take_long(self, name: bytes, at: int) -> int | None:
        """Take a field in its binary form; return where its last byte is, None: not there yet."""
        head = self._rest[at : at + _LENGTH_BYTES]
        if len(head) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(head, "little")
        if length > _MOST_BYTES:
            self._damage.append(DamagedLine(self._number, -1, name, "a field too long"))
            return at - 1
        end = at + _LENGTH_BYTES + length
        if len(self._rest) <= end:
            return None
        self._entry[name] = self._rest[at + _LENGTH_BYTES : end]
        return end

    def _take_entry(self) -> list[Record]:
        entry, self._entry = self._entry, {}
        if not entry:
            return []
        before = self._number, self._cursor
        self._number += 1
        if b"__CURSOR" in entry:
            self._cursor = entry[b"__CURSOR"].decode("ascii", "replace")
        line = _render(entry)
        if line is None:
            self._damage.append(DamagedLine(self._number, -1, b"", "no audit record"))
            return []
        records = self._lines.feed(line)
        self._damage += self._lines.take_damage()
        for record in records:
            self._open.setdefault(record.key, before)
        return records


def _render(entry: dict[bytes, bytes]) -> bytes | None:
    """Return an entry as auditd would have written it; None: it is no audit record."""
    try:
        kind = int(entry[b"_AUDIT_TYPE"])
        serial = int(entry[b"_AUDIT_ID"])
        at_unix_us = int(entry[b"_SOURCE_REALTIME_TIMESTAMP"])
    except (KeyError, ValueError):
        return None
    name = entry.get(b"_AUDIT_TYPE_NAME", b"UNKNOWN[%d]" % kind)
    text = entry.get(b"MESSAGE", b"").removeprefix(name).strip().replace(b"\n", b" ")
    seconds, milliseconds = divmod(at_unix_us // 1000, 1000)
    return b"type=%s msg=audit(%d.%03d:%d): %s\n" % (name, seconds, milliseconds, serial, text)


def open_journal(
    bookmark: Bookmark, *, is_followed: bool, options: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start journalctl on what stands behind the bookmark, of its boot; the caller ends it.

    Args:
        bookmark: Where to begin, and of which boot.
        is_followed: Whether to go on for ever.
        options: Options of journalctl that say which journal.

    Raises:
        NotFoundError: There is no journalctl.
    """
    words = [
        "journalctl",
        "-o",
        "export",
        "--no-pager",
        "-q",
        f"--output-fields={','.join(FIELDS)}",
    ]
    words += [*options, "--lines=all"]
    if is_followed:
        words.append("--follow")
    if bookmark.cursor is not None:
        words.append(f"--after-cursor={bookmark.cursor}")
    words += ["_TRANSPORT=audit", f"_BOOT_ID={bookmark.boot_id}"]
    try:
        # Our own words; no shell reads them.
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603
    except FileNotFoundError as error:
        raise NotFoundError("journalctl is not installed") from error


def write_bookmark(path: Path, bookmark: Bookmark) -> None:
    """Keep a bookmark; where that cannot be written, the one before it stands."""
    with suppress(OSError):
        replace_file(path, msgspec.json.encode(bookmark) + b"\n")


class JournalMarks:
    """Keeps the bookmark in a file; see pipeline.Marks."""

    def __init__(self, reader: JournalReader, path: Path) -> None:
        self._reader = reader
        self._path = path

    def take(self, group: RecordGroup) -> bool:
        """Take note of an event; return whether it came for the first time."""
        return self._reader.take(group)

    def written(self) -> None:
        """Keep where to go on: all that was taken is written."""
        write_bookmark(self._path, self._reader.bookmark())
