"""Run a program, and end all that came of it when standard input ends, however that comes.

`python minding.py WORDS...`. Daemons leave their sessions and parents, but not this process, which
adopts whoever lost its parent: so a test that is killed leaves nothing behind, in the host's own
process id namespace too.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 5.0


def _descendants() -> list[int]:
    """Return all processes that come from this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:
            continue
        state, parent = stat.rpartition(b")")[2].split()[:2]
        if state != b"Z":
            parents[int(entry.name)] = int(parent)
    found: set[int] = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def _signal_all(number: int) -> bool:
    pids = _descendants()
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return bool(pids)


def main() -> None:
    """Run the words of the command line, and see to their end."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    started = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True, restore_signals=True
    )
    started.poll()
    while not (select.select([0], [], [], 1)[0] and not os.read(0, 1)):
        _reap()
    until_s = time.monotonic() + _PATIENCE_S
    number = signal.SIGTERM
    while _signal_all(number):
        time.sleep(0.1)
        _reap()
        if time.monotonic() > until_s:
            number = signal.SIGKILL


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main()
