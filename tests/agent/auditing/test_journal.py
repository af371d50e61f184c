"""Audit records from the systemd journal: nothing is lost, nothing doubled, whatever happens."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_entries import NAMES, hear, is_looked_at, read_entries, render
from waiting import wait_for

from steno.agent.auditing.bookmark import Bookmark, read_bookmark, write_bookmark
from steno.agent.auditing.journal import JournalReader
from steno.agent.configuration import AuditSource
from steno.audit.coalescing import Coalescer
from steno.audit.event import Event
from steno.audit.records import LineReader
from steno.audit.trail import Lost, Placed, TrailDecoder, TrailEnd, TrailItem
from steno.audit.values.names import Names
from steno.delivery.spool import Spool
from steno.delivery.trail_recovery import read_boot_id
from steno.integrity.chain import verify_stream
from steno.structs import decode_json

ZOO = Path(__file__).parents[2] / "data" / "audit" / "f2" / "plugin-string-zoo.log"
REMOTE = Path("/lib/systemd/systemd-journal-remote")
BOOT_ID = "0" * 32
_HEAD = re.compile(rb"type=(\S+) msg=audit\((\d+)\.(\d+):(\d+)\): ?([^\x1d]*)")


def make_entries(boot_id: str = BOOT_ID, *, is_binary: bool = False) -> list[bytes]:
    """Return the zoo's records as journald would have them, without EOE and what auditd adds."""
    entries = []
    for number, line in enumerate(ZOO.read_bytes().splitlines()):
        found = _HEAD.match(line)
        assert found is not None
        name, seconds, milliseconds, serial, text = found.groups()
        if name == b"EOE":
            continue
        message = name + b" " + text.rstrip()
        kind = name.removeprefix(b"UNKNOWN[").removesuffix(b"]") if b"[" in name else b"1300"
        at_unix_us = int(seconds) * 1_000_000 + int(milliseconds) * 1000
        fields = {
            b"__CURSOR": b"s=1;i=%x" % number,
            b"__REALTIME_TIMESTAMP": b"%d" % (at_unix_us + 5),
            b"__MONOTONIC_TIMESTAMP": b"%d" % (number + 1),
            b"_BOOT_ID": boot_id.encode(),
            b"_TRANSPORT": b"audit",
            b"_AUDIT_TYPE": kind,
            b"_AUDIT_TYPE_NAME": name,
            b"_AUDIT_ID": serial,
            b"_SOURCE_REALTIME_TIMESTAMP": b"%d" % at_unix_us,
            b"MESSAGE": message,
        }
        rendered = b""
        for key, value in fields.items():
            if is_binary and key == b"MESSAGE":
                rendered += key + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
            else:
                rendered += key + b"=" + value + b"\n"
        entries.append(rendered + b"\n")
    return entries


def plain_lines() -> list[bytes]:
    """Return the zoo's lines without what journald does not have."""
    lines = ZOO.read_bytes().splitlines()
    # journald takes blanks away from the beginning, of which parts of EXECVE have one more.
    plain = [b" ".join(line.partition(b"\x1d")[0].split()) for line in lines]
    return [line for line in plain if not line.startswith(b"type=EOE")]


@pytest.mark.parametrize("is_binary", [False, True])
def test_entries_become_records(is_binary: bool) -> None:
    """A record from the journal is the record that auditd would have written."""
    reader = JournalReader(Bookmark(BOOT_ID))
    records = reader.feed(b"".join(make_entries(is_binary=is_binary))) + reader.finish()
    assert [b" ".join(record.line.split()) for record in records] == plain_lines()
    assert reader.take_damage() == []


@given(st.lists(st.integers(0, 20_000), max_size=12), st.booleans())
def test_any_cut_reads_the_same(cuts: list[int], is_binary: bool) -> None:
    """However journalctl's output is cut, the same records come."""
    data = b"".join(make_entries(is_binary=is_binary)[:30])
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader = JournalReader(Bookmark(BOOT_ID))
    found = [record.line for a, b in itertools.pairwise(edges) for record in reader.feed(data[a:b])]
    assert found == [record.line for record in JournalReader(Bookmark(BOOT_ID)).feed(data)]


@given(st.integers(0, 120), st.integers(0, 40))
def test_going_on_at_a_bookmark_doubles_and_loses_nothing(first: int, second: int) -> None:
    """Wherever reading is broken off, going on from the bookmark gives each event once, whole."""
    entries = make_entries()
    stops = [first, min(len(entries), first + second), len(entries)]
    bookmark = Bookmark(BOOT_ID)
    found: list[tuple[int, int]] = []
    lost: dict[int, int] = {}
    for stop in stops:
        reader = JournalReader(bookmark)
        groups = Coalescer(finds_losses=True, after_serial=reader.begun_serial)
        begin = 0
        if bookmark.cursor is not None:
            begin = int(bookmark.cursor.rpartition("=")[2], 16) + 1
        numbers = [int(re.findall(rb"CURSOR=s=1;i=([0-9a-f]+)", one)[0], 16) for one in entries]
        waiting = [one for one, number in zip(entries, numbers, strict=True) if number >= begin]
        upto = [one for one in waiting if entries.index(one) < stop]
        done = groups.feed(reader.feed(b"".join(upto)))
        if stop == len(entries):
            done += groups.finish()
        taken = [group for group in done if reader.take(group)]
        found += [(group.serial, len(group.records)) for group in taken]
        lost |= {group.serial: group.lost_before for group in taken if group.lost_before}
        bookmark = reader.bookmark()
    lines = LineReader().feed(b"".join(line + b"\n" for line in plain_lines()))
    whole = Coalescer(finds_losses=True)
    expected = whole.feed(lines) + whole.finish()
    assert sorted(found) == sorted((group.serial, len(group.records)) for group in expected)
    assert lost == {group.serial: group.lost_before for group in expected if group.lost_before}


def test_what_is_no_record_is_damage() -> None:
    """Entries without a record's fields are told, and cost no other."""
    entries = make_entries()[:3]
    other = b"__CURSOR=s=9\n_TRANSPORT=audit\nMESSAGE=hello\n\n"
    reader = JournalReader(Bookmark(BOOT_ID))
    records = reader.feed(entries[0] + other + b"".join(entries[1:]))
    assert len(records) == 3
    assert len(reader.take_damage()) == 1


def test_a_bookmark_is_kept(tmp_path: Path) -> None:
    """What was written is read; a damaged file is none."""
    bookmark = Bookmark(BOOT_ID, "s=1", [(1, 2)])
    write_bookmark(tmp_path / "b", bookmark)
    assert read_bookmark(tmp_path / "b") == bookmark
    (tmp_path / "b").write_text("{")
    assert read_bookmark(tmp_path / "b") is None
    assert read_bookmark(tmp_path / "c") is None


class Journal:
    """A real journal's file, and what follows it into a spool."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "journal").mkdir()
        self.spool = directory / "spool"
        self._count = 0

    def add(self, entries: list[bytes]) -> None:
        """Add entries to the journal."""
        self._count += 1
        file = self.directory / "journal" / f"part{self._count}.journal"
        words = [str(REMOTE), "-o", str(file), "-"]
        subprocess.run(words, input=b"".join(entries), capture_output=True, check=True)

    @contextmanager
    def following(self) -> Iterator[subprocess.Popen[bytes]]:
        """Follow it, until the block ends at the latest."""
        words = [
            *(sys.executable, "-m", "steno.cli", "audit", "follow", "--journal", "--user", "root"),
            *("--journal-directory", str(self.directory / "journal"), "--spool", str(self.spool)),
            *("--control", str(self.directory / "control.sock")),
        ]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def items(self) -> list[TrailItem]:
        """Return what all trails say; they verify."""
        found: list[TrailItem] = []
        if not self.spool.exists():
            return found
        spool = Spool(self.spool)
        for entry in spool.entries():
            reader = spool.open(entry.rec)
            data = reader.read(0, reader.available()[0])
            reader.close()
            assert verify_stream([data]).state in ("complete", "so_far")
            found += [one.item for one in TrailDecoder().feed(data) if isinstance(one, Placed)]
        return found

    def serials(self) -> list[int]:
        """Return the numbers of all events, sorted."""
        return sorted(item.serial for item in self.items() if isinstance(item, Event))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that holds nothing yet."""
    if not REMOTE.exists():
        pytest.skip("Debian package systemd-journal-remote is missing")
    return Journal(tmp_path)


@pytest.mark.real
def test_a_real_journal_is_followed_through_deaths(journal: Journal) -> None:
    """Killed again and again, and stopped, each event of the journal is in the trail once."""
    entries = make_entries(read_boot_id())
    # The kernel says all records of an event at once: the journal pauses between events only.
    numbers = [int(re.findall(rb"_AUDIT_ID=(\d+)", entry)[0]) for entry in entries]
    stops = [at for at in range(1, len(entries)) if max(numbers[:at]) < min(numbers[at:])]
    edges = [0, *stops[20::25], len(entries)]
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        part = entries[begin:end]
        journal.add(part)
        count = len(journal.serials())
        with journal.following() as process:
            wait_for(lambda before=count: len(journal.serials()) > before, "events come")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL if number % 2 == 0 else signal.SIGTERM)
            process.wait(60)
    with journal.following() as process:
        wait_for(lambda: len(set(journal.serials())) >= 146, "all events come")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)  # it may have been quick to come
    assert journal.serials() == list(range(744, 890))
    assert [item for item in journal.items() if isinstance(item, Lost)] == []


@pytest.mark.real
def test_what_an_earlier_boot_left_comes_first(journal: Journal) -> None:
    """Entries of the boot before, behind the bookmark, are in a trail of that boot."""
    earlier = "1" * 32
    entries = make_entries(earlier)
    journal.add(entries)
    Spool(journal.spool)
    write_bookmark(journal.spool / ".journal-bookmark", Bookmark(earlier))
    with journal.following() as process:
        wait_for(lambda: len(journal.serials()) == 146, "events come")
        wait_for(
            lambda: any(isinstance(item, TrailEnd) for item in journal.items()),
            "the earlier boot's trail has no end",
        )
        wait_for(
            lambda: bool(
                (known := read_bookmark(journal.spool / ".journal-bookmark"))
                and known.cursor is not None
            ),
            "the bookmark is kept",
        )
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    events = [item for item in journal.items() if isinstance(item, Event)]
    assert {event.boot_id for event in events} == {earlier}
    assert [item.why for item in journal.items() if isinstance(item, TrailEnd)] == ["boot"]


def words_read(data: bytes, source: AuditSource = "auto") -> list[Event]:
    """Return the events of what programs say in an export."""
    reader = JournalReader(Bookmark(BOOT_ID), source, NAMES_OF)
    reader.feed(data)
    return reader.take_events()


NAMES_OF = Names(NAMES.get)


def test_words_are_heard_while_no_records_come() -> None:
    """From a boot's beginning to the first audit record, and when auditing is switched off."""
    said = [one for one in read_entries() if is_looked_at(one)]
    entries = [render([one]) for one in said]
    third = len(entries) // 3
    records = make_entries()[:5]
    off = b"CONFIG_CHANGE op=set audit_enabled=0 old=1 auid=0 ses=1 res=1"
    call = b"SYSCALL arch=c000003e syscall=44 success=yes exit=60 a0=4 items=0 pid=3 comm=auditctl"
    title = b"PROCTITLE proctitle=617564697463746C002D650030"
    switched = render([
        {
            b"_TRANSPORT": b"audit", b"_AUDIT_TYPE": kind, b"_AUDIT_TYPE_NAME": text.split()[0],
            b"_AUDIT_ID": b"900", b"_SOURCE_REALTIME_TIMESTAMP": b"1795161731000000",
            b"MESSAGE": text,
        } for kind, text in ((b"1305", off), (b"1300", call), (b"1327", title))
    ])  # fmt: skip
    parts = [entries[:third], records, entries[third : 2 * third], [switched], entries[2 * third :]]
    data = b"".join(b"".join(part) for part in parts)
    heard = [event.serial for event in words_read(b"".join(entries))]
    assert [event.serial for event in words_read(data, "words")] == heard
    assert words_read(data, "records") == []
    silent = {event.serial for event in words_read(b"".join(entries[third : 2 * third]))}
    assert silent
    told = {event.serial for event in words_read(data)}
    assert told & silent == set()
    assert len(told) >= len(heard) - len(silent) - 1, "a session may have begun in between"


def deaf_entry(at_unix_us: int = 1_795_161_731_000_000, **changes: str) -> bytes:
    """Return what a deaf journald has of itself, as systemd 252 has it."""
    fields = {
        "__CURSOR": "s=1;i=ffff",
        "__REALTIME_TIMESTAMP": str(at_unix_us),
        "_TRANSPORT": "kernel",
        "SYSLOG_IDENTIFIER": "systemd-journald",
        "MESSAGE": "Got invalid event from epoll for datagram fd: 9",
    }
    made = {name.encode(): value.encode() for name, value in (fields | changes).items()}
    return render([made])


@pytest.mark.parametrize(
    ("changes", "is_deaf"),
    [
        ({}, True),
        ({"MESSAGE": "recvmsg() failed: No buffer space available"}, True),
        ({"MESSAGE": "Failed to receive message: No buffer space available"}, True),
        ({"MESSAGE": "Got invalid event from epoll for datagram fd: 10"}, False),
        ({"MESSAGE": "recvmsg() failed: Connection refused"}, False),
        ({"MESSAGE": "Received client request to sync journal."}, False),
        ({"_TRANSPORT": "syslog"}, False),
        ({"_TRANSPORT": "journal"}, False),
        ({"_TRANSPORT": "stdout"}, False),
        ({"SYSLOG_IDENTIFIER": "kernel"}, False),
    ],
)
def test_only_journald_s_word_in_the_kernel_s_log_tells_deafness(
    changes: dict[str, str], is_deaf: bool
) -> None:
    """Who else says so in the journal has said nothing, nor have other troubles of journald's."""
    reader = JournalReader(Bookmark(BOOT_ID))
    reader.feed(make_entries()[0] + deaf_entry(**changes))
    assert reader.is_deaf == is_deaf
    assert [(one.count, one.why) for one in reader.take_losses()] == [(0, "deaf")] * is_deaf
    assert reader.take_damage() == []
    assert reader.take_losses() == []


def test_a_deaf_journald_is_told_once_until_it_hears() -> None:
    """Its successor with the same socket says so again; the next audit record ends it."""
    records = make_entries()
    reader = JournalReader(Bookmark(BOOT_ID), "auto", NAMES_OF)
    reader.feed(b"".join([*records[:9], deaf_entry(5), deaf_entry(6)]))
    assert [one.at_unix_us for one in reader.take_losses()] == [5]
    assert reader.is_deaf
    assert reader.is_listening, "programs' own words are what is left"
    reader.feed(records[9])
    assert not reader.is_deaf
    assert not reader.is_listening
    reader.feed(deaf_entry(7))
    assert [one.at_unix_us for one in reader.take_losses()] == [7]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(0, 30))
def test_deafness_is_told_once_wherever_reading_is_broken_off(stops: list[int], at: int) -> None:
    """Also where the bookmark stays before it, since an event is not whole; it is remembered."""
    entries = make_entries()[:30]
    entries.insert(at, deaf_entry())
    cursors = [re.findall(rb"CURSOR=(\S+)", one)[0].decode() for one in entries]
    bookmark = Bookmark(BOOT_ID)
    told: list[Lost] = []
    reached = 0
    for stop in [*sorted(stops), len(entries)]:
        reached = max(reached, min(stop, len(entries)))
        begin = 0 if bookmark.cursor is None else cursors.index(bookmark.cursor) + 1
        reader, groups = JournalReader(bookmark), Coalescer()
        for group in groups.feed(reader.feed(b"".join(entries[begin:reached]))):
            reader.take(group)
        assert reader.is_deaf == (reached == at + 1)
        told += reader.take_losses()
        bookmark = decode_json(msgspec.json.encode(reader.bookmark()), Bookmark)
    assert [one.why for one in told] == ["deaf"]


@given(st.lists(st.integers(0, 110), min_size=1, max_size=5))
def test_words_are_each_taken_once(stops: list[int]) -> None:
    """Wherever reading is broken off, going on from the bookmark gives each word once."""
    entries = [one for one in read_entries() if is_looked_at(one)]
    bookmark, begin = Bookmark(BOOT_ID), 0
    found: list[Event] = []
    for stop in [*sorted(stops), len(entries)]:
        kept = decode_json(msgspec.json.encode(bookmark), Bookmark)
        reader = JournalReader(kept, "auto", NAMES_OF)
        reader.feed(render(entries[begin : max(begin, stop)]))
        found += reader.take_events()
        bookmark, begin = reader.bookmark(), max(begin, stop)
    assert found == words_read(render(entries))


@pytest.mark.real
def test_a_real_journal_s_words_are_followed_through_deaths(journal: Journal) -> None:
    """Killed again and again, each login program's word is in the trail once, and no more."""
    boot_id = read_boot_id()
    entries = [dict(one) | {b"_BOOT_ID": boot_id.encode()} for one in read_entries()]
    forged = [one for one in entries if b"10.9.9." in one[b"MESSAGE"]]
    assert forged, "somebody tried to write login messages of their own"
    expected = [event.text for event in hear(entries)]
    edges = [0, 20, 45, 70, len(entries)]
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        journal.add(entries_with_ends(entries[begin:end]))
        count = len(journal.serials())
        with journal.following() as process:
            wait_for(lambda before=count: len(journal.serials()) > before, "words come")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL if number % 2 == 0 else signal.SIGTERM)
            process.wait(60)
    with journal.following() as process:
        wait_for(lambda: len(journal.serials()) >= len(expected), "all words come")
        wait_for(lambda: state_of(journal).get("events", 0) >= 0, "its state is told")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    events = [item for item in journal.items() if isinstance(item, Event)]
    assert sorted(event.at_unix_us for event in events) == sorted(
        event.at_unix_us for event in hear(entries)
    )
    assert {event.source for event in events} == {"journal"}
    assert not any("10.9.9." in event.text for event in events)
    assert [item for item in journal.items() if isinstance(item, Lost)] == []
    assert state_of(journal)["source"] == "words"


def entries_with_ends(entries: list[dict[bytes, bytes]]) -> list[bytes]:
    """Return entries as `Journal.add` takes them."""
    return [render([one]) for one in entries]


def state_of(journal: Journal) -> dict[str, object]:
    """Return what the follower said of itself last."""
    found: dict[str, object] = json.loads((journal.directory / "audit.json").read_text())
    return found


@pytest.mark.real
def test_auditd_s_plugin_has_precedence(journal: Journal) -> None:
    """While it runs the journal is passed over: all its events are kept, no login is told twice."""
    boot_id = read_boot_id()
    entries = [dict(one) | {b"_BOOT_ID": boot_id.encode()} for one in read_entries()]
    bookmark = journal.spool / ".journal-bookmark"

    def has_read(entry: dict[bytes, bytes]) -> bool:
        stamp = f";t={int(entry[b'__REALTIME_TIMESTAMP']):x};"
        known = read_bookmark(bookmark)
        return known is not None and stamp in (known.cursor or "")

    def add(begin: int, end: int) -> None:
        journal.add(entries_with_ends(entries[begin:end]))
        last = [one for one in entries[begin:end] if is_looked_at(one)][-1]
        wait_for(lambda: has_read(last), "the journal is read")

    words = [sys.executable, "-m", "steno.cli", "audit", "follow", "--user", "root"]
    words += ["--control", str(journal.directory / "control.sock"), "--spool", str(journal.spool)]
    with journal.following() as process:
        add(0, 20)
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as plugin:
            assert plugin.stdin is not None
            plugin.stdin.write(ZOO.read_bytes())
            plugin.stdin.flush()
            wait_for(lambda: journal.serials().count(889) == 1, "auditd's events come")
            add(20, 45)
            plugin.stdin.close()
            assert plugin.wait(60) == 0
        wait_for(lambda: state_of(journal)["source"] == "words", "the journal is taken in again")
        add(45, len(entries))
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    items = journal.items()
    events = [item for item in items if isinstance(item, Event)]
    kernel = [event.serial for event in events if not event.source]
    assert sorted(kernel) == list(range(744, 890))
    silent = (int(entries[20][b"__REALTIME_TIMESTAMP"]), int(entries[45][b"__REALTIME_TIMESTAMP"]))
    said = [event.at_unix_us for event in events if event.source]
    assert said
    assert not [at_unix_us for at_unix_us in said if silent[0] <= at_unix_us < silent[1] - 1000]
    assert max(said) > silent[1]
    assert [item for item in items if isinstance(item, Lost)] == []
