"""The index follows the recordings, whatever they hold and whenever it is stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest
from audited_session import make_recording
from hypothesis import given, settings
from hypothesis import strategies as st
from indexed_recordings import (
    START_US,
    index_of,
    make_lines,
    read_recording,
    shell,
    wait_until,
)

from steno.errors import NotFoundError
from steno.heartbeat import Heartbeat, SpoolFacts
from steno.metrics import Metrics
from steno.model import End, Output, Window
from steno.server.derivation import Derivation
from steno.server.index_process import IndexProcess
from steno.server.indexer import Indexer, reindex
from steno.server.indexing import IndexerSettings
from steno.store.fleet import Heard
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.store.query import parse

EXIT = End("exit", 0)


def append(store: Store, rec: str, data: bytes) -> None:
    """Append to a recording's end."""
    store.append(rec, store.durable_bytes(rec), data, sender=None)


def texts(store: Store, rec: str) -> list[str]:
    """Return a recording's lines."""
    return [line.text for line in store.lines(rec)]


def test_a_recording_is_searchable_once_it_is_indexed(store: Store, tlog_recordings: Path) -> None:
    """Lines, commands and the summary of a real recording stand in the index."""
    rec, data = read_recording(tlog_recordings, "01-simple-commands")
    append(store, rec, data)
    Indexer(store).drain()
    summary = store.find(rec)
    assert (summary.messages, summary.duration_us) == (1, 7_536_000)
    assert (summary.output_bytes, summary.is_live, summary.chain.state) == (726, False, "unchained")
    assert [command.text for command in store.commands(rec)][:2] == ["echo hello world", "pwd"]
    (first, *_) = store.search(parse('"hello world"')).items
    assert first.line is not None
    assert first.line.text == "hello world"
    assert sum(count for _, count in store.activity(rec)) == 726


@settings(max_examples=6)
@given(data=st.data())
def test_any_restarts_give_the_same_index(tlog_recordings: Path, data: st.DataObject) -> None:
    """An index built with stops at random bytes equals the one built in one go."""
    name = data.draw(st.sampled_from(("01-simple-commands", "02-vim-edit", "04-invalid-utf8")))
    rec, original = read_recording(tlog_recordings, name)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(original)), max_size=5)))
    folder = Path(tempfile.mkdtemp())
    indexes = []
    try:
        for stops in ([], cuts):
            store = open_store(folder / f"store{len(indexes)}")
            for start, stop in zip([0, *stops], [*stops, len(original)], strict=True):
                store.append(rec, start, original[start:stop], sender=None)
                if stop < len(original):
                    # What is in the middle of a line waits there: it is not taken for torn.
                    derive_so_far(store, rec)
            Indexer(store).drain()
            indexes.append(index_of(store, rec))
            store.close()
    finally:
        shutil.rmtree(folder)
    assert indexes[0] == indexes[1]


def derive_so_far(store: Store, rec: str) -> None:
    """Index what is there as a server does that is stopped right after."""
    indexer = Indexer(store, IndexerSettings(torn_wait_s=3600, live_timeout_s=1e12))
    indexer.start()
    done = len(b"".join(store.read(rec)).rpartition(b"\n")[0])
    wait_until(lambda: store.derived_bytes(rec) >= done)
    indexer.stop()


def test_lines_become_searchable_while_the_recording_goes_on(store: Store) -> None:
    """What stands on an idle screen is found within seconds, once, and the prompt is not."""
    indexer = Indexer(store, IndexerSettings(settle_wait_s=1.0))
    indexer.start()
    begun_us = time.time_ns() // 1000
    pieces = [*shell("hello"), Output(10_000, b"$ ")]
    append(store, "r1", b"".join(make_lines("r1", *pieces, started_unix_us=begun_us)))
    wait_until(lambda: store.derived_bytes("r1") > 0 and texts(store, "r1") == ["hello"])
    assert store.find("r1").is_live
    indexer.stop()


def test_more_recordings_than_are_held_in_memory(store: Store) -> None:
    """What stands on idle screens is found also of more live recordings than stay in memory."""
    indexer = Indexer(store, IndexerSettings(settle_wait_s=1.0, max_open=2))
    indexer.start()
    now_us = time.time_ns() // 1000
    recs = [f"r{number}" for number in range(6)]
    for rec in recs:
        pieces = [*shell(f"hello {rec}"), Output(10_000, b"$ ")]
        append(store, rec, b"".join(make_lines(rec, *pieces, started_unix_us=now_us)))
    wait_until(lambda: all(store.derived_bytes(rec) for rec in recs))
    wait_until(lambda: all(texts(store, rec) == [f"hello {rec}"] for rec in recs))
    assert all(store.find(rec).is_live for rec in recs)
    indexer.stop()


def test_a_recording_whose_lines_stopped_coming_is_not_live(store: Store) -> None:
    """Live is what has no end facts and a last line younger than the stated time."""
    append(store, "r1", b"".join(make_lines("r1", *shell("one"))))
    now_us = [START_US + 10_000_000]
    live = IndexerSettings(live_timeout_s=900)
    Indexer(store, live, now_unix_us=lambda: now_us[0]).drain()
    assert store.find("r1").is_live
    now_us[0] += 900_000_000
    Indexer(store, live, now_unix_us=lambda: now_us[0]).drain()
    assert not store.find("r1").is_live
    assert texts(store, "r1") == ["one"]
    append(store, "r2", b"".join(make_lines("r2", *shell("x"), end=EXIT)))
    Indexer(store, live, now_unix_us=lambda: START_US).drain()
    assert not store.find("r2").is_live


def test_missing_and_repeated_messages_are_named(store: Store) -> None:
    """A gap and a repetition show as damages with their places; the rest is searchable."""
    lines = make_lines("r1", *shell("a", "b", "c", "d", "e"), end=EXIT)
    append(store, "r1", b"".join([*lines[:2], *lines[4:5], lines[1], *lines[5:]]))
    Indexer(store).drain()
    gap, again = store.damages("r1")
    assert (gap.line, gap.reason) == (3, "messages 3 to 4 are missing before this line")
    assert again.line == 4
    assert "comes again" in again.reason
    summary = store.find("r1")
    assert (summary.notes, summary.damages, summary.chain.state) == ({"gap": 1}, 2, "broken")
    assert summary.chain.broken_line == 3


def test_damaged_lines_are_named_and_skipped(store: Store) -> None:
    """What is bad is named by line and byte; what is good is found."""
    lines = make_lines("r1", *shell("one", "two", "three"), end=EXIT)
    bad = b'{"ver":"2.3","rubbish\xff\n'
    other = make_lines("r2", *shell("not ours"))[0]
    append(store, "r1", b"".join([lines[0], bad, other, *lines[1:], b'{"torn']))
    Indexer(store).drain()
    first, second, third = store.damages("r1")
    assert (first.line, first.offset_bytes, first.length_bytes) == (2, len(lines[0]), len(bad))
    assert second.reason == "the line belongs to recording r2"
    assert third.reason.startswith("torn line: ")
    assert texts(store, "r1") == ["one", "two", "three"]
    assert store.derived_bytes("r1") == store.durable_bytes("r1")


def test_a_line_that_was_not_torn_after_all_is_read_anew(store: Store) -> None:
    """When the rest of a line comes long after it was given up, the index is set right."""
    lines = make_lines("r1", *shell("one", "two"), end=EXIT)
    half = len(lines[1]) // 2
    append(store, "r1", lines[0] + lines[1][:half])
    Indexer(store).drain()
    assert store.find("r1").damages == 1
    append(store, "r1", lines[1][half:] + b"".join(lines[2:]))
    Indexer(store).drain()
    assert store.find("r1").damages == 0
    assert store.find("r1").chain.state == "complete"
    assert texts(store, "r1") == ["one", "two"]


def test_two_indexers_on_one_store_do_not_double_it(tmp_path: Path, tlog_recordings: Path) -> None:
    """Two servers that index the same recordings at once leave each line there once."""
    rec, data = read_recording(tlog_recordings, "05-bulk-output")
    stores = [open_store(tmp_path / "store") for _ in range(2)]
    small = IndexerSettings(turn_bytes=20_000)
    indexers = [Indexer(store, small) for store in stores]
    for indexer in indexers:
        indexer.start()
    for start in range(0, len(data), 50_000):
        stores[0].append(rec, start, data[start : start + 50_000], sender=None)
    wait_until(lambda: stores[0].derived_bytes(rec) == len(data))
    wait_until(lambda: not stores[0].find(rec).is_live)
    for indexer in indexers:
        indexer.stop()
    assert len(texts(stores[0], rec)) == 36760
    for store in stores:
        store.close()


def test_bulk_in_one_recording_does_not_hold_up_another(
    store: Store, tlog_recordings: Path
) -> None:
    """A short recording that comes during another's bulk is indexed before the bulk is."""
    rec, data = read_recording(tlog_recordings, "05-bulk-output")
    append(store, rec, data)
    turns: list[str] = []

    def note(turn: str | None) -> None:
        if turn is not None:
            turns.append(turn)
            if len(turns) == 1:
                append(store, "r1", b"".join(make_lines("r1", *shell("hello"), end=EXIT)))

    indexer = Indexer(store, IndexerSettings(turn_bytes=4096), on_turn=note)
    indexer.start()
    wait_until(lambda: store.derived_bytes("r1") > 0)
    indexer.stop()
    assert 0 < turns.index("r1") <= 3
    assert len(data) > 100 * 4096


def test_a_state_of_another_version_is_built_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update that changes the rules, an index is rebuilt rather than mixed."""
    lines = make_lines("r1", *shell("one", "two", "three"), end=EXIT)
    append(store, "r1", b"".join(lines[:2]))
    monkeypatch.setattr("steno.server.derivation.STATE_VERSION", 0)
    Indexer(store).drain()
    monkeypatch.undo()
    append(store, "r1", b"".join(lines[2:]))
    Indexer(store).drain()
    assert texts(store, "r1") == ["one", "two", "three"]


def test_reindexing_changes_nothing_and_tells_its_progress(
    store: Store, tlog_recordings: Path
) -> None:
    """The derived is rebuilt from the original lines, to the same."""
    for name in ("01-simple-commands", "02-vim-edit", "08-pipe-no-tty"):
        rec, data = read_recording(tlog_recordings, name)
        append(store, rec, data)
    Indexer(store).drain()
    recs = sorted(store.recs())
    before = [index_of(store, rec) for rec in recs]
    told: list[tuple[str, int, int]] = []
    reindex(store, progress=lambda *report: told.append(report))
    assert [index_of(store, rec) for rec in recs] == before
    assert {rec for rec, done, total in told if done == total} == set(recs)


@settings(max_examples=25)
@given(st.data())
def test_no_bytes_stop_the_derivation(data: st.DataObject) -> None:
    """Any bytes, and any damage to a good recording, are accounted for to the last line."""
    original = bytearray(b"".join(make_lines("r1", *shell("one", "two", "three"), end=EXIT)))
    for _ in range(data.draw(st.integers(0, 6))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    original += data.draw(st.binary(max_size=60))
    cut = data.draw(st.integers(0, len(original)))
    whole, first = Derivation("r1"), Derivation("r1")
    whole.feed(bytes(original))
    first.feed(bytes(original[:cut]))
    second = Derivation.restore("r1", first.save())
    second.feed(bytes(original[second.next_bytes :]))
    assert second.upto_bytes == whole.upto_bytes
    assert second.upto_bytes == original.rfind(b"\n") + 1
    for derivation in (whole, second):
        derivation.finish_torn()
        assert derivation.upto_bytes == len(original)


def test_a_recording_that_hangs_the_process_does_not_stop_the_others(tmp_path: Path) -> None:
    """After two deaths a recording is indexed without its text, and that is said in its damages."""
    store = open_store(tmp_path / "store")
    slow = b"\x1b[?69h\x1b[;999s" + b"\x1b[L\n\x1b[H" * 40_000
    pieces = [Window(0, 1000, 300), Output(0, slow), Output(5000, b"end")]
    append(store, "slow", b"".join(make_lines("slow", *pieces, end=EXIT)))
    process = IndexProcess(store, tmp_path / "store", hang_s=4.0)
    process.start()
    append(store, "r1", b"".join(make_lines("r1", *shell("hello"), end=EXIT)))
    for _ in range(2):
        wait_until(lambda: (process._turn or ("", 0))[0] == "slow")
        hanging = process.pid
        assert hanging is not None
        os.kill(hanging, signal.SIGSTOP)
        wait_until(lambda pid=hanging: process.pid != pid)
    wait_until(lambda: store.derived_bytes("slow") == store.durable_bytes("slow"))
    wait_until(lambda: store.derived_bytes("r1") == store.durable_bytes("r1"))
    process.stop()
    assert texts(store, "r1") == ["hello"]
    assert any("screen text stops here" in damage.reason for damage in store.damages("slow"))
    assert store.find("slow").chain.state == "complete"
    store.close()


def test_words_of_others_do_not_silence_the_index_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that prints into its reports costs nothing: it is followed, and replaced."""
    (tmp_path / "sitecustomize.py").write_text("print('not JSON')\nprint('[1]', flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    store, metrics = open_store(tmp_path / "store"), Metrics()
    process = IndexProcess(store, tmp_path / "store", metrics=metrics)
    process.start()
    first = process.pid
    assert first is not None
    append(store, "r1", b"".join(make_lines("r1", *shell("hello"), end=EXIT)))
    wait_until(lambda: (metrics.value("steno_indexed_lines_total") or 0) > 0)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: process.pid != first)
    process.stop()
    store.close()


def test_a_killed_index_process_is_replaced(tmp_path: Path, tlog_recordings: Path) -> None:
    """When the process is killed at any time, its successor completes the index."""
    rec, data = read_recording(tlog_recordings, "05-bulk-output")
    store = open_store(tmp_path / "store")
    process = IndexProcess(store, tmp_path / "store", IndexerSettings(turn_bytes=30_000))
    process.start()
    append(store, rec, data)
    wait_until(lambda: store.derived_bytes(rec) > 0)
    first = process.pid
    assert process._child is not None
    process._child.kill()
    wait_until(lambda: store.derived_bytes(rec) == len(data))
    wait_until(lambda: process.pid != first)
    process.stop()
    assert len(texts(store, rec)) == 36760
    store.close()


def stop_outside_locks(process: IndexProcess, directory: Path) -> bool:
    """Suspend the index process; return False, and let it go on, where it holds a recording.

    A process that hangs while it holds a recording is killed by its parent, but not that soon.
    """
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    status = Path(f"/proc/{process.pid}/stat")
    wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T")
    for header in directory.rglob("header.json"):
        with header.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(process.pid, signal.SIGCONT)
                return False
    return True


def test_a_process_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    """Whoever appends never waits for the index process; once it listens it learns everything."""
    store = open_store(tmp_path / "store")
    process = IndexProcess(store, tmp_path / "store")
    process.start()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    # Their names alone are more than a pipe holds.
    recs = [f"{number:0400}" for number in range(250)]
    for rec in recs:
        append(store, rec, b"".join(make_lines(rec, *shell("hello"), end=EXIT)))
    os.kill(process.pid, signal.SIGCONT)
    wait_until(lambda: all(store.derived_bytes(rec) for rec in recs))
    wait_until(lambda: stop_outside_locks(process, tmp_path / "store"))
    for rec in recs:
        append(store, rec, b"more\n")
    child = process._child
    assert child is not None
    threading.Timer(0.5, child.kill).start()
    process.stop()
    store.close()


def test_an_unindexed_recording_is_not_found(store: Store) -> None:
    """Before its turn a recording is unknown to readers, not half known."""
    append(store, "r1", b"".join(make_lines("r1", *shell("one"))))
    with pytest.raises(NotFoundError):
        store.find("r1")


def say_open(store: Store, *recs: str, at_unix_us: int, source: str = "s") -> None:
    """Let host web1 say which of its recordings are being made."""
    beat = Heartbeat(at_unix_us, "b", source, "1", spool=SpoolFacts(open=recs))
    store.put_heard(Heard("web1", at_unix_us, beat))


def test_a_recording_is_live_while_its_host_says_so(store: Store) -> None:
    """However long nothing is shown; 15 minutes after the host's last word that ends."""
    lines = make_lines("r1", *shell("one"))
    store.append("r1", 0, b"".join(lines), sender="web1")
    now_us = [START_US + 1_000_000]

    def index() -> bool:
        Indexer(store, now_unix_us=lambda: now_us[0]).drain()
        return store.find("r1").is_live

    assert index()
    say_open(store, "r1", at_unix_us=now_us[0])
    now_us[0] += 24 * 3600 * 1_000_000
    say_open(store, "r1", at_unix_us=now_us[0])
    assert index()
    now_us[0] += 899 * 1_000_000
    assert index()
    now_us[0] += 2 * 1_000_000
    assert not index()
    say_open(store, "r1", at_unix_us=now_us[0])
    now_us[0] += 2_000_000
    assert index(), "the host is back, and the session was there all the time"


def test_a_recording_that_its_host_names_no_more_is_over(store: Store) -> None:
    """Within seconds of its word; that another spool does not name it says nothing."""
    store.append("r1", 0, b"".join(make_lines("r1", *shell("one"))), sender="web1")
    now_us = [START_US + 1_000_000]

    def index() -> bool:
        Indexer(store, now_unix_us=lambda: now_us[0]).drain()
        return store.find("r1").is_live

    assert index()
    say_open(store, "r1", at_unix_us=now_us[0])
    say_open(store, at_unix_us=now_us[0], source="other")
    now_us[0] += 10_000_000
    assert index()
    say_open(store, at_unix_us=now_us[0])
    now_us[0] += 4_000_000
    assert index(), "its last lines may be on their way"
    now_us[0] += 2_000_000
    assert not index()
    assert store.find("r1").end is None


def test_the_host_s_word_is_acted_on_at_once(store: Store) -> None:
    """In the background: what ceased to be named is over soon, and what is named again lives."""
    now_us = time.time_ns() // 1000
    lines = make_lines("r1", *shell("one"), started_unix_us=now_us)
    indexer = Indexer(store, IndexerSettings(gone_wait_s=0.2, settle_wait_s=0.1))
    indexer.start()
    store.append("r1", 0, b"".join(lines), sender="web1")
    wait_until(lambda: store.derived_bytes("r1") > 0)
    say_open(store, "r1", at_unix_us=time.time_ns() // 1000)
    wait_until(lambda: store.find("r1").is_live)
    say_open(store, at_unix_us=time.time_ns() // 1000)
    wait_until(lambda: not store.find("r1").is_live)
    say_open(store, "r1", at_unix_us=time.time_ns() // 1000)
    wait_until(lambda: store.find("r1").is_live)
    indexer.stop()


@pytest.mark.parametrize("member", ["pid", "uid", "number", "columns", "coarse_unix_us"])
def test_a_fact_that_nothing_holds_is_damage(store: Store, member: str) -> None:
    """A host may say any number: its line is damaged, and the recording is indexed."""
    lines = make_recording("r", **{member: 2**63})
    store.append("r", 0, b"".join(lines), sender="vm")
    Indexer(store).drain()
    summary = store.find("r")
    assert (summary.damages, summary.size_bytes) == (2, len(b"".join(lines)))
    assert next(store.lines("r")).text
