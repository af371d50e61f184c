"""`steno audit import`: logs become trails in a spool or a store."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from live_server import run_steno

from steno.audit.event import Event
from steno.audit.trail import Lost, Placed, TrailDecoder, TrailHead, TrailItem
from steno.delivery.spool import Spool
from steno.store.opening import open_store

F1 = Path(__file__).parents[1] / "data" / "audit" / "f1" / "audit-enriched.log"
BOOT_ID = "01234567-89ab-cdef-0123-456789abcdef"
OF = ("--host", "web1", "--boot-id", BOOT_ID)


def read(data: bytes) -> list[TrailItem]:
    """Return what a trail says; all of it can be read."""
    found = TrailDecoder().feed(data)
    items = [placed.item for placed in found if isinstance(placed, Placed)]
    assert len(items) == len(found)
    return items


def read_spool(directory: Path) -> list[TrailItem]:
    """Return what the only trail in a spool says."""
    [entry] = Spool(directory).entries()
    assert entry.is_finished
    return read((directory / f"{entry.rec}.done").read_bytes())


def test_a_log_becomes_a_trail_in_the_spool(tmp_path: Path) -> None:
    """Every event of the log is in the trail, of the host and boot that were given."""
    done = run_steno("audit", "import", F1, *OF, "--spool", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    items = read_spool(tmp_path)
    events = [item for item in items if isinstance(item, Event)]
    serials = {
        line.partition(b"):")[0].rpartition(b":")[2] for line in F1.read_bytes().split(b"\n")
    }
    assert sorted(event.serial for event in events) == sorted(int(one) for one in serials if one)
    assert {(event.host, event.boot_id) for event in events} == {("web1", BOOT_ID.replace("-", ""))}
    assert json.loads(done.stdout) == {
        "events": len(events),
        "lost": 0,
        "damaged": 0,
        "first_unix_us": events[0].at_unix_us,
        "last_unix_us": events[-1].at_unix_us,
    }
    assert run_steno("verify", next(tmp_path.glob("*.done"))).returncode == 0


def test_a_log_becomes_a_trail_in_a_store(tmp_path: Path) -> None:
    """With --store the trail lies in the store, as the sender's, the same as in a spool."""
    open_store(tmp_path / "store").close()
    packed = tmp_path / "audit.log.1.gz"
    packed.write_bytes(gzip.compress(F1.read_bytes()))
    to = ("--store", tmp_path, "--sender", "web1")
    done = run_steno("audit", "import", packed, *OF, *to)
    assert done.returncode == 0, done.stderr
    run_steno("audit", "import", F1, *OF, "--spool", tmp_path / "spool")
    store = open_store(tmp_path / "store")
    [trail] = store.trails()
    assert store.sender_of(trail) == "web1"
    items = read(b"".join(store.read(trail)))
    store.close()
    assert isinstance(items[0], TrailHead)
    assert items[0].id == trail
    assert items[1:-1] == read_spool(tmp_path / "spool")[1:-1]


def test_what_a_log_lacks_is_told(tmp_path: Path) -> None:
    """Missing serial numbers and unreadable lines are in the trail and in what the command says."""
    lines = F1.read_bytes().splitlines(keepends=True)
    serials = sorted({int(line.partition(b"):")[0].rpartition(b":")[2]) for line in lines})
    gone = serials[20:23]
    marks = [b":%d):" % serial for serial in gone]
    kept = [line for line in lines if not any(mark in line for mark in marks)]
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join([*kept[:30], b"rubbish\n", *kept[30:]]))
    done = run_steno("audit", "import", log, *OF, "--spool", tmp_path / "spool")
    assert done.returncode == 4, done.stderr
    assert f"{log}: line 31, byte {sum(map(len, kept[:30]))}: not an audit record" in done.stderr
    assert "3 events missing in the log; 1 line unreadable" in done.stdout
    losses = [item for item in read_spool(tmp_path / "spool") if isinstance(item, Lost)]
    found = {(lost.why, lost.count, lost.from_serial, lost.to_serial) for lost in losses}
    assert found == {("gap", 3, gone[0], gone[-1]), ("damaged", 1, None, None)}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nowhere.log", *OF), 5),
        ((str(F1), "--host", "web1", "--boot-id", "7"), 2),
        ((str(F1), *OF, "--sender", "web1"), 2),
        ((str(F1),), 2),
    ],
)
def test_what_cannot_be_imported_is_refused(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    """Wrong arguments and missing files are refused in a line, and leave no trail."""
    done = run_steno("audit", "import", *words, "--spool", tmp_path / "spool")
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("spool/trail-*"))


def test_what_holds_no_record_makes_no_trail(tmp_path: Path) -> None:
    """A file that is no audit log is refused, and nothing of it would be delivered."""
    (tmp_path / "rubbish").write_bytes(b"no record\nnor this\n")
    (tmp_path / "empty").touch()
    for name in ("rubbish", "empty"):
        done = run_steno("audit", "import", tmp_path / name, *OF, "--spool", tmp_path / "spool")
        assert done.returncode == 4
        assert f"{name}: there is no audit record" in done.stderr
    assert not list(tmp_path.glob("spool/trail-*"))


def test_a_torn_archive_is_told(tmp_path: Path) -> None:
    """A compressed log that ends too early is told, and what was read of it is in an open trail."""
    packed = tmp_path / "audit.log.gz"
    packed.write_bytes(gzip.compress(F1.read_bytes())[:-20])
    done = run_steno("audit", "import", packed, *OF, "--spool", tmp_path / "spool")
    assert done.returncode == 4
    assert "ends too early" in done.stderr
