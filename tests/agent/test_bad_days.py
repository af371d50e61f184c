"""Days on which something is missing or broken: what runs goes on, and the rest is told."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from agent_host import LONG_S, AgentHost
from stuck_files import stuck_caller
from waiting import wait_for

from steno.agent.handshake import Request, encode_request

REQUEST = encode_request(Request(b"-steno-shell"))
CAPTURING = '[defaults]\ncommands = "capture"\n'


def test_who_says_nothing_holds_nobody_up(host: AgentHost) -> None:
    """Connections without a word are closed after a while; others come in meanwhile."""
    host.start("[limits]\nstarting = 32\n")
    silent = [host.caller() for _ in range(20)]
    host.assert_works()
    for caller in silent:
        assert caller.answer() == (None, [])
        caller.close()


@pytest.mark.parametrize("place", ["files", "/dev/shm"])
@pytest.mark.parametrize("packet", [REQUEST, b"nonsense"], ids=["request", "nonsense"])
@pytest.mark.parametrize("policy", ["", CAPTURING], ids=["noted", "captured"])
def test_a_file_that_nobody_serves_holds_nobody_up(
    host: AgentHost, place: str, packet: bytes, policy: str
) -> None:
    """Files whose server does not answer, whatever they are called, hold up nobody else."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("only root may mount a file system, and there must be FUSE")
    host.start(policy=policy)
    directory = host.directory / place
    directory.mkdir(exist_ok=True)
    host.assert_works()
    wait_for(lambda: not host.sessions(), "a session stays")
    before = host.descriptors()
    with stuck_caller(directory, host.build.socket, packet):
        wait_for(lambda: host.ask("status")["starting"] == 1, "the agent has got no file")
        for _ in range(3):
            host.assert_works()
        # Those that have begun may count for a moment more.
        wait_for(lambda: host.ask("status")["starting"] < 2, "they count for ever")
        assert host.ask("status")["starting"] == 1
    wait_for(lambda: host.descriptors() <= before, "descriptors leak")
    wait_for(lambda: host.ask("status")["starting"] == 0, "it still waits")
    host.assert_works()


def test_without_descriptors_sessions_wait_or_are_refused(host: AgentHost) -> None:
    """When the agent has no descriptors left, what runs goes on, and later all is well."""
    host.start()
    assert host.process is not None
    first = host.shell("-steno-shell", "-c", "read x; echo got $x")
    wait_for(host.sessions, "no session")
    used = host.descriptors()
    soft, hard = resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
    refused = host.shell("-steno-shell", "-c", "echo begun")
    assert refused.finish(LONG_S) != 0
    assert b"begun" not in bytes(refused.seen)
    assert b"steno" in bytes(refused.seen) or b"recorded" in bytes(refused.seen)
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    first.send(b"it\n")
    first.expect(b"got it")
    assert first.finish() == 0
    host.assert_works()


def fill(host: AgentHost) -> None:
    """Leave no room in the spool."""
    with (host.spool / "ballast").open("wb") as file:
        file.truncate(1 << 40)


def empty(host: AgentHost) -> None:
    """Make room again."""
    (host.spool / "ballast").unlink()


@pytest.mark.parametrize(("on_failure", "begins"), [("deny", False), ("allow", True)])
def test_a_full_spool_follows_the_policy(host: AgentHost, on_failure: str, begins: bool) -> None:
    """With no room, new sessions are refused or begin unrecorded, as the policy says, and told."""
    host.start(policy=f'[defaults]\non_failure = "{on_failure}"\n')
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] > 1 << 30, "not counted")
    session = host.shell("-steno-shell", "-c", "echo begun")
    assert (session.finish() == 0) is begins
    assert (b"begun" in bytes(session.seen)) is begins
    assert b"recorded: spool" in bytes(session.seen)
    assert host.ask("status")["failures"] == 1
    empty(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] < 1 << 30, "not counted")
    host.assert_works()


def test_root_at_a_console_gets_in(host: AgentHost) -> None:
    """With no room and `deny`, root's login at a console begins, unrecorded and told so."""
    login_uid = Path("/proc/self/loginuid")
    if os.geteuid() != 0 or (login_uid.exists() and int(login_uid.read_text()) + 1 < 1 << 32):
        pytest.skip("only a root whom nobody has logged in as can play the system's login")
    host.start(policy='[defaults]\non_failure = "deny"\n')
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] > 1 << 30, "not counted")
    login = host.directory / "login"
    shutil.copy("/bin/sh", login)
    script = f"{host.build.name} -c 'echo begun'; exit $?"
    session = host.shell(str(login), "-c", script, executable=str(login))
    assert session.finish() == 0
    assert b"not recorded: spool" in bytes(session.seen)
    assert b"begun" in bytes(session.seen)


def test_a_spool_that_fills_drops_and_tells(host: AgentHost) -> None:
    """A session goes on when the spool fills; its recording says what is missing, and is whole."""
    host.start()
    # Without an echo, which could be written, and find the spool full, before the answer comes.
    script = "stty -echo; while read x; do echo got $x; done"
    session = host.shell("-steno-shell", "-c", script)
    session.send(b"one\n")
    session.expect(b"got one")
    wait_for(lambda: b"got one" in next(host.spool.glob("*.open")).read_bytes(), "not written")
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] > 1 << 30, "not counted")
    session.send(b"two\n")
    session.expect(b"got two")
    assert host.ask("status")["spool"]["is_full"]

    def has_dropped() -> bool:
        session.send(b"more\n")
        session.expect(b"got more")
        return bool(host.ask("status")["dropped_bytes"])

    wait_for(has_dropped, "nothing is dropped")
    empty(host)
    path = next(host.spool.glob("*.open"))
    wait_for(lambda: b'"kind":"drop"' in path.read_bytes(), "it stays full")
    session.send(b"last\n")
    session.expect(b"got last")
    session.send(b"\x04")
    session.finish()
    (recorded,) = host.recordings()
    assert b"got one" in recorded.output()
    assert b"got two" in recorded.output()
    assert b"got last" in recorded.output()
    dropped = sum(note.facts["output_bytes"] for note in recorded.notes("drop"))
    assert dropped + len(recorded.output()) == recorded.end.output_bytes
    assert dropped > 0


def test_a_session_that_ends_in_a_full_spool_tells(host: AgentHost) -> None:
    """What the full spool cost a recording stands in it, also when room never comes."""
    host.start()
    session = host.shell("-steno-shell", "-c", "while read x; do echo got $x; done")
    session.send(b"one\n")
    session.expect(b"got one")
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["is_full"], "not counted")

    def has_dropped() -> bool:
        session.send(b"more\n")
        session.expect(b"got more")
        return bool(host.ask("status")["dropped_bytes"])

    wait_for(has_dropped, "nothing is dropped")
    session.send(b"\x04")
    session.finish()
    (recorded,) = host.recordings()
    assert recorded.end.reason == "exit"
    dropped = sum(note.facts["output_bytes"] for note in recorded.notes("drop"))
    assert dropped + len(recorded.output()) == recorded.end.output_bytes
    assert dropped > 0


def test_no_pseudo_terminals_left(host: AgentHost) -> None:
    """Where the system has no terminals left, a session is refused with that reason."""
    if os.geteuid() != 0:
        pytest.skip("only root can give an agent a devpts of its own")
    # Its own devpts with room for one; the sessions' own terminals are the system's.
    mount = "mount -t devpts -o newinstance,ptmxmode=666,max=1 none /dev/pts"
    script = f'{mount} && mount --bind /dev/pts/ptmx /dev/ptmx && exec "$@"'
    host.start(prefix=("unshare", "-m", "sh", "-c", script, "sh"))
    first = host.shell("-steno-shell", "-c", "echo first; read x")
    first.expect(b"first")
    session = host.shell("-steno-shell", "-c", "echo begun")
    assert session.finish() != 0
    assert b"cannot be recorded: no pseudo-terminal" in bytes(session.seen)
    assert b"begun" not in bytes(session.seen)
    first.send(b"\n")
    assert first.finish() == 0
    host.assert_works()


def as_stranger(host: AgentHost, *arguments: str) -> tuple[str, ...]:
    """Return a command that asks for a session as a user whom this system does not know."""
    if os.geteuid() != 0:
        pytest.skip("only root can become a user that does not exist")
    host.directory.chmod(0o755)
    host.build.program.parent.chmod(0o755)
    become = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
    return (*become, host.build.name, *arguments)


def test_who_has_no_account_is_refused(host: AgentHost) -> None:
    """A user id without an account gets no session, and is told why."""
    host.start()
    session = host.shell(*as_stranger(host, "-c", "echo begun"), executable=None)
    assert session.finish() != 0
    assert b"there is no such account" in bytes(session.seen)


def may_set_login_uid() -> bool:
    """Return whether a process may say here who has logged in."""
    words = ("sh", "-c", "echo 1 >/proc/self/loginuid")
    return subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize(("uid", "name"), [(1, "daemon"), (3_999_999, "3999999")])
def test_who_logged_in_is_named(host: AgentHost, uid: int, name: str) -> None:
    """Who logged in and became another user is named; by number, where there is no such account."""
    if not may_set_login_uid():
        pytest.skip("no audit in this kernel, or not for this process")
    host.start()
    script = f"echo {uid} >/proc/self/loginuid; exec {host.build.name} -c 'echo in'"
    session = host.shell("sh", "-c", script, executable="/bin/sh")
    assert session.finish() == 0
    (recorded,) = host.recordings()
    assert (recorded.start.user, recorded.start.login_user) == ("root", name)
    assert recorded.start.login_uid == uid


def test_an_account_may_be_renamed_or_deleted_meanwhile(host: AgentHost) -> None:
    """A session goes on when its user is renamed or deleted; new ones go by the new name."""
    command = as_stranger(host, "-c", "read x; echo got $x")
    accounts = host.directory / "passwd"
    known = Path("/etc/passwd").read_text()
    entry = f"{{}}:x:54321:54321::{host.directory}:/bin/sh\n"
    accounts.write_text(known + entry.format("ann"))
    prefix = (
        "unshare",
        "-m",
        "sh",
        "-c",
        f'mount --bind {accounts} /etc/passwd && exec "$@"',
        "sh",
    )
    host.start(prefix=prefix)
    first = host.shell(*command, executable=None)
    wait_for(host.sessions, "no session")
    accounts.write_text(known + entry.format("anna"))
    assert host.ask("reload")["ok"]  # accounts are asked for anew
    second = host.shell(*command, executable=None)
    wait_for(lambda: len(host.sessions()) == 2, "no second session")
    accounts.write_text(known)
    for session in (first, second):
        session.send(b"it\n")
        session.expect(b"got it")
        assert session.finish() == 0
    assert [one.start.user for one in host.recordings(2)] == ["ann", "anna"]


def is_in_spool(host: AgentHost, text: bytes) -> bool:
    """Return whether a recording that is being written holds this already."""
    return any(text in path.read_bytes() for path in host.spool.glob("*.open"))


JUMPY = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The time of day jumps by days, forth and back, with every look; other clocks do not. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int looks;
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += ++looks % 2 ? 86400 : -86400;
    return result;
}
"""


def test_the_time_of_day_may_jump(host: AgentHost) -> None:
    """Instants in a recording go by a clock that does not jump with the time of day."""
    source, library = host.directory / "jumpy.c", host.directory / "jumpy.so"
    source.write_text(JUMPY)
    build = ["cc", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(build, check=True, timeout=LONG_S)
    host.start(prefix=("env", f"LD_PRELOAD={library}"))
    session = host.shell("-steno-shell", "-c", "for n in 1 2 3; do echo $n; read x; done")
    for number in range(1, 4):
        line = b"%d\\r\\n" % number
        session.expect(b"%d\r" % number)
        wait_for(partial(is_in_spool, host, line), "not written")
        session.send(b"\n")
    session.finish()
    (recorded,) = host.recordings()
    instants = [piece.at_us for message in recorded.messages for piece in message.pieces]
    assert instants == sorted(instants)
    assert instants[-1] < 3600 * 1e6, "less than the steps of a day"
    started_ms = recorded.start.started_unix_us // 1000
    for message in recorded.messages:
        assert message.time_ms is not None
        assert message.time_ms - message.pos_ms == started_ms


def test_a_spool_that_is_gone_is_told(host: AgentHost) -> None:
    """Without its spool the agent refuses sessions with the reason, and recovers by itself."""
    host.start()
    host.assert_works()
    host.recordings()
    away = host.directory / "away"
    host.spool.rename(away)
    session = host.shell("-steno-shell", "-c", "echo begun")
    assert session.finish() != 0
    assert b"cannot be recorded: spool" in bytes(session.seen)
    assert b"No such file or directory" in bytes(session.seen)
    away.rename(host.spool)
    host.assert_works()


def test_one_user_cannot_keep_others_out(host: AgentHost) -> None:
    """Half of the places for sessions that begin is the most that a user's silence takes."""
    host.start("[limits]\nstarting = 8\n")
    if os.geteuid() != 0:
        pytest.skip("only root can be another user too")
    host.build.program.parent.chmod(0o755)

    def look() -> int | None:
        begun_s = time.monotonic()
        with silent_crowd(host):
            host.assert_works()
            wait_for(lambda: not host.sessions(), "a session stays")
            # Who has begun may count for a moment more.
            starting = min(int(host.ask("status")["starting"]) for _ in range(10))
        # The silent are dropped after five seconds: what was seen later says nothing.
        return starting if time.monotonic() - begun_s < 5 else None

    assert wait_for(look, "never seen in time") == 4


@contextlib.contextmanager
def silent_crowd(host: AgentHost) -> Iterator[None]:
    """Have a user connect sixty times and say nothing."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        with contextlib.suppress(Exception):
            os.setuid(54321)
            crowd = [host.caller() for _ in range(60)]
            theirs.send(b"%d" % len(crowd))
            ours.close()
            theirs.recv(1)
        os._exit(0)
    theirs.close()
    try:
        assert ours.recv(10) == b"60"
        yield
    finally:
        ours.close()
        os.waitpid(child, 0)


def test_too_many_sessions_are_refused(host: AgentHost) -> None:
    """Beyond the limit sessions are refused with the number; when one ends, there is room."""
    host.start("[limits]\nsessions = 2\n")
    first = [host.shell("-steno-shell", "-c", "read x") for _ in range(2)]
    wait_for(lambda: len(host.sessions()) == 2, "no sessions")
    refused = host.shell("-steno-shell", "-c", "echo begun")
    assert refused.finish() != 0
    assert b"2 sessions are being recorded" in bytes(refused.seen)
    first[0].send(b"\n")
    first[0].finish()
    wait_for(lambda: len(host.sessions()) == 1, "it stays")
    host.assert_works()


def test_the_hosts_limit_drops_and_tells(host: AgentHost) -> None:
    """Beyond what the whole host may record, bytes are shown, not recorded, and counted."""
    limits = 'rate_bytes = 1\nburst_bytes = 20000\naction = "drop"\n'
    host.start(f"[limits]\n{limits}")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 20000")
    session.finish(LONG_S)
    assert bytes(session.seen).endswith(b"19999\n20000\n")
    (recorded,) = host.recordings()
    dropped = sum(note.facts["output_bytes"] for note in recorded.notes("drop"))
    assert dropped + len(recorded.output()) == recorded.end.output_bytes
    assert 0 < len(recorded.output()) < 60_000


def test_the_hosts_limit_slows_down(host: AgentHost) -> None:
    """With `delay` nothing is lost: what exceeds the limit waits."""
    limits = 'rate_bytes = 60000\nburst_bytes = 20000\naction = "delay"\n'
    host.start(f"[limits]\n{limits}")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 20000")
    session.finish(LONG_S)
    (recorded,) = host.recordings()
    assert recorded.output().endswith(b"19999\n20000\n")
    assert recorded.notes("drop") == []
    assert recorded.messages[-1].pos_ms > 1000
    delays = recorded.notes("delay")
    assert sum(note.facts["held_us"] for note in delays) > 0
    assert 0 < sum(note.facts["output_bytes"] for note in delays) <= len(recorded.output())


@pytest.mark.parametrize("whose", ["host's", "session's"])
def test_a_limit_holds_output_no_longer_than_it_must(host: AgentHost, whose: str) -> None:
    """What `delay` holds goes on when the limit lets it, long before a message is due."""
    limit = {"rate_bytes": 60_000, "burst_bytes": 20_000, "action": '"delay"'}
    lines = [f"{key} = {value}" for key, value in limit.items()]
    defaults = "[defaults]\nlatency_ms = 600_000\n"
    if whose == "host's":
        host.start("\n".join(["[limits]", *lines]), policy=defaults)
    else:
        host.start(policy=f"{defaults}limit = {{ {', '.join(lines)} }}\n")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 10000")
    assert session.finish(LONG_S) == 0
    (recorded,) = host.recordings()
    assert recorded.output().endswith(b"9999\n10000\n")
    assert recorded.messages[-1].pos_ms < 600_000


@pytest.mark.slow
def test_what_waits_for_the_hosts_limit_at_the_end_is_recorded(host: AgentHost) -> None:
    """With `delay` nothing is lost at the end either, however long the limit holds it."""
    limits = 'rate_bytes = 400\nburst_bytes = 400\naction = "delay"\n'
    host.start(f"[limits]\n{limits}")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 1300")
    assert session.finish(LONG_S) == 0
    (recorded,) = host.recordings()
    assert recorded.output().endswith(b"1299\n1300\n")
    assert recorded.end.reason == "exit"


def test_other_destinations_get_the_same_lines(host: AgentHost) -> None:
    """A file beside the spool holds the same recording, line by line."""
    place = host.directory / "copy.log"
    host.start(f'to = ["spool", "file:{place}"]\n')
    session = host.shell("-steno-shell", "-c", "echo here")
    session.finish()
    host.recordings()
    (spooled,) = host.spool.glob("*.done")
    wait_for(lambda: place.read_bytes() == spooled.read_bytes(), "the copies differ")
