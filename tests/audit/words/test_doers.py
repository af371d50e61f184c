"""Processes and terminals, by what records say of them."""

from __future__ import annotations

import pytest
from audit_logs import read_events


@pytest.mark.parametrize(
    ("device", "terminal"),
    [
        (b"major=136 minor=2", "pts/2"),
        (b"major=4 minor=1", "tty1"),
        (b"major=4 minor=65", "ttyS1"),
        (b"major=5 minor=1", None),
        (b"major=136 minor=x", None),
    ],
)
def test_a_terminal_by_its_device(device: bytes, terminal: str | None) -> None:
    """TTY records name the device by its numbers: a pseudo-terminal, a console, a serial line."""
    data = b'type=TTY msg=audit(1.234:5): tty pid=1 uid=0 ses=3 %s comm="x" data=6C730D\n' % device
    (event,) = read_events(data)
    assert (event.process.terminal, event.typed) == (terminal, "ls\r")


def test_a_process_that_is_signalled_through_a_descriptor() -> None:
    """Which process it was, only another record tells: the argument is a descriptor."""
    call = b"type=SYSCALL msg=audit(1.234:5): arch=c000003e syscall=424 success=yes a0=3 a1=9 pid=1"
    (event,) = read_events(call + b' comm="x"\n')
    assert (event.objects, event.signal) == ([], 9)
    target = b"type=OBJ_PID msg=audit(1.234:5): opid=77 ouid=0\n"
    (event,) = read_events(call + b' comm="x"\n' + target)
    assert [thing.name for thing in event.objects] == ["77"]
