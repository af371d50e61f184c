"""Segments for players, and the newest pieces for those who follow."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.errors import NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.model import NO_AUDIT_SESSION, End, Input, Output, Piece, Start, Window
from steno.screen.emulator import Emulator
from steno.server.indexer import Indexer
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.store.segments import EventReader, Position, parse_position, segment, segment_index

EXIT = End("exit", 0)


def make_lines(*pieces: Piece, end: End | None = EXIT) -> list[bytes]:
    """Return the lines of recording r1, one message a piece."""
    start = Start(user="u", host="h", started_unix_us=1_700_000_000_000_000, recorder="steno 0")
    cutter = Cutter(Identity("h", "r1", "u", "xterm", NO_AUDIT_SESSION, start))
    lines: list[bytes] = []
    for piece in pieces:
        lines += cutter.add(piece)
        if (line := cutter.cut()) is not None:
            lines.append(line)
    return lines + (cutter.end(end, pieces[-1].at_us) if end else [])


def put(store: Store, *lines: bytes) -> None:
    """Append lines to r1 and index them."""
    store.append("r1", store.durable_bytes("r1"), b"".join(lines), sender=None)
    Indexer(store).drain()


def all_segments(store: Store) -> list[dict[str, Any]]:
    """Return every segment of r1."""
    count = len(segment_index(store, "r1")["segments"])
    return [segment(store, "r1", number).content for number in range(count)]


def text_of(events: list[Any], code: str = "o") -> str:
    """Return the data of all events of one code."""
    return "".join(data for _, kind, data in events if kind == code)


def session(seconds: int) -> list[Piece]:
    """Return pieces, one a second, that colour, wrap, resize and enter the alternate screen."""
    pieces: list[Piece] = [Window(0, 40, 8)]
    for number in range(seconds):
        at_us = number * 1_000_000
        if number % 7 == 3:
            pieces.append(Window(at_us, 40 + number % 20, 8 + number % 5))
        data = b"\x1b[3%dmline %d \xe6\xbc\xa2\x1b[0m" % (number % 8, number) + b"x" * (number % 60)
        if number % 25 == 10:
            data += b"\x1b[?1049h\x1b[2J\x1b[Hfull screen"
        if number % 25 == 20:
            data += b"\x1b[?1049l"
        pieces.append(Output(at_us, data + b"\r\n"))
    return pieces


def test_each_segment_begins_with_the_screen_at_its_start(store: Store) -> None:
    """A player that starts at any segment shows what one that played from the start shows."""
    put(store, *make_lines(*session(100)))
    index = segment_index(store, "r1")
    assert (index["version"], index["duration"]) == (1, 99.0)
    assert index["term"] == {"cols": 40, "rows": 8}
    starts = [entry["start"] for entry in index["segments"]]
    assert starts[0] == 0.0
    assert len(starts) == 10
    assert index["segments"][3]["url"] == "segments/3"
    played = Emulator(40, 8)
    for start, content in zip(starts, all_segments(store), strict=True):
        snapshot = content["snapshot"]
        jumped = Emulator(snapshot["cols"], snapshot["rows"])
        jumped.feed(snapshot["init"].encode())
        assert jumped.text() == played.text()
        assert (jumped.columns, jumped.rows) == (played.columns, played.rows)
        assert all(at >= start for at, _, _ in content["events"])
        for _, code, data in content["events"]:
            if code == "r":
                played.resize(*map(int, data.split("x")))
            else:
                played.feed(data.encode())


def test_no_event_is_lost_or_doubled_between_segments(store: Store) -> None:
    """All segments' events together are the recording."""
    pieces = session(100)
    put(store, *make_lines(*pieces))
    events = [event for content in all_segments(store) for event in content["events"]]
    expected = b"".join(piece.data for piece in pieces if isinstance(piece, Output))
    assert text_of(events) == expected.decode()
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
    assert all(segment(store, "r1", number).is_closed for number in range(10))


def test_invalid_bytes_are_replaced_as_on_the_screen(store: Store) -> None:
    """Each maximal invalid piece becomes one U+FFFD, a character cut in two is whole."""
    data = b"caf\xe9 \xe6\xbc|\xf0\x9f\x98\x80 \xc0\xaf \xed\xa0\x80 \xe6\xbc\xa2"
    pieces = [Output(n * 1000, data[n : n + 1]) for n in range(len(data))]
    put(store, *make_lines(Window(0, 80, 24), *pieces))
    (content,) = all_segments(store)
    assert text_of(content["events"]) == data.decode("utf-8", "replace")
    assert [line.text for line in store.lines("r1")] == [data.decode("utf-8", "replace")]


@given(st.binary(max_size=60).map(lambda data: bytes(byte for byte in data if byte >= 0x20)))
def test_the_player_and_the_screen_replace_alike(data: bytes) -> None:
    """What a player is sent draws the same screen as the original bytes."""
    sent, seen = Emulator(100, 5), Emulator(100, 5)
    sent.feed(data.decode("utf-8", "replace").encode() + b"|")
    seen.feed(data + b"|")
    assert sent.text() == seen.text()


def test_input_windows_and_commands_are_there(store: Store) -> None:
    """Input and resizes are events, commands are markers; an absurd size is clamped."""
    put(
        store,
        *make_lines(
            Window(0, 80, 24),
            Output(0, b"$ "),
            Input(1_000_000, b"ls\r"),
            Output(1_100_000, b"ls"),
            Window(1_200_000, 65535, 5),
            Output(1_300_000, b"\r\nfile\r\n$ "),
        ),
    )
    assert segment_index(store, "r1")["markers"] == [[1.3, "ls"]]
    (content,) = all_segments(store)
    assert [1.0, "i", "ls\r"] in [list(event) for event in content["events"]]
    assert [1.2, "r", "1000x5"] in [list(event) for event in content["events"]]


def test_a_pipe_plays_as_lines(store: Store) -> None:
    """Without a window lines begin at the left edge, as in the text."""
    put(store, *make_lines(Output(0, b"one\ntwo\n")))
    (content,) = all_segments(store)
    assert text_of(content["events"]) == "one\r\ntwo\r\n"
    assert content["snapshot"] == {"cols": 80, "rows": 24, "init": ""}


def test_repeated_messages_are_played_once(store: Store) -> None:
    """What comes twice in the original lines is shown once."""
    lines = make_lines(Window(0, 80, 24), Output(0, b"a"), Output(1000, b"b"))
    put(store, *lines[:2], lines[1], *lines[2:])
    (content,) = all_segments(store)
    assert text_of(content["events"]) == "ab"


def test_unknown_segments_are_not_found(store: Store) -> None:
    """There is no segment before the first or after the last, and none of no recording."""
    put(store, *make_lines(Output(0, b"a")))
    for number in (-1, 1):
        with pytest.raises(NotFoundError):
            segment(store, "r1", number)
    with pytest.raises(NotFoundError):
        segment_index(store, "r2")


def test_an_open_segment_goes_on_where_it_ended(store: Store) -> None:
    """Following from an open segment's position gives just what came since, then the end."""
    lines = make_lines(*session(30))
    put(store, *lines[:20])
    last = segment(store, "r1", len(store.keyframes("r1")))
    assert not last.is_closed
    reader = EventReader(store, "r1", after=last.position)
    assert reader.read() == []
    put(store, *lines[20:])
    more = text_of(reader.read())
    assert reader.end == EXIT
    before = "".join(text_of(content["events"]) for content in all_segments(store))
    assert before.endswith(more)
    assert "line 29" in more
    assert "line 10" not in more


@settings(max_examples=15)
@given(st.data())
def test_a_follower_misses_nothing_however_the_bytes_come(data: st.DataObject) -> None:
    """Any appends, any limits, and starting over at any position: each event comes once."""
    original = b"".join(make_lines(*session(30)))
    folder = Path(tempfile.mkdtemp())
    store = open_store(folder / "store")
    try:
        first = original.index(b"\n") + 1
        put(store, original[:first])
        reader = EventReader(store, "r1", after=Position())
        events = reader.read()
        cuts = sorted(data.draw(st.sets(st.integers(first, len(original)), max_size=6)))
        for start, stop in zip([first, *cuts], [*cuts, len(original)], strict=True):
            store.append("r1", start, original[start:stop], sender=None)
            if data.draw(st.booleans()):
                reader = EventReader(store, "r1", after=parse_position(str(reader.position)))
            limit_bytes = data.draw(st.sampled_from((10, 700, 10**6)))
            while new := reader.read(limit_bytes):
                events += new
        assert (
            text_of(events)
            == b"".join(piece.data for piece in session(30) if isinstance(piece, Output)).decode()
        )
    finally:
        store.close()
        shutil.rmtree(folder)


def test_following_from_an_instant(store: Store) -> None:
    """From an instant on means all that came after it."""
    put(store, *make_lines(*session(30)))
    reader = EventReader(store, "r1", after_us=20_000_000)
    events = reader.read()
    assert min(at for at, _, _ in events) == 21.0
    assert reader.duration_us == 29_000_000


def test_only_positions_are_positions() -> None:
    """What a client sends as a position is one or nothing."""
    assert parse_position("12:3") == Position(12, 3)
    for text in ("", "12", "12:", ":3", "-1:2", "1:2:3", "x:y", "9" * 50 + ":1"):
        assert parse_position(text) is None
