"""A real `steno serve` in a process of its own, which a test may kill and start again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType

from ports import HeldPort

from steno.cli import main
from steno.store.opening import open_store

STENO = [sys.executable, "-m", "steno.cli"]


def run_steno(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a steno command to its end, in this process; return what it said and its exit status."""
    words = [*map(str, arguments)]
    said, complained = io.BytesIO(), io.BytesIO()
    output, errors = (io.TextIOWrapper(one, "utf-8", newline="") for one in (said, complained))
    errors.reconfigure(errors="backslashreplace")
    status: int | str | None = 0
    with _called(words, stdin), redirect_stdout(output), redirect_stderr(errors):
        try:
            main()
        except SystemExit as end:
            status = end.code
    assert isinstance(status, int)
    output.flush()
    errors.flush()
    texts = said.getvalue().decode(), complained.getvalue().decode()
    return subprocess.CompletedProcess(words, status, *texts)


def run_unprivileged(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a steno command as somebody who may do no more than the owner of the files may."""
    # Root may read and write everything, unless it gives that up.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []
    words = [*drop, *STENO, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@contextmanager
def _called(words: Sequence[str], stdin: str) -> Iterator[None]:
    """Give this process another command line and another standard input for a while."""
    before = sys.argv, sys.stdin
    sys.argv = ["steno", *words]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    try:
        yield
    finally:
        sys.argv, sys.stdin = before


class LiveServer:
    """A server on loopback with its directory below `directory`; ends with the `with` block.

    Attributes:
        directory: Where its files are.
        port: The port at which it listens, also after a restart.
    """

    def __init__(self, directory: Path, *, is_https: bool = True) -> None:
        self.directory = directory / "server"
        self.is_https = is_https
        self._held_port = HeldPort()
        self.port = self._held_port.number
        self.process: subprocess.Popen[bytes] | None = None
        if is_https:
            made = run_steno("server", "init", "127.0.0.1", "--directory", self.directory)
            assert made.returncode == 0, made.stderr

    @property
    def url(self) -> str:
        """The address."""
        return f"{'https' if self.is_https else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        log = (self.directory.parent / "server.log").open("ab")
        mode = "on" if self.is_https else "off"
        listen = ["--listen", f"127.0.0.1:{self.port}", "--tls", mode]
        self.process = subprocess.Popen(
            [*STENO, "serve", "--directory", str(self.directory), *listen],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("serving on "), (self.directory.parent / "server.log").read_text()

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is not None:
            os.kill(self.process.pid, number)
            self.process.wait(60)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def close(self) -> None:
        """End it in good order, and give its port back."""
        self.stop()
        self._held_port.close()

    def code(self, *arguments: str) -> str:
        """Make an enrolment code."""
        made = run_steno("host", "code", "--json", *arguments, "--directory", self.directory)
        assert made.returncode == 0, made.stderr
        return str(json.loads(made.stdout)["code"])

    def enrol(self, host: str, directory: Path) -> Path:
        """Enrol a host, whose credentials come to be in `directory`; return that."""
        done = run_steno(
            "host", "enrol", self.url, self.code(), "--name", host, "--host-directory", directory
        )
        assert done.returncode == 0, done.stderr
        return directory

    def stored(self) -> dict[str, tuple[str | None, bytes]]:
        """Return what is in the store, with the senders, as another process sees it."""
        store = open_store(self.directory / "store")
        try:
            recs = [*store.recs(), *store.trails()]
            return {rec: (store.sender_of(rec), b"".join(store.read(rec))) for rec in recs}
        finally:
            store.close()

    def __enter__(self) -> LiveServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_refusal(done: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """Check the exit code, and that the only line on standard error says `texts`."""
    assert done.returncode == code, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("steno: ")
    for text in texts:
        assert text in line
