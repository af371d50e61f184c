"""What the API answers about recordings."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx2
import msgspec
import pytest
import zstandard
from running_server import TEXTS, Running, make_lines, running_server

from steno.formats.export import KINDS
from steno.model import Verification
from steno.store.opening import open_store
from steno.store.truth import shard_name
from steno.structs import convert

REC = "a1ice-0001"
BASE = f"/api/v1/recordings/{REC}"
ORIGINAL = b"".join(make_lines(REC, "alice", TEXTS))


@pytest.fixture(scope="module")
def client(running: Running) -> httpx2.Client:
    """A client signed in as auditor."""
    return running.sign_in("audrey")


def test_the_list_holds_every_member_of_a_summary(running: Running, client: httpx2.Client) -> None:
    """An item is the store's summary as JSON, defaults included."""
    item = client.get("/api/v1/recordings", params={"q": "user:bob"}).json()["items"][0]
    store = open_store(running.config.store_directory)
    assert item == msgspec.to_builtins(store.find("b0b-0001"))
    store.close()


def test_following_the_cursor_gives_every_recording_once(client: httpx2.Client) -> None:
    """Pages of one, sorted by user, hold all three in order."""
    seen, cursor = [], None
    while True:
        parameters = {"sort": "user", "limit": "1", **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/v1/recordings", params=parameters).json()
        seen += [item["user"] for item in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["alice", "alice", "bob"]


def test_one_recording_says_what_else_there_is(client: httpx2.Client) -> None:
    """The details add the counts and the formats that it can be had in."""
    detail = client.get(BASE).json()
    assert detail["lines_count"] >= len(TEXTS)
    assert set(detail["exports"]) >= {*KINDS, "text"}
    assert detail["chain"]["state"] == "complete"


def test_the_original_lines_come_byte_for_byte(client: httpx2.Client) -> None:
    """GET lines answers exactly what was delivered."""
    answer = client.get(f"{BASE}/lines")
    assert answer.content == ORIGINAL
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999", slice(5, None)),
        ("bytes=-99999999", slice(0, None)),
    ],
)
def test_a_range_of_the_lines_is_answered_alone(
    client: httpx2.Client, asked: str, expected: slice
) -> None:
    """A satisfiable range answers 206, those bytes, and where they stand."""
    answer = client.get(f"{BASE}/lines", headers={"Range": asked})
    first, last, _ = expected.indices(len(ORIGINAL))
    assert answer.status_code == 206
    assert answer.content == ORIGINAL[expected]
    assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(ORIGINAL)}"


def test_a_range_beyond_the_end_is_416(client: httpx2.Client) -> None:
    """The answer says how long the recording is."""
    answer = client.get(f"{BASE}/lines", headers={"Range": f"bytes={len(ORIGINAL)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(ORIGINAL)}"


@pytest.mark.parametrize(
    "asked", ["lines=0-9", "bytes=9-0", "bytes=0-1,3-4", "bytes=-", "bytes=x-"]
)
def test_a_range_that_makes_no_sense_is_ignored(client: httpx2.Client, asked: str) -> None:
    """As RFC 9110 has it, the answer is the whole."""
    answer = client.get(f"{BASE}/lines", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, ORIGINAL)


def test_a_range_of_an_older_state_gives_the_whole(client: httpx2.Client) -> None:
    """If-Range with another ETag answers 200, so that nobody glues two states together."""
    headers = {"Range": "bytes=0-9", "If-Range": '"1"'}
    assert client.get(f"{BASE}/lines", headers=headers).status_code == 200


def test_text_comes_in_pages_and_as_a_whole(client: httpx2.Client) -> None:
    """Numbered lines with their instants as JSON; all of it as plain text."""
    first = client.get(f"{BASE}/text", params={"limit": 2}).json()
    assert [item["text"] for item in first["items"]] == TEXTS[:2]
    rest = client.get(f"{BASE}/text", params={"first": first["next"]}).json()
    assert [item["text"] for item in rest["items"]][:2] == TEXTS[2:]
    assert rest["items"][0]["number"] == 2
    assert rest["items"][0]["at_us"] == 2_000_000
    assert rest["next"] is None
    plain = client.get(f"{BASE}/text", headers={"Accept": "text/plain"})
    assert plain.headers["content-type"].startswith("text/plain")
    assert plain.text.splitlines()[:4] == TEXTS


def test_activity_says_how_much_came_when(client: httpx2.Client) -> None:
    """One bucket per second with output, with its bytes."""
    activity = client.get(f"{BASE}/activity").json()
    expected = [[second, len(text) + 2] for second, text in enumerate(TEXTS)]
    assert activity["buckets"] == expected


def test_a_search_within_gives_lines_with_highlights_and_context(client: httpx2.Client) -> None:
    """A hit has its number, instant, the marked characters, and the lines around it."""
    page = client.get(f"{BASE}/search", params={"q": "hedgehog"}).json()
    (hit,) = page["items"]
    (start, end) = hit["highlights"][0]
    assert hit["text"][start:end] == "hedgehog"
    assert (hit["number"], hit["at_us"]) == (1, 1_000_000)
    assert [line["text"] for line in hit["before"]] == TEXTS[:1]
    assert [line["text"] for line in hit["after"]] == TEXTS[2:4]


def test_a_search_over_all_names_the_recording(client: httpx2.Client) -> None:
    """A hit over all recordings carries its recording; a query of fields finds recordings."""
    (hit,) = client.get("/api/v1/search", params={"q": "quills"}).json()["items"]
    assert hit["recording"]["rec"] == REC
    (alone,) = client.get("/api/v1/search", params={"q": "user:bob"}).json()["items"]
    assert (alone["number"], alone["recording"]["rec"]) == (None, "b0b-0001")


@pytest.mark.parametrize("path", ["/api/v1/recordings", "/api/v1/search", f"{BASE}/search"])
def test_a_bad_query_says_where_it_is_wrong(client: httpx2.Client, path: str) -> None:
    """400, a problem with the query and the position of what is wrong."""
    answer = client.get(path, params={"q": 'ok "open'})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:steno:problem:bad-query"
    assert problem["query"] == 'ok "open'
    assert problem["position"] == 3


@pytest.mark.parametrize("path", ["/api/v1/recordings", "/api/v1/search", f"{BASE}/search"])
def test_a_made_up_cursor_is_refused(client: httpx2.Client, path: str) -> None:
    """A cursor that no page gave is a problem of the caller's, not of the server's."""
    for cursor in ("x", "AAAA", "[]", "é", "0"):
        answer = client.get(path, params={"q": "user:alice", "cursor": cursor})
        assert answer.status_code in (400, 422), cursor


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"nonsense": "1"}, "nonsense"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1e1"}, "limit"),
        ({"sort": "colour"}, "sort"),
        ([("limit", "1"), ("limit", "2")], "limit"),
    ],
)
def test_a_wrong_parameter_is_named(
    client: httpx2.Client, parameters: dict[str, str] | list[tuple[str, str]], wrong: str
) -> None:
    """422 and which parameter: unknown, out of its bounds, of another type, or given twice."""
    answer = client.get("/api/v1/recordings", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["parameter"] == wrong


def test_segments_follow_the_players_schema(client: httpx2.Client) -> None:
    """The list names each segment's start and address; a segment has its screen and its events."""
    index = client.get(f"{BASE}/segments").json()
    assert index["version"] == 1
    assert index["term"] == {"cols": 80, "rows": 24}
    assert index["segments"][0] == {"start": 0.0, "url": "segments/0"}
    segment = client.get(f"{BASE}/{index['segments'][0]['url']}").json()
    assert segment["snapshot"] == {"cols": 80, "rows": 24, "init": ""}
    assert [event[:2] for event in segment["events"]] == [[float(n), "o"] for n in range(4)]
    assert "".join(event[2] for event in segment["events"]) == "\r\n".join([*TEXTS, ""])
    assert client.get(f"{BASE}/segments/9").status_code == 404


def test_a_closed_segment_is_fetched_once(client: httpx2.Client) -> None:
    """It may be kept, and asked for again with its ETag it is not sent again."""
    first = client.get(f"{BASE}/segments/0")
    assert "immutable" in first.headers["cache-control"]
    again = client.get(f"{BASE}/segments/0", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_verification_reads_the_lines_anew(client: httpx2.Client) -> None:
    """The verdict on what is stored now: complete, over all lines."""
    found = convert(client.get(f"{BASE}/verification").json(), Verification)
    assert (found.state, found.lines) == ("complete", ORIGINAL.count(b"\n"))


def test_a_recording_that_was_tampered_with_is_named_by_line(fresh: Running) -> None:
    """A line of another recording in the middle breaks the chain there; the notes name damage."""
    lines = make_lines("br0ken", "bob", ["one", "two", "three"])
    lines[2] = b"not json\n"
    fresh.deliver("br0ken", lines)
    fresh.wait_for("br0ken", lambda summary: summary.end is not None)
    client = fresh.sign_in("bob")
    verdict = client.get("/api/v1/recordings/br0ken/verification").json()
    assert (verdict["state"], verdict["broken_line"]) == ("broken", 3)
    notes = client.get("/api/v1/recordings/br0ken/notes").json()
    first = notes["damages"][0]
    assert (first["line"], first["at_us"]) == (3, 1_000_000)
    assert [note["kind"] for note in notes["notes"]] == ["gap"]


@pytest.mark.parametrize("name", [*KINDS, "text"])
def test_every_format_can_be_downloaded(client: httpx2.Client, name: str) -> None:
    """Each export is an attachment that never runs, holds the text, and says what it lost."""
    answer = client.get(f"{BASE}/export", params={"format": name})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{REC}')
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["steno-lost"]
    content = answer.content
    if KINDS.get(name) and KINDS[name].has_parts:
        archive = zipfile.ZipFile(io.BytesIO(content))
        content = b"".join(archive.read(part) for part in archive.namelist())
    assert b"compiling the hedgehog" in content
    if name == "tlog":
        assert content == ORIGINAL
        assert answer.headers["steno-lost"] == "nothing"


def test_a_page_that_plays_alone_can_be_downloaded(
    tmp_path: Path, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page holds the player and, as data that cannot end its script, what was recorded."""
    (tmp_path / "player.js").write_text("/* the player */")
    monkeypatch.setattr("steno.web.app.STATIC", tmp_path)
    with running_server(tmp_path / "server", password_hash) as running:
        answer = running.sign_in("audrey").get(f"{BASE}/export", params={"format": "html"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "/* the player */" in answer.text
    assert "compiling the hedgehog" in answer.text
    assert "<script>alert(1)" not in answer.text


def test_an_unknown_format_is_refused_with_those_that_there_are(client: httpx2.Client) -> None:
    """422, naming the formats."""
    answer = client.get(f"{BASE}/export", params={"format": "gif"})
    assert answer.status_code == 422
    assert "asciicast-v3" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/recordings/", 404),
        ("GET", f"{BASE}/segments/x", 404),
        ("GET", "/static/../app.py", 404),
        ("PUT", "/api/v1/recordings", 405),
        ("DELETE", BASE, 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(
    client: httpx2.Client, method: str, path: str, status: int
) -> None:
    """404 and 405 are problem documents; 405 names the methods that there are."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    if status == 405:
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"\xff\xfe", {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/json"}, 422),
        (b'{"name":"x","password":"y","more":1}', {"Content-Type": "application/json"}, 422),
        (b'{"name":"x","password":7}', {"Content-Type": "application/json"}, 422),
        (b'{"name":"' + b"x" * 70_000 + b'"}', {"Content-Type": "application/json"}, 413),
    ],
)
def test_a_bad_body_is_a_problem(
    running: Running, body: bytes, headers: dict[str, str], status: int
) -> None:
    """No JSON, no JSON type, wrong members, too long or too deep: each its status."""
    answer = running.client().post("/api/v1/session", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_a_body_without_a_length_is_limited_too(running: Running) -> None:
    """Chunks that never end are cut off at the limit."""

    def chunks() -> object:
        for _ in range(100):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    answer = running.client().post("/api/v1/session", content=chunks(), headers=headers)
    assert answer.status_code == 413


def test_markup_in_a_recording_stays_text(client: httpx2.Client) -> None:
    """What was recorded goes out as JSON or plain text, never as a type that browsers run."""
    for path in (f"{BASE}/text", f"{BASE}/segments/0", f"{BASE}/lines"):
        answer = client.get(path)
        assert "<script>" in answer.text
        assert answer.headers["content-type"].partition(";")[0] not in (
            "text/html",
            "image/svg+xml",
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(client.get(f"{BASE}/text").text)["items"][3]["text"] == TEXTS[3]


def _repack(running: Running, rec: str, change: Callable[[bytes], bytes]) -> Path:
    """Change a recording's lines in the stopped store as somebody who knows its files does."""
    directory = running.config.store_directory / "recordings" / shard_name(rec) / rec
    packed = directory / "lines.zst"
    data = change(zstandard.ZstdDecompressor().decompress(packed.read_bytes()))
    for old in (*directory.glob("*.tail"), directory / "lines.index"):
        old.unlink()
    packed.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(data))
    (directory / f"{len(data)}.tail").touch()
    return packed


def _verdict(running: Running, rec: str) -> Verification:
    answer = running.sign_in("audrey").get(f"/api/v1/recordings/{rec}/verification")
    assert answer.status_code == 200
    return convert(answer.json(), Verification)


def test_tampering_with_stored_files_is_noticed(tmp_path: Path, password_hash: str) -> None:
    """Lines altered, cut off cleanly, or made unreadable on the disk: each breaks the chain."""
    with running_server(tmp_path, password_hash) as running:
        config = running.config
    lines = make_lines("a1ice-0001", "alice", TEXTS)
    _repack(running, "a1ice-0001", lambda data: data.replace(b"hedgehog", b"porpoise"))
    _repack(running, "a1ice-0002", lambda data: data[: data.index(b"\n") + 1])
    damaged = _repack(running, "b0b-0001", lambda data: data)
    damaged.write_bytes(damaged.read_bytes()[:-10] + bytes(10))
    again = Running(config)
    again.start()
    try:
        altered = _verdict(again, "a1ice-0001")
        assert (altered.state, altered.lines, altered.broken_line) == ("broken", 2, 3)
        assert altered.broken_offset_bytes == len(b"".join(lines[:2]))
        cut = _verdict(again, "a1ice-0002")
        assert (cut.state, cut.broken_line) == ("broken", 2)
        assert "came in are missing" in (cut.reason or "")
        unreadable = _verdict(again, "b0b-0001")
        assert (unreadable.state, unreadable.broken_line) == ("broken", 1)
        assert unreadable.reason == "what is stored from here on cannot be read"
    finally:
        again.stop()


def test_times_in_a_query_are_in_the_zone_that_is_named(client: httpx2.Client) -> None:
    """A day without a zone is one of the reader's, in the list and in the search."""
    # The recordings began at 08:53 UTC on the 9th.
    for zone, begins_later in (("+00:00", False), ("+16:00", True), ("-12:00", False)):
        parameters = {"q": f"rec:{REC} after:2025-10-10", "zone": zone}
        for path in ("/api/v1/recordings", "/api/v1/search"):
            assert bool(client.get(path, params=parameters).json()["items"]) == begins_later
    refused = client.get("/api/v1/recordings", params={"q": "x", "zone": "Mars"})
    assert (refused.status_code, refused.json()["parameter"]) == (422, "zone")
