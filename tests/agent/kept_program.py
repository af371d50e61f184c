"""A program that stores a memfd with its keeper, counts in it how often it was started, and dies.

python kept_program.py LOG DEATHS THEN: writes what it got back to LOG, kills itself DEATHS times,
then does what THEN says.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from steno.agent.keep import StoreKeep, open_keep


def main(log: Path, deaths: int, then: str) -> None:
    """Live once."""
    keep = open_keep(os.environ)
    assert isinstance(keep, StoreKeep)
    sessions = keep.recover()
    got = [(number, sorted(words)) for number, words in sessions.items()]
    if sessions:
        memory = sessions[0]["ring"]
        keep.adopt(0, "one")
    else:
        memory = os.memfd_create("count")
        master, _ = os.openpty()
        keep.store("one", {"ring": memory, "master": master})
        keep.store("two", {"ring": os.memfd_create("other")})
        keep.remove("two")
    lives = os.pread(memory, 9, 0).count(b"x") + 1
    os.pwrite(memory, b"x" * lives, 0)
    if then == "fail" and lives == 1:
        sys.exit(7)
    keep.notify("READY=1")
    # Last: whoever reads this may kill us, or the keeper, at once.
    with log.open("a") as file:
        file.write(f"{lives} {got} {'NOTIFY_SOCKET' in os.environ}\n")
    if lives <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "remove":
        keep.remove("one")
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
