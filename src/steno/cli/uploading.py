"""Delivering a recording while it is made, by a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from steno.delivery.spool import Spool

_LOOK_S = 0.05
_PATIENCE_S = 1.5
"""A server that has not answered once is not awaited longer than this when the session ends."""
_END_S = 6.0


class Upload:
    """`steno deliver --follow` beside the recorder: its work never holds up the relay.

    It leads a session of its own, so that keys and hang-ups of the terminal don't reach it.
    """

    def __init__(self, spool: Spool, servers: tuple[str, ...], host_directory: Path) -> None:
        """Start to deliver `spool`."""
        self._spool = spool
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed in finish
        command = [
            sys.executable,
            "-m",
            "steno.cli",
            "deliver",
            "--follow",
            "--until-eof",
            "--quiet",
        ]
        command += ["--spool", str(spool.directory), "--host-directory", str(host_directory)]
        for server in servers:
            command += ["--server", server]
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            command,
            # Never written to: it ends when this process does, however that comes.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            start_new_session=True,
        )

    def finish(self, rec: str, timeout_s: float) -> str | None:
        """Wait until a server has all of `rec`, then end; return what kept it from that, if so."""
        try:
            since_s = time.monotonic()
            while not self._spool.is_delivered(rec):
                waited_s = time.monotonic() - since_s
                complaint = self._last_complaint() if waited_s >= _PATIENCE_S else None
                if complaint or waited_s >= timeout_s or self._process.poll() is not None:
                    return complaint or "the server has not taken all of it yet"
                time.sleep(_LOOK_S)
            return None
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process; what is undelivered stays in the spool."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._complaints.close()

    def _last_complaint(self) -> str | None:
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").splitlines()
        return lines[-1].removeprefix("steno: ") if lines else None
