"""Which processes are a recording's: of sessions without a terminal, shared ones, containers."""

from __future__ import annotations

from made_events import SHELL, START_US, Session
from refused_sessions import join_of

from steno.audit.session.commands import join
from steno.audit.session.scopes import Root

SECOND_US = 1_000_000


def shape(number: int) -> list[tuple[int | None, str, str, int]]:
    """Return the tree of a recording of f6: parents, texts, origins, files changed."""
    items = join_of(number).commands.items
    return [(one.parent, one.text, one.origin, one.own.files_changed) for one in items]


def test_a_copy_by_sshds_own_sftp_is_what_the_person_came_for() -> None:
    """The scripts of PAM's message of the day are no commands; the file stands with the copying."""
    assert shape(2) == [(None, "sshd: avery@internal-sftp", "typed", 1)]
    trail = join_of(2)
    beside = [one for one in trail.events if one.command is None]
    assert any("run-parts" in one.event.text for one in beside)
    assert trail.commands.counts.files_changed == 1


def test_a_recorded_command_is_where_the_tree_begins() -> None:
    """`scp -O` and `ssh host command`: first what was asked for, then what it ran, in order."""
    assert shape(3) == [
        (None, "bash -c 'scp -t old.txt'", "typed", 0),
        (1, "scp -t old.txt", "typed", 1),
    ]
    assert shape(4) == [
        (None, "bash -c 'cp old.txt new.txt; cat /etc/shadow'", "typed", 0),
        (1, "cp old.txt new.txt", "typed", 1),
        (1, "cat /etc/shadow", "typed", 0),
    ]


def test_what_steno_ran_is_marked_and_not_counted() -> None:
    """`steno-shell` and its like prepare a session: known as such, in no command's count."""
    for number in range(5):
        trail = join_of(number)
        own = [one for one in trail.events if one.is_own]
        assert own
        assert all("steno-" in one.event.text for one in own)
        assert trail.commands.counts.events == len(trail.events) - len(own)
        assert not any("steno-" in one.text for one in trail.commands.items)


def test_two_logins_over_one_connection_have_a_tree_each() -> None:
    """ControlMaster: one audit session, two recordings; each shows what was done in it."""
    first, second = join_of(0), join_of(1)
    texts = [{one.text for one in trail.commands.items} for trail in (first, second)]
    assert {"touch first.txt", "su - blake"} <= texts[0]
    assert "touch second.txt" in texts[1]
    assert not texts[0] & {"touch second.txt", "date"}
    serials = [
        {one.event.serial for one in trail.events if one.command is not None}
        for trail in (first, second)
    ]
    assert not serials[0] & serials[1]
    shown = {one.event.serial for one in first.events}
    assert not shown & serials[1]


def test_a_containers_process_id_is_not_taken_for_another_process() -> None:
    """The recorder's process 1000 is not the kernel's, which was on another terminal: no guess."""
    made = Session()
    made.shell()
    made.run(1001, SHELL, ["unshare", "-pf", "steno", "rec"], 1)
    made.run(1002, 1001, ["steno", "rec"], 1.1)
    made.run(1003, 1002, ["-bash"], 1.2, program="/usr/bin/bash", terminal="pts/7")
    made.run(1004, 1003, ["date"], 2, terminal="pts/7")
    root = Root(SHELL, "/dev/pts/7", START_US + SECOND_US * 6 // 5, START_US + 5 * SECOND_US)
    assert [one.text for one in join(made.events, root=root).items] == ["-bash", "date"]
    # Nothing known but an id that fits nobody: all of the session, rather than none of it.
    nobody = Root(9, None, START_US + SECOND_US)
    assert len(join(made.events, root=nobody).items) == 5
