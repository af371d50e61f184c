"""What tlog 12.1 gets wrong and its stand-ins don't: each shown on both.

That tlog still does it is asserted, too: each test would notice the defect.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
from driven import Driven, Recorded
from processes import wait_for_end
from tlog_programs import BOTH, OWN_DEV, STAND_IN, TLOG, Programs, needs_both
from waiting import wait_for

from steno.model import Output

pytestmark = [pytest.mark.real, needs_both]

SESSION = "tlog-rec-session"
NEW_AUDIT_SESSION = "echo 0 > /proc/self/loginuid"


def read_cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_childs_end(pid: int, last_deed: Path) -> None:
    """Wait until the process's child has done its last deed, and has ended."""
    wait_for(last_deed.exists, "the command's last deed")
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        wait_for_end(int(child))


def keep_in_file(programs: Programs, path: Path, **more: object) -> None:
    """Have tlog-rec-session write to a file."""
    conf = {"writer": "file", "file": {"path": str(path)}, "notice": "", **more}
    programs.configure(SESSION, json.dumps(conf))


def test_no_output_is_lost_without_a_terminal(programs: Programs, tmp_path: Path) -> None:
    """A command that has ended before its input has is passed on and recorded to its last byte."""
    everything = b"".join(b"%d\n" % number for number in range(1, 20001))
    got = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        script = f"seq 20000; touch {path}.over"
        # We begin to read when the command has ended, and the input too: what tlog-rec has not
        # read of the output by then, it never reads.
        process = subprocess.Popen(
            programs.command(kind, "tlog-rec", "-o", str(path), "sh", "-c", script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        wait_for_childs_end(process.pid, Path(f"{path}.over"))
        process.stdin.close()
        got[kind] = process.stdout.read()
        assert process.wait(60) == 0
    assert got[STAND_IN] == everything
    assert Recorded(tmp_path / "steno.log").output() == everything
    assert len(got[TLOG]) < len(everything)


@pytest.mark.parametrize("closed", [1, 0])
def test_closed_streams_do_not_hang_it(programs: Programs, tmp_path: Path, closed: int) -> None:
    """With standard output or input closed the command runs, is recorded, and its status given."""
    path = tmp_path / "x.log"
    script = f'"$@" {closed}>&-'
    words = ["-o", str(path), "sh", "-c", "echo said 2>/dev/null; exit 3"]
    command = programs.wrap(["sh", "-c", script, "x", programs.path(STAND_IN, "tlog-rec"), *words])
    assert subprocess.run(command, check=False, timeout=60, capture_output=True).returncode == 3
    assert Recorded(path).end.exit_status == 3
    if closed == 1:
        assert Recorded(path).output() == b"said\n"
        stock = ["timeout", "--signal=KILL", "1", "/usr/bin/tlog-rec", *words]
        command = programs.wrap(["sh", "-c", script, "x", *stock])
        hung = subprocess.run(command, check=False, timeout=60, capture_output=True)
        assert hung.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_reader_that_stops_costs_nothing(
    programs: Programs, tmp_path: Path, is_gone: bool
) -> None:
    """While nobody reads the output the recorder sleeps; when the reader goes, the command ends."""
    path = tmp_path / "x.log"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [programs.path(STAND_IN, "tlog-rec"), "-o", str(path), "yes"],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),  # as under systemd
        restore_signals=False,
    )
    os.close(writer)
    try:
        assert os.read(reader, 2) == b"y\n"
        if is_gone:
            os.close(reader)
            assert process.wait(60) == 128 + signal.SIGPIPE
            return
        deadline = time.monotonic() + 60
        while True:  # until it stands: the pipes are full
            before = read_cpu_s(process.pid)
            time.sleep(1)
            if read_cpu_s(process.pid) - before < 0.05:
                break
            assert time.monotonic() < deadline
        os.close(reader)
    finally:
        process.kill()
        process.wait()


def test_a_killed_recorder_leaves_no_lock(programs: Programs, tmp_path: Path) -> None:
    """After a kill -9 the audit session's next shell is recorded; a nested one is not apart."""
    counts = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        keep_in_file(programs, path)
        program = programs.path(kind, SESSION)
        script = f"""
            {program} -c 'kill -9 $PPID' || true
            {program} -c 'echo second'
            {program} -c "echo outer; {program} -c 'echo inner'"
        """
        more = f"{NEW_AUDIT_SESSION}\nulimit -c 0"
        ran = subprocess.run(
            programs.wrap(["sh", "-c", script], more=more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert ran.stdout == b"second\nouter\ninner\n"
        output = Recorded(path).output() if path.exists() else b""
        counts[kind] = output.count(b"second"), output.count(b"inner")
    assert counts[STAND_IN] == (1, 1)
    assert counts[TLOG] == (0, 0)


def test_sessions_of_no_audit_session_are_apart(programs: Programs, tmp_path: Path) -> None:
    """Where the kernel numbers no sessions, one that runs beside another is recorded as well."""
    counts = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        keep_in_file(programs, path)
        program = programs.path(kind, SESSION)
        begun, over = tmp_path / f"{kind}.begun", tmp_path / f"{kind}.over"
        script = f"""
            mkfifo {begun} {over}
            {program} -c 'echo > {begun}; read x < {over}' & first=$!
            read x < {begun}
            {program} -c "echo beside; {program} -c 'echo nested'"
            echo > {over}
            wait $first
        """
        subprocess.run(
            programs.wrap(["sh", "-c", script]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        )
        output = Recorded(path).output() if path.exists() else b""
        counts[kind] = output.count(b"beside"), output.count(b"nested")
    assert counts[STAND_IN] == (1, 1)
    assert counts[TLOG] == (0, 0)


def test_a_strangers_lock_hides_no_session(programs: Programs, tmp_path: Path) -> None:
    """Who takes the lock's name for a session that is not his own keeps nobody unrecorded."""
    path = tmp_path / "x.log"
    keep_in_file(programs, path)
    tell = ["sh", "-c", f"{NEW_AUDIT_SESSION}; cat /proc/self/sessionid"]
    last = int(subprocess.run(tell, check=True, capture_output=True).stdout)
    squat = """
import socket, sys, time
taken = []
for number in range(int(sys.argv[1]), int(sys.argv[1]) + 500):
    taken.append(socket.socket(socket.AF_UNIX))
    taken[-1].bind(b"\\0steno/tlog-rec-session/%d" % number)
    taken[-1].listen()
print("taken", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", squat, str(last + 1)]
    squatter = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == b"taken\n"
        words = ("-c", "cat /proc/self/sessionid; echo; echo recorded")
        ran = programs.run(STAND_IN, SESSION, *words, more=NEW_AUDIT_SESSION)
        assert last < int(ran.stdout.split()[0]) <= last + 500
    finally:
        squatter.kill()
        squatter.wait()
    assert b"recorded" in Recorded(path).output()


def test_the_recorded_person_cannot_switch_it_off(programs: Programs, tmp_path: Path) -> None:
    """Variables that configure tlog's login shell from the person's environment do nothing."""
    environ = {"TLOG_REC_SESSION_CONF_TEXT": '{"log": {"output": false, "window": false}}'}
    kept = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        keep_in_file(programs, path)
        assert programs.run(kind, SESSION, "-c", "echo secret", environ=environ).returncode == 0
        kept[kind] = Recorded(path).output() if path.exists() else b""
    assert kept == {STAND_IN: b"secret\n", TLOG: b""}


def test_sssds_shell_must_be_listed(programs: Programs, tmp_path: Path) -> None:
    """Who has nologin, by SSSD, does not log in, nor gets another shell."""
    keep_in_file(programs, tmp_path / "x.log")
    for shell, status in (("/bin/dash", 0), ("/bin/cat", 1), ("/usr/sbin/nologin", 1)):
        environ = {"TLOG_REC_SESSION_SHELL": shell}
        ran = programs.run(STAND_IN, SESSION, "-c", "readlink /proc/$$/exe", environ=environ)
        assert ran.returncode == status, ran
        assert (ran.stdout.strip().endswith(b"dash"), not ran.stderr) == (not status, not status)


SLOWLY = """
import os, time
for number in range(500):
    os.write(1, b"%d " % (time.monotonic_ns() // 1000))
    time.sleep(0.0015)
"""


def lose_us(recorded: Recorded) -> int:
    """Return by how much messages are shorter than the times that the program wrote in them.

    The middle one of several counts at each end: a machine that stands still while the program or
    its recorder has one in hand makes that one late.
    """
    lost_us = 0
    # Numbers that two messages share are shorter.
    whole = re.compile(rb"\d{%d} " % max(map(len, recorded.output().split())))
    for message in recorded.messages:
        pieces = [piece for piece in message.pieces if isinstance(piece, Output)]
        times = [(p.at_us, int(p.data)) for p in pieces if whole.fullmatch(p.data)]
        if times:
            ahead_us = [true - at for at, true in times]
            count = min(15, len(ahead_us))
            lost_us += round(median(ahead_us[-count:]) - median(ahead_us[:count]))
    return lost_us


def test_times_add_up(programs: Programs, tmp_path: Path) -> None:
    """Delays of a millisecond and a half add up within a message: nothing plays too fast."""
    lost = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        command = [sys.executable, "-c", SLOWLY]
        words = ["--latency=1", "--payload=4000", "-o", str(path), *command]
        driven = Driven(programs.command(kind, "tlog-rec", *words))
        try:
            assert driven.finish(60) == 0
        finally:
            driven.close()
        assert Recorded(path).output().count(b" ") == 500
        lost[kind] = lose_us(Recorded(path))
    assert lost[STAND_IN] < lost[TLOG] / 2, lost


def test_a_place_that_nobody_serves_is_no_recording(programs: Programs) -> None:
    """Without a journal or syslog daemon the command does not run unrecorded: one line says why."""
    for writer in ("journal", "syslog"):
        words = ("-w", writer, "sh", "-c", "echo ran > /run/ran; cat /run/ran")
        more = OWN_DEV if writer == "syslog" else ""
        ran = programs.run(STAND_IN, "tlog-rec", *words, more=more)
        assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (1, b"", 1), ran
        if writer == "journal":
            assert programs.run(TLOG, "tlog-rec", *words).stdout == b"ran\n"


def test_playing_goes_on_where_standard_input_is_at_its_end(
    programs: Programs, tmp_path: Path
) -> None:
    """`tlog-play </dev/null` plays; `--version` and `--configuration` say nothing else."""
    path = tmp_path / "x.log"
    programs.run(STAND_IN, "tlog-rec", "-o", str(path), "echo", "played")
    assert programs.run(STAND_IN, "tlog-play", "-i", str(path)).stdout == b"played\n"
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(TLOG, "tlog-play", "-i", str(path), timeout_s=1)
    assert json.loads(programs.run(STAND_IN, "tlog-play", "--configuration").stdout)["args"] == []
    assert b"\x1b" in programs.run(TLOG, "tlog-play", "--configuration").stdout


@pytest.mark.skipif(
    shutil.which("localedef") is None or not Path("/usr/share/i18n/charmaps").exists(),
    reason="Debian package locales is missing",
)
def test_other_charsets_are_recorded(programs: Programs, tmp_path: Path) -> None:
    """Where the locale speaks Latin-1, its letters are letters in the message, not bytes."""
    path = tmp_path / "x.log"
    make = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", f"{tmp_path}/de_DE.ISO-8859-1"]
    subprocess.run(make, check=True, capture_output=True)
    environ = {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.ISO-8859-1"}
    words = ["-o", str(path), "printf", r"gr\374n"]
    ran = programs.run(STAND_IN, "tlog-rec", *words, environ=environ)
    assert (ran.returncode, ran.stdout) == (0, b"gr\xfcn")
    assert '"out_txt":"gr\u00fcn","out_bin":[]' in path.read_text()
    assert programs.run(TLOG, "tlog-rec", *words, environ=environ).returncode == 1
