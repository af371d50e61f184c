"""What did it: the process of an event."""

from __future__ import annotations

from steno.audit.event import Process
from steno.audit.records import Record
from steno.audit.values.arguments import arguments_of
from steno.audit.values.decoding import Decoder, shown
from steno.audit.values.kinds import Kind
from steno.audit.words.gathering import Gathered, MainFields, Raw
from steno.audit.words.memory import Memory
from steno.audit.words.things import number_of, plain_text, text_of


class Doers:
    """Work out what process it was.

    Args:
        decoder: Says what titles mean.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._titles = Memory(self._decode_title)
        self._texts = Memory(_decode_text)
        self._numbers = Memory(number_of)
        self._terminals = Memory(_plain_terminal)

    def find(self, found: Gathered, record: Record, fields: MainFields) -> Process:
        """Return the process that `record` speaks of, with what the others tell of it."""
        arguments = hexadecimal = None
        is_whole = True
        if found.runs:
            words, is_whole = arguments_of(found.runs)
            arguments, hexadecimal = _texts_of(words)
        texts = self._texts
        terminal = self._terminals[fields.tty]
        if terminal is None and found.call is None:
            terminal = _terminal_of(record)
        return Process(
            self._numbers[fields.pid],
            self._numbers[fields.ppid],
            texts[fields.exe],
            texts[fields.comm],
            terminal,
            texts[found.directory.get("cwd")] if found.directory is not None else None,
            arguments,
            hexadecimal,
            self._titles[found.title.get("proctitle")] if found.title is not None else None,
            not is_whole,
        )

    def _decode_title(self, raw: Raw) -> str | None:
        return None if raw is None else shown(self._decoder.value(Kind.TITLE, raw) or raw)


def _decode_text(raw: Raw) -> str | None:
    return text_of(raw) or None


def _texts_of(words: list[bytes]) -> tuple[list[str], list[str] | None]:
    """Return arguments as text, and in hexadecimal where that says not all."""
    try:
        # No argument of a program holds a NUL: all of them are decoded in one go.
        texts = b"\0".join(words).decode().split("\0") if words else []
        return texts if len(texts) == len(words) else [word.decode() for word in words], None
    except UnicodeDecodeError:
        texts = [word.decode(errors="replace") for word in words]
        return texts, [word.hex() for word in words]


def _terminal_of(record: Record) -> str | None:
    """Return the terminal of a record that is no SYSCALL: by its name, or its device's numbers."""
    major = record.get("major")
    if major is not None:
        return _terminal_of_device(number_of(major), number_of(record.get("minor")))
    return _plain_terminal(record.get("terminal"))


def _terminal_of_device(major: int | None, minor: int | None) -> str | None:
    """Return a terminal by its numbers. Source: Linux, Documentation/admin-guide/devices.txt."""
    if minor is None or major not in (4, 136):
        return None
    if major == 136:
        return f"pts/{minor}"
    return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"


def _plain_terminal(raw: Raw) -> str | None:
    """Return `pts/2`: SYSCALL writes pts2, programs /dev/pts/2."""
    name = plain_text(raw).removeprefix("/dev/")
    if name.startswith("pts"):
        return name if name[3:4] == "/" else f"pts/{name[3:]}"
    return name if name.startswith(("tty", "console", "hvc")) else None
