"""What the ingest routes promise to hosts, with the real embedded store behind them."""

from __future__ import annotations

import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from starlette.applications import Starlette
from starlette.testclient import TestClient

from steno.metrics import Metrics
from steno.server.ingest import Ingest
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry
from steno.store.opening import open_store
from steno.store.protocol import Store

LIMIT_BYTES = 1 << 20


class Parts:
    """The routes, what is behind them, and a client that is host web1."""

    def __init__(self, directory: Path) -> None:
        self.store: Store = open_store(directory / "store")
        self.file = AccountsFile(directory / "accounts.sqlite")
        self.registry = HostRegistry(self.file)
        self.metrics = Metrics()
        ingest = Ingest(self.store, self.registry, self.metrics, body_limit_bytes=LIMIT_BYTES)
        self.app = Starlette(routes=ingest.routes())
        self.client = self.client_of("web1")

    def client_of(self, host: str) -> TestClient:
        """Enrol a host and return a client with its token."""
        token = self.registry.enrol(self.registry.make_code().code, host, None)
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"})

    def bytes_of(self, rec: str) -> bytes:
        """Return what is stored."""
        return b"".join(self.store.read(rec))


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A server's parts in an empty directory."""
    parts = Parts(tmp_path)
    yield parts
    parts.store.close()
    parts.file.close()


def test_bytes_are_appended_and_the_durable_offset_told(parts: Parts) -> None:
    """200 tells how much is safe; GET tells the same; the sender is kept."""
    answer = parts.client.post("/api/v1/ingest/r-1?offset=0", content=b"one\n")
    assert (answer.status_code, answer.json()) == (200, {"offset": 4})
    body = zstandard.compress(b"two\n" * 1000)
    headers = {"Content-Encoding": "zstd"}
    answer = parts.client.post("/api/v1/ingest/r-1?offset=4", content=body, headers=headers)
    assert answer.json() == {"offset": 4004}
    assert parts.client.get("/api/v1/ingest/r-1").json() == {"offset": 4004}
    assert parts.client.get("/api/v1/ingest/unknown").json() == {"offset": 0}
    assert parts.bytes_of("r-1") == b"one\n" + b"two\n" * 1000
    assert parts.store.sender_of("r-1") == "web1"


def test_sending_again_changes_nothing(parts: Parts) -> None:
    """A repeated body, and one that overlaps, add only what is new."""
    for offset, body in ((0, b"abcdef"), (0, b"abcdef"), (3, b"def"), (4, b"efgh"), (0, b"abc")):
        answer = parts.client.post(f"/api/v1/ingest/r?offset={offset}", content=body)
        assert answer.status_code == 200
    assert parts.bytes_of("r") == b"abcdefgh"


def test_a_gap_is_refused_with_the_right_offset(parts: Parts) -> None:
    """409 says where to append, as a problem document, and takes nothing."""
    parts.client.post("/api/v1/ingest/r?offset=0", content=b"abc")
    answer = parts.client.post("/api/v1/ingest/r?offset=10", content=b"xyz")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["offset"], "code" in problem) == (409, 3, False)
    assert parts.bytes_of("r") == b"abc"


def test_other_bytes_for_the_same_place_are_refused(parts: Parts) -> None:
    """What is stored is never overwritten, and the answer says that the bytes differ."""
    parts.client.post("/api/v1/ingest/r?offset=0", content=b"abcdef")
    answer = parts.client.post("/api/v1/ingest/r?offset=2", content=b"XYZdefg")
    assert (answer.status_code, answer.json()["code"]) == (409, "different-bytes")
    assert answer.json()["offset"] == 6
    assert parts.bytes_of("r") == b"abcdef"


def test_a_recording_belongs_to_who_began_it(parts: Parts) -> None:
    """Another host can neither add to it nor learn how long it is."""
    parts.client.post("/api/v1/ingest/r?offset=0", content=b"abc")
    other = parts.client_of("web2")
    for answer in (
        other.post("/api/v1/ingest/r?offset=3", content=b"def"),
        other.post("/api/v1/ingest/r?offset=0", content=b""),
        other.post("/api/v1/ingest/r?offset=9", content=b"def"),
        other.get("/api/v1/ingest/r"),
    ):
        assert (answer.status_code, answer.json().get("code")) == (403, "other-owner")
        assert "offset" not in answer.json()
    assert parts.bytes_of("r") == b"abc"


def test_unknown_and_revoked_hosts_are_refused(parts: Parts) -> None:
    """401 without a good token, 403 once revoked; nothing is stored."""
    nobody = TestClient(parts.app)
    url = "/api/v1/ingest/r?offset=0"
    answer = nobody.post(url, content=b"abc")
    assert (answer.status_code, "Bearer" in answer.headers["www-authenticate"]) == (401, True)
    for value in ("Bearer wrong", "Bearer", "Basic d2ViMTp4", "Bearer \x7f"):
        assert nobody.post(url, content=b"x", headers={"Authorization": value}).status_code == 401
    parts.registry.revoke("web1")
    answer = parts.client.post(url, content=b"abc")
    assert (answer.status_code, "revoked" in answer.json()["detail"]) == (403, True)
    assert list(parts.store.recs()) == []


@pytest.mark.parametrize("rec", ["%2e%2e", "a%20b", "-x", "a" * 129, "%C3%A4", "a%0a"])
def test_a_strange_id_is_refused(parts: Parts, rec: str) -> None:
    """Nothing that could leave the store's directory or hide in it becomes a recording."""
    answer = parts.client.post(f"/api/v1/ingest/{rec}?offset=0", content=b"abc")
    assert answer.status_code in (400, 404)
    assert parts.client.get(f"/api/v1/ingest/{rec}").status_code in (400, 404)
    assert list(parts.store.recs()) == []


@pytest.mark.parametrize("offset", ["", "-1", "x", "1.0", "1" * 20, "%C2%B2"])
def test_a_strange_offset_is_refused(parts: Parts, offset: str) -> None:
    """Only a plain decimal number of bytes is an offset."""
    answer = parts.client.post(f"/api/v1/ingest/r?offset={offset}", content=b"abc")
    assert answer.status_code == 400
    assert parts.client.post("/api/v1/ingest/r", content=b"abc").status_code == 400


def test_bodies_are_bounded_before_and_after_decompression(parts: Parts) -> None:
    """413 for a stated length, a streamed body and a small body that grows; nothing is stored."""
    url = "/api/v1/ingest/r?offset=0"
    assert parts.client.post(url, content=b"x" * (LIMIT_BYTES + 1)).status_code == 413
    chunks = (b"x" * 65536 for _ in range(LIMIT_BYTES // 65536 + 1))
    assert parts.client.post(url, content=chunks).status_code == 413
    bomb = zstandard.compress(bytes(256 << 20), 1)
    assert len(bomb) < 100_000
    answer = parts.client.post(url, content=bomb, headers={"Content-Encoding": "zstd"})
    assert (answer.status_code, answer.json()["limit"]) == (413, LIMIT_BYTES)
    assert list(parts.store.recs()) == []
    assert parts.client.post(url, content=b"x" * LIMIT_BYTES).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd, zstd", "br"])
def test_only_plain_and_zstd_bodies_are_taken(parts: Parts, encoding: str) -> None:
    """Another encoding is 415, not stored as it is."""
    headers = {"Content-Encoding": encoding}
    answer = parts.client.post("/api/v1/ingest/r?offset=0", content=b"abc", headers=headers)
    assert answer.status_code == 415
    assert list(parts.store.recs()) == []


def test_damaged_frames_are_refused(parts: Parts) -> None:
    """A cut, altered or followed frame is 400, and none of it is stored."""
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"abc" * 1000)
    altered = frame[:-1] + bytes([frame[-1] ^ 1])
    headers = {"Content-Encoding": "zstd"}
    for body in (frame[:-1], frame[:6], altered, frame + b"x", frame + frame, b"no zstd", b""):
        answer = parts.client.post("/api/v1/ingest/r?offset=0", content=body, headers=headers)
        assert answer.status_code == 400, body
    assert list(parts.store.recs()) == []


def test_lines_need_not_be_readable(parts: Parts) -> None:
    """Bytes are evidence: whatever a host sends is stored as it came."""
    body = bytes(range(256)) + b'{"ver": "2.3"\n\n\xff'
    assert parts.client.post("/api/v1/ingest/r?offset=0", content=body).json() == {
        "offset": 268 + 4
    }
    assert parts.bytes_of("r") == body


def test_an_empty_body_asks_for_the_offset(parts: Parts) -> None:
    """A host may confirm what is stored without sending any of it."""
    parts.client.post("/api/v1/ingest/r?offset=0", content=b"abc")
    answer = parts.client.post("/api/v1/ingest/r?offset=7", content=b"")
    assert (answer.status_code, answer.json()) == (200, {"offset": 3})


def test_a_full_disk_is_507(parts: Parts) -> None:
    """The host is told to come back later, and what was acknowledged is still there."""
    parts.client.post("/api/v1/ingest/r?offset=0", content=b"abc")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        body = random.Random(0).randbytes(500_000)
        answer = parts.client.post("/api/v1/ingest/r?offset=3", content=body)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert answer.status_code == 507
    assert "retry-after" in answer.headers
    assert parts.client.get("/api/v1/ingest/r").json() == {"offset": 3}
    assert parts.client.post("/api/v1/ingest/r?offset=3", content=b"def").status_code == 200
    assert parts.bytes_of("r") == b"abcdef"


def test_the_host_is_seen_and_everything_counted(parts: Parts) -> None:
    """The last-seen time and the metrics follow what hosts deliver."""
    assert parts.registry.find("web1").last_seen_unix_us is None
    headers = {"Content-Encoding": "zstd"}
    body = zstandard.compress(b"x" * 1000)
    parts.client.post("/api/v1/ingest/r?offset=0", content=body, headers=headers)
    parts.client.post("/api/v1/ingest/r?offset=5000", content=b"x")
    assert parts.registry.find("web1").last_seen_unix_us is not None
    text = parts.metrics.expose()
    assert 'steno_ingest_requests_total{status="200"} 1\n' in text
    assert 'steno_ingest_requests_total{status="409"} 1\n' in text
    assert "steno_ingest_bytes_total 1000\n" in text
    assert f"steno_ingest_wire_bytes_total {len(body)}\n" in text
