"""Events as documents of the Elastic Common Schema."""

from __future__ import annotations

from typing import Any

import pytest
from audit_logs import F1, F2, read_events

from steno.audit.ecs import to_ecs

_FIELDS = """
    @timestamp destination.address destination.ip destination.port ecs.version error.code
    event.action event.category event.dataset event.kind event.module event.outcome event.sequence
    event.type file.directory file.inode file.mode file.name file.owner file.path file.target_path
    file.type group.name host.boot.id host.hostname host.name message network.direction
    network.type process.args process.args_count process.command_line process.executable
    process.exit_code process.io.text process.name process.parent.pid process.pid process.title
    process.working_directory related.hosts related.ip related.user server.address server.ip
    server.port service.name source.address source.ip source.port tags user.effective.id
    user.effective.name user.group.id user.group.name user.id user.name user.target.id
    user.target.name
"""
"""Fields of ECS 8.17. Source: github.com/elastic/ecs, v8.17.0, generated/ecs/ecs_flat.yml."""


@pytest.fixture(scope="module")
def documents() -> dict[int, dict[str, Any]]:
    """The documents of the sample logs, by the events' numbers."""
    events = read_events(F1.read_bytes()) + read_events(F2.read_bytes())
    return {event.serial: to_ecs(event) for event in events}


def test_a_program_that_ran(documents: dict[int, dict[str, Any]]) -> None:
    """Process, user and login stand in ECS's fields."""
    document = documents[120]
    assert document["@timestamp"] == "2026-11-20T08:02:06.814Z"
    assert document["event"] == {
        "kind": "event",
        "module": "auditd",
        "dataset": "auditd.log",
        "category": ["process"],
        "type": ["start"],
        "action": "ran",
        "outcome": "success",
        "sequence": 120,
    }
    process = document["process"]
    assert process["args"] == ["mv", "name with spaces.txt", 'quote"d.txt']
    assert process["args_count"] == 3
    assert process["executable"] == "/usr/bin/mv"
    assert process["working_directory"] == "/home/avery"
    assert document["user"] == {
        "id": "1501",
        "name": "avery",
        "group": {"id": "1501", "name": "avery"},
    }
    assert document["tags"] == ["steno-exec"]
    assert document["steno"]["login"] == {"id": "1501", "name": "avery"}


def test_a_renamed_file(documents: dict[int, dict[str, Any]]) -> None:
    """The file is the one with the new name; the old one stands among Steno's objects."""
    document = documents[121]
    assert document["file"] == {
        "path": '/home/avery/quote"d.txt',
        "name": 'quote"d.txt',
        "directory": "/home/avery",
        "type": "file",
        "inode": "1523732",
        "mode": "0644",
        "owner": "avery",
    }
    assert document["steno"]["objects"][0]["name"] == "/home/avery/name with spaces.txt"


def test_connections(documents: dict[int, dict[str, Any]]) -> None:
    """Where a connection goes is its destination, where it comes from its source."""
    assert documents[143]["destination"] == {"address": "::1", "ip": "::1", "port": 18080}
    assert documents[143]["network"] == {"direction": "egress", "type": "ipv6"}
    assert documents[143]["related"]["ip"] == ["::1"]
    assert documents[776]["source"]["ip"] == "127.0.0.1"
    assert documents[776]["network"]["direction"] == "ingress"
    assert documents[774]["server"]["port"] == 18099


def test_accounts_and_failures(documents: dict[int, dict[str, Any]]) -> None:
    """Whom somebody became, whom an administrator added, who was refused."""
    assert documents[408]["user"]["effective"] == {"name": "blake"}
    assert documents[206]["user"]["target"] == {"id": "1599"}
    assert documents[205]["group"] == {"name": "temp9"}
    refused = documents[489]
    assert refused["event"]["category"] == ["authentication"]
    assert refused["event"]["outcome"] == "failure"
    assert refused["source"]["ip"] == "127.0.0.1"
    assert refused["user"]["target"] == {"name": "blake"}
    assert documents[255]["error"] == {"code": "ENOENT"}
    assert documents[104]["process"].get("exit_code") is None
    assert documents[106]["process"]["exit_code"] == 1


def test_only_fields_of_the_schema_are_written(documents: dict[int, dict[str, Any]]) -> None:
    """Whatever stands in a document is a field of ECS 8.17, or stands in `steno`."""
    found = {name for document in documents.values() for name in names_in(document)}
    assert {name for name in found if not name.startswith("steno.")} <= set(_FIELDS.split())


def names_in(document: dict[str, Any], above: str = "") -> list[str]:
    """Return the dotted names of all that is in a document."""
    names = []
    for name, value in document.items():
        is_object = isinstance(value, dict)
        names += names_in(value, f"{above}{name}.") if is_object else [above + name]
    return names


def test_what_is_no_mode_and_no_address_is_left_out() -> None:
    """A damaged mode breaks nothing; only an address, without its scope, is one."""
    call = b"type=SYSCALL msg=audit(1.234:5): arch=c000003e syscall=87 pid=1\n"
    path = b'type=PATH msg=audit(1.234:5): name="/a" inode=5 mode=0108 nametype=DELETE\n'
    (event,) = read_events(call + path)
    assert event.objects[0].mode == "0108"
    assert "mode" not in to_ecs(event)["file"]
    login = b"type=USER_LOGIN msg=audit(1.234:5): pid=1 msg='acct=\"x\" addr=%s res=failed'\n"
    for address, ip in [
        (b"192.0.2.1", "192.0.2.1"),
        (b"fe80::1%eth0", "fe80::1"),
        (b"300.1.1.1", None),
        (b"1234", None),
        (b"a:b", None),
    ]:
        (event,) = read_events(login % address)
        source = to_ecs(event)["source"]
        assert (source["address"], source.get("ip")) == (address.decode(), ip)
        assert to_ecs(event)["related"].get("ip") == ([ip] if ip else None)
