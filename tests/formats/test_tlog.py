"""tlog's messages are read and written exactly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import make_start, pieces_in_order

from steno.errors import FormatError
from steno.formats.cutter import Cutter, Identity
from steno.formats.payload import Content, Payload
from steno.formats.tlog import (
    Decoder,
    Placed,
    chain_lines,
    decode_message,
    encode_message,
    make_member,
    render_line,
)
from steno.model import (
    NO_AUDIT_SESSION,
    Damage,
    End,
    Input,
    Message,
    Note,
    Output,
    Window,
    digest_of_line,
)

NAMES = [
    "01-simple-commands",
    "02-vim-edit",
    "03-resize",
    "04-invalid-utf8",
    "05-bulk-output",
    "06-wide-chars",
    "07-with-input",
    "08-pipe-no-tty",
]
LINE = (
    b'{"ver":"2.3","host":"h","rec":"r","user":"u","term":"xterm","session":1,"id":1,"pos":0,'
    b'"time":1.000,"timing":">1","in_txt":"","in_bin":[],"out_txt":"x","out_bin":[]}\n'
)


def read_messages(data: bytes) -> list[Message]:
    """Return the messages in `data`, all of which must be good."""
    decoder = Decoder()
    found = decoder.feed(data) + decoder.finish()
    assert not [item for item in found if isinstance(item, Damage)]
    return [item.message for item in found if isinstance(item, Placed)]


def identify(rec: str = "r-1") -> Identity:
    """Return an identity for a test's recording."""
    return Identity("web01", rec, "avery", "xterm", NO_AUDIT_SESSION, make_start())


@pytest.mark.parametrize("name", NAMES)
def test_real_recordings_decode_to_what_the_terminal_received(
    tlog_recordings: Path, name: str
) -> None:
    """The output of every real recording is, byte for byte, what reached the terminal."""
    messages = read_messages((tlog_recordings / f"{name}.log").read_bytes())
    output = b"".join(p.data for m in messages for p in m.pieces if isinstance(p, Output))
    assert output == (tlog_recordings / f"{name}.out").read_bytes()


@pytest.mark.parametrize("name", ["06-wide-chars", "07-with-input"])
def test_real_recordings_decode_to_what_was_typed(tlog_recordings: Path, name: str) -> None:
    """Where input was recorded, it is, byte for byte, what was typed."""
    messages = read_messages((tlog_recordings / f"{name}.log").read_bytes())
    typed = b"".join(p.data for m in messages for p in m.pieces if isinstance(p, Input))
    assert typed == (tlog_recordings / f"{name}.in").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_real_recordings_come_back_the_same(tlog_recordings: Path, name: str) -> None:
    """Decoding and encoding a real recording gives the same bytes."""
    data = (tlog_recordings / f"{name}.log").read_bytes()
    assert b"".join(encode_message(message) for message in read_messages(data)) == data


def test_windows_of_a_real_recording_have_their_sizes_and_times(tlog_recordings: Path) -> None:
    """Every resize is read with its size, and within tlog's own error of its time."""
    facts = json.loads((tlog_recordings / "03-resize.json").read_text())
    messages = read_messages((tlog_recordings / "03-resize.log").read_bytes())
    sizes = [(p.columns, p.rows) for m in messages for p in m.pieces if isinstance(p, Window)]
    seen = [size for i, size in enumerate(sizes) if i == 0 or size != sizes[i - 1]]
    assert seen == [tuple(size) for _, size in facts["windows"]]


@given(st.data(), pieces_in_order())
def test_any_cut_gives_the_same_messages(data: st.DataObject, pieces: list[Output]) -> None:
    """However the bytes are cut, the decoder finds the same messages."""
    cutter = Cutter(identify(), limit_bytes=256)
    lines = b"".join(line for piece in pieces for line in cutter.add(piece))
    lines += b"".join(cutter.end(End("exit", 0), 9_000_000))
    decoder = Decoder()
    found, at = [], 0
    while at < len(lines):
        size = data.draw(st.integers(1, 300))
        found += decoder.feed(lines[at : at + size])
        at += size
    assert found + decoder.finish() == Decoder().feed(lines)


@given(pieces_in_order())
def test_messages_come_back_the_same(pieces: list[Output]) -> None:
    """Encoding and decoding a message gives the same message, and the same line again."""
    cutter = Cutter(identify())
    lines = [line for piece in pieces for line in cutter.add(piece)]
    lines += cutter.end(End("signal", signal=9, output_bytes=3), 90_000_000)
    for line in lines:
        message = decode_message(line)
        assert encode_message(message) == line
        assert decode_message(encode_message(message)) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_damage_never_a_crash(data: bytes) -> None:
    """Bytes that are no messages are named as damage; every byte is accounted for."""
    decoder = Decoder()
    found = decoder.feed(data) + decoder.finish()
    blank = sum(len(line) + 1 for line in data.split(b"\n") if not line.strip())
    assert sum(item.length_bytes for item in found) >= len(data) - blank


@given(st.integers(0, len(LINE) - 2), st.binary(min_size=1, max_size=3))
def test_a_damaged_line_is_refused_or_read_never_a_crash(at: int, junk: bytes) -> None:
    """Damage anywhere in a line is named as damage, or the line is still a message."""
    line = LINE[:at] + junk + LINE[at + len(junk) :]
    decoder = Decoder()
    found = decoder.feed(line) + decoder.finish()
    # Junk that is a newline can leave a blank line, which is neither message nor damage.
    blank = sum(len(part) + 1 for part in line.split(b"\n")[:-1] if not part.strip())
    assert sum(item.length_bytes for item in found) == len(line) - blank


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"2.3"', b'"3.0"', "unknown format version '3.0'"),
        (b'"timing":">1"', b'"timing":">2"', "more characters than out_txt"),
        (b'"timing":">1"', b'"timing":"]1/1"', "more bytes than out_bin"),
        (b'"timing":">1"', b'"timing":"?1"', "timing is malformed at character 0"),
        (b'"timing":">1"', b'"timing":"=70000x1"', "window 70000x1"),
        (b'"timing":">1"', b'"timing":"+999999999999999"', "timing goes beyond"),
        (b'"session":1', b'"session":0', "session 0 is out of range"),
        (b'"id":1', b'"id":-1', "id must not be negative"),
        (b'"pos":0', b'"pos":-5', "pos -5"),
        (b'"out_bin":[]', b'"out_bin":[256]', "must hold bytes"),
        (b'"time":1.000', b'"time":1e300', "time 1e+300"),
        (b'"out_bin":[]', b'"out_bin":[],"steno":{"v":2}', "unknown version 2 of the steno"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(old: bytes, new: bytes, reason: str) -> None:
    """Each kind of bad message is refused with what is wrong with it."""
    with pytest.raises(FormatError) as caught:
        decode_message(LINE.replace(old, new))
    assert reason in caught.value.reason


def test_good_lines_around_damage_are_kept_and_the_damage_is_placed() -> None:
    """A bad line is named by line and byte; its neighbours are read."""
    decoder = Decoder()
    found = decoder.feed(LINE + b"garbage\n" + LINE + LINE[:30]) + decoder.finish()
    assert [type(item).__name__ for item in found] == ["Placed", "Damage", "Placed", "Damage"]
    assert isinstance(found[1], Damage)
    assert (found[1].line, found[1].offset_bytes, found[1].length_bytes) == (2, len(LINE), 8)
    assert isinstance(found[3], Damage)
    assert found[3].reason.startswith("torn line")


def test_older_versions_are_read() -> None:
    """Messages of tlog's earlier versions, without rec, time and some members, are read."""
    line = b'{"ver":"2.1","host":"h","user":"u","term":"x","session":1,"id":1,"pos":5,'
    line += b'"timing":"<1","in_txt":"y","in_bin":[],"out_bin":[]}'
    message = decode_message(line)
    assert (message.rec, message.time_ms, message.pieces) == ("", None, (Input(5000, b"y"),))


def test_delays_sum_up_to_the_true_time() -> None:
    """Fractions of milliseconds are not lost however many pieces there are."""
    cutter = Cutter(identify(), limit_bytes=256)
    lines = [line for i in range(1, 1001) for line in cutter.add(Output(i * 2_040, b"x"))]
    lines += cutter.end(End("exit", 0), 2_040_000)
    pieces = [piece for line in lines for piece in decode_message(line).pieces]
    outputs = [piece for piece in pieces if isinstance(piece, Output)]
    assert outputs[-1].at_us == 2_040_000
    assert all(
        abs(piece.at_us - i * 2_040) < 1000
        for i, piece in zip(range(1, 1001), outputs, strict=False)
    )


_INSIDES = st.binary(max_size=40)


@given(
    messages=st.lists(
        st.tuples(st.integers(0, 1 << 40), _INSIDES, _INSIDES, _INSIDES), min_size=1, max_size=5
    ),
    window=st.sampled_from([b"", b"=80x24"]),
    head=_INSIDES,
)
def test_messages_rendered_together_are_those_rendered_one_by_one(
    messages: list[tuple[int, bytes, bytes, bytes]], window: bytes, head: bytes
) -> None:
    """A chain of messages of output is what it would be if each were rendered for itself."""
    before = prev = digest_of_line(b"the line before")
    expected = []
    for number, (at_ms, timing, text, binary) in enumerate(messages, 7):
        content = Content(at_ms, window + timing, b"", b"", text, binary)
        member = make_member(prev, Payload(), None, None)
        expected.append(render_line(head, number, 1_700_000_000_123 + at_ms, content, member))
        prev = digest_of_line(expected[-1])
    assert chain_lines(messages, head, 7, 1_700_000_000_123, window, before) == (expected, prev)


@pytest.mark.parametrize("prev", ["", "0" * 63, "0" * 65])
def test_no_chain_begins_with_half_a_digest(prev: str) -> None:
    """Lines that follow none are refused."""
    with pytest.raises(ValueError, match="64 digits"):
        chain_lines([(0, b"", b"", b"")], b"", 2, 0, b"", prev)


def test_notes_and_stderr_are_kept() -> None:
    """Notes and what came from standard error are read back as they were."""
    pieces = [
        Output(0, b"out"),
        Output(0, b"err\x1b", is_stderr=True),
        Output(1000, b"more"),
        Note(1000, "drop", {"output_bytes": 7}),
    ]
    cutter = Cutter(identify())
    for piece in pieces:
        assert cutter.add(piece) == []
    (line,) = cutter.end(End("exit", 0), 2000)
    assert list(decode_message(line).pieces) == pieces


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tlog-play") is None, reason="Debian package tlog is missing")
def test_stock_tlog_play_plays_what_steno_writes(tmp_path: Path) -> None:
    """tlog-play shows exactly the output that was recorded, notes, stderr, splits and all."""
    pieces = [
        Window(0, 80, 24),
        Output(1_500, b'\x1b[1mbold\x1b[0m \x7f\x00 quote" back\\slash\r\n'),
        Input(2_000, b"secret\r"),
        Output(9_999, "é€😀 wide ".encode() + b"\xe2\x82"),
        Note(10_000, "drop", {"output_bytes": 12}),
        Window(12_000, 100, 30),
        Output(15_000, b"\xac \xff\xfe\xed\xa0\x80 invalid"),
        Output(16_000, b"from stderr", is_stderr=True),
        *[Output(20_000 + i * 1_700, bytes(range(256))) for i in range(40)],
    ]
    cutter = Cutter(identify(), limit_bytes=256)
    lines = [line for piece in pieces for line in cutter.add(piece)]
    lines += cutter.end(End("exit", 0), 100_000)
    path = tmp_path / "recording.log"
    path.write_bytes(b"".join(lines))
    # tlog-play 12.1 waits for ever without a terminal, so that script(1) gives it one; and that
    # hands the end of its input on, where tlog-play may hang by it.
    reader, writer = os.pipe()
    try:
        played = subprocess.run(
            ["script", "-qec", f"tlog-play -r file --file-path={path}", "/dev/null"],
            capture_output=True,
            stdin=reader,
            timeout=60,
            check=True,
        )
    finally:
        os.close(reader)
        os.close(writer)
    wanted = b"".join(p.data for p in pieces if isinstance(p, Output))
    # At the end it resets the terminal and prints a newline.
    assert played.stdout[: len(wanted)] == wanted
    assert len(played.stdout) < len(wanted) + 20
