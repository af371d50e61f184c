"""Recordings in syslog."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorded_lines import make_lines
from waiting import wait_for

from steno.delivery.writers.syslog import SyslogWriter
from steno.errors import StoreError, UnreachableError, UsageError

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A syslog socket of ours."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(60)
        yield server


def make_writer(tmp_path: Path, **options: str) -> SyslogWriter:
    """Return a writer to the listener whose clock stands still."""
    return SyslogWriter("web 1\u00e4", path=str(tmp_path / "log"), clock=lambda: NOW, **options)


def test_messages_are_rfc_5424(listener: socket.socket, tmp_path: Path) -> None:
    """Each line is one message: header, no structured data, the line itself without newline."""
    lines = make_lines("rec", 3)
    writer = make_writer(tmp_path, facility="local7", priority="notice")
    writer.write(lines)
    head = f"<{23 * 8 + 5}>1 2026-01-02T03:04:05.678901Z web1 steno {os.getpid()} - - ".encode()
    for line in lines:
        assert listener.recv(1 << 20) == head + line[:-1]
    assert writer.pending_bytes == 0
    writer.close()


def test_a_slow_daemon_loses_nothing(listener: socket.socket, tmp_path: Path) -> None:
    """What the daemon does not take yet waits, in order, without making anybody wait."""
    lines = make_lines("rec", 3) * 2000
    writer = make_writer(tmp_path)
    writer.write(lines)
    assert writer.pending_bytes > 0
    received = [listener.recv(1 << 20)]
    while len(received) < len(lines):
        writer.flush()
        received.append(listener.recv(1 << 20))
    assert [data.split(b" - - ", 1)[1] for data in received] == [line[:-1] for line in lines]
    assert writer.pending_bytes == 0


def test_a_restarted_daemon_gets_the_rest(tmp_path: Path) -> None:
    """While the daemon is away lines wait; the new one gets them."""
    lines = make_lines("rec", 3)
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as old:
        old.bind(str(path))
        writer = make_writer(tmp_path)
        writer.write(lines[:1])
    path.unlink()
    writer.write(lines[1:])
    writer.flush()
    assert writer.pending_bytes > 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as new:
        new.bind(str(path))
        new.settimeout(60)
        writer.flush()
        assert new.recv(1 << 20).endswith(lines[1][:-1])
        assert new.recv(1 << 20).endswith(lines[2][:-1])
    assert writer.pending_bytes == 0


def test_a_message_that_can_never_be_sent(listener: socket.socket, tmp_path: Path) -> None:
    """A line larger than the system's limit on messages is an error that says what to do."""
    writer = make_writer(tmp_path)
    with pytest.raises(StoreError, match="too large; lower --payload"):
        writer.write([b"x" * (64 << 20)])


def test_wrong_words_and_nobody_there(tmp_path: Path) -> None:
    """Unknown facilities and priorities are named; so is a socket that isn't there."""
    with pytest.raises(UsageError, match="no syslog facility 'moon'"):
        SyslogWriter("host", path="/none", facility="moon")
    with pytest.raises(UsageError, match="no syslog priority 'high'"):
        SyslogWriter("host", path="/none", priority="high")
    with pytest.raises(UnreachableError, match="/none: No such file"):
        SyslogWriter("host", path="/none")


CONFIG = """
global(workDirectory="{directory}" maxMessageSize="128k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{directory}/log" UseSpecialParser="off" IgnoreTimestamp="off")
template(name="t" type="string"
  string="%app-name% %pri-text% %timereported:::date-rfc3339%|%msg%\\n")
action(type="omfile" file="{directory}/out" template="t")
"""


@pytest.mark.real
@pytest.mark.skipif(RSYSLOGD is None, reason="Debian package rsyslog is missing")
def test_rsyslog_takes_it(tmp_path: Path) -> None:
    """The daemon rsyslogd understands the header and keeps the lines byte for byte."""
    (tmp_path / "conf").write_text(CONFIG.format(directory=tmp_path))
    assert RSYSLOGD is not None
    daemon = subprocess.Popen(
        [RSYSLOGD, "-n", "-f", str(tmp_path / "conf"), "-i", str(tmp_path / "pid")]
    )
    try:
        wait_for((tmp_path / "log").exists, "rsyslogd's socket")
        lines = make_lines("rec", 20)
        writer = make_writer(tmp_path)
        writer.write(lines)

        def is_sent() -> bool:
            writer.flush()
            return not writer.pending_bytes

        wait_for(is_sent, "what waits to be sent")
        out = tmp_path / "out"
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") >= len(lines), "all lines")
    finally:
        daemon.terminate()
        daemon.wait(60)
    kept = (tmp_path / "out").read_bytes().splitlines()
    heads, texts = zip(*(line.split(b"|", 1) for line in kept), strict=True)
    assert [text.lstrip(b" ") for text in texts] == [line[:-1] for line in lines]
    assert all(
        re.fullmatch(rb"steno authpriv\.info 2026-01-02T03:04:05\.678901\S+", h) for h in heads
    )
