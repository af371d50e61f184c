"""What processes do, by /proc, and waiting for it."""

from __future__ import annotations

import contextlib
import os
import termios
from pathlib import Path

from waiting import wait_for


def descendants(pid: int) -> list[int]:
    """Return the processes that come from this one and have not lost their parents."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def find_program(ancestor: int, *words: str | bytes) -> int | None:
    """Return the process, of those that come from `ancestor`, that runs these words."""
    wanted = b"".join(os.fsencode(word) + b"\0" for word in words)
    for pid in [ancestor, *descendants(ancestor)]:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes() == wanted:
                return pid
    return None


def wait_for_program(ancestor: int, *words: str | bytes) -> int:
    """Wait until a program with these words has its terminal and waits; return its process.

    Then keys that signal reach it, and not who started it. It is looked for among those that come
    from `ancestor` only: tests beside this one may run the same words.
    """

    def look() -> int | None:
        pid = find_program(ancestor, *words)
        return pid if pid is not None and is_in_foreground(pid) and state(pid) == "S" else None

    return wait_for(look, f"{words} does not wait at a terminal")


def is_in_foreground(pid: int) -> bool:
    """Return whether a process has its terminal."""
    fields = _stat(pid)
    return bool(fields) and fields[2] == fields[5]


def state(pid: int) -> str:
    """Return what a process does in proc(5)'s letters: S sleeps, T is stopped, Z is dead.

    One that is reaped is dead too.
    """
    fields = _stat(pid)
    return fields[0] if fields else "Z"


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's line in /proc behind its name; [] when it is reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def open_files(directory: Path) -> list[str]:
    """Return what this process has open below `directory`, and the directory itself."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # other threads may close theirs meanwhile
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(path for path in found if f"{path}/".startswith(f"{directory}/"))


def wait_for_end(pid: int) -> None:
    """Wait until a process is dead, reaped or not."""
    wait_for(lambda: state(pid) == "Z", f"process {pid} lives")


class Terminal:
    """The terminal at a process's standard input, as it is at the moment."""

    def __init__(self, pid: int) -> None:
        self._path = f"/proc/{pid}/fd/0"

    def _ask(self) -> tuple[int, int, tuple[int, int]]:
        fd = os.open(self._path, os.O_RDONLY | os.O_NOCTTY)
        try:
            input_flags, _, _, local_flags, *_ = termios.tcgetattr(fd)
            return input_flags, local_flags, termios.tcgetwinsize(fd)
        finally:
            os.close(fd)

    @property
    def size(self) -> tuple[int, int]:
        """Its columns and rows."""
        rows, columns = self._ask()[2]
        return columns, rows

    @property
    def hides_input(self) -> bool:
        """Whether somebody reads lines or keys that are not shown.

        A shell whose line editor shows what is typed does not: it takes carriage returns as such.
        """
        input_flags, local_flags, _ = self._ask()
        return bool(input_flags & termios.ICRNL) and not local_flags & termios.ECHO
