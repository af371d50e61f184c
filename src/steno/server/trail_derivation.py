"""Derive the index of one audit trail from its original bytes, however they come. Does no I/O.

The state between two calls can be saved and restored, as a recording's.
"""

from __future__ import annotations

import msgspec

from steno.audit.event import Event
from steno.audit.login_facts import LoginWatch, WatchState
from steno.audit.trail import MAX_LINE_BYTES, Lost, TrailEnd, TrailHead, decode_line
from steno.errors import FormatError
from steno.integrity.chain import ChainState
from steno.server.derivation import StateError
from steno.server.line_intake import LineIntake
from steno.store.derived import fit
from steno.store.events import DerivedEvents, PlacedEvent, PlacedLogin, TrailSummary
from steno.structs import decode_msgpack

STATE_VERSION = 2
"""Grows whenever the rules or the saved state change: indexes of older states are built anew."""

_NO_RECORDS = msgspec.Raw(b"[]")


class _State(msgspec.Struct):
    version: int
    upto_bytes: int = 0
    lines: int = 0
    events: int = 0
    lost: int = 0
    damages: int = 0
    last_unix_us: int = 0
    head: TrailHead | None = None
    end: TrailEnd | None = None
    chain: ChainState = ChainState()
    logins: WatchState = WatchState()
    is_torn: bool = False


class TrailDerivation:
    """One trail on its way into the index.

    Attributes:
        trail: Its id.
    """

    def __init__(self, trail: str, state: _State | None = None) -> None:
        self.trail = trail
        self._state = state or _State(STATE_VERSION)
        self._watch = LoginWatch(self._state.logins)
        self._intake = LineIntake(
            limit_bytes=MAX_LINE_BYTES,
            lines=self._state.lines,
            upto_bytes=self._state.upto_bytes,
            is_torn=self._state.is_torn,
            chain=self._state.chain,
        )
        self._events: list[PlacedEvent] = []
        self._logins: list[PlacedLogin] = []
        self._lost: list[Lost] = []

    # Keeping.

    def save(self) -> bytes:
        """Return the state at `upto_bytes`; what was found must be taken before."""
        state = self._state
        state.upto_bytes = self._intake.upto_bytes
        state.lines = self._intake.lines
        state.is_torn = self._intake.is_torn
        state.chain = self._intake.chain.state()
        state.logins = self._watch.state()
        return msgspec.msgpack.encode(state)

    @classmethod
    def restore(cls, trail: str, data: bytes) -> TrailDerivation:
        """Return the derivation that `save` saved.

        Raises:
            StateError: It is unreadable, or another version's.
        """
        try:
            state = decode_msgpack(data, _State)
        except msgspec.MsgspecError as error:
            raise StateError(f"the index of {trail} cannot go on: {error}") from error
        if state.version != STATE_VERSION:
            raise StateError(f"the index of {trail} is of version {state.version}")
        return cls(trail, state)

    # Following.

    @property
    def upto_bytes(self) -> int:
        """All lines that end here or before are accounted for."""
        return self._intake.upto_bytes

    @property
    def next_bytes(self) -> int:
        """Where the bytes for the next `feed` begin."""
        return self._intake.next_bytes

    @property
    def has_ended(self) -> bool:
        """Whether the trail's last line has come."""
        return self._state.end is not None

    @property
    def is_torn(self) -> bool:
        """Whether a last line without its newline was accounted for: see `LineIntake`."""
        return self._intake.is_torn

    def feed(self, data: bytes) -> None:
        """Take the trail's next bytes, from `next_bytes` on."""
        for line in self._intake.feed(data):
            self._take_line(line)

    def finish_torn(self) -> None:
        """Account for a last line without its newline: no more bytes are to be expected."""
        for line in self._intake.finish():
            self._take_line(line)

    def take(self, *, sender: str | None, from_bytes: int, from_serial: int) -> DerivedEvents:
        """Return what was found since the last call, for the store."""
        state = self._state
        damages = self._intake.take_damages()
        state.damages += len(damages)
        head = state.head or TrailHead(self.trail, "", "", 0, "")
        summary = TrailSummary(
            trail=self.trail,
            host=head.host,
            boot_id=head.boot_id,
            started_unix_us=head.started_unix_us,
            last_unix_us=state.last_unix_us or head.started_unix_us,
            size_bytes=self.upto_bytes,
            events=state.events,
            lost=state.lost,
            damages=state.damages,
            chain=self._intake.chain.verification(),
            sender=sender,
            level=head.level,
            follows=head.follows,
            follows_head=head.follows_head,
            end=state.end,
        )
        derived = DerivedEvents(
            upto_bytes=self.upto_bytes,
            summary=summary,
            from_bytes=from_bytes,
            from_serial=from_serial,
            state=self.save(),
            events=self._events,
            logins=self._logins,
            lost=self._lost,
            damages=damages,
        )
        self._events, self._logins, self._lost = [], [], []
        return derived

    def _take_line(self, line: bytes) -> None:
        try:
            _, item = decode_line(line)
        except FormatError as error:
            self._intake.add_unreadable(line, error)
            return
        state = self._state
        match item:
            case Event():
                self._take_event(item, len(line))
            case Lost():
                state.lost = fit(state.lost + max(item.count, 1))
                self._lost.append(item)
            case TrailHead():
                if item.id != self.trail:
                    self._intake.add_damage(len(line), f"the line begins trail {item.id}")
                elif state.head is None:
                    state.head = item
            case TrailEnd():
                state.end = item

    def _take_event(self, event: Event, length_bytes: int) -> None:
        state = self._state
        if state.head is None:
            # Nobody knows whose it is: no session may claim it.
            self._intake.add_damage(length_bytes, "an event before the trail's first line")
            return
        login = self._watch.look(event)
        if login is not None:
            self._logins.append(PlacedLogin(login, self.upto_bytes))
        event = msgspec.structs.replace(
            event,
            host=event.host or state.head.host,
            boot_id=state.head.boot_id,
            records=_NO_RECORDS,
        )
        state.events += 1
        state.last_unix_us = max(state.last_unix_us, event.at_unix_us)
        self._events.append(PlacedEvent(event, self.upto_bytes, length_bytes))
