"""tlog's programs and Steno's stand-ins, run side by side with one /etc/tlog."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from driven import STENO

TLOG = "tlog"
STAND_IN = "steno"
BOTH = (TLOG, STAND_IN)

needs_both = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("tlog-rec") is None,
    reason="running tlog beside its stand-ins needs root, unshare and Debian package tlog",
)

_ENTER = """
mount -t tmpfs tmpfs /run && mkdir -m 1777 -p /run/tlog /run/systemd/journal /run/log/journal
: > /run/utmp
mount --bind "$0" /etc/tlog
{more}
exec "$@"
"""

OWN_DEV = """
mkdir /run/dev && mount --rbind /dev /run/dev && mount -t tmpfs tmpfs /dev
for name in null zero full random urandom tty ptmx pts fd; do ln -s /run/dev/$name /dev/$name; done
"""
"""Lines for the shell that leave /dev without a log socket."""


def install_stand_ins(directory: Path) -> Path:
    """Install the stand-ins; return where they are."""
    command = [*STENO, "tlog", "install", str(directory)]
    subprocess.run(command, check=True, capture_output=True)
    return directory


class Programs:
    """Both kinds of programs; each run has /run to itself, and `etc` as /etc/tlog."""

    def __init__(self, directory: Path, stand_ins: Path) -> None:
        """Keep files in `directory`; the stand-ins are installed in `stand_ins`."""
        self._directory = directory
        self._stand_ins = stand_ins
        self.etc = directory / "etc"
        self.etc.mkdir()
        for name in ("tlog-rec", "tlog-rec-session", "tlog-play"):
            self.configure(name, "{}")

    def configure(self, name: str, text: str) -> None:
        """Write the configuration file of the program `name`."""
        (self.etc / f"{name}.conf").write_text(text)

    def path(self, kind: str, name: str) -> str:
        """Return where the program is."""
        return f"/usr/bin/{name}" if kind == TLOG else str(self._stand_ins / name)

    def link(self, kind: str, name: str, new_name: str) -> None:
        """Let the program be called `new_name`, too, in a directory of its own."""
        place = Path(self.linked(kind, new_name))
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(self.path(kind, name))

    def linked(self, kind: str, new_name: str) -> str:
        """Return the path of such a link."""
        return str(self._directory / f"{kind}-links" / new_name)

    def wrap(self, command: Sequence[str], *, more: str = "") -> list[str]:
        """Return what runs `command` in a place of its own, after the shell's lines `more`."""
        enter = _ENTER.format(more=more)
        return ["unshare", "-m", "sh", "-ec", enter, str(self.etc), *command]

    def command(self, kind: str, name: str, *words: str, more: str = "") -> list[str]:
        """Return the command line that runs a program in a place of its own."""
        return self.wrap([self.path(kind, name), *words], more=more)

    def run(
        self,
        kind: str,
        name: str,
        *words: str,
        environ: Mapping[str, str] | None = None,
        more: str = "",
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program with its standard input at the end."""
        return subprocess.run(
            self.command(kind, name, *words, more=more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_s,
            env={**os.environ, "PYTHON": sys.executable, **(environ or {})},
        )
