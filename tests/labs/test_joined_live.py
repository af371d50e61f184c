"""Real sessions on a kernel that audits them: each typed line meets what it ran, at its instant."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_host import AgentHost
from audit_host import AuditHost, KernelAudit
from driven import STENO, Driven, Recorded
from shell_builds import build_plain_shell
from waiting import wait_for

from steno.audit.session.recorded import RecordedCommand, RecordedCommands
from steno.cli.audited import join_messages
from steno.model import Output

pytestmark = pytest.mark.lab

UID = 1501
TICK_US = 11_000
BASH = "PS1='prompt> ' exec bash --norc --noprofile -i"
LOG_IN = f"echo {UID} > /proc/self/loginuid; "


@pytest.fixture(scope="module")
def audit(
    kernel_audit: KernelAudit, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AuditHost]:
    """This machine with auditd and the rules of the level session."""
    with AuditHost(kernel_audit, tmp_path_factory.mktemp("audit")) as host:
        yield host


class Person:
    """Types lines at a prompt, one after the other, and notes when."""

    def __init__(self, session: Driven) -> None:
        self._session = session
        self.lines: list[tuple[int, int, str]] = []
        """When each was typed and when the next prompt was there; the line."""
        session.expect(b"prompt> ", timeout_s=60)

    def type(self, line: str, *, ends: bool = False) -> None:
        """Type a line, not as soon as the prompt is there, and wait for the next prompt."""
        time.sleep(0.3)  # Nobody types within a screen's tenth of a second.
        typed_us = time.time_ns() // 1000
        self._session.send(line.encode() + b"\r")
        if ends:
            assert self._session.finish(60) == 0
        else:
            self._session.expect(b"prompt> ", timeout_s=60)
        self.lines.append((typed_us, time.time_ns() // 1000, line))


def work(person: Person, directory: Path) -> None:
    """Do some of everything."""
    script = directory / "deploy.sh"
    script.write_text("#!/bin/sh\n/bin/echo from-script\n/bin/cat /etc/hostname\n")
    script.chmod(0o755)
    person.type("/bin/echo mark-one")
    person.type("cd /")
    person.type("/bin/cat /etc/hostname | wc -c")
    person.type(str(script))
    person.type("/bin/sleep 0.3 & wait")
    person.type("touch /var/tmp/steno-joined && rm /var/tmp/steno-joined")
    person.type("sh -c 'kill -9 $$'")
    person.type("no-such-command-here")
    person.type("/bin/echo mark-last")
    person.type("exit 0", ends=True)


def join_live(audit: AuditHost, recording: Path) -> RecordedCommands:
    """Return the recording joined with auditd's log, as soon as that has the session's end."""
    messages = Recorded(recording).messages
    log = str(audit.directory / "log" / "audit.log")

    def look() -> RecordedCommands | None:
        found = join_messages(messages, log, None)
        shells = [one for one in found.items if one.kind == "shell"]
        return found if shells and shells[-1].ended == "exit" else None

    found = wait_for(look, "the end of the shell is not in the log")
    assert found is not None
    return found


def check(found: RecordedCommands, person: Person, recording: Path) -> None:
    """Hold what was joined to what was done."""
    recorded = Recorded(recording)
    started_us = recorded.start.started_unix_us
    typed = [one for one in found.items if one.typed is not None]
    # Of the last line a screen may not show enough to be sure that it was entered.
    expected = person.lines[: max(len(typed), len(person.lines) - 1)]
    assert [one.typed for one in typed] == [line for _, _, line in expected]
    shell = next(one for one in found.items if one.kind == "shell")
    below: dict[int | None, list[RecordedCommand]] = {}
    for one in found.items:
        below.setdefault(one.parent, []).append(one)
    for one, (typed_us, prompt_us, line) in zip(typed, expected, strict=True):
        assert one.parent == shell.number, line
        at_us = one.at_us + started_us
        assert typed_us - TICK_US <= at_us <= prompt_us, (line, at_us - typed_us)
        for child in below.get(one.number, []):
            assert typed_us - TICK_US <= child.at_us + started_us <= prompt_us, line
    by_line = {one.typed: one for one in typed}
    for line in ("/bin/echo mark-one", "/bin/echo mark-last"):
        one = by_line[line]
        assert (one.exit_status, one.origin, one.ended) == (0, "typed", "exit")
        before_us, after_us = pieces_around(recorded, line)
        assert before_us - TICK_US <= one.at_us <= after_us + 1000
    assert by_line["cd /"].serial is None
    pipe = below[by_line["/bin/cat /etc/hostname | wc -c"].number]
    assert [one.text for one in pipe] == ["/bin/cat /etc/hostname", "wc -c"]
    assert len({one.pipeline for one in pipe} - {None}) == 1
    script = next(one for one in typed if (one.typed or "").endswith("deploy.sh"))
    assert [(one.text, one.origin) for one in below[script.number]] == [
        ("/bin/echo from-script", "script"),
        ("/bin/cat /etc/hostname", "script"),
    ]
    assert by_line["/bin/sleep 0.3 & wait"].is_background
    assert by_line["touch /var/tmp/steno-joined && rm /var/tmp/steno-joined"].below.files_changed
    killed = by_line["sh -c 'kill -9 $$'"]
    assert (killed.ended, killed.signal) == ("signal", 9)
    assert by_line["no-such-command-here"].exit_status == 127
    assert (shell.exit_status, shell.ended) == (0, "exit")


def pieces_around(recorded: Recorded, line: str) -> tuple[int, int]:
    """Return the instants of the last output before a line's own, and of what it printed."""
    mark = line.split()[-1].encode()
    seen = b""
    before_us = 0
    for message in recorded.messages:
        for piece in message.pieces:
            if isinstance(piece, Output):
                seen += piece.data
                if seen.count(mark) > 1:  # First it was typed, and shown.
                    return before_us, piece.at_us
                if mark not in seen:
                    before_us = piece.at_us
    raise AssertionError(f"{line} printed nothing")


def test_a_recording_in_the_foreground(audit: AuditHost, tmp_path: Path) -> None:
    """`steno rec`: the shell is its child, on a terminal that nobody knew before."""
    recording = tmp_path / "session.log"
    words = shlex.join([*STENO, "rec", "--file", str(recording), "--", "bash", "-c", BASH])
    session = Driven(["/bin/sh", "-c", LOG_IN + "exec " + words])
    try:
        person = Person(session)
        work(person, tmp_path)
    finally:
        session.close()
    check(join_live(audit, recording), person, recording)


def test_a_recording_in_a_container(audit: AuditHost, tmp_path: Path) -> None:
    """In a process id namespace the recorder knows other ids than the kernel audits: none is told.

    The shell is found by its terminal all the same, and nothing else of the session with it.
    """
    recording = tmp_path / "session.log"
    words = shlex.join([*STENO, "rec", "--file", str(recording), "--", "bash", "-c", BASH])
    contained = "unshare --pid --fork --mount-proc --kill-child "
    session = Driven(["/bin/sh", "-c", LOG_IN + "/bin/date; exec " + contained + words])
    try:
        person = Person(session)
        work(person, tmp_path)
    finally:
        session.close()
    assert Recorded(recording).start.pid is None
    found = join_live(audit, recording)
    check(found, person, recording)
    assert [one.text for one in found.items if one.text.endswith("/date")] == []


def test_a_recording_of_the_agent(audit: AuditHost, tmp_path: Path) -> None:
    """The login shell becomes the person's shell, on a terminal inside; both are noted."""
    (tmp_path / "agent").mkdir()
    build = build_plain_shell(tmp_path / "build")
    host = AgentHost(tmp_path / "agent", build)
    try:
        host.start()
        words = f"exec -a -steno-shell {build.name} -c {shlex.quote(BASH)}"
        session = Driven(["/bin/bash", "-c", LOG_IN + words])
        try:
            person = Person(session)
            work(person, tmp_path)
        finally:
            session.close()
        (recorded,) = host.recordings()
        assert recorded.start.pid == session.process.pid
        assert recorded.start.inner_terminal not in (None, recorded.start.terminal)
        (recording,) = host.spool.glob("*.done")
        check(join_live(audit, recording), person, recording)
    finally:
        host.close()
