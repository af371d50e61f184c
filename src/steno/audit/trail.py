"""Trails: the audit events of one host and boot, a chained line each. Does no I/O.

docs/formats/trail.md specifies the lines. A trail lies in the spool, travels and is kept as
recordings are, and its chain is theirs: each line names the digest of the line before.
"""

from __future__ import annotations

import msgspec

from steno.audit.event import Event
from steno.errors import FormatError
from steno.model import TRAIL_PREFIX, Damage, Int64, UnixUs, digest_of_line
from steno.structs import json_decoder

MAX_LINE_BYTES = 16 << 20
"""No event is longer; what is, is damage."""


class TrailHead(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a trail's first line says.

    Attributes:
        id: The trail's id: `trail-` and what `make_trail_id` makes unique.
        host: The host's name.
        boot_id: Of this boot: 32 hexadecimal digits.
        started_unix_us: When the trail was begun.
        steno: Program and version that writes it.
        level: Which rules are meant to be loaded: `login` or `session`; "" where nobody says.
        follows: The trail of the same host that was written before; None: the first.
        follows_head: The digest of its last line, so that it cannot vanish or be cut unseen.
    """

    id: str
    host: str
    boot_id: str
    started_unix_us: UnixUs
    steno: str
    level: str = ""
    follows: str | None = None
    follows_head: str | None = None


class Lost(msgspec.Struct, frozen=True, omit_defaults=True):
    """Events that happened and are not here.

    Attributes:
        at_unix_us: When that was noticed, or the instant of the first event after them.
        count: How many; 0: nobody knows.
        why: `gap` (serial numbers are missing), `behind` (they came faster than they could be
            kept), `kernel` (its queue was full), `damaged` (records that could not be read),
            `full` (the spool's limit), `unwritable` (its disk failed), `away` (nobody listened),
            `torn` (a crash left half a line), `deaf` (journald stopped to take them).
        from_serial: The first one's number, where known.
        to_serial: The last one's.
    """

    at_unix_us: UnixUs
    count: Int64
    why: str
    from_serial: Int64 | None = None
    to_serial: Int64 | None = None


class TrailEnd(msgspec.Struct, frozen=True):
    """The last line: nothing follows in this trail.

    Attributes:
        at_unix_us: When it was written.
        why: `stopped` (the audit system was), `full` (another one goes on), `boot` (the host was
            started anew), `gone` (its writer was), both noticed afterwards, `file` (an imported log
            ended).
    """

    at_unix_us: UnixUs
    why: str


TrailItem = TrailHead | Event | Lost | TrailEnd


class Placed(msgspec.Struct, frozen=True):
    """An item of a trail and where it stands.

    Attributes:
        item: What the line says. An event has its host and boot id from the trail's head where
            its line leaves them out.
        offset_bytes: Where the line begins.
        length_bytes: How long it is, its newline included.
        digest: What the next line's `prev` must be.
    """

    item: TrailItem
    offset_bytes: int
    length_bytes: int
    digest: str


class _Line(msgspec.Struct, frozen=True):
    prev: str | None
    trail: TrailHead | None = None
    event: Event | None = None
    lost: Lost | None = None
    end: TrailEnd | None = None


_decode = json_decoder(_Line)
_encode = msgspec.json.Encoder().encode


def make_trail_id(boot_id: str, unique: str) -> str:
    """Return a trail's id of a boot id and some letters and digits that no other trail has."""
    return f"{TRAIL_PREFIX}{boot_id}-{unique}"


class TrailEncoder:
    """Turns what belongs into a trail into its lines, in order.

    Attributes:
        head: Digest of the line that was made last; None before the first.
    """

    def __init__(self, head: str | None = None) -> None:
        """Begin a trail, or go on behind the line whose digest `head` is."""
        self.head = head

    def encode(self, item: TrailItem) -> bytes:
        """Return the next line, its newline included."""
        return self.encode_raw(_member_name(item), _encode(item))

    def encode_raw(self, member: str, value: bytes) -> bytes:
        """Return the next line of a member whose JSON is ready."""
        prev = b"null" if self.head is None else b'"%s"' % self.head.encode()
        line = b'{"prev":%s,"%s":%s}\n' % (prev, member.encode(), value)
        self.head = digest_of_line(line)
        return line


def _member_name(item: TrailItem) -> str:
    match item:
        case Event():
            return "event"
        case Lost():
            return "lost"
        case TrailHead():
            return "trail"
        case TrailEnd():
            return "end"


def decode_line(line: bytes) -> tuple[str | None, TrailItem]:
    """Return a line's `prev` and what else it says.

    Raises:
        FormatError: It is no line of a trail.
    """
    try:
        found = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"no line of an audit trail: {error}") from error
    items = [item for item in (found.trail, found.event, found.lost, found.end) if item is not None]
    if len(items) != 1:
        raise FormatError("no line of an audit trail: it must say one thing")
    return found.prev, items[0]


class TrailDecoder:
    """Turns a trail's bytes, however they were cut, into what they say. Does no I/O.

    The chain is not checked here; `steno.integrity` does that.

    Attributes:
        head: What the trail's first line says, once that was read.
        offset_bytes: Where the next line begins: what was read up to there is told.
    """

    def __init__(self, head: TrailHead | None = None, *, offset_bytes: int = 0) -> None:
        """Begin at the start, or go on where a line begins; then `head` must be known."""
        self.head = head
        self.offset_bytes = offset_bytes
        self._number = 0
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Placed | Damage]:
        """Return what `data` completes; an unreadable line is damage and costs no other."""
        found: list[Placed | Damage] = []
        self._rest += data
        start = 0
        while (end := self._rest.find(b"\n", start)) >= 0:
            found.append(self._take(bytes(self._rest[start : end + 1])))
            start = end + 1
        del self._rest[:start]
        return found

    def finish(self) -> list[Placed | Damage]:
        """Return the damage of a torn last line, if there is one."""
        if not self._rest:
            return []
        rest = bytes(self._rest)
        self._rest.clear()
        return [self._damage(rest, "the line is torn: its newline is missing")]

    def _take(self, line: bytes) -> Placed | Damage:
        if len(line) > MAX_LINE_BYTES:
            return self._damage(line, f"a line longer than {MAX_LINE_BYTES} bytes")
        try:
            _, item = decode_line(line)
        except FormatError as error:
            return self._damage(line, error.reason)
        if isinstance(item, TrailHead):
            self.head = self.head or item
        elif isinstance(item, Event):
            item = self._complete(item)
        placed = Placed(item, self.offset_bytes, len(line), digest_of_line(line))
        self._number += 1
        self.offset_bytes += len(line)
        return placed

    def _complete(self, event: Event) -> Event:
        if self.head is None or (event.host and event.boot_id):
            return event
        return msgspec.structs.replace(
            event,
            host=event.host or self.head.host,
            boot_id=event.boot_id or self.head.boot_id,
        )

    def _damage(self, line: bytes, reason: str) -> Damage:
        self._number += 1
        damage = Damage(self._number, self.offset_bytes, len(line), reason)
        self.offset_bytes += len(line)
        return damage
