"""Builds of `steno-shell` for tests: with sanitizers, and with a test's paths compiled in."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from driven import Driven
from shell_server import Behaviour, ShellServer

Start = Callable[..., Driven]
Serve = Callable[[Behaviour], ShellServer]

HASTY_ANSWER_MS = 700
"""So long the program with little patience waits for an answer."""
NATIVE = Path(__file__).parents[2] / "native"
SOURCES = [NATIVE / f"{name}.c" for name in ("ask", "away", "outer", "reading", "steno-shell")]
WAITER = NATIVE / "steno-wait.c"
FREESTANDING = ["-ffreestanding", "-nostdlib", "-static-pie", "-fPIE", "-fno-stack-protector"]
FREESTANDING += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
SANITIZERS = ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
SANITIZERS += ["-fno-sanitize-recover=all"]


@dataclass(frozen=True)
class Build:
    """A program and the places that it knows.

    Attributes:
        program: The program.
        socket: Where it looks for the agent.
        etc: A directory in the place of /etc: steno/shell.conf, steno/shells, shells, passwd.
    """

    program: Path
    socket: Path
    etc: Path

    @property
    def name(self) -> str:
        """The program's path, as a command's word."""
        return str(self.program)


def build_shell(directory: Path, **times_ms: int) -> Build:
    """Compile `steno-shell` and `steno-wait` with sanitizers and with this directory's places."""
    return _build(directory, SANITIZERS, times_ms)


def build_plain_shell(directory: Path) -> Build:
    """Compile them as they are installed, with this directory's places."""
    return _build(directory, ["-O1"], {})


def _build(directory: Path, options: Sequence[str], times_ms: Mapping[str, int]) -> Build:
    etc = directory / "etc"
    (etc / "steno").mkdir(parents=True, exist_ok=True)
    build = Build(directory / "steno-shell", directory / "agent.sock", etc)
    paths = {
        "STENO_SOCKET": build.socket,
        "STENO_CONFIGURATION": etc / "steno",
        "STENO_PASSWD": etc / "passwd",
        "STENO_LISTED": etc / "shells",
    }
    defined = [f'-D{name}="{path}"' for name, path in paths.items()]
    defined += [f"-D{name}={value}" for name, value in times_ms.items()]
    defined += ["-D_GNU_SOURCE", f"-DSTENO_OWNER={os.getuid()}"]
    words = [*options, *defined, *map(str, SOURCES), "-o", build.name]
    subprocess.run(["cc", "-std=c11", *words], check=True, timeout=100)
    build_waiter(directory, defined)
    return build


def build_waiter(directory: Path, defined: Sequence[str] = ()) -> None:
    """Compile `steno-wait`, with traps where its behaviour would be undefined."""
    freestanding = FREESTANDING if platform.machine() in ("x86_64", "aarch64") else []
    words = ["-O2", *freestanding, *defined, str(WAITER), "-o", str(directory / "steno-wait")]
    subprocess.run(["cc", "-std=c11", *words], check=True, timeout=100)
