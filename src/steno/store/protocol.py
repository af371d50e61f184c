"""What every store offers: recordings' original lines, what is derived from them, and search.

The lines are the truth and append-only; all else can be rebuilt from them. Calls block;
an event loop calls them in a thread. A store may be shared by several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from steno.errors import StenoError
from steno.model import Command, Damage, End, Keyframe, TextLine, Verification
from steno.store.event_protocol import EventStore
from steno.store.events import StoredEvent
from steno.store.expressions import Expression
from steno.store.fleet import Heard, Liveness, Numbers
from steno.store.page import Page as Page


class OffsetError(StenoError):
    """Bytes were offered for another place than the recording's end; nothing was written.

    Attributes:
        durable_bytes: How many bytes of the recording are safe on disk.
    """

    exit_code = 13

    def __init__(self, rec: str, durable_bytes: int) -> None:
        super().__init__(f"recording {rec} has {durable_bytes} bytes; append there")
        self.durable_bytes = durable_bytes


class StaleError(StenoError):
    """Another indexer added to the recording's index meanwhile; nothing was written."""

    exit_code = 9


class Summary(msgspec.Struct, frozen=True):
    """What a list of recordings shows, derived from a recording's lines.

    `host` is the name that the messages carry, `sender` the authenticated host that delivered
    them (None for imported files). `duration_us` is the last piece's instant. `size_bytes` counts
    the original lines. `is_live` says that no end facts have come yet and that lines came lately.
    """

    rec: str
    host: str
    user: str
    started_unix_us: int
    duration_us: int
    is_live: bool
    messages: int
    size_bytes: int
    chain: Verification
    sender: str | None = None
    login_user: str | None = None
    uid: int | None = None
    service: str | None = None
    remote: str | None = None
    command: list[str] | None = None
    terminal: str | None = None
    term: str = ""
    columns: int | None = None
    rows: int | None = None
    records: list[str] = []
    labels: list[str] = []
    policy: str | None = None
    boot_id: str | None = None
    audit_session: int | None = None
    number: int | None = None
    end: End | None = None
    output_bytes: int = 0
    input_bytes: int = 0
    notes: dict[str, int] = {}
    """How many notes of each kind (drop, gap, restart ...) the recording holds."""
    damages: int = 0


class Derived(msgspec.Struct, frozen=True):
    """What the indexer learnt from some more bytes of a recording; stored in one transaction.

    Attributes:
        upto_bytes: The recording's original bytes up to here are accounted for.
        summary: The recording's new summary.
        from_bytes: What `derived_bytes` was when these bytes were read; guards against two
            indexers at work on one recording.
        from_serial: What `derived_state` said the serial was then.
        state: What the indexer needs to go on from here, opaque to the store.
        lines: Screen text that became complete, in order.
        keyframes: New keyframes, in order.
        commands: New commands, in order.
        damages: Unreadable stretches.
        activity: Output bytes per second of recording time, as (second, bytes), to be added up.
    """

    upto_bytes: int
    summary: Summary
    from_bytes: int = 0
    from_serial: int = 0
    state: bytes = b""
    lines: list[TextLine] = []
    keyframes: list[Keyframe] = []
    commands: list[Command] = []
    damages: list[Damage] = []
    activity: list[tuple[int, int]] = []


class DerivedState(msgspec.Struct, frozen=True):
    """How far a recording's index is.

    Attributes:
        upto_bytes: The original bytes up to here are accounted for.
        serial: How many `put_derived` there were since the index was last cleared.
        state: The last one's `state`; b"" when there was none.
    """

    upto_bytes: int = 0
    serial: int = 0
    state: bytes = b""


class LeftAlone(msgspec.Struct, frozen=True):
    """A recording or audit trail that the indexer follows no more, for it fails at it.

    Attributes:
        rec: Its id.
        sender: The authenticated host that delivers it.
        since_unix_us: Since when.
        reason: Why.
    """

    rec: str
    sender: str | None
    since_unix_us: int
    reason: str


class Hit(msgspec.Struct, frozen=True):
    """One line or event that a search found.

    Attributes:
        summary: The recording.
        number: The line's number among the recording's screen text, from 0; None for an event, and
            when the query asked for fields only, so that the recording itself is the hit.
        line: The line.
        highlights: (start, end) in characters of `line.text`.
        before: Lines before it.
        after: Lines after it.
    """

    summary: Summary
    number: int | None = None
    line: TextLine | None = None
    highlights: list[tuple[int, int]] = []
    before: list[TextLine] = []
    after: list[TextLine] = []
    event: StoredEvent | None = None
    """The event that was found, in place of a line."""
    at_us: int | None = None
    """The event's instant in the recording."""


class Counts(msgspec.Struct, frozen=True):
    """How many recordings are in the index, and how many of them are live."""

    recordings: int
    live: int


class Change(msgspec.Struct, frozen=True):
    """A recording grew (`appended`), or what is derived from it did (`derived`).

    Or its host says now that it is open, or not any more (`heard`).
    """

    rec: str
    kind: str
    upto_bytes: int


class Store(EventStore, Protocol):
    """A place for recordings and audit trails. Every backend passes tests/store/suite.py."""

    # The truth.

    def append(self, rec: str, offset_bytes: int, data: bytes, *, sender: str | None) -> int:
        """Append `data` at `offset_bytes`; return the length that now survives a power cut.

        Bytes that are there already are compared and skipped, so that sending twice changes
        nothing.

        Raises:
            OffsetError: `offset_bytes` lies beyond the end, or the overlap differs.
            RefusedError: The recording was begun by another sender.
            NoSpaceError: The disk is full; nothing of `data` counts as written.
        """

    def durable_bytes(self, rec: str) -> int:
        """Return how much of `rec` is safe on disk; 0 when it is unknown."""

    def size_bytes(self, rec: str) -> int:
        """Return how much of `rec` can be read; 0 when it is unknown.

        The same as `durable_bytes` for whoever need not promise anything, and quicker.
        """

    def read(
        self, rec: str, offset_bytes: int = 0, end_bytes: int | None = None
    ) -> Iterator[bytes]:
        """Yield the original bytes from `offset_bytes` up to `end_bytes`, in pieces.

        What is appended meanwhile is not seen.

        Raises:
            NotFoundError: There is no such recording.
            StoreError: Its files are damaged; what was yielded before is good.
        """

    def recs(self) -> Iterator[str]:
        """Yield the ids of all recordings that hold at least one byte; audit trails are none."""

    def trails(self) -> Iterator[str]:
        """Yield the ids of all audit trails that hold at least one byte."""

    def sender_of(self, rec: str) -> str | None:
        """Return the authenticated host that delivers `rec`."""

    def senders(self) -> dict[str, int]:
        """Return how many recordings each authenticated host delivered, by its name."""

    # What hosts say of themselves.

    def put_heard(self, heard: Heard) -> None:
        """Keep a heartbeat in place of the one before from this host and source.

        It also says which of the host's recordings are open; those that it named before and names
        no more are not. Need not survive a power cut: the next one says it again.
        """

    def heard(self, host: str | None = None) -> list[Heard]:
        """Return the last heartbeat of each source of `host`, or of all hosts."""

    def liveness(self, rec: str) -> Liveness | None:
        """Return what its host says of `rec`; None: nothing."""

    def numbers(self) -> dict[str, Numbers]:
        """Return which running numbers each sender's recordings bear, by its name."""

    def number_gaps(self, sender: str, upto: int) -> list[tuple[int, int]]:
        """Return (first, last) of the running numbers up to `upto` that no recording bears.

        Counted from the lowest that one bears; at most 1000 ranges, the latest.
        """

    # What is derived.

    def put_derived(self, rec: str, derived: Derived) -> None:
        """Add what was learnt to the index, all or nothing; the serial grows by one.

        Raises:
            StaleError: `derived.from_bytes` or `derived.from_serial` is not what the index says:
                another indexer was faster. Nothing was written.
        """

    def derived_bytes(self, rec: str) -> int:
        """Return how much of `rec` is accounted for in the index."""

    def derived_state(self, rec: str) -> DerivedState:
        """Return how far the index of `rec` is, and what its indexer left there to go on."""

    def index_states(self) -> Iterator[tuple[str, bool]]:
        """Yield all recordings, and whether the index has all bytes of each and its end.

        Opens no files: made for looking through very many.
        """

    def clear_derived(self, rec: str) -> None:
        """Forget all that is derived from `rec`."""

    def leave_alone(self, rec: str, reason: str, at_unix_us: int) -> None:
        """Note that the indexer follows a recording or trail no more."""

    def left_alone(self, sender: str | None = None) -> list[LeftAlone]:
        """Return what the indexer follows no more, of one sender or of all.

        What is indexed after all, or cleared, is not among it.
        """

    # Finding and reading.

    def find(self, rec_or_prefix: str) -> Summary:
        """Return the recording with this id, or the only one whose id begins so.

        Raises:
            NotFoundError: There is none.
            AmbiguousError: There are several; the text names some.
        """

    def counts(self) -> Counts:
        """Return how many recordings are in the index; takes no time to speak of."""

    def recordings(
        self,
        query: Expression | None = None,
        *,
        sort: str = "-started",
        cursor: str | None = None,
        limit: int = 50,
        visible_to: str | None = None,
    ) -> Page[Summary]:
        """Return recordings that match; `sort` is started, duration, size, user or host, `-` down.

        `visible_to` limits the result to the recordings whose `user` or `login_user` it is.
        Only a missing cursor says that there are no more, as in `search`.

        Raises:
            UsageError: There is no such order, or `cursor` is none of this list's.
        """

    def search(
        self,
        query: Expression,
        *,
        rec: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        context_lines: int = 2,
        visible_to: str | None = None,
    ) -> Page[Hit]:
        """Return lines and events that match.

        Newest recording first (by start), in it the events and then the lines, newest first;
        within one `rec` the other way round. A page may hold fewer hits than `limit`, even none,
        when finding them meant reading much: only a missing cursor says that there are no more.

        Raises:
            UsageError: `cursor` is none of this store's.
        """

    def lines(self, rec: str, first: int = 0, limit: int | None = None) -> Iterator[TextLine]:
        """Yield the screen text from line number `first` on."""

    def lines_count(self, rec: str) -> int:
        """Return how many lines of screen text the recording has so far."""

    def commands(self, rec: str) -> list[Command]:
        """Return the commands found, in order."""

    def damages(self, rec: str) -> list[Damage]:
        """Return the unreadable stretches, in order."""

    def activity(self, rec: str) -> list[tuple[int, int]]:
        """Return (second, output bytes) for every second with output, in order."""

    def keyframes(self, rec: str) -> list[Keyframe]:
        """Return all keyframes in order, with empty `data`."""

    def keyframe(self, rec: str, number: int) -> Keyframe:
        """Return the keyframe with this number, from 0, whole."""

    # Being told.

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` from any thread after each change; return what ends that.

        Changes made by other processes are seen within a second.
        """

    def close(self) -> None:
        """Release everything; the store cannot be used afterwards."""
