"""What an administrator does to sessions from outside."""

from __future__ import annotations

import signal
import subprocess

from agent_host import LONG_S, AgentHost
from driven import STENO


def run(host: AgentHost, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `steno agent` beside the agent."""
    command = [*STENO, "agent", *words, "--config", str(host.configuration)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)


def test_a_message_reaches_the_person_and_the_recording(common_host: AgentHost) -> None:
    """An administrator's line is shown at once, without harm to the terminal, and noted."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "echo here; read x")
    session.expect(b"here")
    (live,) = host.sessions()
    text = "The host goes down \x1b[2J at noon"
    assert host.ask("message", rec=live["rec"], text=text, by="anna") == {"ok": True}
    session.expect(b"*** anna: The host goes down  [2J at noon")
    session.send(b"\n")
    session.finish()
    (recorded,) = host.recordings()
    (note,) = recorded.notes("message")
    assert note.facts == {"text": "The host goes down  [2J at noon", "by": "anna"}
    assert b"The host goes down" in recorded.output()


def test_a_session_is_ended_from_outside(common_host: AgentHost) -> None:
    """`kill` hangs the session up, and kills a shell that does not mind; the recording tells."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "trap '' HUP; echo here; while :; do sleep 1; done")
    session.expect(b"here")
    (live,) = host.sessions()
    assert host.ask("kill", rec=live["rec"], by="anna") == {"ok": True}
    session.expect(b"ended by anna")
    assert session.finish() == -signal.SIGKILL
    (recorded,) = host.recordings()
    assert recorded.notes("kill")[0].facts == {"by": "anna"}
    assert recorded.end.reason == "hangup"


def test_sessions_are_reached_by_command(common_host: AgentHost) -> None:
    """`steno agent message` and `kill` take the beginning of an id, and say whom they reached."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "echo here; read x")
    session.expect(b"here")
    rec = host.sessions()[0]["rec"]
    told = run(host, "message", rec[:-20], "tea is ready")
    assert told.stdout.startswith(f"shown to {rec} (")
    session.expect(b": tea is ready")
    assert run(host, "kill", "none").returncode == 5
    assert run(host, "kill", rec[:-20]).stdout.startswith(f"ended {rec} (")
    assert session.finish() != 0
    (recorded,) = host.recordings()
    assert recorded.notes("kill")[0].facts["by"] == recorded.notes("message")[0].facts["by"]


def test_a_hang_up_alone_kills_nobody(common_host: AgentHost) -> None:
    """A program that ignores the hang-up lives on when the person's terminal has vanished."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "trap '' HUP; echo here; sleep 6; exit 9")
    session.expect(b"here")
    session.hang_up()
    host.recordings()
    assert session.process.wait(LONG_S) == 9
