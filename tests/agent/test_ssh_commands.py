"""Sessions without a terminal through real sshd: copies, pushes, pipes; and their recordings."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from namespaced_host import run_host

from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Input, Output, Start

HERE = Path(__file__).parent
PROGRAMS = ("unshare", "sshd", "sftp", "rsync", "git", "ip")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
USERS = ["plain", "command", "capture", "off"]
INSIDE = "echo in the same terminal"
DATA = random.Random(3).randbytes(3_000_000)

pytestmark = [
    pytest.mark.real,
    pytest.mark.lab,
    pytest.mark.timeout(700),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of hosts are made by root only"),
    pytest.mark.skipif(
        bool(MISSING), reason=f"needs Debian's openssh-server, rsync, git, iproute2: {MISSING}"
    ),
]


class Recording(msgspec.Struct):
    """One recording of the host's.

    Attributes:
        start: Its start's facts.
        end: Its end's.
        command: What was run.
        output: What it wrote to standard output, as far as it is recorded.
        error: What it wrote to standard error.
        input: What it was sent.
    """

    start: Start
    end: End
    command: str
    output: bytes
    error: bytes
    input: bytes


def read_recording(path: Path) -> Recording:
    """Return what a file of the spool holds."""
    lines = path.read_bytes().splitlines(keepends=True)
    assert verify_lines(lines).state == "complete"
    messages = [decode_message(line) for line in lines]
    pieces = [piece for message in messages for piece in message.pieces]
    outputs = [piece for piece in pieces if isinstance(piece, Output)]
    start, end = messages[0].start, messages[-1].end
    assert start is not None
    assert end is not None
    return Recording(
        start,
        end,
        (start.command or [""])[-1],
        b"".join(piece.data for piece in outputs if not piece.is_stderr),
        b"".join(piece.data for piece in outputs if piece.is_stderr),
        b"".join(piece.data for piece in pieces if isinstance(piece, Input)),
    )


class Host:
    """What became of the host.

    Attributes:
        results: By user, what each thing came to.
        recordings: By user, the recordings in their order.
    """

    def __init__(self, base: Path) -> None:
        self.results: dict[str, dict[str, Any]] = json.loads((base / "results.json").read_text())
        self.recordings: dict[str, list[Recording]] = {user: [] for user in USERS}
        found = [read_recording(path) for path in (base / "spool").glob("*.done")]
        for one in sorted(found, key=lambda recording: recording.start.number or 0):
            self.recordings[one.start.user.removeprefix("rec-")].append(one)

    def find(self, user: str, command: str) -> Recording:
        """Return the user's recording of this command."""
        (found,) = [one for one in self.recordings[user] if one.command == command]
        return found


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """Return the host after everybody has done everything."""
    words = (sys.executable, str(HERE / "commands_driver.py"), *USERS)
    with run_host(HERE / "commands_host.sh", *words, timeout_s=600) as base:
        yield Host(base)


@pytest.mark.parametrize("user", ["command", "capture", "off"])
def test_everything_works_as_without_a_recorder(host: Host, user: str) -> None:
    """What an account with a plain shell gets, a recorded one gets: bytes, statuses, ends."""
    assert host.results[user] == host.results["plain"]


def test_what_was_compared_is_right(host: Host) -> None:
    """The comparison means something: everything was done, and done right."""
    plain = host.results["plain"]
    assert plain["streams"] == [3, "out\n", "err\n"]
    assert plain["download"] == plain["upload"] == [0, True]
    assert plain["no_input"] == [0, "end\n", "end\n"]
    assert plain["early_end"] == "y\n"
    assert plain["half_closed"] == "3000000"
    assert plain["background"] == ["early\nlate\n", True, "sleep\x003000\0"]
    assert plain["copies"] == {
        "scp": [0, 0, True],
        "scp -O": [0, 0, True],
        "rsync": [0, 0, True],
        "sftp": [0, True],
    }
    assert plain["terminals"] == [[5, True]] * 8
    assert plain["ansible"] in (None, [0, True, ""]), "where ansible is installed"
    assert plain["git"] == [0, True, ""]


def test_commands_are_registered_with_their_ends(host: Host) -> None:
    """By default: who, what, when, how it ended, and nothing of what passed."""
    one = host.find("command", "echo out; echo err >&2; exit 3")
    assert (one.start.service, one.start.login_user) == ("sshd", "rec-command")
    assert one.start.records == []
    assert one.start.audit_session is not None
    assert one.start.terminal is None
    assert (one.end.reason, one.end.exit_status, one.end.streams) == ("exit", 3, {})
    assert one.output == one.error == b""
    killed = host.find("command", "kill -9 $$")
    assert (killed.end.reason, killed.end.signal) == ("signal", 9)


@pytest.mark.parametrize("user", ["command", "capture"])
def test_kinds_are_recognised(host: Host, user: str) -> None:
    """Copies and pushes are of their kinds."""
    kinds = [one.start.kind for one in host.recordings[user]]
    assert kinds.count("scp") == 2
    assert kinds.count("rsync") == 2
    # Two copies by scp, which speaks SFTP, and one session; ansible, where it is, copies as well.
    assert kinds.count("sftp") == (3 if host.results[user]["ansible"] is None else 4)
    assert kinds.count("git") == 2


def test_captured_streams_are_recorded(host: Host) -> None:
    """With capture the streams are there, apart, with counts and digests."""
    one = host.find("capture", "echo out; echo err >&2; exit 3")
    assert one.start.records == ["output", "input"]
    assert (one.output, one.error) == (b"out\n", b"err\n")
    assert (one.end.reason, one.end.exit_status) == ("exit", 3)
    assert one.end.streams["output"].sha256 == hashlib.sha256(b"out\n").hexdigest()
    assert one.end.streams["error"].passed_bytes == 4
    upload = host.find("capture", "cat")
    totals = upload.end.streams
    digest = hashlib.sha256(DATA).hexdigest()
    for name in ("input", "output"):
        assert (totals[name].passed_bytes, totals[name].sha256) == (len(DATA), digest)
        assert totals[name].recorded_bytes == 1 << 20
    assert upload.output == upload.input == DATA[: 1 << 20]


def test_a_captured_background_process_is_recorded_to_its_end(host: Host) -> None:
    """What comes after the command's own end is in the recording, for it reached the person."""
    one = host.find("capture", "(sleep 1; echo late) & echo early")
    assert one.output == b"early\nlate\n"
    assert one.end.exit_status == 0


def test_what_is_off_leaves_nothing(host: Host) -> None:
    """Off means off; commands with a terminal are sessions, which are not."""
    left = [one for one in host.recordings["off"] if one.start.kind != "ansible"]
    assert {one.command for one in left} == {"echo first; echo last; exit 5"}
    assert all(one.start.terminal for one in host.recordings["off"])
    assert host.recordings["plain"] == []


def test_a_copy_comes_to_the_bytes_that_passed(host: Host) -> None:
    """A captured upload by the old scp holds the file: its digest is over all of it."""
    (one,) = [one for one in host.recordings["capture"] if one.command.startswith("scp -t")]
    assert one.end.streams["input"].passed_bytes > len(DATA)
    assert DATA[:1000] in one.input


@pytest.mark.skipif(
    shutil.which("Xvfb") is None or shutil.which("xterm") is None,
    reason="needs Debian's xvfb and xterm",
)
def test_a_window_has_a_recording_of_its_own(host: Host) -> None:
    """What a window shows that was opened in a recorded login is recorded; a shell within is not.

    The latter's terminal is the login's, whose recording shows it.
    """
    (outer,) = [one for one in host.recordings["command"] if "xterm" in one.command]
    window = host.find("command", "echo in a window")
    assert outer.output.endswith(b"in the same terminal\r\n")
    assert b"recorded.\r\nin a window\r\n" in window.output
    assert not [one for one in host.recordings["command"] if one.command == INSIDE]
    assert window.start.audit_session == outer.start.audit_session
