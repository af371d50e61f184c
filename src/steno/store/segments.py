"""Cut a recording into segments that a player can start at, and follow its newest pieces.

Source of the shapes: asciinema-player 3.17, recording format "segmented", version 1: an index
(`segment_index`) names segments, each a snapshot and the events after it (`segment`). Event codes:
"o" output, "i" input, "r" a resize to COLSxROWS, "m" a marker.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

import msgspec

from steno.errors import NotFoundError
from steno.formats.sequence import Sequencer
from steno.formats.tlog import Decoder, Placed
from steno.model import Damage, End, Input, Keyframe, Note, Output, Piece, Window
from steno.screen.deriver import as_terminal_output
from steno.screen.emulator import clamp_window
from steno.store.protocol import Store, Summary

_MAX_LABEL_CHARACTERS = 200

Event = tuple[float, str, str]
"""Seconds since the recording's start, the event's code, its data."""


class Position(msgspec.Struct, frozen=True, order=True):
    """A place between two pieces of a recording.

    Attributes:
        offset_bytes: Where the line of the next piece's message begins.
        piece: How many of that message's pieces come before.
    """

    offset_bytes: int = 0
    piece: int = 0

    def __str__(self) -> str:
        return f"{self.offset_bytes}:{self.piece}"


def parse_position(text: str) -> Position | None:
    """Return the position that `str(position)` wrote, or None if `text` is none."""
    offset, colon, piece = text.partition(":")
    is_position = colon and offset.isdecimal() and piece.isdecimal() and len(text) < 40
    return Position(int(offset), int(piece)) if is_position else None


class EventBuilder:
    """Turn pieces into events, one stretch of a recording in order.

    Bytes that are not UTF-8 become U+FFFD, one per maximal invalid piece, as on the screen;
    characters whose bytes come in several pieces stand in the last one's event.
    """

    def __init__(self, columns: int, rows: int, *, is_plain: bool) -> None:
        self._window = columns, rows
        self._is_plain = is_plain
        self._last_us = 0
        make = codecs.getincrementaldecoder("utf-8")
        self._output, self._input = make("replace"), make("replace")

    def add(self, piece: Piece) -> Event | None:
        """Return the piece's event, if it makes one."""
        self._last_us = at_us = max(self._last_us, piece.at_us)
        if isinstance(piece, Window):
            window = clamp_window(piece.columns, piece.rows)
            if window == self._window:
                return None
            self._window = window
            return at_us / 1e6, "r", f"{window[0]}x{window[1]}"
        if isinstance(piece, Note):
            return at_us / 1e6, "m", piece.kind
        text, code = "", "o"
        if isinstance(piece, Output):
            data = as_terminal_output(piece.data) if self._is_plain else piece.data
            text = self._output.decode(data)
        elif isinstance(piece, Input):
            text, code = self._input.decode(piece.data), "i"
        return (at_us / 1e6, code, text) if text else None

    def finish(self) -> list[Event]:
        """Return what the recording's end leaves: an unfinished character."""
        text = self._output.decode(b"", final=True)
        return [(self._last_us / 1e6, "o", text)] if text else []


def segment_index(store: Store, rec: str) -> dict[str, Any]:
    """Return the index of a recording's segments; addresses are relative, `segments/0`.

    Raises:
        NotFoundError: There is no such recording.
    """
    summary = store.find(rec)
    columns, rows = _window_at_start(summary)
    starts_us = [0, *(keyframe.at_us for keyframe in store.keyframes(summary.rec))]
    return {
        "version": 1,
        "duration": summary.duration_us / 1e6,
        "term": {"cols": columns, "rows": rows},
        "segments": [
            {"start": at_us / 1e6, "url": f"segments/{number}"}
            for number, at_us in enumerate(starts_us)
        ],
        "markers": [
            [command.at_us / 1e6, _label(command.text)] for command in store.commands(summary.rec)
        ],
    }


class Segment(msgspec.Struct, frozen=True):
    """A segment and whether it can still grow.

    Attributes:
        content: What the player gets.
        is_closed: Whether it stays as it is (it may be cached forever).
        position: Where it ends: `EventReader` goes on from there.
    """

    content: dict[str, Any]
    is_closed: bool
    position: Position


def segment(store: Store, rec: str, number: int) -> Segment:
    """Return a recording's segment `number`, from 0.

    Raises:
        NotFoundError: There is no such recording, or it has no such segment.
    """
    summary = store.find(rec)
    keyframes = store.keyframes(summary.rec)
    if not 0 <= number <= len(keyframes):
        raise NotFoundError(f"recording {summary.rec} has no segment {number}")
    columns, rows = _window_at_start(summary)
    start, init = Position(), ""
    if number:
        keyframe = store.keyframe(summary.rec, number - 1)
        columns, rows = keyframe.columns, keyframe.rows
        start, init = _position_of(keyframe), keyframe.data.decode("utf-8", "replace")
    upto_bytes = store.derived_bytes(summary.rec)
    is_last = number == len(keyframes)
    stop = Position(upto_bytes) if is_last else _position_of(keyframes[number])
    builder = EventBuilder(columns, rows, is_plain=summary.columns is None)
    events = [
        event
        for _, piece in _pieces(store, summary.rec, start, stop)
        if (event := builder.add(piece)) is not None
    ]
    has_ended = summary.end is not None and upto_bytes == store.size_bytes(summary.rec)
    if is_last and has_ended:
        events += builder.finish()
    content = {"snapshot": {"cols": columns, "rows": rows, "init": init}, "events": events}
    return Segment(content, not is_last or has_ended, stop)


class EventReader:
    """Read a recording's newest pieces as events, as they come: for live following."""

    def __init__(
        self,
        store: Store,
        rec: str,
        *,
        after: Position | None = None,
        after_us: int = -1,
    ) -> None:
        """Begin at position `after`, or after all pieces up to the instant `after_us`.

        Raises:
            NotFoundError: There is no such recording.
        """
        summary = store.find(rec)
        self._store = store
        self._rec = summary.rec
        self._after_us = -1 if after is not None else after_us
        columns, rows = _window_at_start(summary)
        self.position = Position()
        for keyframe in store.keyframes(summary.rec):
            place = _position_of(keyframe)
            is_before = keyframe.at_us <= after_us if after is None else place <= after
            if is_before:
                self.position = place
                columns, rows = keyframe.columns, keyframe.rows
        self._skip_to = after or Position()
        self._sequencer = Sequencer(is_midway=self.position > Position())
        self._builder = EventBuilder(columns, rows, is_plain=summary.columns is None)
        self.duration_us = 0
        self.end: End | None = None

    def read(self, limit_bytes: int = 1024 * 1024) -> list[Event]:
        """Return the events that came since the last call, from about `limit_bytes` at most.

        None at all means that there are none yet. `position`, `duration_us` and `end` then say
        where that is, and whether there is more to come.
        """
        size_bytes = self._store.size_bytes(self._rec)
        slice_bytes = limit_bytes
        events: list[Event] = []
        while not events and self.position.offset_bytes < size_bytes:
            start_bytes = self.position.offset_bytes
            stop_bytes = min(size_bytes, start_bytes + slice_bytes)
            decoder = Decoder(offset_bytes=start_bytes)
            for data in self._store.read(self._rec, start_bytes, stop_bytes):
                for found in decoder.feed(data):
                    self._add_found(found, events)
            if self.position.offset_bytes > start_bytes:
                slice_bytes = limit_bytes
            elif stop_bytes == size_bytes:
                break
            else:
                # A line may be longer than the limit.
                slice_bytes *= 4
        return events

    def _add_found(self, found: Placed | Damage, events: list[Event]) -> None:
        if isinstance(found, Placed) and found.message.rec in ("", self._rec):
            self._sequencer.feed(found.message)
            if not self._sequencer.is_left_out:
                self._add_message(found, events)
        self.position = Position(found.offset_bytes + found.length_bytes)

    def _add_message(self, placed: Placed, events: list[Event]) -> None:
        message = placed.message
        if message.end is not None:
            self.end = message.end
        self.duration_us = max(self.duration_us, message.pos_ms * 1000)
        for number, piece in enumerate(message.pieces):
            place = Position(placed.offset_bytes, number)
            if place < self.position:
                continue
            self.duration_us = max(self.duration_us, piece.at_us)
            event = self._builder.add(piece)
            is_wanted = place >= self._skip_to and piece.at_us > self._after_us
            if event is not None and is_wanted:
                events.append(event)


def _position_of(keyframe: Keyframe) -> Position:
    return Position(keyframe.offset_bytes, keyframe.piece)


def _window_at_start(summary: Summary) -> tuple[int, int]:
    return clamp_window(summary.columns or 0, summary.rows or 0)


def _label(text: str) -> str:
    label = " ".join(text.split())
    return label if len(label) <= _MAX_LABEL_CHARACTERS else label[:_MAX_LABEL_CHARACTERS] + "…"


def _placed(
    store: Store, rec: str, decoder: Decoder, start: Position, stop_bytes: int | None
) -> Iterator[Placed]:
    """Yield the messages from `start` on; damaged lines are left out."""
    for data in store.read(rec, start.offset_bytes, stop_bytes):
        for found in decoder.feed(data):
            if isinstance(found, Placed) and found.message.rec in ("", rec):
                yield found


def _pieces(
    store: Store, rec: str, start: Position, stop: Position
) -> Iterator[tuple[Position, Piece]]:
    """Yield the pieces between two positions, those of repeated messages left out."""
    sequencer = Sequencer(is_midway=start > Position())
    decoder = Decoder(offset_bytes=start.offset_bytes)
    stop_bytes = None if stop.piece else stop.offset_bytes
    for placed in _placed(store, rec, decoder, start, stop_bytes):
        if Position(placed.offset_bytes) > stop:
            return
        sequencer.feed(placed.message)
        if sequencer.is_left_out:
            continue
        for number, piece in enumerate(placed.message.pieces):
            position = Position(placed.offset_bytes, number)
            if start <= position < stop:
                yield position, piece
