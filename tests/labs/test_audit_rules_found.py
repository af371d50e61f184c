"""What the rules of the level session are for: each finds it, in a real kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_host import AuditHost, KernelAudit, Session
from click.testing import CliRunner
from waiting import wait_for

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.audit.rules.sets import rule_set
from steno.cli import group
from steno.server.alert_rules import parse_rules
from steno.server.alert_watch import read_own_rules

pytestmark = pytest.mark.lab

UID = 1501

# What is written to is only opened, and what is asked of the kernel is refused: nothing is changed
# but files of the test's own.
DEEDS = """
import ctypes, os, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for path in ("/etc/passwd", "/etc/sudoers", "/etc/audit/auditd.conf"):
    if os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
directory, log = sys.argv[1:3]
os.mkdir(directory)
with open(directory + "/authorized_keys", "w") as file:
    file.write("nothing")
os.unlink(directory + "/authorized_keys")
os.rmdir(directory)
with open(log, "w") as file:
    file.write("nothing")
os.unlink(log)
sleeper = subprocess.Popen(["sleep", "60"])
libc.ptrace(16, sleeper.pid, None, None)
os.waitpid(sleeper.pid, 0x40000000)
libc.ptrace(17, sleeper.pid, None, None)
sleeper.kill()
sleeper.wait()
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family) as one:
        one.connect_ex((address, 9))
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as one:
        server.accept()[0].close()
libc.syscall(313, -1, b"", 0)
libc.mount(None, b"/nonexistent", None, 0, None)
libc.syscall(227, 99, None)
libc.syscall(321, 5, None, 0)
child = os.fork()
if not child:
    os.setuid(int(sys.argv[3]))
    try:
        open("/etc/shadow")
    except PermissionError:
        os._exit(0)
    os._exit(1)
os.waitpid(child, 0)
subprocess.run(["true"])
"""


@pytest.fixture(scope="module")
def events(
    kernel_audit: KernelAudit, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Event]]:
    """What auditd logged of a login in which all of that was done."""
    if os.uname().machine != "x86_64":
        pytest.skip("the test names system calls by their numbers on x86_64")
    directory = tmp_path_factory.mktemp("audit")
    unique = f"steno-test-{os.getpid()}"
    with AuditHost(kernel_audit, directory) as host:
        checked = CliRunner().invoke(group, ["audit", "rules", "check"], standalone_mode=False)
        assert checked.return_value == 0, checked.output
        names = (f"/root/{unique}", f"/var/log/{unique}.log", str(UID))
        session = Session(UID, sys.executable, "-c", DEEDS, *names)
        printed = session.finish()
        assert session.process.returncode == 0, printed
        log = directory / "log/audit.log"

        def read() -> list[Event]:
            reader = EventReader()
            found = reader.feed(log.read_bytes()) + reader.finish()
            return [event for event in found if event.audit_session == session.number]

        def is_over() -> bool:
            return any("true" in (event.process.arguments or []) for event in read())

        wait_for(is_over, host.explain("auditd logged nothing"))
        yield read()


def test_every_key_has_its_event(events: list[Event]) -> None:
    """No rule of the level is in vain."""
    wanted = {rule.key for rule in rule_set("session", "x86_64").rules}
    if not Path("/etc/audit/auditd.conf").exists():
        wanted.discard("steno-self")
    if not Path("/etc/sudoers").exists():
        wanted.discard("steno-priv")
    assert {key for event in events for key in event.keys} >= wanted


@pytest.mark.parametrize(
    ("key", "action", "text"),
    [
        ("steno-identity", "wrote", "/etc/passwd"),
        ("steno-exec", "ran", "sleep 60"),
        ("steno-exit", "ended", ""),
        ("steno-kill", "signalled", ""),
        ("steno-file", "created", "authorized_keys"),
        ("steno-file", "deleted", "/var/log/steno-test-"),
        ("steno-net", "connected to", "127.0.0.1:9"),
        ("steno-net", "connected to", "[::1]:9"),
        ("steno-net", "accepted from", "127.0.0.1"),
        ("steno-denied", "read", "/etc/shadow"),
        ("steno-inject", "traced", ""),
        ("steno-kernel", "loaded module", ""),
        ("steno-kernel", "used BPF", ""),
        ("steno-ns", "mounted", ""),
        ("steno-time", "set clock", ""),
    ],
)
def test_what_was_done_is_found(events: list[Event], key: str, action: str, text: str) -> None:
    """With its key, in plain words."""
    found = [event for event in events if key in event.keys and event.action == action]
    assert any(text in event.text for event in found), [event.text for event in found]


def test_stenos_own_alert_rules_notice_it(events: list[Event]) -> None:
    """What was refused or only tried raises less than what was done."""
    rules = parse_rules(read_own_rules(), "alerts.toml", datetime.now(UTC))
    found = {rule.text.name for rule in rules for event in events if rule.finds_event(event)}
    assert found >= {
        "authorized-keys-written", "log-deleted", "process-traced", "shadow-refused",
    }  # fmt: skip
    assert not found & {"kernel-module", "clock-set", "audit-rules-changed", "reverse-shell"}
