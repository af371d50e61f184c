"""Real shells whose lines come sooner than anybody looks: typed at once, and pasted together."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import subprocess
import termios
import time
from pathlib import Path

import pytest
from recordings import derive

from steno.model import Output, Piece, Window

pytestmark = pytest.mark.real

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "dash": ["dash", "-i"],
}
PROMPTS = ("$ ", "box:/srv# ", "% ")
LINES = [
    "true",
    "echo first; pwd",
    "printf '%s\\n' '$ no' '# command'",
    "cat here.txt",
    "for i in 1 2; do echo $i; done",
    "cd .",
    "id -u",
]
_SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Shell:
    """A real shell on a terminal; what it prints becomes pieces, as a recorder reads them."""

    def __init__(self, name: str, directory: Path, prompt: str) -> None:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing (Debian package {name})")
        (directory / "here.txt").write_text("$ ls\n% pwd\n> quoted\n")
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (50, 80))
        self._prompt = prompt.encode()
        shown = prompt.replace("%", "%%") if name == "zsh" else prompt
        self._seen = b""
        self._began_s = time.monotonic()
        self._pieces: list[Piece] = [Window(0, 80, 50)]
        self._process = subprocess.Popen(
            SHELLS[name],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=directory,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=os.environ | {"PS1": shown, "PS2": "> ", "TERM": "xterm-256color", "ENV": ""},
        )
        os.close(slave)

    def send(self, text: str) -> None:
        """Type."""
        self._seen = b""
        os.write(self.master, text.encode())

    def wait(self, text: str = "") -> None:
        """Read until `text` was printed since something was typed, and the prompt waits then."""
        ends = tuple(begin + self._prompt for begin in (b"\n", b"\r"))
        while True:
            shown = _SEQUENCE.sub(b"", self._seen)
            if text.encode() in shown and (b"\n" + shown).endswith(ends):
                return
            assert select.select([self.master], [], [], 60)[0], self._pieces
            data = os.read(self.master, 65536)
            self._seen += data
            at_us = int((time.monotonic() - self._began_s) * 1_000_000)
            self._pieces.append(Output(at_us, data))

    def close(self) -> list[str]:
        """End it; return the commands that are found in what it printed."""
        self._process.kill()
        self._process.wait()
        os.close(self.master)
        return [one.text for one in derive(*self._pieces).commands]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", [*SHELLS])
def test_lines_typed_as_soon_as_the_prompt_is_there(name: str, prompt: str, tmp_path: Path) -> None:
    """Whoever types within the same millisecond is understood, from the first prompt on."""
    shell = Shell(name, tmp_path, prompt)
    shell.wait()
    for line in LINES:
        shell.send(line + "\r")
        shell.wait("\n")
    assert shell.close() == LINES


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_lines_pasted_together(name: str, prompt: str, tmp_path: Path) -> None:
    """Several lines at once, the first of all as well: each is a command, and no output is."""
    shell = Shell(name, tmp_path, prompt)
    shell.wait()
    shell.send("".join(f"{line}\r" for line in [*LINES, "echo th''e-end"]))
    shell.wait("the-end")
    assert shell.close() == [*LINES, "echo th''e-end"]


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_loop_pasted_over_several_lines(name: str, tmp_path: Path) -> None:
    """What goes on in the next line stays one command, also where nobody saw its prompt wait."""
    shell = Shell(name, tmp_path, "$ ")
    shell.wait()
    shell.send(
        "".join(f"{line}\r" for line in ("true", "for i in 1 2", "do echo $i", "done", "id"))
    )
    shell.wait("uid=")
    found = shell.close()
    assert found[0] == "true"
    assert found[-1] == "id"
    if name == "bash":
        assert found[1:-1] == ["for i in 1 2\ndo echo $i\ndone"]
    else:  # Its prompts for lines that go on say what they go on with: `for> `.
        assert [line for one in found[1:-1] for line in one.split("\n")] == [
            "for i in 1 2", "do echo $i", "done",
        ]  # fmt: skip
