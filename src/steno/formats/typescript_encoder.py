"""script(1)'s typescripts with their timing files, classic and advanced: writing.

Source: as for reading, see steno.formats.typescript.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from steno.formats.track import (
    Finish,
    Header,
    Item,
    Ledger,
    is_initial_window,
    join_command,
    name_note,
    unknown_start,
)
from steno.formats.typescript import SIGNAL
from steno.model import Damage, Input, Note, Output, Piece, Window

_MAX_FACT_BYTES = 4096
"""scriptreplay reads a fact into a buffer of 8192 bytes."""
_LAST_UNIX_S = 253402300799


class Encoder:
    """Turn items into a typescript's files. Does no I/O."""

    def __init__(self, *, is_advanced: bool) -> None:
        self._is_advanced = is_advanced
        self._ledger = Ledger()
        self._header = Header(unknown_start())
        self._last_us = 0
        self._has_input = False
        self._head = b""

    def write(self, item: Item) -> dict[str, bytes]:
        """Return the bytes for `item` by the stream they belong to, one of STREAMS.

        A Header comes first, a Finish last. `input` is only there when there was any.
        """
        if isinstance(item, Header):
            return self._write_header(item)
        if isinstance(item, Finish):
            return self._write_finish(item)
        if isinstance(item, Damage) or is_initial_window(item, self._header):
            return {}
        if isinstance(item, Output):
            if item.is_stderr:
                self._ledger.count("standard error, mixed with output", len(item.data), "bytes")
            return self._write_data("O", "output", item)
        if self._is_advanced:
            return self._write_step(item)
        if isinstance(item, Input):
            self._ledger.count("input", len(item.data), "bytes")
        else:
            what = "window changes" if isinstance(item, Window) else name_note(item)
            self._ledger.count(what, 1)
        return {}

    def losses(self) -> list[str]:
        """Return what could not be written so far, one text each."""
        return self._ledger.texts()

    def _write_header(self, header: Header) -> dict[str, bytes]:
        self._header = header
        start = header.start
        kept = {"term", "terminal", "columns", "rows", "command", "started_unix_us"}
        kept |= {"$SHELL"} if self._is_advanced else set()
        self._ledger.add_facts(header, frozenset(kept))
        if start.command and len(start.command) > 1:
            self._ledger.add("the command's division into arguments")
        if start.started_unix_us % 10**6:
            self._ledger.add("the start's fraction of a second")
        facts = facts_of(header)
        self._head = _render_head(facts, start.started_unix_us)
        written = {"output": self._head}
        if self._is_advanced:
            facts = {"START_TIME": _render_time(start.started_unix_us)} | facts
            lines = [_render_fact(name, value) for name, value in facts.items()]
            written["timing"] = b"".join(lines)
        return written

    def _write_step(self, item: Piece) -> dict[str, bytes]:
        if isinstance(item, Input):
            head = b"" if self._has_input else self._head
            self._has_input = True
            written = self._write_data("I", "input", item)
            return {**written, "input": head + written.get("input", b"")}
        delay = self._take_delay
        if isinstance(item, Window):
            text = f"S {delay(item.at_us)} SIGWINCH ROWS={item.rows} COLS={item.columns}\n"
            return {"timing": text.encode()}
        name = str(item.facts.get("name", "")) if isinstance(item, Note) else ""
        if isinstance(item, Note) and item.kind == SIGNAL and name.isalnum():
            return {"timing": f"S {delay(item.at_us)} {name}\n".encode()}
        if isinstance(item, Note):
            self._ledger.count(name_note(item), 1)
        return {}

    def _write_data(self, kind: str, stream: str, item: Input | Output) -> dict[str, bytes]:
        if not item.data:
            return {}
        letter = f"{kind} " if self._is_advanced else ""
        step = f"{letter}{self._take_delay(item.at_us)} {len(item.data)}\n"
        return {"timing": step.encode(), stream: item.data}

    def _write_finish(self, finish: Finish) -> dict[str, bytes]:
        end = finish.end
        status = end.exit_status
        if end.signal is not None:
            # As script itself does.
            status = 128 + end.signal
            self._ledger.add(f"the end: signal {end.signal}, as exit status {status}")
        ended = f"<{_one_line(end.reason)}>" if status is None else f'COMMAND_EXIT_CODE="{status}"'
        done = _render_time(self._header.start.started_unix_us + finish.at_us)
        trailer = f"\nScript done on {done} [{ended}]\n".encode()
        if not self._is_advanced:
            after_us = max(0, finish.at_us - self._last_us)
            self._ledger.count("the time after the last output", after_us, "microseconds")
            return {"output": trailer}
        facts = _render_fact("DURATION", _render_seconds(finish.at_us))
        facts += b"" if status is None else _render_fact("EXIT_CODE", str(status))
        written = {"output": trailer, "timing": facts}
        return written | ({"input": trailer} if self._has_input else {})

    def _take_delay(self, at_us: int) -> str:
        at_us = max(at_us, self._last_us)
        delay_us, self._last_us = at_us - self._last_us, at_us
        return _render_seconds(delay_us)


def facts_of(header: Header) -> dict[str, str]:
    """Return what a typescript's first line and an advanced timing file's begin can say."""
    start = header.start
    facts = {
        "TERM": header.term,
        "TTY": start.terminal or "",
        "COLUMNS": str(start.columns or ""),
        "LINES": str(start.rows or ""),
        "SHELL": header.environment.get("SHELL", ""),
        "COMMAND": join_command(start.command),
    }
    return {name: _one_line(value) for name, value in facts.items() if value}


def _render_head(facts: dict[str, str], started_unix_us: int) -> bytes:
    shown = []
    for name in ("COMMAND", "TERM", "TTY", "COLUMNS", "LINES"):
        if name in facts:
            value = facts[name].replace('"', "'")
            shown.append(f'{name}="{value}"')
    inside = " ".join(shown)
    if "COLUMNS" not in facts:
        inside = f"{inside} <not executed on terminal>".strip()
    return f"Script started on {_render_time(started_unix_us)} [{inside}]\n".encode()


def _render_fact(name: str, value: str) -> bytes:
    return f"H 0.000000 {name} {value}\n".encode()


def _render_seconds(duration_us: int) -> str:
    seconds, rest_us = divmod(duration_us, 10**6)
    return f"{seconds}.{rest_us:06d}"


def _render_time(unix_us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=min(unix_us // 10**6, _LAST_UNIX_S)
    )
    return moment.isoformat(sep=" ", timespec="seconds")


def _one_line(text: str) -> str:
    flat = "".join(character if character.isprintable() else " " for character in text)
    return flat.encode(errors="replace")[:_MAX_FACT_BYTES].decode(errors="ignore")
