"""Recordings of tlog's stand-ins in the journal and in syslog, as Cockpit and others find them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tlog_programs import BOTH, OWN_DEV, STAND_IN, Programs, needs_both

JOURNALD = Path("/usr/lib/systemd/systemd-journald")

pytestmark = [
    pytest.mark.real,
    needs_both,
    pytest.mark.skipif(
        not JOURNALD.exists() or shutil.which("journalctl") is None,
        reason="Debian package systemd is missing",
    ),
]

WITH_JOURNALD = """
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d
# Else it switches the machine's auditing, which others may need at this moment, on or off.
echo '[Journal]
Audit=' > /run/systemd/journald.conf.d/audit.conf
{journald} 2>/dev/null & daemon=$!
trap 'kill $daemon; wait $daemon' EXIT
for try in $(seq 1200); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
{script}
journalctl --sync 2>/dev/null || sleep 0.5
"""
COCKPIT = "journalctl -q --output=json --lines=all --merge --directory=/run/log/journal --"
"""What Cockpit's page starts, with the place of our journal."""
COCKPITS_NAMES = "_COMM=tlog-rec _COMM=tlog-rec-sessio"


def read_entries(text: str) -> list[dict[str, str]]:
    """Return journalctl's entries."""
    return [json.loads(line) for line in text.splitlines()]


def test_recordings_show_up_in_cockpit(programs: Programs, tmp_path: Path) -> None:
    """Cockpit's queries find the stand-ins' recordings as they find tlog's, and so do the players.

    The queries and the fields are those of cockpit-session-recording (src/recordings.jsx,
    journalctlStart and journalctlIngest; src/player.jsx reads the messages).
    """
    programs.configure("tlog-rec-session", '{"notice": "", "latency": 1}')
    lines = []
    for kind in BOTH:
        rec, session = (programs.path(kind, f"tlog-rec{end}") for end in ("", "-session"))
        # The journal looks at a program when it reads an entry: tlog's must still run then.
        stay = f"while [ ! -e {tmp_path}/kept ]; do sleep 0.1; done"
        options = "-w journal --journal-priority=notice --latency=1"
        lines.append(f"{rec} {options} sh -c 'echo by-rec; {stay}' &")
        lines.append(f"{session} -c 'echo by-session; {stay}' &")
    theirs, ours = (f"{programs.path(kind, 'tlog-play')} -r journal" for kind in BOTH)
    ask = f"""
        {chr(10).join(lines)}
        until [ $({COCKPIT} {COCKPITS_NAMES} | grep -c '"MESSAGE".*by-') -ge 4 ]; do sleep 0.2; done
        touch {tmp_path}/kept
        wait $(jobs -p | tail -n +2)
        journalctl --sync  # what they said last may still be under way
        cd {tmp_path}
        {COCKPIT} {COCKPITS_NAMES} > list
        grep -o '"TLOG_REC":"[^"]*"' list | cut -d'"' -f4 | sort -u > recs
        for rec in $(cat recs); do
            {COCKPIT} {COCKPITS_NAMES} TLOG_REC=$rec > one.$rec
            {theirs} -M TLOG_REC=$rec -g end > tlog.$rec < open
            {ours} -M TLOG_REC=$rec > steno.$rec
        done
    """
    os.mkfifo(tmp_path / "open")
    keep_open = os.open(tmp_path / "open", os.O_RDWR)  # tlog-play needs an input that has no end
    try:
        script = WITH_JOURNALD.format(journald=JOURNALD, script=ask)
        subprocess.run(
            programs.wrap(["bash", "-c", script]),
            check=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    finally:
        os.close(keep_open)
    listed = read_entries((tmp_path / "list").read_text())
    recs = (tmp_path / "recs").read_text().split()
    assert len(recs) == 4
    seen = set()
    for rec in recs:
        entries = read_entries((tmp_path / f"one.{rec}").read_text())
        assert entries == [entry for entry in listed if entry["TLOG_REC"] == rec]
        for number, entry in enumerate(entries, 1):
            message = json.loads(entry["MESSAGE"])
            assert message["ver"] == "2.3"
            assert (message["rec"], message["user"]) == (rec, entry["TLOG_USER"])
            assert str(message["id"]) == entry["TLOG_ID"] == str(number)
            assert str(message["session"]) == entry["TLOG_SESSION"]
            assert entry["_BOOT_ID"]
            assert entry["_PID"].isdigit()
            assert entry["_HOSTNAME"]
            assert entry["SYSLOG_IDENTIFIER"].startswith(entry["_COMM"])
        output = "".join(json.loads(entry["MESSAGE"])["out_txt"] for entry in entries)
        is_ours = any("steno" in json.loads(entry["MESSAGE"]) for entry in entries)
        seen.add((is_ours, entries[0]["_COMM"], entries[0]["PRIORITY"], output))
        assert (tmp_path / f"steno.{rec}").read_text() == output
        assert (tmp_path / f"tlog.{rec}").read_text().startswith(output)
    assert seen == {
        (is_ours, *rest)
        for is_ours in (True, False)
        for rest in (
            ("tlog-rec", "5", "by-rec\n"),
            ("tlog-rec-sessio", "6", "by-session\n"),
        )
    }


def test_the_journals_fields_can_be_left_out(programs: Programs, tmp_path: Path) -> None:
    """Without journal.augment entries have no fields of tlog's; time limits narrow the search."""
    rec, play = (programs.path(STAND_IN, name) for name in ("tlog-rec", "tlog-play"))
    # The journal looks at a program when it reads an entry: it must still run then.
    stay = f"while [ ! -e {tmp_path}/kept ]; do sleep 0.1; done"
    ask = f"""
        {rec} -w journal --journal-augment=no --latency=1 sh -c 'echo bare; {stay}' & recorder=$!
        until {COCKPIT} _COMM=tlog-rec | grep -q '"MESSAGE".*bare'; do sleep 0.1; done
        touch {tmp_path}/kept
        wait $recorder
        journalctl --sync
        {COCKPIT} _COMM=tlog-rec > {tmp_path}/list
        now=$(date +%s)
        {play} -r journal -M _COMM=tlog-rec -M AND -M PRIORITY=6 -S $((now - 60)) > {tmp_path}/since
        {play} -r journal -M _COMM=tlog-rec -U $((now + 60)) > {tmp_path}/until
        {play} -r journal -M _COMM=tlog-rec -S $((now + 60)) > {tmp_path}/none 2> {tmp_path}/said
    """
    script = WITH_JOURNALD.format(journald=JOURNALD, script=ask)
    subprocess.run(
        programs.wrap(["bash", "-ec", script]), check=True, timeout=60, stdin=subprocess.DEVNULL
    )
    entries = read_entries((tmp_path / "list").read_text())
    assert entries
    assert not [name for entry in entries for name in entry if name.startswith("TLOG_")]
    assert (tmp_path / "since").read_text() == "bare\n"
    assert (tmp_path / "until").read_text() == "bare\n"
    assert (tmp_path / "none").read_text() == ""
    assert "no recording" in (tmp_path / "said").read_text()


RECEIVE = """
import os, pathlib, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.set_inheritable(log.fileno(), False)
import subprocess
for command in sys.argv[2:]:
    subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL)
log.setblocking(False)
with open(sys.argv[1], "wb") as out:
    while True:
        try:
            out.write(log.recv(1 << 20) + b"\\n")
        except BlockingIOError:
            break
"""


def test_syslog_gets_messages_of_tlogs_form(programs: Programs, tmp_path: Path) -> None:
    """Priority, local time, the tag tlog and the message, as the C library sends them for tlog."""
    options = "-w syslog --syslog-facility=local3 --syslog-priority=notice echo said"
    commands = [f"{programs.path(kind, 'tlog-rec')} {options}" for kind in BOTH]
    command = [sys.executable, "-c", RECEIVE, str(tmp_path / "got"), *commands]
    subprocess.run(programs.wrap(command, more=OWN_DEV), check=True, timeout=60)
    got = [line for line in (tmp_path / "got").read_bytes().splitlines() if line]
    heads = {
        re.sub(rb"\w{3} [ \d]\d \d\d:\d\d:\d\d", b"TIME", line[: line.index(b"{")]) for line in got
    }
    assert heads == {b"<%d>TIME tlog: " % (19 * 8 + 5)}
    messages = [json.loads(line[line.index(b"{") :]) for line in got]
    assert [m["out_txt"] for m in messages if "steno" not in m] == ["said\n"]
    assert "".join(m["out_txt"] for m in messages if "steno" in m) == "said\n"
