"""`steno events` and `steno logins`: a store and its server, as a person sees them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from audited_session import BOOT_ID, make_recording, make_trail, read_events
from cli_recordings import Steno
from driven import STENO, Driven
from refused_sessions import read_events as read_refused
from refused_sessions import read_lines
from trails import make_trail as make_real_trail

from steno.server.indexer import Indexer
from steno.store.event_places import EventPlaces, FoundEvent
from steno.store.events import EventQuery
from steno.store.opening import open_store
from steno.store.page import Page
from steno.store.query import parse

REC = "f1-0001"
TRAIL = f"trail-{BOOT_ID}-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server's directory with avery's session, and that server: files `url` and `token`."""
    made = tmp_path_factory.mktemp("audited")
    store = open_store(made / "srv" / "store")
    store.append(REC, 0, b"".join(make_recording(REC)), sender="vm")
    store.append(TRAIL, 0, b"".join(make_trail(TRAIL, read_events())), sender="vm")
    Indexer(store).drain()
    store.close()
    steno = [sys.executable, "-m", "steno.cli"]
    common = ["--directory", str(made / "srv")]
    add = [*steno, "user", "add", "oscar", "--role", "auditor", "--no-password", *common]
    subprocess.run(add, check=True, capture_output=True)
    command = [*steno, "token", "add", "oscar", "--label", "tests", *common]
    token = subprocess.run(command, check=True, capture_output=True, text=True)
    (made / "token").write_text(token.stdout)
    command = [*steno, "serve", "--listen", "127.0.0.1:0", *common]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    (made / "url").write_text(process.stdout.readline().removeprefix("serving on ").strip())
    yield made
    process.terminate()
    process.wait()


def test_events_with_their_moments(steno: Steno, site: Path) -> None:
    """One line an event: when, where, in which recording at which moment, what."""
    found = steno("events", "action:wrote", "file:/etc/passwd", "--store", site / "srv")
    assert (found.returncode, found.stderr) == (0, "")
    heading, *lines = [line.split() for line in found.stdout.splitlines()]
    assert heading == ["time", "host", "session", "recording", "event"]
    shared = ["2026-11-20", "08:02:08", "vm", "4", "f1-0001"]
    assert [line[:5] for line in lines] == [shared, shared]
    assert [line[5] for line in lines] == ["0:04.0", "0:03.9"]
    assert "wrote /etc/passwd with useradd" in " ".join(lines[1])


def test_order_limit_and_nothing_found(steno: Steno, site: Path) -> None:
    """Oldest first and so many at most if asked; what is not found ends with 1."""
    store = ("--store", site / "srv")
    oldest = steno("events", "ran:*", "--oldest-first", "-n", "2", *store)
    assert "more than 2; see -n" in oldest.stderr
    assert oldest.stdout.count("\n") == 3
    assert "-bash" in oldest.stdout
    assert steno("events", "file:/nowhere", *store).returncode == 1
    said = steno("events", '"wrote /etc/passwd with useradd"', *store)
    assert said.stdout.count("\n") == 2
    wrong = steno("events", "is:live", *store)
    assert wrong.returncode == 7
    assert "is: says something of recordings" in wrong.stderr


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A store with real logins, in which `ps` was refused the files of other processes."""
    store = open_store(tmp_path / "store")
    for rec, lines in read_lines().items():
        store.append(rec, 0, b"".join(lines), sender="web1")
    boot_id = next(iter(read_lines())).rpartition("-")[2]
    trail, lines = make_real_trail(*read_refused(), boot_id=boot_id, host="web1")
    store.append(trail, 0, b"".join(lines), sender="web1")
    Indexer(store).drain()
    store.close()
    return tmp_path / "store"


def test_denials_that_say_the_same_are_one_line(steno: Steno, refused: Path) -> None:
    """Each run of ps is a line that counts; --every and --json list each of its denials."""
    query = ("events", "ran:* OR result:failure session:7765", "--store", refused, "-n", "2000")
    lines = steno(*query).stdout.splitlines()
    counted = [line for line in lines if "/proc/*/environ with ps: permission denied (" in line]
    assert [line[line.index("(") :] for line in counted] == [
        "(142 times)", "(145 times)", "(143 times)",
    ]  # fmt: skip
    every = steno(*query, "--every").stdout.splitlines()
    assert len(every) == 1 + len(steno(*query, "--json").stdout.splitlines())
    assert sum("/environ with ps" in line for line in every) == 142 + 145 + 143
    assert len(every) - len(lines) == 142 + 145 + 143 + 3 * 6 - 6


def test_denials_that_say_the_same_are_one_hit(steno: Steno, refused: Path) -> None:
    """So they leave room for other hits; --every and --json show each of them."""
    query = ("search", "result:EACCES session:7765", "--store", refused, "-n", "2000")
    hits = steno(*query).stdout
    assert hits.count("/proc/*/environ with ps: permission denied (142 times)") == 1
    every = steno(*query, "--every").stdout
    assert every.count("/environ with ps: permission denied\n") == 142 + 145 + 143
    assert len(steno(*query, "--json").stdout.splitlines()) == every.count("• ")
    few = steno(*query[:-2], "-n", "3")
    assert few.stdout.count("• ") == 3
    assert [line for line in few.stdout.splitlines() if "• " in line] == [
        line for line in hits.splitlines() if "• " in line
    ][:3]
    assert "more than 3; see -n" in few.stderr


def test_what_does_not_fit_goes_on_below_itself(refused: Path) -> None:
    """On a narrow terminal a hit's second line stands below its text, not below its instant."""
    words = ["search", "result:EACCES", "session:7765", "-n", "3", "--store", str(refused)]
    terminal = Driven([*STENO, *words], columns=80)
    assert terminal.finish(60) == 0
    terminal.close()
    lines = re.sub(rb"\x1b\[[0-9;]*m", b"", bytes(terminal.seen)).decode().splitlines()
    below = [line.rstrip() for line in lines if line.startswith(" " * 12)]
    assert below[0] == " " * 12 + "permission denied (6 times)", lines
    assert not [line for line in lines if line.startswith(("denied", "permission", "times"))]


def test_a_page_of_denials_stands_for_all_of_them(refused: Path) -> None:
    """Whatever pages are cut: rows stand for every event once, in order."""
    store = open_store(refused)
    try:
        places = EventPlaces(store)
        wanted = EventQuery(parse("session:7765"))
        serials: list[int] = []
        cursor: str | None = None
        while True:
            page = places.place_bunched(
                lambda after, count: store.events(wanted, cursor=after, limit=count), cursor, 20
            )
            assert len(page.items) <= 20
            for found in page.items:
                own = [found.event.serial]
                serials += own if found.bunch is None else found.bunch.serials
                assert found.bunch is None or found.bunch.serials[0] == own[0]
            cursor = page.cursor
            if cursor is None:
                break
        alone = [one.event.serial for one in store.events(wanted, limit=2000).items]
    finally:
        store.close()
    assert sorted(serials) == sorted(alone)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_a_page_that_ends_in_a_bunch_tells_all_of_it(refused: Path, limit: int) -> None:
    """Pages of few rows have the rows of one long page: a bunch is not cut where a page ends."""
    store = open_store(refused)
    try:
        places = EventPlaces(store)
        wanted = EventQuery(parse("result:EACCES session:7765"))

        def page(cursor: str | None, limit: int) -> Page[FoundEvent]:
            return places.place_bunched(
                lambda after, count: store.events(wanted, cursor=after, limit=count), cursor, limit
            )

        told: list[FoundEvent] = []
        cursor: str | None = None
        while not told or cursor is not None:
            found = page(cursor, limit)
            assert len(found.items) <= limit
            told += found.items
            cursor = found.cursor
        assert told == page(None, 2000).items
        assert any(one.bunch for one in told)
    finally:
        store.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ["events", "ran:curl", "-addr:10.0.0.0/8"],
        ["events", "--json", "file:/etc/shadow"],
        ["events", "user:x OR ("],
        ["search", "action:wrote", "file:/etc/passwd", "temp9"],
        ["search", "--rec", REC, "file:/etc/passwd"],
        ["search", "result:failure"],
        ["search", "--every", "result:failure"],
        ["logins"],
        ["logins", "--failed", "--json", "--after", "2026-11-20"],
        ["logins", "--json", "--not-recorded", "--user", "b*", "--before", "now"],
    ],
)
def test_a_server_says_of_events_what_its_directory_says(
    steno: Steno, site: Path, arguments: list[str]
) -> None:
    """Output and exit status are the same, whether the store is read here or over HTTP."""
    url = (site / "url").read_text()
    here = steno(*arguments, "--store", site / "srv")
    there = steno(*arguments, "--server", url, "--token-file", site / "token")
    assert there.stdout == here.stdout
    assert there.returncode == here.returncode
    assert bool(there.stderr) == bool(here.stderr)


def test_logins_as_a_person_reads_them(steno: Steno, site: Path) -> None:
    """Each login with what was recorded of it; failures by account and source."""
    found = steno("logins", "--store", site / "srv").stdout.splitlines()
    assert found[0].split() == [
        "when", "user", "host", "through", "from", "lasted", "failed", "recording",
    ]  # fmt: skip
    assert [line.split()[2] for line in found[1:]] == ["blake", "blake", "avery"]
    assert [line.rstrip().endswith("not recorded") for line in found[1:]] == [True, True, False]
    assert found[3].split()[-1] == REC[:8]
    failed = steno("logins", "--failed", "--store", site / "srv").stdout.splitlines()
    assert failed[1].split()[:2] == ["1", "blake"]
    assert steno("logins", "--user", "nobody", "--store", site / "srv").stderr == "no logins\n"
    assert steno("logins", "--before", "soon", "--store", site / "srv").returncode == 2
    both = steno("logins", "--failed", "--recorded", "--store", site / "srv")
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)


def test_reindexing_counts_trails(steno: Steno, tmp_path: Path) -> None:
    """`steno server reindex` rebuilds trails too, by their names as well, and says so."""
    store = open_store(tmp_path / "store")
    store.append(TRAIL, 0, b"".join(make_trail(TRAIL, read_events())), sender="vm")
    store.close()
    for names in ([], [TRAIL[:12]]):
        done = steno("server", "reindex", *names, "--store", tmp_path)
        assert done.stdout.startswith("0 recordings, 1 audit trails with 409 events, "), done.stderr
    assert steno("events", "ran:curl", "--store", tmp_path).returncode == 0
