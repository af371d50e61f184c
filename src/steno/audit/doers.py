"""What did it: the process of an event."""

from __future__ import annotations

from steno.audit.arguments import arguments_of
from steno.audit.decoding import Decoder, shown
from steno.audit.event import Process
from steno.audit.gathering import Gathered
from steno.audit.kinds import Kind
from steno.audit.records import Record
from steno.audit.things import number_of, plain_text, text_of

_LIMIT = 8192
"""So many titles are remembered; then all are forgotten."""


class Doers:
    """Work out what process it was.

    Args:
        decoder: Says what titles mean.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._titles: dict[bytes, str] = {}

    def find(self, found: Gathered, record: Record | None) -> Process:
        """Return the process that `record` speaks of, with what the others tell of it."""
        title = self._title(found.title) if found.title is not None else None
        if record is None:
            return Process(title=title)
        arguments = hexadecimal = None
        if found.runs:
            arguments, hexadecimal = _arguments(found.runs)
        directory = found.directory.get("cwd") if found.directory is not None else None
        get = record.get
        return Process(
            pid=number_of(get("pid")),
            parent_pid=number_of(get("ppid")),
            program=text_of(get("exe")) or None,
            name=text_of(get("comm")) or None,
            terminal=_terminal(record),
            directory=text_of(directory) or None,
            arguments=arguments,
            arguments_hex=hexadecimal,
            title=title,
        )

    def _title(self, record: Record) -> str | None:
        raw = record.get("proctitle")
        if raw is None:
            return None
        title = self._titles.get(raw)
        if title is None:
            if len(self._titles) >= _LIMIT:
                self._titles.clear()
            title = self._titles[raw] = shown(self._decoder.value(Kind.TITLE, raw) or raw)
        return title


def _arguments(runs: list[Record]) -> tuple[list[str], list[str] | None]:
    words, _ = arguments_of(runs)
    try:
        return [word.decode() for word in words], None
    except UnicodeDecodeError:
        texts = [word.decode(errors="replace") for word in words]
        return texts, [word.hex() for word in words]


def _terminal(record: Record) -> str | None:
    """Return `pts/2`: SYSCALL writes pts2, programs /dev/pts/2, TTY the device's numbers."""
    name = plain_text(record.get("tty"))
    if not name:
        if (major := record.get("major")) is not None:
            minor = plain_text(record.get("minor"))
            return {b"136": f"pts/{minor}", b"4": f"tty{minor}"}.get(major)
        name = plain_text(record.get("terminal")).removeprefix("/dev/")
    if name.startswith("pts"):
        return name if name[3:4] == "/" else f"pts/{name[3:]}"
    return name if name.startswith(("tty", "console", "hvc")) else None
