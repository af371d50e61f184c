"""`steno ssh`: ssh's command line understood, words quoted, the hop recorded."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ports import HeldPort

from steno.cli.ssh_arguments import parse_call, quote_for_shell
from steno.errors import UsageError
from steno.formats.tlog import decode_message

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.mark.parametrize(
    ("words", "options", "destination", "command", "host"),
    [
        ("db1", "", "db1", "", "db1"),
        ("-p 22 ann@db1", "-p 22", "ann@db1", "", "db1"),
        ("-vvp22 -A db1 ls -l", "-vvp22 -A", "db1", "ls -l", "db1"),
        ("db1 -p 22 ls -p", "-p 22", "db1", "ls -p", "db1"),
        ("-l ann -- db1 -t -- -x", "-l ann", "db1", "-t -- -x", "db1"),
        ("-l ann db1 -t -- -x", "-l ann -t", "db1", "-x", "db1"),
        ("-o ProxyJump=a@b ssh://ann@db1:22/", "-o ProxyJump=a@b", "ssh://ann@db1:22/", "", "db1"),
        ("ssh://[2001:db8::1]:22", "", "ssh://[2001:db8::1]:22", "", "2001:db8::1"),
        ("ann@2001:db8::1", "", "ann@2001:db8::1", "", "2001:db8::1"),
    ],
)
def test_command_lines_are_taken_apart_as_ssh_does(
    words: str, options: str, destination: str, command: str, host: str
) -> None:
    """Options with and without values, before and behind the destination, and then the command."""
    call = parse_call(words.split())
    assert call.options == tuple(options.split())
    assert call.destination == destination
    assert call.command == tuple(command.split())
    assert call.host == host


@pytest.mark.parametrize("words", ["", "-v", "-p", "-f db1", "-vf db1", "-Z db1", "--x db1", "- x"])
def test_what_cannot_work_is_refused(words: str) -> None:
    """No host, no value, an unknown option, the background: nothing is called."""
    with pytest.raises(UsageError):
        parse_call(words.split())


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2))
def test_words_arrive_as_they_are(words: list[str]) -> None:
    """A POSIX shell takes apart what several words became into these very words."""
    script = f"show() {{ printf '%s\\0' \"$@\"; }}; command=show; $command {quote_for_shell(words)}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == words


def test_one_word_is_a_line_for_the_shell() -> None:
    """A single word stays as it is, as with ssh."""
    assert quote_for_shell(["ls | wc -l"]) == "ls | wc -l"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[list[str]]:
    """A real sshd for this user alone; the words by which `steno ssh` reaches it."""
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    for name in ("host", "key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    (tmp_path / "config").write_text(
        f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/key.pub\nStrictModes no\n"
        "UsePAM no\nPidFile none\nPermitRootLogin yes\n"
    )
    port = HeldPort()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-D", "-e", "-f", str(tmp_path / "config"), "-p", str(port.number)]
    running = subprocess.Popen(
        [*command, "-o", "ListenAddress=127.0.0.1"], stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "listening" in line:
            break
    options = ["-F", "/dev/null", "-i", str(tmp_path / "key"), "-o", "StrictHostKeyChecking=no"]
    options += [
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-p",
        str(port.number),
    ]
    yield [*options, f"{getpass.getuser()}@127.0.0.1"]
    running.terminate()
    running.communicate()
    port.close()


@pytest.mark.real
def test_a_hop_is_recorded_with_the_host_as_label(server: list[str], tmp_path: Path) -> None:
    """Output, exit status and command go through; service is ssh, the label the host."""
    words = [sys.executable, "-m", "steno.cli", "ssh", "--file", str(tmp_path / "hop.log")]
    script = 'printf "%s|" "$@"; exit 7'
    command = ["sh", "-c", script, "sh", "a  b", "$HOME'", "-x"]
    done = subprocess.run(
        [*words, "--label", "more", *server, "-T", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, b"a  b|$HOME'|-x|"), done.stderr
    lines = (tmp_path / "hop.log").read_bytes().splitlines()
    start, end = decode_message(lines[0]).start, decode_message(lines[-1]).end
    assert start is not None
    assert end is not None
    assert (start.service, start.labels) == ("ssh", ["127.0.0.1", "more"])
    assert start.command is not None
    assert start.command[0] == "ssh"
    assert end.exit_status == 7


@pytest.mark.real
def test_a_command_that_looks_like_an_option_is_one_over_there(
    server: list[str], tmp_path: Path
) -> None:
    """What stands behind the command's dashes is never taken for an option of ssh here."""
    words = [sys.executable, "-m", "steno.cli", "ssh", "--file", str(tmp_path / "hop.log")]
    done = subprocess.run(
        [*words, *server, "--", "-oProxyCommand=touch x", "y"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 127
    assert "-oProxyCommand=touch x" in done.stderr
    assert not (tmp_path / "x").exists()
