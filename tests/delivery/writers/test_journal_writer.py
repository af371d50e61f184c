"""Recordings in systemd's journal."""

from __future__ import annotations

import array
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_lines import make_lines

from steno.delivery.writers.journal import JournalWriter, encode_field
from steno.errors import UnreachableError, UsageError

JOURNALD = Path("/usr/lib/systemd/systemd-journald")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A journal socket of ours."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "socket"))
        server.settimeout(60)
        yield server


def receive(listener: socket.socket) -> dict[str, bytes]:
    """Receive one entry as journald does, from the datagram or the sealed file that it carries."""
    data, extra, _, _ = listener.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    if extra:
        assert data == b""
        fds = array.array("i", extra[0][2])
        with os.fdopen(fds[0], "rb") as file:
            with pytest.raises(PermissionError):
                os.ftruncate(file.fileno(), 0)
            data = os.pread(file.fileno(), 1 << 28, 0)
    return parse(data)


def parse(data: bytes) -> dict[str, bytes]:
    """Read an entry by the letter of the protocol."""
    fields: dict[str, bytes] = {}
    while data:
        end = data.index(b"\n")
        name, equals, value = data[:end].partition(b"=")
        if equals:
            data = data[end + 1 :]
        else:
            (length,) = struct.unpack_from("<Q", data, end + 1)
            value = data[end + 9 : end + 9 + length]
            assert data[end + 9 + length : end + 10 + length] == b"\n"
            data = data[end + 10 + length :]
        text = name.decode("ascii")
        assert text not in fields
        assert text.replace("_", "").isalnum()
        assert text == text.upper()
        fields[text] = value
    return fields


def test_entries_have_tlogs_fields(listener: socket.socket, tmp_path: Path) -> None:
    """Each line is one entry, its message's number beside it."""
    lines = make_lines("rec-1", 3)
    writer = JournalWriter("rec-1", "avery", 42, path=str(tmp_path / "socket"), priority="debug")
    writer.write(lines)
    for number, line in enumerate(lines, 1):
        assert receive(listener) == {
            "MESSAGE": line[:-1],
            "PRIORITY": b"7",
            "SYSLOG_IDENTIFIER": b"steno",
            "TLOG_REC": b"rec-1",
            "TLOG_USER": b"avery",
            "TLOG_SESSION": b"42",
            "TLOG_ID": str(number).encode(),
        }
    writer.close()


def test_large_entries_travel_in_sealed_memory(listener: socket.socket, tmp_path: Path) -> None:
    """An entry too large for a datagram comes through a sealed memfd."""
    writer = JournalWriter("rec-1", "avery", path=str(tmp_path / "socket"))
    line = make_lines("rec-1", 1)[0][:-2] + b" " * (32 << 20) + b"}\n"
    writer.write([line])
    assert receive(listener)["MESSAGE"] == line[:-1]


def test_values_may_hold_newlines() -> None:
    """A value with newlines is sent with its length, and cannot smuggle a field in."""
    value = b"a\nPRIORITY=0\nb"
    assert parse(encode_field(b"MESSAGE", value)) == {"MESSAGE": value}


def test_wrong_words_and_nobody_there() -> None:
    """An unknown priority is named; so is a socket that isn't there."""
    with pytest.raises(UsageError, match="no journal priority 'high'"):
        JournalWriter("rec", "user", path="/none", priority="high")
    with pytest.raises(UnreachableError, match="/none: No such file"):
        JournalWriter("rec", "user", path="/none")


SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d
# Else it switches the machine's auditing, which others may need at this moment, on or off.
echo '[Journal]
Audit=' > /run/systemd/journald.conf.d/audit.conf
{journald} & daemon=$!
for try in $(seq 400); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
{python} {directory}/write.py {directory}/lines
for try in $(seq 200); do
  journalctl -a -o json -D /run/log/journal SYSLOG_IDENTIFIER=steno > {directory}/out || true
  [ "$(wc -l < {directory}/out)" -ge 6 ] && break; sleep 0.2
done
kill $daemon
wait $daemon || true
"""
WRITE = """
import pathlib, sys
from steno.delivery.writers.journal import JournalWriter
lines = pathlib.Path(sys.argv[1]).read_bytes().splitlines(keepends=True)
writer = JournalWriter("rec-1", "avery", 42)
writer.write(lines)
while writer.pending_bytes:
    writer.flush()
writer.close()
"""


@pytest.mark.real
@pytest.mark.skipif(not JOURNALD.exists(), reason="Debian package systemd is missing")
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a journal daemon of our own needs root and unshare",
)
def test_journald_takes_it(tmp_path: Path) -> None:
    """A real journald keeps every line byte for byte, those too large for a datagram too."""
    lines = make_lines("rec-1", 5)
    lines.append(lines[-1][:-2] + b" " * 600_000 + b"}\n")
    (tmp_path / "lines").write_bytes(b"".join(lines))
    (tmp_path / "write.py").write_text(WRITE)
    script = SCRIPT.format(journald=JOURNALD, python=sys.executable, directory=tmp_path)
    subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, timeout=110)
    entries = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [entry["MESSAGE"].encode() for entry in entries] == [line[:-1] for line in lines]
    assert [entry["TLOG_ID"] for entry in entries[:5]] == ["1", "2", "3", "4", "5"]
    assert {entry["TLOG_REC"] for entry in entries} == {"rec-1"}
