"""Recordings are read from where they are: the journal, OpenSearch, a growing file."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import orjson
import pytest
from cli_recordings import make_recording
from opensearch_node import index_lines, needs_opensearch

from steno.cli.library import Location
from steno.cli.playing.feed import open_feed
from steno.cli.playing.sources import ElasticSource, FileSource, open_elastic
from steno.errors import NotFoundError, RefusedError, UsageError
from steno.model import Output

JOURNAL_REMOTE = Path("/lib/systemd/systemd-journal-remote")
TEXTS = ["one", "zwei Ölfässer", "three \x1b[31mred\x1b[0m"]


def read_output(target: str) -> bytes:
    """Return all output of the recording that `target` names."""
    feed = open_feed(target, Location(), None)
    pieces = feed.poll() + feed.finish()
    feed.close()
    return b"".join(piece.data for piece in pieces if isinstance(piece, Output))


@pytest.fixture
def journal_directory(tmp_path: Path) -> Path:
    """A journal that holds two recordings, mixed, as the journal writer of tlog leaves them."""
    entries = []
    recordings = [make_recording(rec, [rec, *TEXTS]).splitlines() for rec in ("r-1", "r-2")]
    at_us = 1_790_000_000_000_000
    for pair in zip(*recordings, strict=True):
        for rec, line in zip(("r-1", "r-2"), pair, strict=True):
            at_us += 1
            entries.append(
                f"__REALTIME_TIMESTAMP={at_us}\n__MONOTONIC_TIMESTAMP={at_us}\n"
                f"_BOOT_ID={'0' * 31}1\nTLOG_REC={rec}\nMESSAGE={line.decode()}\n\n"
            )
    subprocess.run(
        [JOURNAL_REMOTE, "-o", tmp_path / "test.journal", "-"],
        input="".join(entries).encode(),
        check=True,
        capture_output=True,
    )
    return tmp_path


@pytest.mark.real
@pytest.mark.skipif(
    not JOURNAL_REMOTE.exists() or shutil.which("journalctl") is None,
    reason="Debian package systemd-journal-remote is missing",
)
def test_recordings_are_read_from_the_journal(journal_directory: Path) -> None:
    """A recording's messages are found by its id among others'."""
    wanted = "".join(f"{text}\r\n" for text in ["r-2", *TEXTS]).encode()
    assert read_output(f"journal:r-2?directory={journal_directory}") == wanted
    assert read_output(f"journal:TLOG_REC=r-2?directory={journal_directory}") == wanted
    with pytest.raises(NotFoundError, match="no message has TLOG_REC=r-9"):
        read_output(f"journal:r-9?directory={journal_directory}")


def test_a_journal_target_must_say_what() -> None:
    """`journal:` alone names nothing."""
    with pytest.raises(UsageError, match="say which recording"):
        open_feed("journal:", Location(), None)


@pytest.mark.real
@pytest.mark.slow
@needs_opensearch
def test_recordings_are_read_from_opensearch(opensearch: str) -> None:
    """All messages come, in the order of their ids, page after page; others' do not."""
    texts = [f"line {number}" for number in range(450)]
    indexed = 0
    for rec in ("r-1", "r-2", "r-3"):
        lines = make_recording(rec, texts if rec != "r-2" else ["other"]).splitlines()
        index_lines(opensearch, "tlog", reversed(lines))
        indexed += len(lines)
    target = f"es+{opensearch}/tlog?q=rec.keyword:%22r-1%22"
    assert read_output(target) == "".join(f"{text}\r\n" for text in texts).encode()
    with pytest.raises(NotFoundError, match="no such index"):
        read_output(f"es+{opensearch}/nothing?q=rec:r-1")
    with contextlib.closing(open_elastic(f"es+{opensearch}/tlog?q=*", None)) as source:
        read = b"".join(iter(source.read_new, b"")).splitlines()
    # Pages end between two messages of one number, of which none is left out or comes twice.
    assert len(read) == len(set(read)) == indexed


@pytest.mark.real
@pytest.mark.slow
@needs_opensearch
def test_messages_that_are_found_late_come_in_their_order(opensearch: str) -> None:
    """While a recording is followed, what is behind a missing message waits for it, for a while."""
    first, second, third, fourth, *_, last = make_recording("r-3", TEXTS * 3).splitlines()
    source = ElasticSource(f"{opensearch}/late/_search", "rec.keyword:r\\-3")
    source.patience_s = 60
    index_lines(opensearch, "late", [first, second, fourth])
    assert source.read_new() == b"".join(normal(line) for line in (first, second))
    assert source.read_new() == b""
    index_lines(opensearch, "late", [third, last])
    assert source.read_new() == b"".join(normal(line) for line in (third, fourth))
    assert source.read_new() == b""
    source.patience_s = 0.001
    time.sleep(0.01)
    assert source.read_new() == normal(last)
    source.close()


def normal(line: bytes) -> bytes:
    """Return a line as a search's source is written."""
    return orjson.dumps(orjson.loads(line)) + b"\n"


@pytest.mark.parametrize("target", ["es+http://127.0.0.1:1/", "es+http://127.0.0.1:1/index"])
def test_an_index_and_a_query_are_needed(target: str) -> None:
    """An address without them is refused before anything is asked."""
    with pytest.raises(UsageError, match="an index and a query are needed"):
        open_feed(target, Location(), None)


class Guarded(BaseHTTPRequestHandler):
    """Refuses everybody, and remembers what they showed."""

    shown: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        """Answer 401."""
        self.shown.append(self.headers["Authorization"])
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("held", "shown"), [("ann:secret\n", "Basic YW5uOnNlY3JldA=="), ("k3y", "ApiKey k3y")]
)
def test_credentials_come_from_a_file(tmp_path: Path, held: str, shown: str) -> None:
    """A password or an API key is read from a file, and never stands in a message."""
    (tmp_path / "token").write_text(held)
    location = Location(token_file=tmp_path / "token")
    with HTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.handle_request).start()
        address = f"127.0.0.1:{server.server_port}/tlog?q=rec:r"
        feed = open_feed(f"es+http://{address}", location, None)
        with pytest.raises(RefusedError, match="tlog: HTTP status 401"):
            feed.poll()
        feed.close()
    assert Guarded.shown[-1] == shown
    with pytest.raises(UsageError, match=r"^a user and password stand in a file"):
        open_feed(f"es+http://ann:secret@{address}", Location(), None)


def test_a_growing_file_is_followed(tmp_path: Path) -> None:
    """What is appended to a file comes with the next poll, also when a line comes in two parts."""
    path = tmp_path / "r.log"
    data = make_recording("r", TEXTS)
    path.write_bytes(data[:300])
    feed = open_feed(str(path), Location(), None)
    pieces = feed.poll()
    assert feed.end is None
    with path.open("ab") as file:
        file.write(data[300:])
    pieces += feed.poll()
    assert feed.end is not None
    assert b"".join(p.data for p in pieces if isinstance(p, Output)).startswith(b"one\r\n")
    feed.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error with its path."""
    with pytest.raises(NotFoundError, match=r"nothing\.log: No such file"):
        FileSource(tmp_path / "nothing.log")
