"""Build a recording's summary from its messages, in order."""

from __future__ import annotations

import msgspec

from steno.model import (
    NO_AUDIT_SESSION,
    End,
    Input,
    Message,
    Note,
    Output,
    Piece,
    Start,
    Verification,
    Window,
)
from steno.store.protocol import Summary


class SummaryState(msgspec.Struct):
    """What is known of a recording so far; see store.protocol.Summary for the members."""

    rec: str
    host: str = ""
    user: str = ""
    term: str = ""
    audit_session: int | None = None
    started_unix_us: int = 0
    start: Start | None = None
    end: End | None = None
    window: tuple[int, int] | None = None
    duration_us: int = 0
    messages: int = 0
    output_bytes: int = 0
    input_bytes: int = 0
    notes: dict[str, int] = {}
    damages: int = 0

    def add(self, message: Message, pieces: list[Piece]) -> None:
        """Take in a message and the pieces of it that count."""
        if not self.messages:
            self.host, self.user, self.term = message.host, message.user, message.term
            if message.session != NO_AUDIT_SESSION:
                self.audit_session = message.session
            if message.time_ms is not None:
                self.started_unix_us = (message.time_ms - message.pos_ms) * 1000
        if message.start is not None and self.start is None:
            self.start = message.start
            self.started_unix_us = message.start.started_unix_us
        if message.end is not None:
            self.end = message.end
        self.messages += 1
        self.duration_us = max(self.duration_us, message.pos_ms * 1000)
        for piece in pieces:
            self._add_piece(piece)

    def _add_piece(self, piece: Piece) -> None:
        self.duration_us = max(self.duration_us, piece.at_us)
        if isinstance(piece, Output):
            self.output_bytes += len(piece.data)
        elif isinstance(piece, Input):
            self.input_bytes += len(piece.data)
        elif isinstance(piece, Note):
            self.notes[piece.kind] = self.notes.get(piece.kind, 0) + 1
        elif isinstance(piece, Window) and self.window is None:
            self.window = piece.columns, piece.rows

    def last_unix_us(self) -> int:
        """Return the last piece's instant on the calendar; 0 when the messages bear no time."""
        return self.started_unix_us + self.duration_us if self.started_unix_us else 0

    def render(
        self, *, size_bytes: int, is_live: bool, chain: Verification, sender: str | None
    ) -> Summary:
        """Return the summary."""
        start = self.start
        columns, rows = self.window or (None, None)
        facts: dict[str, object] = {}
        if start is not None:
            facts = {
                name: getattr(start, name)
                for name in (
                    "login_user",
                    "uid",
                    "service",
                    "remote",
                    "command",
                    "terminal",
                    "records",
                    "labels",
                    "policy",
                    "boot_id",
                    "number",
                )
            }
            columns, rows = start.columns or columns, start.rows or rows
        audit_session = self.audit_session
        if audit_session is None and start is not None:
            audit_session = start.audit_session
        summary = Summary(
            rec=self.rec,
            host=self.host,
            user=self.user,
            started_unix_us=self.started_unix_us,
            duration_us=self.duration_us,
            is_live=is_live,
            messages=self.messages,
            size_bytes=size_bytes,
            chain=chain,
            sender=sender,
            term=self.term,
            columns=columns,
            rows=rows,
            audit_session=audit_session,
            end=self.end,
            output_bytes=self.output_bytes,
            input_bytes=self.input_bytes,
            notes=dict(self.notes),
            damages=self.damages,
        )
        return msgspec.structs.replace(summary, **facts)
