"""Events as documents of the Elastic Common Schema."""

from __future__ import annotations

from typing import Any

import pytest
from audit_logs import F1, F2, read_events

from steno.audit.ecs import to_ecs


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
