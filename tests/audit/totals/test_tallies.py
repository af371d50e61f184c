"""Commands, files, connections, logins and sums of a log."""

from __future__ import annotations

import pytest
from audit_logs import DATA, F1, F2, F5, read_events
from journal_entries import hear, read_entries

from steno.audit.event import Event, Process, Thing, Who
from steno.audit.sorts import CHANGES
from steno.audit.totals.logins import Failure, Logins, Session
from steno.audit.totals.summaries import Summaries
from steno.audit.totals.tallies import MAX_RUNNING, TALKS, RanProgram, RanPrograms, Tallies, Tally


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """The events of a person's session."""
    return read_events(F1.read_bytes())


def programs_of(events: list[Event]) -> list[RanProgram]:
    """Return all programs of a log, by when they were run."""
    tally = RanPrograms()
    found = [row for event in events for row in tally.feed(event)] + tally.finish()
    return sorted(found, key=lambda row: row.at_unix_us)


def tallies_of(events: list[Event], actions: frozenset[str], *kinds: str) -> dict[str, Tally]:
    """Return what was done with what, by its name."""
    tally = Tallies(actions, frozenset(kinds))
    for event in events:
        tally.feed(event)
    return {row.name: row for row in tally.finish()}


def test_every_program_has_its_end(events: list[Event]) -> None:
    """Each program of the log is there, with its exit status, its user and how long it took."""
    rows = programs_of(events)
    assert len(rows) == sum(event.action == "ran" for event in events)
    by_name = {row.arguments[0]: row for row in rows if row.arguments}
    assert by_name["grep"].exit_status == 1
    assert by_name["vim"].exit_status == 0
    vim_us = (by_name["vim"].ended_unix_us or 0) - by_name["vim"].at_unix_us
    assert 1_300_000 < vim_us < 1_500_000
    assert (by_name["useradd"].user, by_name["useradd"].account) == ("avery", "root")
    assert (by_name["tar"].user, by_name["tar"].session) == ("blake", 5)
    failed = by_name["/usr/sbin/nscd"]
    assert (failed.result, failed.error, failed.ended_unix_us) == ("failure", "ENOENT", None)


def test_a_program_that_runs_another_in_its_place_has_ended() -> None:
    """Exec in the same process, and a crash, are ends too."""
    rows = programs_of(read_events(F2.read_bytes()))
    hello = next(row for row in rows if row.program == "/tmp/h-audit/bin/hello32")
    assert hello.ended_unix_us is not None
    assert hello.exit_status is None


def test_programs_that_never_end_take_no_more_memory_than_that() -> None:
    """Beyond a limit the oldest is given back without its end."""
    tally = RanPrograms()
    done = [row for pid in range(1, MAX_RUNNING + 11) for row in tally.feed(run(pid))]
    assert [row.pid for row in done] == list(range(1, 11))
    assert len(tally.finish()) == MAX_RUNNING


def run(pid: int) -> Event:
    """Return the event of a program that a process ran."""
    return Event(
        serial=pid,
        at_unix_us=pid,
        action="ran",
        result="success",
        who=Who(uid=1),
        process=Process(pid=pid, arguments=["x"]),
        objects=[Thing("program", "/bin/x")],
    )


def test_files_are_counted_by_who_changed_them(events: list[Event]) -> None:
    """What was done to each file, how often, with which programs, in which sessions."""
    rows = tallies_of(events, CHANGES, "file", "directory")
    shadow = rows["/etc/shadow"]
    assert shadow.actions == {"wrote": 2, "renamed to this": 2, "replaced": 2}
    assert shadow.programs == ["useradd", "userdel"]
    assert (shadow.user, shadow.account, shadow.sessions) == ("avery", "root", [4])
    assert rows["/home/avery/name with spaces.txt"].actions == {"created": 1, "renamed away": 1}
    assert rows["/home/blake/b.txt"].account == "blake"
    assert "/etc/hostname" not in rows


def test_addresses_are_counted(events: list[Event]) -> None:
    """Each address with what was done; sockets that are no addresses are left out."""
    rows = tallies_of(events, TALKS, "address")
    assert sorted(rows) == ["127.0.0.1:18080", "127.0.0.1:5354", "127.0.0.1:9", "[::1]:18080"]
    assert rows["127.0.0.1:9"].programs == ["curl"]


def test_sessions_and_failures(events: list[Event]) -> None:
    """Who logged in from where, whom they became, when they left; and who could not."""
    tally = Logins()
    for event in events:
        tally.feed(event)
    rows = tally.finish()
    sessions = [row for row in rows if isinstance(row, Session)]
    assert [(row.session, row.user, row.program, row.origin) for row in sessions] == [
        (4, "avery", "sshd", "127.0.0.1"),
        (5, "blake", "sshd", "127.0.0.1"),
        (6, "blake", "sshd", "127.0.0.1"),
    ]
    assert (sessions[0].terminal, sessions[0].became) == ("pts/2", ["root", "blake"])
    took_us = (sessions[0].ended_unix_us or 0) - sessions[0].began_unix_us
    assert 6_000_000 < took_us < 6_500_000
    [failure] = [row for row in rows if isinstance(row, Failure)]
    assert (failure.account, failure.program, failure.origin) == ("blake", "sshd", "127.0.0.1")
    assert failure.attempts == 1


def failures_of(events: list[Event]) -> list[tuple[str, str, str, str, int]]:
    """Return who failed to log in, through what, from where, by whom, and how often."""
    tally = Logins()
    for event in events:
        tally.feed(event)
    return [
        (row.account, row.program, row.origin, row.user, row.attempts)
        for row in tally.finish()
        if isinstance(row, Failure)
    ]


def test_failures_are_attempts() -> None:
    """Those at one account from one place are one row, and each counts as often as it was tried."""
    here = "127.0.0.1"
    assert failures_of(read_events((DATA / "f7" / "audit.log").read_bytes())) == [
        ("avery", "sshd", here, "", 8),
        ("ghost", "sshd", here, "", 8),
        ("blake", "sshd", here, "", 1),
        ("blake", "su", "", "avery", 1),
        ("avery", "sudo", "", "avery", 1),
    ]
    for log in (F2, F5):
        assert failures_of(read_events(log.read_bytes())) == []


def test_failures_that_programs_told_the_journal() -> None:
    """What is one event there is one attempt."""
    found = failures_of(hear(read_entries()))
    assert sum(row[4] for row in found) == 11
    assert ("pat", "sshd", "10.77.0.10", "", 4) in found
    assert ("opal", "sudo", "", "opal", 1) in found


def test_hosts_are_told_apart() -> None:
    """A log of several hosts has each host's attempts and sessions."""
    lines = (DATA / "f7" / "audit.log").read_bytes().split(b"\n")
    line = next(line for line in lines if line.startswith(b"type=USER_LOGIN"))
    tally = Logins()
    for event in read_events(b"node=a %s\nnode=b %s\n" % (line, line)):
        tally.feed(event)
    rows = tally.finish()
    assert sorted((row.host, row.attempts) for row in rows if isinstance(row, Failure)) == [
        ("a", 1), ("b", 1),
    ]  # fmt: skip


def test_a_log_is_added_up(events: list[Event]) -> None:
    """Events, users, words, errors, programs and keys, each with how many."""
    tally = Summaries()
    for event in events:
        tally.feed(event)
    [summary] = tally.finish()
    assert summary.events == 409
    assert summary.sessions == 3
    assert summary.users == {"avery": 365, "blake": 33}
    assert sum(summary.actions.values()) == 409
    assert summary.failures == {"ENOENT": 8, "refused": 2}
    assert summary.keys["steno-exec"] == 70
    assert summary.programs["/usr/bin/curl"] == 3
