"""tlog's messages as a track: from messages to items and back."""

from __future__ import annotations

import msgspec

from steno.errors import AmbiguousError, FormatError, NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.formats.sequence import Sequencer
from steno.formats.tlog import Decoder, Placed
from steno.formats.track import (
    MAX_CELLS,
    Finish,
    Header,
    Item,
    Ledger,
    Tally,
    is_initial_window,
    show,
    unknown_start,
)
from steno.model import NO_AUDIT_SESSION, Damage, Message, Note, Start, Window

_MAX_UNIX_US = 253402300799 * 10**6
_NAMED_RECS = 5


class Reader:
    """Turn lines, however they were cut, into the items of one recording. Does no I/O."""

    def __init__(
        self,
        rec: str | None = None,
        *,
        takes_unnamed: bool = False,
        is_original: bool = False,
    ) -> None:
        """Read recording `rec` of those in the input, or the only one there is.

        With `takes_unnamed`, messages that name no recording, as old versions of tlog wrote them,
        count as this one's. With `is_original`, the pieces of a terminal with another charset hold
        what that had, and the header names the charset; else they hold UTF-8, and it does not.
        """
        self._is_original = is_original
        self._wanted = rec
        self._takes_unnamed = takes_unnamed
        self._rec = rec
        self._recs: dict[str, None] = {}
        self._decoder = Decoder(is_original=is_original)
        self._sequencer = Sequencer()
        self._tally = Tally()
        self._is_begun = False
        self._finish: Finish | None = None
        self._early: list[Item] = []

    def feed(self, data: bytes) -> list[Item]:
        """Return what `data` completes."""
        return [item for found in self._decoder.feed(data) for item in self._read(found)]

    def finish(self) -> list[Item]:
        """Return what the input's end completes.

        Raises:
            NotFoundError: The recording that was asked for is not there.
            AmbiguousError: None was asked for, and there are several.
            FormatError: There is no message at all.
        """
        items = [item for found in self._decoder.finish() for item in self._read(found)]
        if not self._recs:
            raise self._refuse()
        if not self._is_begun:
            raise NotFoundError(f"recording {self._wanted} is not there; {_list_recs(self._recs)}")
        if self._wanted is None and len(self._recs) > 1:
            raise AmbiguousError(f"several recordings are mixed; {_list_recs(self._recs)}")
        items.append(self._finish or self._tally.finish())
        return items

    def _refuse(self) -> FormatError:
        damage = next((item for item in self._early if isinstance(item, Damage)), None)
        if damage is None:
            return FormatError("there is no message", line=1)
        return FormatError(
            f"no recording: {damage.reason}", line=damage.line, offset_bytes=damage.offset_bytes
        )

    def _read(self, found: Placed | Damage) -> list[Item]:
        if isinstance(found, Damage):
            if self._is_begun:
                return [found]
            self._early.append(found)
            return []
        message = found.message
        if not self._recs and self._wanted is None:
            self._rec = message.rec
        self._recs[message.rec] = None
        if message.rec != self._rec and (message.rec or not self._takes_unnamed):
            return []
        items: list[Item] = []
        if not self._is_begun:
            self._is_begun = True
            items += [self._make_header(message), *self._early]
        for piece in self._sequencer.feed(message):
            self._tally.add(piece)
            items.append(piece)
        if self._sequencer.disorder is not None:
            items.append(found.damaged(self._sequencer.disorder))
        if self._sequencer.is_left_out:
            return items
        self._tally.at_us = max(self._tally.at_us, message.pos_ms * 1000)
        if message.end is not None:
            self._finish = Finish(self._tally.at_us, message.end)
        return items

    def _make_header(self, message: Message) -> Header:
        header = make_header(message)
        if self._is_original:
            return header
        start = msgspec.structs.replace(header.start, charset=None)
        return msgspec.structs.replace(header, start=start)


class Writer:
    """Turn items into chained tlog lines. Does no I/O."""

    def __init__(self, *, rec: str, recorder: str, interval_us: int = 10**6) -> None:
        """Begin recording `rec`; messages are cut after `interval_us` of its time.

        Args:
            rec: The recording's id, when the source has none.
            recorder: What the facts name as recorder when the source does not.
            interval_us: The longest time that one message covers.
        """
        self._rec = rec
        self._recorder = recorder
        self._interval_us = interval_us
        self._ledger = Ledger()
        self._cutter: Cutter | None = None
        self._header = Header(unknown_start())
        self._last_us = 0

    def write(self, item: Item) -> bytes:
        """Return the lines that `item` completes; a Header comes first, a Finish last."""
        if isinstance(item, Header):
            return self._begin(item)
        cutter = self._cutter
        if cutter is None or isinstance(item, Damage) or is_initial_window(item, self._header):
            return b""
        if item.at_us % 1000:
            self._ledger.add("instants, kept to the millisecond")
        self._last_us = max(self._last_us, item.at_us)
        lines: list[bytes] = []
        since_us = cutter.pending_since_us
        is_due = since_us is not None and self._last_us - since_us >= self._interval_us
        if is_due or (isinstance(item, Finish) and since_us is not None):
            # The end has a message of its own, so that its instant stands there.
            lines.append(cutter.cut() or b"")
        if isinstance(item, Finish):
            lines += cutter.end(item.end, self._last_us)
        else:
            lines += cutter.add(item)
        return b"".join(lines)

    def losses(self) -> list[str]:
        """Return what could not be written so far, one text each."""
        return self._ledger.texts()

    def _begin(self, header: Header) -> bytes:
        start = header.start
        self._header = header
        self._rec = header.rec or self._rec
        kept = frozenset({"term", *msgspec.structs.asdict(start)})
        self._ledger.add_facts(header, kept)
        if not start.started_unix_us:
            self._ledger.add("the start's time is unknown; 1970 is written")
        if not start.recorder:
            start = msgspec.structs.replace(start, recorder=self._recorder)
        identity = Identity(
            host=start.host,
            rec=self._rec,
            user=start.user,
            term=header.term,
            session=header.session,
            start=start,
        )
        self._cutter = Cutter(identity)
        if start.columns and start.rows:
            self._cutter.add(Window(0, start.columns, start.rows))
        return b""


def make_header(message: Message) -> Header:
    """Return what the first message of a recording tells."""
    first = next((piece for piece in message.pieces if not isinstance(piece, Note)), None)
    window = first if isinstance(first, Window) else None
    start = message.start
    if start is None:
        started_ms = 0 if message.time_ms is None else message.time_ms - message.pos_ms
        is_in_session = message.session != NO_AUDIT_SESSION
        start = unknown_start(
            user=message.user,
            host=message.host,
            started_unix_us=started_ms * 1000,
            audit_session=message.session if is_in_session else None,
        )
    start = _check_start(start)
    if window is not None and not (start.columns and start.rows):
        start = msgspec.structs.replace(start, columns=window.columns, rows=window.rows)
    return Header(
        start,
        term=message.term,
        rec=message.rec,
        session=message.session,
        is_terminal=start.columns is not None,
    )


def resolve_rec(recs: list[str], wanted: str) -> str:
    """Return the one of `recs` that is `wanted`, or the only one that begins so.

    Raises:
        NotFoundError: There is none.
        AmbiguousError: There are several.
    """
    if wanted in recs:
        return wanted
    found = [rec for rec in recs if rec.startswith(wanted)]
    if not found:
        raise NotFoundError(f"recording {wanted} is not there; {_list_recs(dict.fromkeys(recs))}")
    if len(found) > 1:
        raise AmbiguousError(f"{wanted} fits several; {_list_recs(dict.fromkeys(found))}")
    return found[0]


def describe_gap(facts: dict[str, object]) -> str:
    """Return what a note `gap` tells, as a sentence without its full stop."""
    first, last = show(str(facts.get("first_id"))), show(str(facts.get("last_id")))
    if first == last:
        return f"message {first} is missing"
    return f"messages {first} to {last} are missing"


def _check_start(start: Start) -> Start:
    """Return `start` without numbers that cannot be true: other formats could not take them."""

    def cells(number: int | None) -> int | None:
        return number if number is not None and 0 < number <= MAX_CELLS else None

    is_in_range = 0 <= start.started_unix_us <= _MAX_UNIX_US
    return msgspec.structs.replace(
        start,
        columns=cells(start.columns),
        rows=cells(start.rows),
        started_unix_us=start.started_unix_us if is_in_range else 0,
    )


def _list_recs(recs: dict[str, None]) -> str:
    names = list(recs)
    more = "" if len(names) <= _NAMED_RECS else f" and {len(names) - _NAMED_RECS} more"
    return f"there are {show(', '.join(names[:_NAMED_RECS]))}{more}"
