"""What a recording is still to get: the lines that were made and the lines that the spool has."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.agent.resume import (
    Resumed,
    charset_of,
    decode_kept,
    encode_kept,
    first_unsure_id,
    resume,
    subtract,
)
from steno.agent.ring_layout import Kind
from steno.agent.ring_memory import Entry
from steno.errors import StoreError
from steno.formats.cutter import Identity
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import Input, Note, Output, Piece, Start, Window, digest_of_line
from steno.recorder.echo import Echo
from steno.recorder.limit import Action, Limit
from steno.recorder.session import InputMode, Session, SessionState, Settings, read_state

_START = Start(user="avery", host="h", started_unix_us=1_795_161_831_000_000, recorder="steno")
_IDENTITY = Identity("h", "1-2-3", "avery", "xterm", 7, _START)
_SETTINGS = Settings(input=InputMode.SEEN)
_MONTH_US = 31 * 86400 * 1_000_000


def _pieces(lines: list[bytes]) -> list[Piece]:
    return [piece for line in lines for piece in decode_message(line).pieces]


def _take(session: Session, entries: list[Entry]) -> list[bytes]:
    lines: list[bytes] = []
    for entry in entries:
        if entry.kind is Kind.OUTPUT:
            lines += session.take_output(entry.at_us, entry.data)
        elif entry.kind is Kind.INPUT:
            lines += session.take_input(entry.at_us, entry.data, entry.echo)
        elif entry.kind is Kind.WINDOW:
            lines += session.take_window(entry.at_us, *entry.size)
        else:
            lines += session.tick(entry.at_us)
    return lines


def _resume(
    kept: bytes, entries: list[Entry], spool: list[bytes], settings: Settings, at_us: int
) -> Resumed:
    state = decode_kept(kept)
    messages = [decode_message(line) for line in spool]
    spooled = [message for message in messages if message.id >= first_unsure_id(state)]
    last = messages[-1].id, digest_of_line(spool[-1])
    return resume(_IDENTITY, settings, state, entries, spooled, last, at_us)


def _output(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces if isinstance(piece, Output))


def _input(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces if isinstance(piece, Input))


_ENTRY = st.one_of(
    st.binary(min_size=1, max_size=400).map(lambda data: (Kind.OUTPUT, data, None)),
    st.text(min_size=1, max_size=90).map(lambda text: (Kind.OUTPUT, text.encode(), None)),
    st.tuples(st.binary(min_size=1, max_size=20), st.sampled_from(Echo)).map(
        lambda pair: (Kind.INPUT, *pair)
    ),
    st.sampled_from([(Kind.TICK, None, None), (Kind.WINDOW, 90, 25), (Kind.WINDOW, 80, 24)]),
)


@given(
    st.lists(st.tuples(st.integers(0, 3_000_000), _ENTRY), min_size=1, max_size=30),
    st.integers(0, 100),
    st.sampled_from([256, 1000, 16384]),
)
def test_every_cut_of_the_lines_is_continued(
    steps: list[tuple[int, tuple[Kind, object, object]]], cut: int, other_bytes: int
) -> None:
    """However many of its lines the spool got, another version of Steno adds just the rest."""
    settings = Settings(input=InputMode.SEEN, payload_bytes=512)
    session = Session(_IDENTITY, settings)
    spool = session.begin(0, (80, 24))
    kept = encode_kept(session.state())
    entries, at_us = [], 0
    for delay_us, (kind, value, more) in steps:
        at_us += delay_us
        if kind is Kind.WINDOW:
            entries.append(Entry(kind, at_us, size=(value, more)))
        elif kind is Kind.TICK:
            entries.append(Entry(kind, at_us))
        else:
            entries.append(Entry(kind, at_us, value, more or Echo.SHOWN))
    lines = _take(session, entries)
    had = spool + lines[: cut % (len(lines) + 1)]
    other = msgspec.structs.replace(settings, payload_bytes=other_bytes)
    resumed = _resume(kept, entries, had, other, at_us)
    whole = had + resumed.lines + resumed.session.end(at_us, "exit", exit_status=0)
    assert verify_lines(whole).state == "complete"
    as_if_nothing_was = spool + lines + session.end(at_us, "exit", exit_status=0)
    assert _output(_pieces(whole)) == _output(_pieces(as_if_nothing_was))
    assert _input(_pieces(whole)) == _input(_pieces(as_if_nothing_was))
    ends = [decode_message(recording[-1]).end for recording in (whole, as_if_nothing_was)]
    assert ends[0] == ends[1]
    unseen = [
        [
            piece.facts
            for piece in _pieces(recording)
            if isinstance(piece, Note) and piece.kind == "unseen"
        ]
        for recording in (whole, as_if_nothing_was)
    ]
    assert sum(f["input_bytes"] for f in unseen[0]) == sum(f["input_bytes"] for f in unseen[1])
    windows = [piece for piece in _pieces(whole) if isinstance(piece, Window)]
    wanted = [piece for piece in _pieces(as_if_nothing_was) if isinstance(piece, Window)]
    assert [windows[-1].columns, windows[-1].rows] == [wanted[-1].columns, wanted[-1].rows]


def test_a_restart_is_noted_with_the_version() -> None:
    """The recording says that another process went on with it, and which."""
    session = Session(_IDENTITY, _SETTINGS)
    spool = session.begin(0, None)
    resumed = _resume(encode_kept(session.state()), [], spool, _SETTINGS, 5_000_000)
    notes = [piece for piece in _pieces(resumed.lines) if isinstance(piece, Note)]
    assert [(note.kind, note.at_us) for note in notes] == [("restart", 5_000_000)]
    assert notes[0].facts["recorder"].startswith("steno ")
    assert not resumed.session.is_pending


def test_a_session_that_has_lasted_a_month_goes_on() -> None:
    """Instants, counts and the limit's bucket of a month are kept exactly."""
    limit = Limit(rate_bytes=100, burst_bytes=1000, action=Action.DROP)
    settings = Settings(limit=limit)
    session = Session(_IDENTITY, settings)
    spool = session.begin(0, (80, 24))
    for day in range(31):
        at_us = day * 86400 * 1_000_000
        spool += session.take_output(at_us, b"day %d\r\n" % day) + session.cut(at_us)
    spool += session.take_output(_MONTH_US, b"x" * 990) + session.cut(_MONTH_US)
    kept = encode_kept(session.state())
    entries = [Entry(Kind.OUTPUT, _MONTH_US + 1000, b"y" * 500)]
    resumed = _resume(kept, entries, spool, settings, _MONTH_US + 2000)
    pieces = _pieces(resumed.lines)
    assert _output(pieces) == b""
    drops = [piece for piece in pieces if isinstance(piece, Note) and piece.kind == "drop"]
    assert [drop.facts["output_bytes"] for drop in drops] == [500]
    assert drops[0].facts["from_ms"] == _MONTH_US // 1000 + 1
    lines = resumed.lines + resumed.session.end(_MONTH_US + 3000, "exit")
    end = decode_message(lines[-1])
    assert end.end is not None
    assert end.end.output_bytes == session.output_bytes + 500
    assert end.time_ms == _START.started_unix_us // 1000 + _MONTH_US // 1000 + 3
    assert verify_lines(spool + lines).state == "complete"


def test_what_was_typed_and_not_shown_yet_is_still_waited_for() -> None:
    """A key whose echo comes after the restart is recorded; a password stays out."""
    session = Session(_IDENTITY, _SETTINGS)
    spool = session.begin(0, None)
    session.take_input(1000, b"l", Echo.DRAWN)
    kept = encode_kept(session.state())
    entries = [Entry(Kind.INPUT, 2000, b"s", Echo.DRAWN)]
    resumed = _resume(kept, entries, spool, _SETTINGS, 3000)
    resumed.session.take_output(4000, b"ls")
    resumed.session.take_input(5000, b"secret", Echo.HIDDEN)
    whole = resumed.lines + resumed.session.end(6000, "exit")
    assert _input(_pieces(whole)) == b"ls"
    assert b"secret" not in b"".join(whole)


def test_lines_that_the_spool_had_no_room_for_come_first() -> None:
    """What was held for want of room is not lost with the process, and stands only once."""
    session = Session(_IDENTITY, _SETTINGS)
    spool = session.begin(0, None)
    held = []
    for number in range(3):
        held += session.take_output(number, b"%d" % number) + session.cut(number)
    kept = encode_kept(session.state(), held)
    for had in range(4):
        resumed = _resume(kept, [], spool + held[:had], _SETTINGS, 9000)
        whole = spool + held[:had] + resumed.lines
        assert verify_lines(whole).state == "so_far"
        assert _output(_pieces(whole)) == b"012"


def test_a_spool_that_lacks_lines_is_told_of() -> None:
    """Lines that were written and have vanished are counted in the note."""
    session = Session(_IDENTITY, _SETTINGS)
    spool = session.begin(0, None)
    session.take_output(1, b"gone")
    session.cut(2)
    resumed = _resume(encode_kept(session.state()), [], spool, _SETTINGS, 9000)
    assert verify_lines(spool + resumed.lines).state == "so_far"
    [note] = [piece for piece in _pieces(resumed.lines) if isinstance(piece, Note)]
    assert note.facts["missing_messages"] == 1


def test_other_charsets_go_on_in_the_middle_of_a_character() -> None:
    """What the terminal had comes out as it was, though a character was cut by the restart."""
    start = msgspec.structs.replace(_START, charset="EUC-JP")
    identity = msgspec.structs.replace(_IDENTITY, start=start)
    text = "日本語のテキスト".encode("euc-jp")
    session = Session(identity, _SETTINGS)
    spool = session.begin(0, None)
    spool += session.take_output(1, text[:3]) + session.cut(2)
    kept = decode_kept(encode_kept(session.state()))
    entries = [Entry(Kind.OUTPUT, 3, text[3:7]), Entry(Kind.OUTPUT, 3_000_000, text[7:11])]
    made = session.take_output(3, text[3:7]) + session.cut(4)
    charset = charset_of(identity)
    spooled = [decode_message(line, charset) for line in made]
    last = spooled[-1].id, digest_of_line(made[-1])
    resumed = resume(identity, _SETTINGS, kept, entries, spooled, last, 4_000_000)
    lines = resumed.lines + resumed.session.take_output(5_000_000, text[11:])
    whole = spool + made + lines + resumed.session.end(6_000_000, "exit")
    assert verify_lines(whole).state == "complete"
    pieces = [piece for line in whole for piece in decode_message(line, charset).pieces]
    assert _output(pieces) == text
    assert "日本語のテキスト".encode() == _output(_pieces(whole))


def test_without_a_spool_the_last_number_tells() -> None:
    """Places that cannot be read again get what was not handed to them, and nothing else."""
    session = Session(_IDENTITY, _SETTINGS)
    lines = session.begin(0, (80, 24))
    kept = decode_kept(encode_kept(session.state()))
    entries = [Entry(Kind.OUTPUT, 1, b"one"), Entry(Kind.TICK, 2_000_000)]
    entries.append(Entry(Kind.OUTPUT, 2_000_001, b"two"))
    made = _take(session, entries)
    for handed in (1, 2):
        had = lines + made[: handed - 1]
        resumed = resume(_IDENTITY, _SETTINGS, kept, entries, [], handed, 3_000_000)
        assert verify_lines(had + resumed.lines).state == "so_far"
        assert _output(_pieces(had + resumed.lines)) == b"onetwo"


def test_a_newer_state_is_refused() -> None:
    """An agent that is older than the state says so in one line."""
    session = Session(_IDENTITY, _SETTINGS)
    session.begin(0, None)
    state = msgspec.structs.replace(read_state(session.state()), version=99)
    assert isinstance(state, SessionState)
    with pytest.raises(StoreError, match="version 99, and this program knows 1"):
        read_state(msgspec.msgpack.encode(state))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x01\x02", encode_kept(b"x")])
def test_damaged_states_are_refused(data: bytes) -> None:
    """Nonsense is an error that one line explains."""
    with pytest.raises(StoreError, match="cannot be read"):
        first_unsure_id(decode_kept(data))


def test_windows_before_bytes_that_were_had_were_had() -> None:
    """A window is repeated only if nothing after it was recorded."""
    made: list[Piece] = [Window(0, 1, 1), Output(1, b"ab"), Window(2, 2, 2), Output(3, b"cd")]
    assert subtract(made, [Output(1, b"abc")]) == [Output(3, b"d")]
    assert subtract(made, [Output(1, b"ab")]) == [Window(2, 2, 2), Output(3, b"cd")]
