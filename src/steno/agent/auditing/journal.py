"""Audit records in the systemd journal, where no auditd takes them, and programs' own words there.

journald keeps a record's text without its head, and that in fields; here they are put together
again. What login programs say of themselves counts only while no audit records come, so that no
login is told twice. Source: systemd 252, journald-audit.c, process_audit_string(); journalctl(1),
`-o export`, and systemd's JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from steno.agent.configuration import AuditSource
from steno.audit.coalescing import RecordGroup
from steno.audit.event import Event
from steno.audit.records import DamagedLine, LineReader, Record
from steno.audit.values.names import Names
from steno.audit.witness.speakers import COMMS, TAGS
from steno.audit.witness.witness import Heard, Known, Witness
from steno.errors import NotFoundError
from steno.files import replace_file
from steno.structs import decode_json

FIELDS = (
    "MESSAGE", "_AUDIT_TYPE", "_AUDIT_TYPE_NAME", "_AUDIT_ID", "_SOURCE_REALTIME_TIMESTAMP",
    "_TRANSPORT", "_PID", "_UID", "_COMM", "_EXE", "_CAP_EFFECTIVE", "_SYSTEMD_UNIT",
    "_AUDIT_SESSION", "_AUDIT_LOGINUID", "MESSAGE_ID", "SESSION_ID", "USER_ID", "LEADER",
    "SYSLOG_IDENTIFIER",
)  # fmt: skip
CONTAINER = Path("/run/systemd/container")
"""systemd says here that it runs in a container."""
_LENGTH_BYTES = 8
_MOST_BYTES = 1 << 20
"""A field that says to be longer is damage."""
_SWITCHED_OFF = b"op=set audit_enabled=0 "
"""What the kernel says last before it says no more. Source: Linux, kernel/audit.c."""

Key = tuple[str, int, int]


class Bookmark(msgspec.Struct, frozen=True):
    """Up to where the journal's records are in the trail.

    Attributes:
        boot_id: Of which boot.
        cursor: The journal's name for an entry: all up to it is in the trail, or not wanted.
        done: Of the entries behind it, the events (instant, serial) that are, too.
        known: What was known there of processes that let people in.
        has_audit: Whether audit records came there.
        journal_boot_id: What the journal calls that boot, where that is something else.
    """

    boot_id: str
    cursor: str | None = None
    done: list[tuple[int, int]] = []
    known: list[Known] = []
    has_audit: bool = False
    journal_boot_id: str | None = None


class _Place(NamedTuple):
    """A place in the journal from which reading can begin again."""

    number: int
    cursor: str | None
    known: list[Known]
    has_audit: bool


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
        source: Whether programs' own words are heard: `auto` while no audit records come.
        names: Gives uids their names.
    """

    def __init__(
        self,
        bookmark: Bookmark,
        source: AuditSource = "records",
        names: Names | None = None,
    ) -> None:
        self._begun = bookmark
        self._source = source
        self._has_audit = bookmark.has_audit
        self._witness = Witness(names or Names(), bookmark.known)
        self._known = bookmark.known
        self._events: list[Event] = []
        self._lines = LineReader()
        self._rest = b""
        self._entry: dict[bytes, bytes] = {}
        self._cursor = bookmark.cursor
        self._damage: list[DamagedLine] = []
        self._number = 0
        self._skipped = {(at_unix_us, serial) for at_unix_us, serial in bookmark.done}
        self._open: dict[Key, _Place] = {}
        """For each event that began, the place before it."""
        self._done: dict[tuple[int, int], int] = {}
        """For each event that was taken, the number of the last entry by then."""

    @property
    def is_listening(self) -> bool:
        """Whether programs' own words count now."""
        return self._source == "words" or (self._source == "auto" and not self._has_audit)

    @property
    def heard(self) -> Heard:
        """How much was heard of programs' own words."""
        return self._witness.heard

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

    def take_events(self) -> list[Event]:
        """Return what programs themselves told since the last call; it is dealt with by that."""
        events, self._events = self._events, []
        return events

    def take(self, group: RecordGroup) -> bool:
        """Take note that an event is dealt with; return whether that is so for the first time."""
        self._open.pop((group.node, group.at_unix_us, group.serial), None)
        event = group.at_unix_us, group.serial
        self._done[event] = self._number
        return event not in self._skipped

    def bookmark(self) -> Bookmark:
        """Return where to go on if all events that were taken are written."""
        # Dicts keep the order in which the events began.
        safe = next(iter(self._open.values()), self._place())
        self._done = {event: last for event, last in self._done.items() if last > safe.number}
        return msgspec.structs.replace(
            self._begun,
            cursor=safe.cursor,
            done=sorted(self._done),
            known=safe.known,
            has_audit=safe.has_audit,
        )

    def _place(self) -> _Place:
        return _Place(self._number, self._cursor, self._known, self._has_audit)

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
        before = self._place()
        self._number += 1
        if b"__CURSOR" in entry:
            self._cursor = entry[b"__CURSOR"].decode("ascii", "replace")
        if entry.get(b"_TRANSPORT", b"audit") != b"audit":
            self._hear(entry)
            return []
        self._has_audit = _SWITCHED_OFF not in entry.get(b"MESSAGE", b"")
        line = _render(entry)
        if line is None:
            self._damage.append(DamagedLine(self._number, -1, b"", "no audit record"))
            return []
        records = self._lines.feed(line)
        self._damage += self._lines.take_damage()
        for record in records:
            self._open.setdefault(record.key, before)
        return records

    def _hear(self, entry: dict[bytes, bytes]) -> None:
        """Take what a program said, unless audit records say it better."""
        if not self.is_listening:
            return
        event = self._witness.look(entry)
        self._known = self._witness.known
        if event is None:
            return
        name = event.at_unix_us, event.serial
        self._done[name] = self._number
        if name not in self._skipped:
            self._events.append(event)


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


def find_boot(options: Sequence[str] = (), container: Path = CONTAINER) -> str | None:
    """Return what the journal calls this boot; None: as the kernel does.

    A container has a boot id of its own, mounted over the kernel's. A service that is kept from
    changing /proc/sys (ProtectKernelTunables=), as the agent and this are, sees the kernel's.

    Args:
        options: Options of journalctl that say which journal.
        container: The file that is there in containers only.

    Raises:
        NotFoundError: There is no journalctl.
    """
    if not container.exists():
        return None
    words = ["journalctl", "-o", "export", "-q", "--no-pager", "--output-fields=_BOOT_ID"]
    try:
        said = subprocess.run(  # noqa: S603  # our own words; no shell reads them
            [*words, *options, "--lines=1"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise NotFoundError("journalctl is not installed") from error
    found = re.search(rb"^_BOOT_ID=([0-9a-f]{32})$", said.stdout, re.MULTILINE)
    return None if found is None else found[1].decode()


def open_journal(
    bookmark: Bookmark,
    *,
    is_followed: bool,
    source: AuditSource = "records",
    options: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start journalctl on what stands behind the bookmark, of its boot; the caller ends it.

    Args:
        bookmark: Where to begin, and of which boot.
        is_followed: Whether to go on for ever.
        source: What to look for: audit records, login programs' own words, or both.
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
        if bookmark.journal_boot_id is not None:
            # --follow adds the boot that the kernel names, but for this option.
            words.append("--merge")
    if bookmark.cursor is not None:
        words.append(f"--after-cursor={bookmark.cursor}")
    boot = f"_BOOT_ID={bookmark.journal_boot_id or bookmark.boot_id}"
    records = ["_TRANSPORT=audit", boot]
    said = [boot, *(f"_COMM={name}" for name in COMMS)]
    said += ["+", boot, *(f"SYSLOG_IDENTIFIER={name}" for name in TAGS)]
    words += {"records": records, "words": said, "auto": [*records, "+", *said]}[source]
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
