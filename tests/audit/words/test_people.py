"""Who an event names, where auditd found no name for an id."""

from __future__ import annotations

import msgspec
import pytest
from audit_logs import read_events

from steno.audit.event import Event, Thing
from steno.audit.values.names import Names

WHO = b'ppid=1 pid=2 auid=1501 uid=1501 gid=1502 euid=1501 tty=pts1 ses=3 comm="x" exe="/bin/x"'
NAMES = b'\x1dARCH=x86_64 AUID="unknown(1501)" UID="unknown(1501)" GID="unknown(1502)"'
NAMES += b' EUID="unknown(1501)" OUID="unknown(1501)"'


def read(*lines: bytes, names: Names | None = None) -> Event:
    """Return the event of records that auditd has written with these names."""
    data = b"".join(
        b"type=%s msg=audit(1.234:5): %s%s\n" % (*line.split(b" ", 1), NAMES) for line in lines
    )
    (event,) = read_events(data, names)
    assert b"unknown(" not in msgspec.json.encode(msgspec.structs.replace(event, records=b""))
    return event


def call(number: int) -> bytes:
    """Return a SYSCALL record."""
    return b"SYSCALL arch=c000003e syscall=%d success=yes exit=0 a0=5dd %s" % (number, WHO)


@pytest.mark.parametrize("knows", [False, True])
def test_who_did_it(knows: bool) -> None:
    """A person without a name is a number, or has the name that this host knows."""
    names = Names({1501: "avery"}.get, {1502: "team"}.get) if knows else None
    event = read(call(87), names=names)
    assert (event.who.login_uid, event.who.uid, event.who.gid) == (1501, 1501, 1502)
    expected = ("avery", "avery", "team") if knows else (None, None, None)
    assert (event.who.login_user, event.who.user, event.who.group) == expected


def test_whose_a_thing_is() -> None:
    """Files and processes of somebody without a name have the number as owner."""
    path = b'PATH item=0 name="/a" inode=5 mode=0100644 ouid=1501 ogid=1502 nametype=DELETE'
    assert [thing.owner for thing in read(call(87), path).objects] == ["1501"]
    target = b'OBJ_PID opid=7 oauid=1501 ouid=1501 oses=3 ocomm="y"'
    assert [thing.owner for thing in read(call(62), target).objects] == ["1501"]


def test_whom_somebody_became() -> None:
    """An account without a name is a number."""
    event = read(call(105))
    assert event.objects == [Thing("account", "1501")]
    assert event.text == "uid 1501 became 1501 with x"
    event = read(
        b"LOGIN pid=2 uid=0 old-auid=4294967295 auid=1501 tty=(none) old-ses=1 ses=3 res=1"
    )
    assert event.objects == [Thing("session", "3"), Thing("account", "1501")]
    event = read(b"USER_LOGIN pid=2 uid=0 auid=1501 ses=3 msg='op=login id=1501 res=success'")
    assert event.objects == [Thing("account", "1501")]
