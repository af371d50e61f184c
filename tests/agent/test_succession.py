"""What happens to sessions while no agent runs, and what the next one makes of it."""

from __future__ import annotations

import signal
import struct
import sys
import tempfile
import termios
from pathlib import Path

from driven import Recorded
from kept_host import KeptHost
from shell_builds import Build, build_shell
from waiting import wait_for

from steno.agent.ring_layout import MAGIC, VERSION
from steno.delivery.recovery import recover
from steno.delivery.spool import Spool
from steno.integrity.chain import verify_lines

_SUDO = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def first():
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
status = subprocess.call(sys.argv[1:], process_group=0, preexec_fn=first)
os.tcsetpgrp(0, os.getpgrp())
sys.exit(status)
"""
"""Gives the program a process group of its own and the foreground, as sudo does."""
_WAITING = "echo begun; until [ -e {go} ]; do sleep 0.1; done; echo last words; exit 7"


def _finished(kept_host: KeptHost) -> Recorded:
    wait_for(kept_host.recordings, "the recording")
    [path] = kept_host.recordings()
    return Recorded(path)


def test_a_shell_may_end_while_there_is_no_agent(kept_host: KeptHost) -> None:
    """The person sees what was printed last, and the recording says how the shell ended."""
    go = kept_host.log.with_name("go")
    session = kept_host.start("-c", _WAITING.format(go=go))
    session.expect(b"begun")
    with kept_host.without_agent():
        go.touch()
        wait_for(lambda: not kept_host.children_of(session), "the shell's end")
    session.expect(b"last words\r\n")
    assert session.finish() == 7
    recorded = _finished(kept_host)
    assert recorded.output() == bytes(session.seen)
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 7)
    assert termios.tcgetattr(session.slave) == session.before
    assert len(recorded.notes("restart")) == 1
    session.close()


def test_an_agent_that_comes_too_late_leaves_the_terminal_alone(tmp_path: Path) -> None:
    """Who waited for it has given the terminal back; what was not shown then is recorded only."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        hasty = build_shell(Path(directory), STENO_RESTORED_MS=500)
        with KeptHost(tmp_path, hasty) as kept_host:
            _come_too_late(kept_host)


def _come_too_late(kept_host: KeptHost) -> None:
    go = kept_host.log.with_name("go")
    session = kept_host.start("-c", _WAITING.format(go=go))
    session.expect(b"begun\r\n")
    with kept_host.without_agent():
        go.touch()
        assert session.process.wait(60) == 7
    recorded = _finished(kept_host)
    session.finish()
    assert recorded.output() == bytes(session.seen) + b"last words\r\n"
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 7)
    assert termios.tcgetattr(session.slave) == session.before
    session.close()


def test_nobody_closes_a_recording_whose_session_is_kept(kept_host: KeptHost) -> None:
    """A delivery that recovers the spool meanwhile leaves the file alone."""
    session = kept_host.start("-c", "echo begun; read word; exit 3")
    session.expect(b"begun")
    with kept_host.without_agent():
        assert recover(Spool(kept_host.spool)) == []
        assert kept_host.recordings() == []
    session.send(b"x\r")
    assert session.finish() == 3
    assert recorded_whole(_finished(kept_host))
    session.close()


def recorded_whole(recorded: Recorded) -> bool:
    """Return whether the recording ended as it should, with one restart in it."""
    return recorded.end.reason in ("exit", "unknown") and len(recorded.notes("restart")) == 1


def test_a_person_may_hang_up_while_there_is_no_agent(kept_host: KeptHost) -> None:
    """The shell is told by the next agent, and the recording says so."""
    session = kept_host.start("-c", "trap 'exit 5' HUP; echo begun; while :; do sleep 0.1; done")
    session.expect(b"begun")
    with kept_host.without_agent():
        session.hang_up()
    assert session.process.wait(60) in (5, -signal.SIGHUP)
    assert _finished(kept_host).end.reason == "hangup"


def test_an_agent_that_is_told_to_end_leaves_its_sessions(kept_host: KeptHost) -> None:
    """A restart or an upgrade goes on with the same recording, as a crash does."""
    session = kept_host.start("-c", "echo one; read word; echo two $word; exit 3")
    session.expect(b"one\r\n")
    kept_host.kill(signal.SIGTERM)
    session.send(b"x\r")
    session.expect(b"two x\r\n")
    assert session.finish() == 3
    recorded = _finished(kept_host)
    assert recorded.output() == bytes(session.seen)
    assert recorded_whole(recorded)
    session.close()


def test_window_sizes_of_the_time_without_an_agent_are_noticed(kept_host: KeptHost) -> None:
    """The shell learns the size that the terminal has when the next agent comes."""
    session = kept_host.start("-c", "echo begun; read word; stty size; exit 3")
    session.expect(b"begun")
    with kept_host.without_agent():
        session.resize(101, 33)
    session.send(b"x\r")
    session.expect(b"33 101\r\n")
    assert session.finish() == 3
    assert _finished(kept_host).windows() == [(80, 24), (101, 33)]
    session.close()


def test_a_session_with_a_parent_goes_on(kept_host: KeptHost, checked_shell: Build) -> None:
    """Where steno-shell stays as the shell's parent, both still find the next agent."""
    script = "echo begun; read word; echo after $word; kill -STOP $$; exit 9"
    session = kept_host.run(sys.executable, "-c", _SUDO, checked_shell.name, "-c", script)
    session.expect(b"begun")
    kept_host.kill()
    session.send(b"x\r")
    session.expect(b"after x\r\n")
    session.close()
    recorded = _finished(kept_host)
    assert b"after x\r\n" in recorded.output()
    assert len(recorded.notes("restart")) == 1


def test_a_parent_passes_the_status_on_after_a_restart(
    kept_host: KeptHost, checked_shell: Build
) -> None:
    """The exit status reaches who called, and the recording, through the next agent."""
    session = kept_host.run(
        sys.executable, "-c", _SUDO, checked_shell.name, "-c", "echo begun; read word; exit 9"
    )
    session.expect(b"begun")
    kept_host.kill()
    session.send(b"x\r")
    assert session.finish() == 9
    recorded = _finished(kept_host)
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 9)
    assert termios.tcgetattr(session.slave) == session.before
    session.close()


def test_a_session_of_a_newer_version_waits_for_it(kept_host: KeptHost) -> None:
    """An older agent says so in one line, and leaves the session as it is."""
    session = kept_host.start("-c", "echo begun; read word; exit 3")
    session.expect(b"begun")
    with kept_host.without_agent():
        kept_host.write_ring(0, struct.pack("=Q", MAGIC | VERSION + 1))
    said = kept_host.log.read_text()
    assert "its ring has version 2, and this agent knows 1" in said
    assert session.process.poll() is None
    with kept_host.without_agent():
        kept_host.write_ring(0, struct.pack("=Q", MAGIC | VERSION))
    session.send(b"x\r")
    assert session.finish() == 3
    assert recorded_whole(_finished(kept_host))
    session.close()


def test_a_full_spool_and_a_kill_leave_the_chain_whole(
    tmp_path: Path, checked_shell: Build
) -> None:
    """Lines that waited for room are there when there is some again; the rest is counted."""
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    limits = spool / "limits.toml"
    limits.write_text("total_bytes = 1048576\nfree_bytes = 0\n")
    with KeptHost(tmp_path, checked_shell) as kept_host:
        session = kept_host.start("-c", "seq 300000; read word; echo then $word; exit 3")
        session.expect(b"\r\n300000\r\n", timeout_s=60)
        kept_host.kill()
        limits.write_text("free_bytes = 0\n")
        kept_host.kill()
        session.send(b"x\r")
        session.expect(b"then x\r\n")
        assert session.finish() == 3
        recorded = _finished(kept_host)
        path = kept_host.recordings()[0]
    shown, kept = bytes(session.seen), recorded.output()
    dropped = [note.facts["output_bytes"] for note in recorded.notes("drop")]
    assert len(kept) + sum(dropped) == len(shown) == recorded.end.output_bytes
    assert shown.startswith(kept[: 1 << 19])
    assert shown.endswith(b"then x\r\n")
    assert kept.endswith(b"then x\r\n")
    assert len(recorded.notes("restart")) == 2
    assert verify_lines(path.read_bytes().splitlines(keepends=True)).state == "complete"
    session.close()


def test_sessions_that_are_not_spooled_go_on_too(tmp_path: Path, checked_shell: Build) -> None:
    """Where lines go to a file only, it gets each of them once."""
    path = tmp_path / "recording.log"
    with KeptHost(tmp_path, checked_shell, to=f"file:{path}") as kept_host:
        session = kept_host.start("-c", "seq 2000; read word; echo two $word; read word; exit 3")
        session.expect(b"\r\n2000\r\n")
        kept_host.kill()
        session.send(b"x\r")
        session.expect(b"two x\r\n")
        kept_host.kill(signal.SIGTERM)
        session.send(b"x\r")
        assert session.finish() == 3
        # In a line that is there as a whole.
        wait_for(lambda: b'"end":{' in path.read_bytes().rpartition(b"\n")[0], "the end")
    recorded = Recorded(path)
    assert recorded.output() == bytes(session.seen)
    assert len(recorded.notes("restart")) == 2
    assert verify_lines(path.read_bytes().splitlines(keepends=True)).state == "complete"
    session.close()


def test_damaged_memory_ends_nothing(kept_host: KeptHost) -> None:
    """A session whose memory is nonsense is left alone; others go on."""
    broken = kept_host.start("-c", "echo begun; read word; exit 3")
    broken.expect(b"begun")
    with kept_host.without_agent():
        kept_host.write_ring(16, b"\xff" * 8)
    session = kept_host.start("-c", "echo begun; exit 4")
    assert session.finish() == 4
    assert "damaged" in kept_host.log.read_text()
    broken.close()
    session.close()
