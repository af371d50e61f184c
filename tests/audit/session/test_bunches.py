"""Denials that say the same: which are told as one, and in which words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from refused_sessions import join_of

from steno.audit.event import Event, Process, Thing
from steno.audit.session.bunches import (
    LEAST,
    NEAR_US,
    bunch_key,
    find_bunches,
    name_in_bunch,
    tell_bunch,
)
from steno.audit.session.recorded import RecordedEvent


def keyed(events: list[RecordedEvent]) -> list[tuple[int, object]]:
    """Return events as bunches are made of them."""
    return [(one.at_us, bunch_key(one.event)) for one in events]


def test_what_ps_was_refused_is_one_row_for_each_time_it_ran() -> None:
    """Of a real session: three runs of ps and the ends of two shells are five bunches."""
    events = join_of(0).events
    bunches = find_bunches(keyed(events))  # type: ignore[arg-type]  # keys are any that hash
    told = [
        (
            events[first].event.process.name,
            len(members),
            tell_bunch(
                [events[one].event.text for one in members],
                [name_in_bunch(events[one].event) for one in members],
            ),
        )
        for first, members in bunches.items()
    ]
    refused = "could not read /proc/*/environ with ps: permission denied"
    assert [(name, count) for name, count, _ in told] == [
        ("ps", 143),
        ("ps", 145),
        ("clear_console", 6),
        ("ps", 142),
        ("clear_console", 6),
    ]
    assert told[0][2] == f"avery {refused} (143 times)"
    assert told[1][2] == f"avery as blake {refused} (145 times)"
    assert told[4][2] == (
        "avery could not write or read /dev/* with clear_console: permission denied (6 times)"
    )
    alone = [
        one.event.objects[0].name
        for number, one in enumerate(events)
        if one.kind == "denials" and all(number not in them for them in bunches.values())
    ]
    assert alone == ["/etc/shadow", "/etc/ssl/private", "/root"]


def denied(serial: int, name: str, *, pid: int = 7, error: str = "EACCES") -> Event:
    """Return a refused open."""
    return Event(
        serial, serial, "read", "failure", error=error, process=Process(pid, name="ps"),
        objects=[Thing("file", name)], text=f"avery could not read {name} with ps: no",
    )  # fmt: skip


def test_only_denials_of_one_process_and_error_are_alike() -> None:
    """Another process, another error or action, and what was not denied, stand for themselves."""
    one = denied(1, "/a")
    assert bunch_key(one) == bunch_key(denied(2, "/b"))
    assert bunch_key(one) != bunch_key(denied(2, "/b", pid=8))
    assert bunch_key(one) != bunch_key(denied(2, "/b", error="EPERM"))
    assert bunch_key(denied(3, "/c", error="ENOENT")) is None


def test_few_and_far_ones_are_shown_one_by_one() -> None:
    """Less than the least number, or more than a moment apart, is no bunch; from either end."""
    near = [(number * NEAR_US, "k") for number in range(LEAST)]
    assert find_bunches(near) == {0: [0, 1, 2, 3]}
    assert find_bunches(near[1:]) == {}
    assert find_bunches([(at_us * 2, key) for at_us, key in near]) == {}
    assert find_bunches([(-at_us, key) for at_us, key in near]) == {0: [0, 1, 2, 3]}


@given(st.lists(st.tuples(st.integers(0, 5 * NEAR_US), st.sampled_from([None, "a", "b"]))))
def test_bunches_share_no_event(items: list[tuple[int, str | None]]) -> None:
    """Whatever happened: each event is in one bunch at most, in order, with the same key."""
    items.sort(key=lambda item: item[0])
    bunches = find_bunches(items)
    members = [number for bunch in bunches.values() for number in bunch]
    assert len(members) == len(set(members))
    for first, bunch in bunches.items():
        assert first == bunch[0]
        assert bunch == sorted(bunch)
        assert len(bunch) >= LEAST
        assert {items[number][1] for number in bunch} in ({"a"}, {"b"})


def test_the_sentence_says_what_the_names_have_in_common() -> None:
    """Parts that differ are `*`; where some names are longer, `…` stands for their ends."""

    def told(*names: str) -> str:
        return tell_bunch([f"avery could not read {one} with ps: no" for one in names], names)

    assert told("/proc/1/stat", "/proc/22/stat") == (
        "avery could not read /proc/*/stat with ps: no (2 times)"
    )
    assert told("/etc/a", "/etc/b/c") == "avery could not read /etc/… with ps: no (2 times)"
    assert told("/etc/a", "/etc/a") == "avery could not read /etc/a with ps: no (2 times)"
    assert told("/a/b", "/etc/a/c") == "avery could not read /… with ps: no (2 times)"
    assert told("1", "22") == "avery could not read * with ps: no (2 times)"
    assert tell_bunch(["avery was refused"] * 2000, [""] * 2000) == (
        "avery was refused (2,000 times)"
    )
