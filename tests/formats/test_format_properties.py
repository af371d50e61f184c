"""What holds for every format: any cut, any damage, there and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import (
    GOLDEN_NAMES,
    Files,
    as_streams,
    cut_every,
    damages_of,
    decode,
    decode_or_fail,
    encode,
    finish_of,
    header_of,
    input_of,
    load_golden,
    output_of,
    pieces_of,
)
from strategies import make_start, pieces_in_order

from steno.errors import FormatError
from steno.formats.export import KINDS
from steno.formats.track import Finish, Header, Item
from steno.model import End, Input, Note, Output, Piece, Window

DECODERS = ["asciicast", "ttyrec", "tlog", "typescript", "sudo"]
STREAMS = {
    "asciicast": [""],
    "ttyrec": [""],
    "tlog": [""],
    "typescript": ["timing", "output", "input"],
    "sudo": ["log.json", "timing", "stdin", "stdout", "stderr", "ttyin", "ttyout"],
}
NEARLY = {
    "asciicast": [
        '{"version":3,"term":{"cols":80,"rows":24}}\n',
        '{"version":2,"width":80,"height":24}\n',
        '[0.1,"o","x"]\n',
        '[1e300,"o","x"]\n',
        '[-1,"i","x"]\n',
        '[0,"r","0x99999"]\n',
        '[0,"x","9999999999"]\n',
        '[0,"m","steno:drop {}"]\n',
        '[0,"z","x"]\n',
        "# comment\n",
    ],
    "ttyrec": ["\x00" * 12, "\x01\x00\x00\x00" * 3 + "x", "\xff" * 12],
    "tlog": ['{"ver":"2.3"}\n'],
    "typescript": [
        'Script started on 2026-11-20 09:38:37+00:00 [TERM="x"]\n',
        "O 0.1 1\n",
        "I 0.1 999999999999\n",
        "0.5 2\n",
        "S 0.1 SIGWINCH ROWS=24 COLS=99999\n",
        "H 0 OUTPUT_LOG a\n",
        "H 0 DURATION 1e9\n",
        '\nScript done on x [COMMAND_EXIT_CODE="999"]\n',
    ],
    "sudo": [
        '{"timestamp":{"seconds":1},"command":"x","runargv":[1]}',
        "4 0.1 5\n",
        "5 0.1 24 80\n",
        "6 0.1 1\n",
        "7 0.1 TSTP\n",
        "9 0.1 1\n",
        "\x1f\x8b\x08",
    ],
}


@st.composite
def recordings(draw: st.DrawFn) -> list[Item]:
    """Draw a whole recording."""
    pieces = draw(pieces_in_order())
    columns = draw(st.sampled_from([None, 80, 65535]))
    start = make_start(
        columns=columns,
        rows=24 if columns else None,
        command=draw(st.sampled_from([None, ["ls"], ["ls", "-la /"]])),
        terminal=draw(st.sampled_from([None, "/dev/pts/3"])),
    )
    header = Header(start, term=draw(st.sampled_from(["", "xterm"])))
    ends = [End("exit", 3), End("signal", None, 9), End("hangup"), End("unknown")]
    last_us = pieces[-1].at_us if pieces else 0
    end = draw(st.sampled_from(ends))
    finish = Finish(last_us + draw(st.sampled_from([0, 1, 3_000_000])), end)
    return [header, *pieces, finish]


def flatten(items: list[Item], kind: type[Piece]) -> bytes:
    """Return each byte's instant and value: what is kept however pieces are joined."""
    return b"".join(
        b"%d:%d " % (piece.at_us, value)
        for piece in pieces_of(items)
        if isinstance(piece, kind)
        for value in piece.data  # type: ignore[union-attr]  # kind is Input or Output
    )


@pytest.mark.parametrize("name", GOLDEN_NAMES)
@pytest.mark.parametrize("size_bytes", [1, 2, 7, 13, 100])
def test_any_cut_of_a_real_recording_gives_the_same(name: str, size_bytes: int) -> None:
    """However a real recording's bytes arrive, the items are the same."""
    format_name, files = load_golden(name)
    assert decode(format_name, files, cut_every(size_bytes)) == decode(format_name, files)


@pytest.mark.parametrize("format_name", DECODERS)
@given(data=st.data())
def test_any_cut_of_anything_gives_the_same(format_name: str, data: st.DataObject) -> None:
    """However good or bad bytes arrive, the items, or the error, are the same."""
    files = draw_files(data, format_name)
    size_bytes = data.draw(st.integers(1, 9))
    expected = decode_or_fail(format_name, files)
    assert decode_or_fail(format_name, files, cut_every(size_bytes)) == expected


@pytest.mark.parametrize("format_name", DECODERS)
@given(data=st.data())
def test_rubbish_is_either_read_or_refused(format_name: str, data: st.DataObject) -> None:
    """Any bytes give items in order of their instants, which all formats take, or a FormatError."""
    items = decode_or_fail(format_name, draw_files(data, format_name))
    if isinstance(items, str):
        return
    check_order(items)
    for kind in KINDS:
        encode(kind, items)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_damage_costs_only_what_is_damaged(name: str, data: st.DataObject) -> None:
    """A real recording with bytes changed or taken out gives items, or a FormatError."""
    format_name, files = load_golden(name)
    stream = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[stream])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        change = data.draw(st.sampled_from(["flip", "delete", "cut", "insert"]))
        if change == "flip" and content:
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "delete":
            del content[place : place + 3]
        elif change == "cut":
            del content[place:]
        else:
            content[place:place] = data.draw(st.binary(max_size=4))
    items = decode_or_fail(format_name, files | {stream: bytes(content)})
    if not isinstance(items, str):
        check_order(items)
        for kind in KINDS:
            encode(kind, items)


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(recording=recordings())
@example([Header(make_start()), Finish(0, End("unknown"))])
@example(
    [Header(make_start(columns=5, rows=5)), Output(7, b"\x1b[8;5;9t"), Finish(9, End("exit", 0))]
)
def test_what_a_format_holds_comes_back(kind: str, recording: list[Item]) -> None:
    """Written and read again, all that is not named as lost is there, at its instant."""
    files, losses = encode(kind, recording)
    if not files:
        assert kind == "ttyrec"  # which has nothing to write for a recording without output
        return
    again = decode(*as_streams(kind, files))
    assert not damages_of(again)
    is_exact = not any("U+FFFD" in loss for loss in losses)
    quantum_us = 1000 if kind == "tlog" else 1
    shift_us = first_output_us(recording) if kind == "ttyrec" else 0
    compared = [shift(item, -shift_us, quantum_us) for item in recording]
    if kind == "tlog":
        # A character that one stream has begun does not hold up the other.
        assert by_stream(again) == by_stream(recording)
    elif is_exact:
        assert output_of(again) == output_of(recording)
    else:
        assert kind.startswith("asciicast")
    if kind in ("ttyrec", "typescript-classic"):
        assert flatten(again, Output) == flatten(compared, Output)
        assert input_of(again) == b""
        assert bool(input_of(recording)) == any(loss.startswith("input: ") for loss in losses)
        return
    if is_exact:
        assert input_of(again) == input_of(recording)
    if kind == "typescript":
        assert flatten(again, Output) == flatten(compared, Output)
        assert flatten(again, Input) == flatten(compared, Input)
    else:
        assert notes_of(again) == notes_of(compared)
    is_made_up = "the window is unknown; 80x24 is written" in losses
    read, written = windows_of(again)[is_made_up:], windows_of(compared)
    if kind == "tlog" and header_of(recording).start.columns is None:
        # The first window that is known counts as the start's.
        read, written = ([(0, *w[1:]) for w in ws[:1]] + ws[1:] for ws in (read, written))
    assert read == written
    after_us = finish_of(compared).at_us - finish_of(again).at_us
    assert any(f"the time after the last event: {after_us} " in loss for loss in losses) or (
        after_us == 0
    )


@given(recording=recordings())
def test_a_track_through_tlog_keeps_facts_notes_and_end(recording: list[Item]) -> None:
    """Steno's own format loses nothing but fractions of milliseconds."""
    files, losses = encode("tlog", recording)
    again = decode("tlog", files)
    # A window that comes before all else counts as the start's.
    as_known = {"columns": None, "rows": None}
    starts = [header_of(items).start for items in (again, recording)]
    assert len({str(msgspec.structs.replace(start, **as_known)) for start in starts}) == 1
    assert finish_of(again).end == finish_of(recording).end
    assert set(losses) <= {"instants, kept to the millisecond"}


@given(delays_us=st.lists(st.integers(0, 3_000_000), max_size=200))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_sums_of_delays_do_not_drift(kind: str, delays_us: list[int]) -> None:
    """After any number of pieces the last one stands where it belongs, to the format's unit."""
    at_us = 0
    pieces: list[Piece] = []
    for delay_us in delays_us:
        at_us += delay_us
        pieces.append(Output(at_us, b"x"))
    header = Header(make_start(columns=80, rows=24))
    files, _ = encode(kind, [header, *pieces, Finish(at_us, End("exit", 0))])
    again = pieces_of(decode(*as_streams(kind, files)))
    outputs = [piece for piece in again if isinstance(piece, Output)]
    unit_us = 1000 if kind == "tlog" else 1
    written = [piece.at_us // unit_us for piece in pieces]
    read = [piece.at_us // unit_us for piece in outputs for _ in piece.data]
    assert read == written


# What the properties above share.


def draw_files(data: st.DataObject, format_name: str) -> Files:
    """Draw a recording's files: rubbish, and what nearly is right."""
    nearly = st.lists(st.sampled_from(NEARLY[format_name]), max_size=6).map(
        lambda texts: "".join(texts).encode("latin-1")
    )
    content = st.one_of(st.binary(max_size=60), nearly)
    files: dict[str, bytes] = {}
    for stream in STREAMS[format_name]:
        drawn = data.draw(st.one_of(st.none(), content)) if stream else data.draw(content)
        if drawn is not None:
            files[stream] = drawn
    return files


def check_order(items: list[Item]) -> None:
    """Check what every decoder promises about its items."""
    header_of(items)
    finish = finish_of(items)
    instants = [piece.at_us for piece in pieces_of(items)]
    assert instants == sorted(instants)
    assert all(at_us >= 0 for at_us in instants)
    assert finish.at_us >= (instants[-1] if instants else 0)


def shift(item: Item, by_us: int, unit_us: int) -> Item:
    """Return `item` moved in time, its instant cut to whole units."""
    if isinstance(item, (Output, Input, Window, Note, Finish)):
        return msgspec.structs.replace(item, at_us=(item.at_us + by_us) // unit_us * unit_us)
    return item


def first_output_us(items: list[Item]) -> int:
    """Return when ttyrec's first frame stands: at the window, or else the first output."""
    start = header_of(items).start
    if start.columns and start.rows:
        return 0
    kinds = (Output, Window)
    return next((piece.at_us for piece in pieces_of(items) if isinstance(piece, kinds)), 0)


def by_stream(items: list[Item]) -> list[bytes]:
    """Return all that went to standard output, and all that went to standard error."""
    outputs = [item for item in items if isinstance(item, Output)]
    return [
        b"".join(item.data for item in outputs if item.is_stderr is is_stderr)
        for is_stderr in (False, True)
    ]


def windows_of(items: list[Item]) -> list[tuple[int, int, int]]:
    """Return instant, columns and rows of the window at the start and of all changes."""
    start = header_of(items).start
    found = [(0, start.columns, start.rows)] if start.columns and start.rows else []
    for piece in pieces_of(items):
        if isinstance(piece, Window):
            window = piece.at_us, piece.columns, piece.rows
            if not found or found[-1][1:] != window[1:]:
                found.append(window)
    return found


def notes_of(items: list[Item]) -> list[Note]:
    """Return the notes."""
    return [piece for piece in pieces_of(items) if isinstance(piece, Note)]


def test_an_unknown_format_is_refused() -> None:
    """A format that there is not is named, with those that there are."""
    with pytest.raises(Exception, match="unknown format 'gif'; there are tlog, asciicast-v2"):
        encode("gif", [])


@pytest.mark.parametrize("format_name", DECODERS)
def test_nothing_at_all_is_no_recording(format_name: str) -> None:
    """An empty input is refused in every format."""
    with pytest.raises(FormatError):
        decode(format_name, {"": b""} if "" in STREAMS[format_name] else {})
