"""aushape's JSON and XML, for those who read its documents today. Does no I/O.

docs/audit.md says what its options do and where Steno's output differs from aushape 1.x's.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from steno.audit.aushape.markup import (
    Group,
    JsonMarkup,
    Language,
    Layout,
    XmlMarkup,
    json_string,
    xml_string,
)
from steno.audit.aushape.norm import shape_norm
from steno.audit.aushape.pieces import Pieces
from steno.audit.aushape.shape import read_records, shape_data, shape_text
from steno.audit.event import Event

MIN_EVENT_BYTES = 1024
"""aushape's: no limit for events may be lower."""

_TEXT_RANK, _DATA_RANK, _NORM_RANK = 1, 2, 3
"""What goes first when an event is too large: the last."""


@dataclass(frozen=True, slots=True)
class AushapeFormat:
    """aushape's options.

    Attributes:
        language: `--lang`.
        events_per_doc: `--events-per-doc`: at most so many in each document; None: all in one; 0:
            no documents; -N: a document ends when its events reach N bytes.
        fold_level: `--fold`: what is nested so deep or deeper stands on one line; None: `none`;
            0: `all`.
        indent: `--indent`: blanks for each level.
        max_event_bytes: `--max-event-size`; None: unlimited.
        with_text: `--with-text`.
        with_norm: `--with-norm`.
    """

    language: Language = "json"
    events_per_doc: int | None = None
    fold_level: int | None = 4
    indent: int = 4
    max_event_bytes: int | None = None
    with_text: bool = False
    with_norm: bool = False


class AushapeWriter:
    """Turn events into aushape's documents."""

    def __init__(self, form: AushapeFormat) -> None:
        self._form = form
        self._layout = Layout(form.fold_level, form.indent)
        markup = JsonMarkup if form.language == "json" else XmlMarkup
        self._markup = markup(self._layout)
        self._level = 0 if form.events_per_doc == 0 else 1
        mark = "}" if form.language == "json" else "</event>"
        self._tail = self._layout.close(self._level) + mark
        self._is_in_document = False
        self._document_size = 0
        """Events, or bytes where `events_per_doc` is negative."""

    def add(self, event: Event, lines: Sequence[str] = ()) -> bytes:
        """Return what `event` adds to the output; `lines` are its records as they were logged."""
        limit = self._form.events_per_doc
        parts: list[bytes] = []
        if limit != 0:
            parts.append(self._begin())
        is_first = limit == 0 or self._document_size == 0
        text = self._event(event, lines, is_first=is_first)
        parts.append(text)
        if limit == 0:
            parts.append(b"\n")
            return b"".join(parts)
        self._document_size += len(text) if limit is not None and limit < 0 else 1
        if limit is not None and self._document_size >= abs(limit):
            parts.append(self._end())
        return b"".join(parts)

    def finish(self) -> bytes:
        """Return what ends the output; with all events in one document there always is one."""
        if self._form.events_per_doc is None and not self._is_in_document:
            return self._begin() + self._end()
        return self._end() if self._is_in_document else b""

    def _begin(self) -> bytes:
        if self._is_in_document:
            return b""
        self._is_in_document = True
        self._document_size = 0
        margin = self._layout.open(0)
        if self._form.language == "json":
            return f"{margin}[".encode()
        line_end = "" if self._form.fold_level == 0 else "\n"
        return f'<?xml version="1.0" encoding="UTF-8"?>{line_end}<log>'.encode()

    def _end(self) -> bytes:
        self._is_in_document = False
        mark = "]" if self._form.language == "json" else "</log>"
        return f"{self._layout.close(0)}{mark}\n".encode()

    def _event(self, event: Event, lines: Sequence[str], *, is_first: bool) -> bytes:
        form = self._form
        data, error = shape_data(event, read_records(event))
        parts = [(_DATA_RANK, data)]
        if form.with_text or error is not None:
            parts.insert(0, (_TEXT_RANK, shape_text(lines)))
        if form.with_norm:
            parts.append((_NORM_RANK, shape_norm(event)))
        limit_bytes = form.max_event_bytes
        head = self._head(event, error, is_first=is_first, is_cut=False)
        text = self._whole(head, [group for _, group in parts])
        if limit_bytes is None or len(text) <= limit_bytes:
            return text
        pieces = Pieces()
        head = self._head(event, error, is_first=is_first, is_cut=True)
        pieces.add(head.encode())
        for rank, group in parts:
            pieces.add(self._markup.build(group, self._level + 1), rank)
        pieces.add(self._tail.encode())
        pieces.cut(limit_bytes)
        return pieces.render()

    def _whole(self, head: str, groups: list[Group]) -> bytes:
        """Return an event that is not cut."""
        level = self._level + 1
        inner = "".join(self._markup.after(group, level) for group in groups)
        return f"{head}{inner}{self._tail}".encode()

    def _head(self, event: Event, error: str | None, *, is_first: bool, is_cut: bool) -> str:
        head = self._json_head if self._form.language == "json" else self._xml_head
        return head(event, self._level, error, is_first=is_first, is_cut=is_cut)

    def _json_head(
        self, event: Event, level: int, error: str | None, *, is_first: bool, is_cut: bool
    ) -> str:
        between = self._layout.open(level + 1)
        members = [f'"serial":{event.serial}', f'"time":"{_instant(event.at_unix_us)}"']
        if event.host:
            members.append(f'"node":{json_string(event.host)}')
        if is_cut:
            members.append('"trimmed":[]')
        if error is not None:
            members.append(f'"error":{json_string(error)}')
        begin = ("" if is_first else ",") + self._layout.open(level) + "{"
        return begin + ",".join(between + member for member in members)

    def _xml_head(
        self, event: Event, level: int, error: str | None, *, is_first: bool, is_cut: bool
    ) -> str:
        del is_first
        attributes = f'serial="{event.serial}" time="{_instant(event.at_unix_us)}"'
        if event.host:
            attributes += f' node="{xml_string(event.host)}"'
        if is_cut:
            attributes += ' trimmed=""'
        if error is not None:
            attributes += f' error="{xml_string(error)}"'
        return f"{self._layout.open(level)}<event {attributes}>"


def _instant(at_unix_us: int) -> str:
    """Return an instant as aushape writes it, in UTC: nobody need know where it was written."""
    seconds, rest_us = divmod(at_unix_us, 1_000_000)
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{rest_us // 1000:03}+00:00"
