"""What login programs say in the journal becomes events: once each, and only if they said it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_entries import DEBIAN_12, NAMES, Entry, entry_of, hear, is_looked_at, read_entries

from steno.audit.event import FIRST_OF_JOURNAL, Event
from steno.audit.values.names import Names
from steno.audit.witness.witness import MOST_KNOWN, Known, Witness
from steno.structs import decode_json

SU = "/usr/bin/su"
RIGHTS = "1ffffffffff"
ACCEPTED = "Accepted password for root from 10.9.9.9 port 22 ssh2"


def describe(event: Event) -> str:
    """Return what the expected file has of an event."""
    number = event.serial - FIRST_OF_JOURNAL
    things = ", ".join(f"{thing.role or thing.kind} {thing.name}" for thing in event.objects)
    terminal = event.process.terminal or "-"
    return (
        f"{number} {event.audit_session or '-'} {event.process.pid} {terminal} {event.action} |"
        f" {event.result} | {event.text} | {things}"
    )


def test_a_real_journal_is_told() -> None:
    """Debian 12's sshd, login, su, sudo and logind: who came, from where, how, and who did not."""
    expected = DEBIAN_12.with_suffix(".txt").read_text().splitlines()
    assert [describe(event) for event in hear(read_entries())] == expected


def test_an_event_says_whose_word_it_is() -> None:
    """It is marked, has the entry underneath, and a number that no kernel's event has."""
    events = hear(read_entries())
    assert {event.source for event in events} == {"journal"}
    assert all(event.serial > 0xFFFFFFFF for event in events)
    assert len({event.serial for event in events}) == len(events)
    [key] = [event for event in events if (event.method or "").startswith("publickey")]
    assert key.method == "publickey ED25519 SHA256:AwOnORuCetOuweRrc4JhnUW0a15G+nDeWJAjrqqFg38"
    [record] = json.loads(bytes(key.records))
    assert record["type"] == "JOURNAL"
    assert record["fields"]["_EXE"] == {"raw": "/usr/sbin/sshd"}
    assert record["fields"]["MESSAGE"]["raw"].startswith("Accepted publickey for pat from ")


@pytest.mark.parametrize(
    "entry",
    [
        entry_of(ACCEPTED, exe="/usr/bin/logger", uid=1002, SYSLOG_IDENTIFIER="sshd"),
        entry_of(ACCEPTED, exe="/usr/bin/logger", comm="sshd", uid=1002),
        entry_of(ACCEPTED, exe="/usr/sbin/sshd", uid=1002),
        entry_of(ACCEPTED, exe=None, comm="sshd", uid=1002, _CAP_EFFECTIVE=RIGHTS),
        entry_of(ACCEPTED, exe="/usr/sbin/sshd", uid=1002, _CAP_EFFECTIVE=RIGHTS),
        entry_of(ACCEPTED, exe="/usr/sbin/nginx"),
        entry_of("(to root) mal on pts/0", exe="/home/mal/su", uid=1002, _CAP_EFFECTIVE=RIGHTS),
        entry_of("(to root) mal on pts/0", exe=SU, uid=1002),
        entry_of("(to root) mal on pts/0", exe=None, comm="su", uid=1002),
        entry_of("New session 5 of user root.", exe="/usr/bin/logger", uid=1002,
                 comm="systemd-logind", LEADER="7", SESSION_ID="5", USER_ID="root",
                 MESSAGE_ID="8d45620c1a4348dbb17410da57c60c66"),
    ],
)  # fmt: skip
def test_who_only_calls_itself_so_is_not_believed(entry: Entry) -> None:
    """Tags, names of processes, and copies of programs prove nothing: the kernel's word counts."""
    witness = Witness(Names(NAMES.get))
    assert witness.look(entry) is None
    assert witness.heard.distrusted == 1
    assert witness.known == []


def test_a_person_s_su_is_believed_about_that_person_only() -> None:
    """Whoever makes su say somebody else's name: the event names the one who ran it."""
    said = "FAILED SU (to root) opal on pts/2"
    [event] = hear(
        [entry_of(said, exe=SU, uid=1002, _CAP_EFFECTIVE=RIGHTS, _AUDIT_LOGINUID="1002")]
    )
    assert (event.who.login_user, event.who.user) == ("mal", "mal")
    assert "opal" not in event.text
    assert [thing.name for thing in event.objects] == ["root"]


@pytest.mark.parametrize(
    ("messages", "failures"),
    [
        (["Failed password for pat from 10.0.0.7 port 22 ssh2"] * 3, 3),
        (["Invalid user x from 10.0.0.7 port 22",
          "pam_unix(sshd:auth): check pass; user unknown",
          "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser="
          " rhost=10.0.0.7 ",
          "Failed password for invalid user x from 10.0.0.7 port 22 ssh2",
          "Connection closed by invalid user x 10.0.0.7 port 22 [preauth]"], 1),
        (["error: PAM: Authentication failure for pat from 10.0.0.7",
          "Failed keyboard-interactive/pam for pat from 10.0.0.7 port 22 ssh2",
          "error: PAM: Authentication failure for pat from 10.0.0.7",
          "Failed keyboard-interactive/pam for pat from 10.0.0.7 port 22 ssh2",
          "error: maximum authentication attempts exceeded for pat from 10.0.0.7 port 22 ssh2"
          " [preauth]",
          "Disconnecting authenticating user pat 10.0.0.7 port 22: Too many authentication"
          " failures [preauth]"], 2),
        (["Connection closed by authenticating user pat 10.0.0.7 port 22 [preauth]"], 1),
        (["Failed password for pat from 10.0.0.7 port 22 ssh2",
          "Accepted password for pat from 10.0.0.7 port 22 ssh2"], 1),
        (["Received disconnect from 10.0.0.7 port 22:11: bye",
          "Connection closed by 10.0.0.7 port 22 [preauth]"], 0),
    ],
)  # fmt: skip
def test_an_attempt_is_told_once(messages: list[str], failures: int) -> None:
    """However many messages sshd and PAM write of it."""
    events = hear([entry_of(said, number=at, after_us=at) for at, said in enumerate(messages)])
    assert sum(event.result == "failure" for event in events) == failures


def test_last_words_of_a_process_are_its_own() -> None:
    """Where journald came too late to look: who spoke before goes on, nobody else speaks so."""
    su = {"exe": SU, "uid": 1001, "_CAP_EFFECTIVE": RIGHTS, "_AUDIT_LOGINUID": "1001"}
    pam = "pam_unix(su:auth): authentication failure; logname=opal uid=1001 euid=0 tty=/dev/pts/2"
    said = "FAILED SU (to pat) opal on pts/2"

    def last(tag: str = "su", **more: Any) -> Entry:  # noqa: ANN401
        entry = entry_of(said, **({"exe": None, "uid": 1001} | more), SYSLOG_IDENTIFIER=tag)
        del entry[b"_COMM"]
        return entry

    first = entry_of(f"{pam} ruser=opal rhost=  user=pat", **su)
    [event] = hear([first, last()])
    assert (event.who.login_user, event.process.program) == ("opal", SU)
    for other in (
        [last()], [first, last(pid=101)], [first, last(uid=1002)], [first, last("sshd")],
        [first, last(after_us=3600_000_000)],
    ):  # fmt: skip
        assert hear(other) == []
    gone = entry_of("Failed password for x from 10.0.0.7 port 22 ssh2", exe=None,
                    SYSLOG_IDENTIFIER="sshd")  # fmt: skip
    del gone[b"_COMM"]
    assert [event.process.name for event in hear([gone])] == ["sshd"]


def test_processes_are_told_apart() -> None:
    """Attempts of two connections, and of a later one with a process id used again, all count."""
    said = "Connection closed by authenticating user pat 10.0.0.7 port 22 [preauth]"
    entries = [
        entry_of(said, pid=7),
        entry_of(said, pid=8),
        entry_of(said, pid=7, after_us=3600_000_000),
    ]
    assert len(hear(entries)) == 3


def test_messages_of_other_wording_are_counted() -> None:
    """What is not known here is left out quietly, and cannot end anything."""
    witness = Witness(Names(NAMES.get))
    for said in ("Server listening on :: port 22.", "", "\x00\xff", "Accepted", "Failed"):
        assert witness.look(entry_of(said)) is None
    assert witness.heard.unread == 5


def test_what_is_remembered_is_bounded() -> None:
    """A flood of connections costs no memory."""
    witness = Witness(Names(NAMES.get))
    for pid in range(3 * MOST_KNOWN):
        witness.look(entry_of("Failed password for x from 10.0.0.7 port 22 ssh2", pid=pid))
    assert len(witness.known) == MOST_KNOWN


@given(st.lists(st.integers(0, 120), max_size=6))
def test_another_goes_on_where_one_left_off(cuts: list[int]) -> None:
    """Broken off anywhere, what was known kept and given back: the same events, each once."""
    entries = [one for one in read_entries() if is_looked_at(one)]
    witness = Witness(Names(NAMES.get))
    found = []
    for number, entry in enumerate(entries):
        if number in cuts:
            kept = msgspec.json.encode(witness.known)
            witness = Witness(Names(NAMES.get), decode_json(kept, list[Known]))
        found.append(witness.look(entry))
    assert [event for event in found if event is not None] == hear(read_entries())


FIELDS = [b"MESSAGE", b"_PID", b"_UID", b"_EXE", b"_COMM", b"LEADER", b"SESSION_ID", b"__CURSOR"]


@given(st.data())
def test_no_entry_ends_it(data: st.DataObject) -> None:
    """Entries with any values in any field, or without it: an event that is JSON, or none."""
    entry = dict(data.draw(st.sampled_from(read_entries())))
    for field in data.draw(st.lists(st.sampled_from(FIELDS), max_size=4)):
        value = data.draw(st.none() | st.binary(max_size=40))
        if value is None:
            entry.pop(field, None)
        else:
            entry[field] = value
    event = Witness(Names(NAMES.get)).look(entry)
    if event is not None:
        assert decode_json(msgspec.json.encode(event), Event).text == event.text
