"""Programs driven on a real terminal, and what `steno rec` recorded of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

from waiting import Patience

from steno.formats.tlog import Decoder, Placed
from steno.model import End, Input, Message, Note, Output, Start, Window

STENO = [sys.executable, "-m", "steno.cli"]


class Driven:
    """A program on a terminal of its own, whose other side is ours.

    The terminal's near side stays open too, so that its settings can be seen afterwards.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        environ: dict[str, str] | None = None,
        directory: Path | None = None,
        stderr: int | None = None,
        is_foreign: bool = False,
        executable: str | None = None,
    ) -> None:
        """Start `command`; a foreign terminal may be used, but not opened again by it.

        With `executable`, that runs, and the command's first word is only what it is called.
        """
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (rows, columns))
        if is_foreign:
            os.fchmod(self.slave, 0)
            if os.geteuid() == 0:  # whom a mode does not keep from anything
                without = "--bounding-set=-dac_override,-dac_read_search"
                command = ["setpriv", without, *command]
        self.before = termios.tcgetattr(self.slave)
        self.seen = bytearray()
        self._expected = 0
        self.process = subprocess.Popen(
            command,
            executable=executable,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave if stderr is None else stderr,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=os.environ | {"TERM": "xterm-256color", "PS1": "$ "} | (environ or {}),
            cwd=directory,
        )

    def expect(self, *texts: bytes, timeout_s: float = 60) -> None:
        """Read until `texts` were seen, in order, each behind what was expected before."""
        patience = Patience(timeout_s)
        for text in texts:
            while (found := self.seen.find(text, self._expected)) < 0:
                assert patience.lasts(), (text, bytes(self.seen))
                self._read(0.2)
            self._expected = found + len(text)

    def send(self, data: bytes) -> None:
        """Type `data`."""
        os.write(self.master, data)

    def send_until(self, data: bytes, text: bytes, timeout_s: float = 60) -> None:
        """Type `data`, again each second, until `text` was seen behind what was expected before."""
        patience = Patience(timeout_s)
        while True:
            self.send(data)
            try:
                self.expect(text, timeout_s=1)
            except AssertionError:
                assert patience.lasts(), (text, bytes(self.seen))
            else:
                return

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        termios.tcsetwinsize(self.master, (rows, columns))

    def finish(self, timeout_s: float = 60) -> int:
        """Read all until the program has ended; return its status as subprocess has it."""
        patience = Patience(timeout_s)
        while self.process.poll() is None:
            assert patience.lasts(), bytes(self.seen)
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def hang_up(self) -> None:
        """Make the terminal vanish."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self) -> None:
        """End everything."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        with contextlib.suppress(OSError):
            self.seen += os.read(self.master, 65536)
        return True


class Recorded:
    """A recording's messages, decoded."""

    def __init__(self, path: Path) -> None:
        decoder = Decoder()
        items = [*decoder.feed(path.read_bytes()), *decoder.finish()]
        assert all(isinstance(item, Placed) for item in items), items
        self.messages: list[Message] = [i.message for i in items if isinstance(i, Placed)]

    @property
    def start(self) -> Start:
        """The start's facts."""
        start = self.messages[0].start
        assert start is not None
        return start

    @property
    def end(self) -> End:
        """The end's facts."""
        end = self.messages[-1].end
        assert end is not None
        return end

    def output(self, *, is_stderr: bool | None = None) -> bytes:
        """Return all output, or only that of one stream."""
        pieces = [p for m in self.messages for p in m.pieces if isinstance(p, Output)]
        return b"".join(p.data for p in pieces if is_stderr in (None, p.is_stderr))

    def input(self) -> bytes:
        """Return all input."""
        return b"".join(p.data for m in self.messages for p in m.pieces if isinstance(p, Input))

    def windows(self) -> list[tuple[int, int]]:
        """Return the window's sizes, repetitions left out."""
        sizes = [
            (p.columns, p.rows) for m in self.messages for p in m.pieces if isinstance(p, Window)
        ]
        return [size for n, size in enumerate(sizes) if n == 0 or sizes[n - 1] != size]

    def notes(self, kind: str) -> list[Note]:
        """Return the notes of one kind."""
        found = [p for m in self.messages for p in m.pieces if isinstance(p, Note)]
        return [note for note in found if note.kind == kind]
