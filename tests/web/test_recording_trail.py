"""A recording's commands and audit events, asked of a running server: the real session f1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from audited_session import BOOT_ID, make_recording, make_trail, read_events, read_typed
from made_events import START_US, Session
from running_server import Running, running_server
from waiting import wait_for

from steno.audit.event import Event
from steno.cli.remote import RemoteLibrary
from steno.server.indexer import Indexer
from steno.store.opening import open_store
from steno.store.session_reading import read_events as read_stored
from steno.store.session_reading import session_of
from steno.web.trail_joining import TrailJoiner

REC = "f1-0001"
UNAUDITED = "f1-0002"
KEYED = "f1-0003"
OTHER = "f1-0004"
TRAIL = f"trail-{BOOT_ID}-1"


def wait_for_events(running: Running, count: int) -> None:
    """Wait until so many events are in the index."""
    store = open_store(running.config.store_directory)
    try:
        wait_for(
            lambda: sum(one.events for one in store.trail_summaries()) >= count,
            "the trail is not indexed",
        )
    finally:
        store.close()


def shell_on_another_terminal() -> list[Event]:
    """Return events of the same audit session that are another recording's."""
    made = Session()
    made.run(30000, 21996, ["-bash"], 0, program="/usr/bin/bash", terminal="pts/5")
    made.run(30001, 30000, ["date"], 1, terminal="pts/5")
    made.end(30001, 1.1)
    return [
        msgspec.structs.replace(
            event,
            serial=event.serial + 600,
            at_unix_us=event.at_unix_us - START_US + 1_795_161_725_000_000,
            audit_session=4,
        )
        for event in made.events
    ]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server with avery's recording, one without audit, and the host's trail."""
    with running_server(tmp_path_factory.mktemp("audited"), password_hash) as server:
        server.deliver(REC, make_recording(REC))
        server.deliver(UNAUDITED, make_recording(UNAUDITED, audit_session=77))
        keyed = make_recording(KEYED, keeps_input=True, records=["output", "input", "window"])
        server.deliver(KEYED, keyed)
        other = make_recording(OTHER, pid=30000, inner_terminal="/dev/pts/5")
        server.deliver(OTHER, other)
        events = read_events() + shell_on_another_terminal()
        server.deliver(TRAIL, make_trail(TRAIL, events))
        for rec in (REC, UNAUDITED, KEYED, OTHER):
            server.wait_for(rec, lambda summary: not summary.is_live)
        wait_for_events(server, len(events))
        yield server


@pytest.fixture(scope="module")
def auditor(audited: Running) -> httpx2.Client:
    """Somebody who sees all recordings."""
    return audited.sign_in("audrey")


def get(client: httpx2.Client, path: str, **query: str | int) -> dict[str, Any]:
    """Return an endpoint's JSON."""
    answer = client.get(f"/api/v1/recordings/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def read_all(client: httpx2.Client, path: str, **query: str | int) -> list[dict[str, Any]]:
    """Return all pages' items, and that no page is larger than was asked."""
    items: list[dict[str, Any]] = []
    page = get(client, path, limit=50, **query)
    while True:
        assert len(page["items"]) <= 50
        items += page["items"]
        if page["cursor"] is None:
            return items
        page = get(client, path, limit=50, cursor=page["cursor"], **query)


def test_the_commands_are_those_that_were_typed_each_at_its_instant(
    auditor: httpx2.Client,
) -> None:
    """From screen, TTY records and exec events: all typed lines, as well as the recorder knew."""
    answer = get(auditor, f"{REC}/commands")
    assert (answer["source"], answer["lost"], answer["is_cut"]) == ("audit", 0, False)
    typed = [one for one in answer["items"] if one["typed"] is not None]
    truth = read_typed()
    start_us = truth[0].at_unix_us - 245_360
    assert [words(one["typed"])[:20] for one in typed] == [words(one.text)[:20] for one in truth]
    for one, line in zip(typed, truth, strict=True):
        if one["serial"] is not None:
            assert abs(one["at_us"] - (line.at_unix_us - start_us)) <= 10_000
    numbers = [one["number"] for one in answer["items"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all((one["parent"] or 0) < one["number"] for one in answer["items"])


def words(text: str) -> str:
    """Return a line without its blanks: a terminal shows a tab as something else."""
    return "".join(text.split())


def test_recorded_keystrokes_say_when_lines_were_entered(
    audited: Running, auditor: httpx2.Client
) -> None:
    """With the input recorded, a line's instant is that of Enter, not when it was seen."""
    for rec in (REC, KEYED):
        vim = next(
            one for one in get(auditor, f"{rec}/commands")["items"] if one["text"][:4] == "vim "
        )
        assert (vim["typed"], vim["origin"]) == ("vim -n -u NONE notes.txt", "typed")
        # The program that recorded f1 looked at the screen again only after a second.
        assert abs(vim["at_us"] - 707_710) < 10_000


def test_without_audit_the_screen_tells(auditor: httpx2.Client) -> None:
    """A recording of a session of which no event came has the commands of its screen."""
    answer = get(auditor, f"{UNAUDITED}/commands")
    assert answer["source"] == "screen"
    first, *others = [one["text"] for one in answer["items"]]
    assert first.startswith("PS1='PS''1> '; export LC_ALL")  # typed before the first prompt came
    assert others[:2] == [
        "cd ~ && echo hello > notes.txt",
        "cat /etc/hostname",
    ]
    assert {(one["kind"], one["parent"], one["source"]) for one in answer["items"]} == {
        ("line", None, "screen")
    }
    assert get(auditor, f"{UNAUDITED}/events") == {"items": [], "cursor": None}


def test_all_events_come_in_order_and_once(auditor: httpx2.Client) -> None:
    """Pages hold all of the session's events by their instants; each names its command."""
    items = read_all(auditor, f"{REC}/events")
    serials = [one["event"]["serial"] for one in items]
    expected = {event.serial for event in read_events(4)}
    assert set(serials) == expected
    assert len(serials) == len(expected)
    instants = [one["at_us"] for one in items]
    assert instants == sorted(instants)
    assert not any("records" in one["event"] for one in items)
    commands = get(auditor, f"{REC}/commands")["items"]
    for one in items:
        if one["command"] is not None:
            assert one["at_us"] >= commands[one["command"] - 1]["at_us"]


def test_a_commands_trail_is_what_it_and_its_children_did(auditor: httpx2.Client) -> None:
    """Asked for one command, its own events and those of what it ran come, and no others."""
    commands = get(auditor, f"{REC}/commands")["items"]
    sudo = next(one for one in commands if one["text"].startswith("sudo sh -c"))
    items = read_all(auditor, f"{REC}/events", command=sudo["number"])
    assert {one["command"] for one in items} == {sudo["number"], sudo["number"] + 1}
    assert len(items) == sudo["below"]["events"]
    files = read_all(auditor, f"{REC}/events", command=sudo["number"], kinds="files")
    assert [one["event"]["objects"][0]["name"] for one in files] == ["/etc/motd-haudit"]
    # It falls into the command's time.
    assert sudo["at_us"] <= files[0]["at_us"] <= sudo["end_us"]


def test_kinds_times_and_queries_choose_events(auditor: httpx2.Client) -> None:
    """Each condition leaves out what it does not hold of; together all must hold."""
    network = read_all(auditor, f"{REC}/events", kinds="network")
    assert {one["event"]["action"] for one in network} == {"connected to"}
    both = read_all(auditor, f"{REC}/events", kinds="network,typed")
    assert len(both) == len(network) + 4
    shadow = read_all(auditor, f"{REC}/events", q="file:/etc/shadow")
    assert shadow
    assert all("/etc/shadow" in str(one["event"]["objects"]) for one in shadow)
    all_of_it = read_all(auditor, f"{REC}/events")
    middle_us = all_of_it[200]["at_us"]
    early = read_all(auditor, f"{REC}/events", to_us=middle_us)
    late = read_all(auditor, f"{REC}/events", from_us=middle_us)
    assert early + late == all_of_it
    assert read_all(auditor, f"{REC}/events", q="file:/etc/shadow", kinds="network") == []


def test_one_event_has_its_records(auditor: httpx2.Client) -> None:
    """An event asked for by its serial comes whole, with its place in the recording."""
    listed = next(
        one for one in read_all(auditor, f"{REC}/events") if one["event"]["serial"] == 101
    )
    whole = get(auditor, f"{REC}/events/101")
    assert (whole["at_us"], whole["command"]) == (listed["at_us"], listed["command"])
    assert whole["trail"] == TRAIL
    assert [one["type"] for one in whole["event"]["records"]] == [
        "SYSCALL", "EXECVE", "CWD", "PATH", "PATH", "PROCTITLE",
    ]  # fmt: skip
    answer = auditor.get(f"/api/v1/recordings/{REC}/events/449")
    assert answer.status_code == 404  # the host's, and of no session


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("kinds=nonsense", 422),
        ("cursor=nonsense", 422),
        ("q=is:live", 400),
        ("q=file:", 400),
        ("command=0", 422),
        ("limit=5000", 422),
    ],
)
def test_what_makes_no_sense_is_a_problem(auditor: httpx2.Client, query: str, status: int) -> None:
    """Bad parameters are answered with what is wrong with them."""
    answer = auditor.get(f"/api/v1/recordings/{REC}/events?{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_command_that_there_is_not_has_no_events(auditor: httpx2.Client) -> None:
    """Numbers beyond the list give an empty page."""
    assert get(auditor, f"{REC}/events", command=9999) == {"items": [], "cursor": None}


def test_another_users_trail_cannot_be_seen(audited: Running) -> None:
    """The role user gets commands and events of their own recordings only."""
    client = audited.sign_in("bob")
    for path in ("commands", "events", "events/101"):
        assert client.get(f"/api/v1/recordings/{REC}/{path}").status_code == 404


def test_two_recordings_of_one_session_share_no_commands(
    audited: Running, auditor: httpx2.Client
) -> None:
    """Each has its terminal's; of the other's processes nothing is shown."""
    mine = get(auditor, f"{REC}/commands")["items"]
    other = get(auditor, f"{OTHER}/commands")["items"]
    assert {one["pid"] for one in mine} & {one["pid"] for one in other} == {None}
    assert [one["text"] for one in other if one["typed"] is None] == ["-bash", "date"]


def test_what_was_asked_for_is_logged(audited: Running, auditor: httpx2.Client) -> None:
    """Looking at events is a viewing, with the query that was asked."""
    get(auditor, f"{REC}/events", q="file:/etc/shadow")
    admin = audited.sign_in("ada")
    items = admin.get(f"/api/v1/viewings?rec={REC}").json()["items"]
    assert ("events", "file:/etc/shadow") in {(one["how"], one["detail"]) for one in items}


def test_events_that_come_later_are_there_at_once(fresh: Running) -> None:
    """What was joined before is not kept when the trail grows."""
    client = fresh.sign_in("audrey")
    events = read_events()
    lines = make_trail(TRAIL, events)
    fresh.deliver(REC, make_recording(REC))
    fresh.wait_for(REC, lambda summary: not summary.is_live)
    assert get(client, f"{REC}/commands")["source"] == "screen"
    half = len(lines) // 2
    fresh.deliver(TRAIL, lines[:half])
    wait_for_events(fresh, half - 1)
    first = get(client, f"{REC}/commands")
    assert first["source"] == "audit"
    fresh.deliver(TRAIL, lines[half:])
    wait_for_events(fresh, len(events))
    second = get(client, f"{REC}/commands")
    assert first["counts"]["events"] < second["counts"]["events"] == 365


def test_what_was_joined_is_kept_and_not_for_ever(audited: Running) -> None:
    """The same recording is joined once; those asked for long ago make room for others."""
    store = open_store(audited.config.store_directory)
    try:
        joiner = TrailJoiner(store, kept_events=400)
        first, second = store.find(REC), store.find(KEYED)
        assert joiner.kept(first) is None
        made = joiner.find(first)
        assert joiner.kept(first) is made
        assert joiner.find(first) is made
        joiner.find(second)
        assert joiner.kept(first) is None
        assert joiner.find(first).commands == made.commands
    finally:
        store.close()


def test_the_command_line_reads_the_same_from_the_server(
    audited: Running, auditor: httpx2.Client, tmp_path: Path
) -> None:
    """What `steno commands` gets over HTTP is what the API answers, all members among it."""
    _, secret = audited.accounts().add_token("audrey", role="auditor")
    (tmp_path / "token").write_text(secret)
    library = RemoteLibrary(audited.url, tmp_path / "token", None)
    try:
        found = library.recorded_commands(REC)
        assert msgspec.to_builtins(found) == get(auditor, f"{REC}/commands")
        assert [one.text for one in library.commands(REC)] == [
            one.typed for one in found.items if one.typed is not None
        ]
    finally:
        library.close()


def test_of_very_many_events_the_first_are_read(audited: Running) -> None:
    """Events of a session are read up to a limit, and it is said that there are more."""
    store = open_store(audited.config.store_directory)
    try:
        session = session_of(store.find(REC))
        assert session is not None
        everything, is_cut = read_stored(store, session, 0, None)
        assert (len(everything), is_cut) == (368, False)
        some, is_cut = read_stored(store, session, 0, None, limit=100)
        assert (some, is_cut) == (everything[:100], True)
        assert read_stored(store, session, 0, None, limit=368) == (everything, False)
    finally:
        store.close()


def test_a_negative_serial_hides_nothing(tmp_path: Path) -> None:
    """A host may number its events as it likes: the page shows them all."""
    events = read_events(4)
    odd = msgspec.structs.replace(events[50], serial=-(2**63))
    store = open_store(tmp_path)
    store.append(TRAIL, 0, b"".join(make_trail(TRAIL, [*events, odd])), sender="vm")
    store.append(REC, 0, b"".join(make_recording(REC)), sender="vm")
    Indexer(store).drain()
    assert TrailJoiner(store).find(store.find(REC)).numbers_of(-(2**63))
    store.close()
