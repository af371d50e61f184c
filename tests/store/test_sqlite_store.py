"""The embedded store passes the suite that all stores pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import msgspec
import pytest
from places import HOUR_US, START_US, Stores, found, listed, put, turn_pages
from suite import StoreSuite
from suite_events import BOOT, about, an_event, program, put_events
from suite_logins import fact, failures, logins, put_facts

from steno.errors import UsageError
from steno.model import End
from steno.store import event_search, search
from steno.store import logins as store_logins
from steno.store.cursors import LineCursor, SortCursor, encode_cursor
from steno.store.event_search import EventCursor
from steno.store.events import EventQuery, LoginQuery
from steno.store.logins import LoginCursor
from steno.store.opening import open_store
from steno.store.query import parse


class TestSqliteStore(StoreSuite):
    """The suite, with stores in a directory."""

    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[Stores]:
        """Open stores in one directory."""
        stores = Stores(lambda: open_store(tmp_path / "store"))
        yield stores
        stores.close()


@pytest.mark.parametrize("work_limit", [1, 2, 5])
@pytest.mark.parametrize("query", ["/a.?b/", "ab", "ab zz", "-zz", "ab OR user:blake", "/q+/ ab"])
def test_short_pages_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, work_limit: int
) -> None:
    """Pages that end early, because much was to be read, together hold every hit, once."""
    store = open_store(tmp_path)
    for number in range(6):
        texts = ["ab" if line % (40 + number) == number else "q" for line in range(300)]
        if number == 3:
            texts[77] = "zz"
        put(
            store, f"r{number}", *texts, started_unix_us=START_US + number * HOUR_US,
            user=("avery", "blake")[number % 2],
        )  # fmt: skip
    tree = parse(query)
    whole = store.search(tree, limit=2000)
    assert whole.cursor is None
    monkeypatch.setattr(search, "WORK_LIMIT_CHUNKS", work_limit)
    monkeypatch.setattr(search, "LOOK_AHEAD_CHUNKS", 1)
    pages = list(turn_pages(lambda cursor: store.search(tree, limit=30, cursor=cursor)))
    assert [hit for page in pages for hit in page] == whole.items
    within = list(turn_pages(lambda cursor: store.search(tree, rec="r3", limit=30, cursor=cursor)))
    expected = [hit for hit in whole.items[::-1] if hit.summary.rec == "r3"]
    assert [hit for page in within for hit in page] == expected
    lists = list(turn_pages(lambda cursor: store.recordings(tree, limit=2, cursor=cursor)))
    recs = [item.rec for page in lists for item in page]
    assert recs == list(dict.fromkeys(hit.summary.rec for hit in whole.items))
    store.close()


@pytest.mark.parametrize("query", ["ran:tool", "ran:tool OR needle", "needle", "ran:tool -needle"])
def test_pages_that_time_cuts_short_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """However little time there is for a page, each gets on, and all hits come, once."""
    store = open_store(tmp_path)
    for number in range(5):
        put(
            store, f"r{number}", "needle" if number % 2 else "hay",
            started_unix_us=START_US + number * HOUR_US, duration_us=HOUR_US - 1,
            boot_id=BOOT, audit_session=7, sender="web1",
        )  # fmt: skip
    events = [
        an_event(number, "ran", at_us=number * HOUR_US // 20, **program("tool", "-x"))
        for number in range(100)
    ]
    put_events(store, *events)
    tree = parse(query)
    whole = store.search(tree, limit=2000)
    assert whole.cursor is None
    monkeypatch.setattr(search, "WORK_LIMIT_S", 0)
    monkeypatch.setattr(event_search, "WORK_LIMIT_S", 0)
    pages = list(turn_pages(lambda cursor: store.search(tree, limit=30, cursor=cursor)))
    assert [hit for page in pages for hit in page] == whole.items
    lists = list(turn_pages(lambda cursor: store.recordings(tree, limit=3, cursor=cursor)))
    assert [len(page) for page in lists if page] == [1] * len({h.summary.rec for h in whole.items})
    wanted = EventQuery(parse("ran:tool"))
    found = list(turn_pages(lambda cursor: store.events(wanted, limit=50, cursor=cursor)))
    assert [one.event.serial for page in found for one in page] == list(range(99, -1, -1))
    assert len(found) > 4
    store.close()


@pytest.mark.parametrize("work_limit", [1, 3, 7])
def test_pages_of_logins_that_end_early_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work_limit: int
) -> None:
    """However few facts are looked at for a page: all logins come once, all failures count once."""
    store = open_store(tmp_path)
    facts = [
        fact("failure", number, at_us=number * 1_000_000, user=("root", "avery")[number % 2])
        if number % 4
        else fact("open", number, at_us=number * 1_000_000, audit_session=number)
        for number in range(1, 41)
    ]
    put_facts(store, *facts)
    whole = logins(store)
    assert len(whole) == 10
    monkeypatch.setattr(store_logins, "WORK_LIMIT_FACTS", work_limit)
    assert logins(store) == whole
    counted = failures(store)
    assert sum(one.count for one in counted if one.user == "root") == 10
    assert sum(one.count for one in counted if one.user == "avery") == 20
    newest = [one.last_unix_us for one in counted]
    assert newest == sorted(newest, reverse=True)
    store.close()


def test_an_index_from_before_events_is_brought_along(tmp_path: Path) -> None:
    """A store of version 2 keeps its recordings, whose sessions' events are then found."""
    store = open_store(tmp_path)
    put(store, "r", "needle", boot_id=BOOT, audit_session=7, sender="web1")
    put(store, "s", "needle", started_unix_us=START_US + HOUR_US)
    store.close()
    connection = apsw.Connection(str(tmp_path / "index.sqlite"))
    for table in ("trails", "event_sessions", "events", "event_chunks", "event_terms",
                  "trail_notes", "login_facts", "joined", "unjoined", "left_alone"):  # fmt: skip
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP INDEX recordings_session")
    connection.execute("ALTER TABLE recordings DROP COLUMN boot_id")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    for _ in range(2):
        store = open_store(tmp_path)
        assert found(store, "needle") == [("s", 0), ("r", 0)]
        store.close()
    store = open_store(tmp_path)
    put_events(store, an_event(1, objects=about("/f")))
    assert listed(store, "file:/f") == ["r"]
    store.close()


def test_ends_from_before_signals_had_a_status_are_found(tmp_path: Path) -> None:
    """A store of version 7 finds what a signal ended by the status that a shell would say."""
    store = open_store(tmp_path)
    put(store, "killed", "x", end=End("signal", signal=9))
    put(store, "ended", "x", end=End("exit", 3))
    put(store, "cut", "x")
    store.close()
    connection = apsw.Connection(str(tmp_path / "index.sqlite"))
    connection.execute("UPDATE recordings SET exit_status = NULL WHERE rec = 'killed'")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    store = open_store(tmp_path)
    assert listed(store, "status:137") == ["killed"]
    assert listed(store, "status:3") == ["ended"]
    assert sorted(listed(store, "-status:3 -status:137")) == ["cut"]
    store.close()


def test_every_version_of_the_index_comes_to_the_same_tables(tmp_path: Path) -> None:
    """An index that was brought along is no other than one that was made anew."""
    schemas = []
    six = "DROP TABLE left_alone; PRAGMA user_version = "
    seven = "PRAGMA user_version = 7"
    five = f"DROP INDEX trails_boot; {six}"
    unjoined = f"DROP TABLE joined; DROP TABLE unjoined; {five}"
    for name, undo in (
        ("new", ""),
        ("seven", seven),
        ("six", f"{six} 6"),
        ("five", f"{five} 5"),
        ("four", f"{unjoined} 4"),
        ("three", f"DROP INDEX login_facts_begun; {unjoined} 3"),
    ):
        path = tmp_path / name / "index.sqlite"
        open_store(path.parent).close()
        connection = apsw.Connection(str(path))
        if undo:
            connection.execute(undo)
            connection.close()
            open_store(path.parent).close()
            connection = apsw.Connection(str(path))
        schemas.append(set(connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()))
        connection.close()
    assert all(schema == schemas[0] for schema in schemas)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_cursors_with_impossible_numbers_are_refused(tmp_path: Path, number: int) -> None:
    """Whoever makes up a cursor is told that it is none."""
    store = open_store(tmp_path)
    asked: list[tuple[msgspec.Struct, Callable[[str], object]]] = [
        (LineCursor(number, None), lambda cursor: store.search(parse("x"), cursor=cursor)),
        (LineCursor(1, 1, number), lambda cursor: store.search(parse("x"), cursor=cursor)),
        (SortCursor("-started", number, "r"), lambda cursor: store.recordings(cursor=cursor)),
        (EventCursor(False, number), lambda cursor: store.events(EventQuery(), cursor=cursor)),
        (LoginCursor(number), lambda cursor: store.logins(LoginQuery(), cursor=cursor)),
        (LoginCursor(number), lambda cursor: store.login_failures(LoginQuery(), cursor=cursor)),
    ]
    for cursor, ask in asked:
        with pytest.raises(UsageError, match="cursor"):
            ask(encode_cursor(cursor))
    store.close()


def test_a_cursor_of_the_other_order_is_refused(tmp_path: Path) -> None:
    """Going on the other way would begin anew, or leave events out."""
    store = open_store(tmp_path)
    put_events(store, an_event(1), an_event(2))
    for is_ascending in (False, True):
        cursor = store.events(EventQuery(is_ascending=is_ascending), limit=1).cursor
        with pytest.raises(UsageError, match="cursor"):
            store.events(EventQuery(is_ascending=not is_ascending), cursor=cursor)
    store.close()


def test_an_index_from_before_joining_is_joined(tmp_path: Path) -> None:
    """A store of version 4 keeps all; sessions with recordings and events wait to be joined."""
    store = open_store(tmp_path)
    put(store, "r", "needle", boot_id=BOOT, audit_session=7, sender="web1")
    put_events(store, an_event(1, objects=about("/f")), an_event(2, audit_session=8))
    store.close()
    connection = apsw.Connection(str(tmp_path / "index.sqlite"))
    connection.execute("DROP TABLE joined; DROP TABLE unjoined; DROP INDEX trails_boot")
    connection.execute("DROP TABLE left_alone")
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    for _ in range(2):
        store = open_store(tmp_path)
        assert [session.audit_session for session, _ in store.unjoined_sessions()] == [7]
        assert listed(store, "file:/f") == ["r"]
        store.close()
