"""What the real programs wrote is read for what it is."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import (
    GOLDEN_NAMES,
    GOLDENS,
    as_streams,
    damages_of,
    decode,
    encode,
    finish_of,
    header_of,
    input_of,
    load_golden,
    output_of,
    pieces_of,
)

from steno.formats.export import KINDS, Exporter
from steno.formats.guess import TIMING, guess_directory, guess_format
from steno.formats.track import Header, Item, unknown_start
from steno.model import Input, Output, Window

RAW = "hello é世 \x1b[1;31mred\x1b[0m\r\nhalf é done\r\n".encode() + (
    b"bad \xff\xfe bytes\r\nAvery\r\nhi Avery\r\n30 90\r\n"
)
"""What session.sh and the terminal's echo make of it; a cast has U+FFFD for the bad bytes."""
AS_TEXT = RAW.replace(b"\xff\xfe", "\ufffd\ufffd".encode())
ON_TERMINAL = [name for name in GOLDEN_NAMES if name != "sudo-pipes"]


def read_golden(name: str) -> list[Item]:
    """Return the golden's items, which must all be good."""
    items = decode(*load_golden(name))
    assert not damages_of(items)
    return items


@pytest.mark.parametrize("name", ON_TERMINAL)
def test_output_is_what_the_terminal_received(name: str) -> None:
    """Every byte of output of each program's recording is there, and none besides."""
    assert output_of(read_golden(name)) == (AS_TEXT if name.endswith(".cast") else RAW)


@pytest.mark.parametrize("name", ["v2.cast", "v3.cast", "advanced", "both", "sudo-gzip"])
def test_input_is_what_was_typed(name: str) -> None:
    """Where the program kept input, it is read, between the prompt and the echo."""
    items = read_golden(name)
    assert input_of(items) == b"Avery\r"
    place = next(i for i, item in enumerate(items) if isinstance(item, Input))
    assert b"done\r\n" in output_of(items[:place])
    assert b"Avery\r\n" not in output_of(items[:place])


@pytest.mark.parametrize("name", ["v3.cast", "advanced", "both", "sudo-gzip", "sudo-plain"])
def test_the_window_change_is_read(name: str) -> None:
    """A window that was made 90x30 is that, before the output that followed it."""
    pieces = pieces_of(read_golden(name))
    [place] = [i for i, piece in enumerate(pieces) if isinstance(piece, Window)]
    window = pieces[place]
    assert isinstance(window, Window)
    assert (window.columns, window.rows) == (90, 30)
    after = pieces[place + 1]
    assert isinstance(after, Output)
    assert after.data == b"30 90\r\n"
    assert 200_000 < after.at_us - window.at_us < 400_000


@pytest.mark.parametrize("name", ["v2.cast", "v3.cast", "classic", "advanced", "both", "sudo-gzip"])
def test_the_window_at_the_start_and_the_terminal_are_known(name: str) -> None:
    """Where the program noted them, window and TERM stand in the header."""
    header = header_of(read_golden(name))
    assert (header.start.columns, header.start.rows) == (80, 24)
    assert header.term == "xterm-256color"


@pytest.mark.parametrize("name", ["v3.cast", "classic", "advanced", "both"])
def test_the_exit_status_is_read(name: str) -> None:
    """Where the program noted it, exit status 3 is the end."""
    end = finish_of(read_golden(name)).end
    assert (end.reason, end.exit_status) == ("exit", 3)
    assert end.output_bytes == len(RAW) + (4 if name == "v3.cast" else 0)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_instants_stand_where_the_session_had_its_pauses(name: str) -> None:
    """Pauses of 0.1 and about 0.6 s are where they were; nothing goes back in time."""
    pieces = pieces_of(read_golden(name))
    instants = [piece.at_us for piece in pieces]
    assert instants == sorted(instants)
    if name in ON_TERMINAL:
        outputs = [piece.at_us for piece in pieces if isinstance(piece, Output)]
        assert 590_000 < outputs[-1] - outputs[-2] < 700_000
        assert any(90_000 < later - at < 150_000 for at, later in pairwise(outputs))


def test_a_sudo_log_tells_who_and_what() -> None:
    """The facts of log.json: who, as whom, where, what."""
    start = header_of(read_golden("sudo-plain")).start
    assert (start.login_user, start.user, start.host) == ("games", "nobody", "vm")
    assert (start.service, start.terminal) == ("sudo", "/dev/pts/0")
    assert start.command == ["/usr/bin/sh", "session.sh"]
    assert start.uid == 65534


def test_a_sudo_log_of_older_versions_tells_who_and_what() -> None:
    """Without log.json the three lines of `log` do."""
    name, files = load_golden("sudo-gzip")
    del files["log.json"]
    items = decode(name, files)
    start = header_of(items).start
    assert (start.login_user, start.user) == ("root", "nobody")
    assert (start.columns, start.rows) == (80, 24)
    assert start.command == ["/usr/bin/sh session.sh"]
    assert output_of(items) == RAW


def test_pipes_keep_output_and_errors_apart() -> None:
    """What went to standard error through sudo is marked so."""
    pieces = pieces_of(read_golden("sudo-pipes"))
    assert [(type(piece), getattr(piece, "is_stderr", None)) for piece in pieces] == [
        (Input, None),
        (Output, False),
        (Output, True),
    ]
    assert pieces[2].data == b"problem\n"  # type: ignore[union-attr]
    assert not header_of(read_golden("sudo-pipes")).is_terminal


@pytest.mark.parametrize("name", [name for name in KINDS if name != "tlog"])
def test_lines_from_pipes_end_as_a_terminal_shows_them(name: str) -> None:
    """Players of terminals' formats draw no stairs; tlog's format keeps each byte as it was."""
    items = read_golden("sudo-pipes")
    exporter = Exporter(name)
    data = b"".join(part.data for item in items for part in exporter.write(item))
    assert any(end in data for end in (b"problem\r\n", b"problem\\r\\n"))
    assert any("no terminal" in loss for loss in exporter.losses())
    for kept in (Exporter("tlog", rec="r", recorder="test"), Exporter(name, keeps_bytes=True)):
        data = b"".join(part.data for item in items for part in kept.write(item))
        assert any(end in data for end in (b"problem\n", b"problem\\n"))
        assert not any("no terminal" in loss for loss in kept.losses())


@given(st.lists(st.binary(max_size=5)), st.sampled_from([b"\r\n", b"\n\r", b"\n", b"\r\r\n\n"]))
def test_ends_of_lines_are_mended_once_however_cut(pieces: list[bytes], between: bytes) -> None:
    """A bare newline becomes what a terminal shows; one that is that already stays."""
    pieces = [cut for piece in pieces for cut in (piece, between[:1], between[1:])]
    exporter = Exporter("ttyrec")
    exporter.write(Header(unknown_start(), is_terminal=False))
    mended = b"".join(
        part.data[12:]
        for number, piece in enumerate(pieces)
        for part in exporter.write(Output(number, piece))
    )
    data = b"".join(pieces)
    assert mended == re.sub(rb"(?<!\r)\n", b"\r\n", data)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_formats_are_told_from_their_content(name: str) -> None:
    """Each golden is recognised, and its timing file as no more than that."""
    expected, _ = load_golden(name)
    path = GOLDENS / name
    if path.is_dir():
        assert guess_directory(part.name for part in path.iterdir()) == expected
        assert guess_format((path / "timing").read_bytes()) in (TIMING, None)
        return
    assert guess_format(path.read_bytes()) == expected
    timing = Path(f"{path}.timing")
    if timing.exists():
        assert guess_format(timing.read_bytes()) == TIMING


@pytest.mark.parametrize("data", [b"", b"\n", b"hello\n", b"\x7fELF" + bytes(60), b"{}\n", b"[1]"])
def test_what_is_no_recording_is_not_taken_for_one(data: bytes) -> None:
    """Nothing is guessed where there is nothing to go by."""
    assert guess_format(data) is None


@pytest.mark.parametrize("name", ["session.ttyrec"])
def test_a_ttyrec_comes_back_byte_by_byte(name: str) -> None:
    """Read and written again, a ttyrec is the same file."""
    files, losses = encode("ttyrec", read_golden(name))
    assert files[""] == (GOLDENS / name).read_bytes()
    assert losses == []


@pytest.mark.parametrize("name", ["classic", "advanced"])
def test_a_typescript_comes_back_byte_by_byte(name: str) -> None:
    """Read and written again, a typescript is the same file, its timing the same steps."""
    to_name = "typescript-classic" if name == "classic" else "typescript"
    files, losses = encode(to_name, read_golden(name))
    golden = (GOLDENS / name).read_bytes()
    assert files[""].splitlines()[:-1] == golden.splitlines()[:-1]
    timing = Path(f"{GOLDENS / name}.timing").read_text().splitlines()
    left_out = ("H 0.000000 TIMING_LOG", "H 0.000000 OUTPUT_LOG", "H 0.000000 INPUT_LOG")
    kept = [line for line in timing if not line.startswith(left_out)]
    assert files[".timing"].decode().splitlines() == kept
    assert losses == []


@pytest.mark.parametrize("name", ["v2.cast", "v3.cast"])
def test_a_cast_comes_back_with_all_its_events(name: str) -> None:
    """Read and written again, a cast holds the same header, events and times."""
    to_name = f"asciicast-{name.removesuffix('.cast')}"
    files, losses = encode(to_name, read_golden(name))
    assert decode(*as_streams(to_name, files)) == read_golden(name)
    assert losses == []
