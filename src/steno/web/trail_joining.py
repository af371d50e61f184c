"""Recordings joined with their audit events, and kept as long as nothing has been added."""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from steno.audit.event import Event
from steno.audit.session.bunches import Bunch, bunch_key, find_bunches, tell_bunch
from steno.audit.session.ran import TrailKind
from steno.audit.session.recorded import RecordedCommands, RecordedEvent
from steno.audit.session.recording_trail import (
    RecordingTrail,
    commands_of_screen,
    without_records,
)
from steno.store.events import SessionKey
from steno.store.protocol import Store, Summary
from steno.store.session_reading import join_stored, session_of
from steno.structs import json_decoder

KEPT_EVENTS = 600_000
"""So many events are kept in memory over all recordings, some 600 bytes each."""

_KEPT_RECORDINGS = 64
_FRESH_S = 1.0
_REST = 5
"""While a session goes on, joining it takes a sixth of the time at most, and is a second behind."""

_KINDS: tuple[TrailKind, ...] = (
    "files", "network", "processes", "privileges", "denials", "typed", "other",
)  # fmt: skip
_NUMBER_OF_KIND: dict[str, int] = {kind: number for number, kind in enumerate(_KINDS)}

_decode_event = json_decoder(Event)

Stamp = tuple[int, int, int, bool]
"""What a recording's trail was made of: if it is the same, so is the trail."""


class ShownEvent(msgspec.Struct, frozen=True):
    """An event of a recording as the API shows it: `event` is JSON already."""

    at_us: int
    command: int | None
    kind: TrailKind
    event: msgspec.Raw
    bunch: Bunch | None = None


@dataclass(frozen=True)
class JoinedRecording:
    """A recording's commands and events, small enough to be kept.

    Attributes:
        commands: The commands.
        answer: They as JSON.
        at_us: Each event's instant, in order.
        command: Each event's command's number; 0: none.
        kind: Each event's kind, as its place among all kinds.
        events: The events as JSON, without records.
        serial: Each event's serial.
        own: Whether an event is of Steno's own programs.
        bunches: The numbers of the events that say the same, by each of theirs.
    """

    commands: RecordedCommands
    answer: bytes
    at_us: array[int]
    command: array[int]
    kind: bytes
    events: list[bytes]
    serial: array[int]
    own: bytes
    bunches: Mapping[int, Sequence[int]]

    def __len__(self) -> int:
        return len(self.events)

    def numbers(
        self,
        *,
        command: int | None = None,
        kinds: frozenset[str] | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        is_ascending: bool = True,
        with_own: bool = False,
    ) -> Iterator[int]:
        """Yield the numbers of events, in order; those of a command are also those below it.

        Args:
            command: A command's number.
            kinds: Kinds of events.
            from_us: The first instant.
            to_us: The instant before which they are.
            is_ascending: The first one first, else the last one.
            with_own: Also those of Steno's own programs.
        """
        first = 0 if from_us is None else bisect_left(self.at_us, from_us)
        end = len(self) if to_us is None else bisect_left(self.at_us, to_us)
        below = None if command is None else self._below(command)
        wanted = None if kinds is None else {_NUMBER_OF_KIND[kind] for kind in kinds & {*_KINDS}}
        for number in range(first, end) if is_ascending else range(end - 1, first - 1, -1):
            if self.own[number] and not with_own:
                continue
            if below is not None and self.command[number] not in below:
                continue
            if wanted is None or self.kind[number] in wanted:
                yield number

    def _below(self, command: int) -> range:
        """Return a command's number and those of all below it: they follow it."""
        items = self.commands.items
        end = command
        while end < len(items):
            parent = items[end].parent
            if parent is None or parent < command:
                break
            end += 1
        return range(command, end + 1) if 1 <= command <= len(items) else range(0)

    def numbers_of(self, serial: int) -> list[int]:
        """Return the number of the event with this serial, in a list, or none."""
        try:
            return [self.serial.index(serial)]
        except ValueError:
            return []

    def kind_of(self, number: int) -> TrailKind:
        """Return what sort an event is."""
        return _KINDS[self.kind[number]]

    def event(self, number: int) -> Event:
        """Return an event, without its records."""
        return _decode_event(self.events[number])

    def bunch_of(self, number: int) -> Sequence[int] | None:
        """Return the numbers of all events that say the same as this one; None: it is alone."""
        return self.bunches.get(number)

    def tell(self, members: Sequence[int]) -> Bunch:
        """Return what stands for several events that say the same."""
        glances = [_glance(self.events[number]) for number in members]
        text = tell_bunch([one.text for one in glances], [one.name for one in glances])
        serials = [self.serial[number] for number in members]
        return Bunch(len(members), self.at_us[members[-1]], text, serials)

    def shown_event(self, number: int, members: Sequence[int] | None = None) -> ShownEvent:
        """Return an event with its place in the recording, as it is answered.

        Args:
            number: Its number.
            members: The events that it stands for.
        """
        return ShownEvent(
            self.at_us[number],
            self.command[number] or None,
            _KINDS[self.kind[number]],
            msgspec.Raw(self.events[number]),
            None if members is None else self.tell(members),
        )

    def recorded_event(self, number: int) -> RecordedEvent:
        """Return an event with its place in the recording."""
        return RecordedEvent(
            self.at_us[number],
            self.command[number] or None,
            self.kind_of(number),
            self.event(number),
        )

    def recorded_events(self) -> Iterator[RecordedEvent]:
        """Yield all events with their places."""
        return map(self.recorded_event, range(len(self)))


class _Object(msgspec.Struct, frozen=True):
    name: str = ""


class _Glance(msgspec.Struct, frozen=True):
    """What a bunch's sentence needs of an event."""

    text: str = ""
    objects: list[_Object] = []

    @property
    def name(self) -> str:
        return self.objects[0].name if self.objects else ""


_glance = json_decoder(_Glance)
_NO_RECORDS = b',"records":[]}'


def pack(trail: RecordingTrail) -> JoinedRecording:
    """Return a trail as it is kept."""
    encoder = msgspec.json.Encoder()
    return JoinedRecording(
        commands=trail.commands,
        answer=encoder.encode(trail.commands),
        at_us=array("q", [one.at_us for one in trail.events]),
        command=array("L", [one.command or 0 for one in trail.events]),
        kind=bytes(_NUMBER_OF_KIND[one.kind] for one in trail.events),
        events=[
            encoder.encode(without_records(one.event)).removesuffix(_NO_RECORDS) + b"}"
            for one in trail.events
        ],
        serial=array("q", [one.event.serial for one in trail.events]),
        own=bytes(one.is_own for one in trail.events),
        bunches=_bunches(trail.events),
    )


def _bunches(events: Sequence[RecordedEvent]) -> dict[int, Sequence[int]]:
    keyed = ((one.at_us, None if one.is_own else _key(one)) for one in events)
    return {number: members for members in find_bunches(keyed).values() for number in members}


def _key(one: RecordedEvent) -> Hashable | None:
    """Return what the events of a bunch have in common: they are one command's, too."""
    key = bunch_key(one.event)
    return None if key is None else (one.command, key)


@dataclass(frozen=True)
class _Kept:
    """What was made, of what, when, and how long that took."""

    stamp: Stamp
    joined: JoinedRecording
    made_s: float
    took_s: float

    def is_good(self, stamp: Stamp, now_s: float) -> bool:
        """Return whether it need not be made anew: it is current, or it was made just now."""
        return stamp == self.stamp or (
            stamp[3] and now_s - self.made_s < max(_FRESH_S, _REST * self.took_s)
        )


class TrailJoiner:
    """Joins recordings with their events; may be shared by threads. Calls block.

    Keeps what it made until the recording or a trail of its host grows, and no more than
    `kept_events` events of all recordings, those asked for last.
    """

    def __init__(self, store: Store, *, kept_events: int = KEPT_EVENTS) -> None:
        self._store = store
        self._kept_events = kept_events
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._at_work: dict[str, threading.Lock] = {}

    def kept(self, summary: Summary) -> JoinedRecording | None:
        """Return a recording's commands and events if nothing need be done for it."""
        stamp = self._stamp(summary, session_of(summary))
        with self._lock:
            kept = self._kept.get(summary.rec)
            if kept is None or not kept.is_good(stamp, time.monotonic()):
                return None
            self._kept.move_to_end(summary.rec)
            return kept.joined

    def find(self, summary: Summary) -> JoinedRecording:
        """Return a recording's commands and events; those of its screen where there are none."""
        with self._lock:
            turn = self._at_work.setdefault(summary.rec, threading.Lock())
        try:
            with turn:  # Pages ask for commands and events at once: one of them makes both.
                return self._find(summary)
        finally:
            with self._lock:
                if not turn.locked():
                    self._at_work.pop(summary.rec, None)

    def _find(self, summary: Summary) -> JoinedRecording:
        session = session_of(summary)
        stamp = self._stamp(summary, session)
        with self._lock:
            kept = self._kept.get(summary.rec)
            if kept is not None and kept.is_good(stamp, time.monotonic()):
                self._kept.move_to_end(summary.rec)
                return kept.joined
        began_s = time.monotonic()
        made = self._join(summary, has_events=stamp[2] > 0)
        made_s = time.monotonic()
        with self._lock:
            self._kept[summary.rec] = _Kept(stamp, made, made_s, made_s - began_s)
            self._kept.move_to_end(summary.rec)
            self._drop_oldest()
        return made

    def _drop_oldest(self) -> None:
        total = sum(len(one.joined) for one in self._kept.values())
        while len(self._kept) > 1 and (
            total > self._kept_events or len(self._kept) > _KEPT_RECORDINGS
        ):
            _, dropped = self._kept.popitem(last=False)
            total -= len(dropped.joined)

    def _stamp(self, summary: Summary, session: SessionKey | None) -> Stamp:
        state = self._store.derived_state(summary.rec)
        count = 0
        if session is not None:
            trails = self._store.trail_summaries(sender=session.sender, boot_id=session.boot_id)
            count = sum(trail.events for trail in trails)
        return state.serial, state.upto_bytes, count, summary.is_live

    def _join(self, summary: Summary, *, has_events: bool) -> JoinedRecording:
        trail = join_stored(self._store, summary) if has_events else None
        if trail is not None:
            return pack(trail)
        return pack(RecordingTrail(commands_of_screen(self._store.commands(summary.rec)), []))
