"""What is wrong with a recording is said, with its place; what is good is still read."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from reading import (
    cut_every,
    damages_of,
    decode,
    encode,
    finish_of,
    header_of,
    load_golden,
    output_of,
    pieces_of,
)
from strategies import make_start

from steno.errors import AmbiguousError, FormatError, NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.formats.export import Exporter, Part, export_lines, zip_parts
from steno.formats.tlog_track import Reader, resolve_rec
from steno.formats.track import Finish, Header, Item
from steno.formats.ttyrec import MAX_FRAME_BYTES
from steno.model import NO_AUDIT_SESSION, Damage, End, Input, Note, Output, Window

V2 = b'{"version":2,"width":80,"height":24}\n'
V3 = b'{"version":3,"term":{"cols":80,"rows":24}}\n'
HEADER = Header(make_start(columns=80, rows=24), term="xterm")


def describe(damage: Damage) -> tuple[int, int, int, str]:
    """Return a damage as a tuple."""
    return damage.line, damage.offset_bytes, damage.length_bytes, damage.reason


def frame(seconds: int, rest_us: int, data: bytes) -> bytes:
    """Return a frame of a ttyrec."""
    numbers = (seconds, rest_us, len(data))
    return b"".join(number.to_bytes(4, "little") for number in numbers) + data


def make_lines(rec: str, count: int) -> list[bytes]:
    """Return the lines of a recording whose line N puts out N."""
    cutter = Cutter(Identity("h", rec, "u", "xterm", NO_AUDIT_SESSION, make_start()))
    lines = []
    for number in range(count - 1):
        cutter.add(Output(number * 10**6, b"%d" % number))
        lines.append(cutter.cut() or b"")
    return lines + cutter.end(End("exit", 0), count * 10**6)


# asciicast


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b'{"version":1,"width":80,"height":24,"stdout":[]}\n', "asciicast of version 1; versions"),
        (b'{"version":4}\n', "asciicast of version 4; versions 2 and 3 are known"),
        (b'{"version":true}\n', "asciicast of version True"),
        (b"[1]\n", "asciicast of version None"),
        (b"hello\n", "the header is not JSON"),
        (b'{"version":2,"width":"80","height":24}\n', "width in the header must be a number"),
        (b'{"version":2,"width":80}\n', "height in the header must be a number of cells"),
        (b'{"version":3,"term":[]}\n', "term in the header has the wrong type"),
        (b'{"version":3,"term":{"cols":80,"rows":99999}}\n', "rows in the header must be"),
        (b'{"version":2,"width":8,"height":2,"env":{"TERM":5}}\n', "env in the header"),
        (b'{"version":2,"width":8,"height":2,"timestamp":"now"}\n', "timestamp in the header"),
        (b"", "there is no header; is this an asciicast?"),
    ],
)
def test_a_cast_with_a_bad_header_is_refused(header: bytes, reason: str) -> None:
    """Without a header that makes sense nothing is read, and what is wrong is said."""
    with pytest.raises(FormatError, match=r"^line 1: ") as caught:
        decode("asciicast", {"": header + b'[0,"o","x"]\n'} if header else {"": b""})
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"a":1}', "an event is a list of time, code and data"),
        (b'[1,"o"]', "an event is a list of time, code and data"),
        (b'["1","o","x"]', "an event is a list of a number and two strings"),
        (b'[true,"o","x"]', "an event is a list of a number and two strings"),
        (b'[1,"o",5]', "an event is a list of a number and two strings"),
        (b'[-1,"o","x"]', "time -1 is out of range"),
        (b'[1e12,"o","x"]', "time 1000000000000.0 is out of range"),
        (b'[1,"r","80"]', "'80' is no window size"),
        (b'[1,"r","70000x1"]', "'70000x1' is no window size"),
    ],
)
def test_a_bad_event_is_named_and_the_others_are_read(line: bytes, reason: str) -> None:
    """A bad event costs itself only."""
    data = V2 + b'[1,"o","a"]\n' + line + b'\n[2,"o","b"]\n'
    items = decode("asciicast", {"": data})
    assert output_of(items) == b"ab"
    [damage] = damages_of(items)
    assert damage.reason.startswith(reason)
    assert describe(damage)[:3] == (3, len(V2) + 12, len(line) + 1)


def test_a_torn_event_at_the_end_is_named() -> None:
    """A cast that was cut off within an event says so."""
    [damage] = damages_of(decode("asciicast", {"": V3 + b'[1,"o","a"]\n[2,"o'}))
    assert damage.reason.startswith("torn line: not JSON")
    assert damage.line == 3


def test_a_bad_event_of_v3_still_takes_its_time() -> None:
    """What follows a bad event stands at its own instant, as far as the time is readable."""
    items = decode("asciicast", {"": V3 + b'[1.5,"r","x"]\n[0.25,"o","b"]\n'})
    assert pieces_of(items) == [Output(1_750_000, b"b")]


def test_comments_and_blank_lines_of_v3_are_no_damage() -> None:
    """Asciicast v3 allows comments."""
    items = decode("asciicast", {"": V3 + b'# hello\n\n[1,"o","b"]\n'})
    assert pieces_of(items) == [Output(1_000_000, b"b")]
    assert not damages_of(items)


def test_markers_and_unknown_events_become_notes() -> None:
    """A marker is a note; an event that nobody knows is said to be lost."""
    items = decode("asciicast", {"": V3 + b'[1,"m","here"]\n[1,"q","?"]\n[1,"x","2"]\n'})
    assert pieces_of(items) == [
        Note(1_000_000, "marker", {"label": "here"}),
        Note(2_000_000, "lost", {"what": "event with code 'q'"}),
    ]
    assert finish_of(items) == Finish(3_000_000, End("exit", 2))


def test_times_of_v2_that_step_back_are_not_followed() -> None:
    """What comes later in the file never comes earlier in time; the step is noted."""
    data = V2 + b'[5,"o","a"]\n[2,"o","b"]\n[2.5,"o","c"]\n'
    assert pieces_of(decode("asciicast", {"": data})) == [
        Output(5_000_000, b"a"),
        Note(5_000_000, "clock", {"step_us": -3_000_000}),
        Output(5_000_000, b"b"),
        Output(5_500_000, b"c"),
    ]


def test_a_header_is_kept_from_v2_to_v3_and_back() -> None:
    """What both versions know goes from one to the other: title, theme, idle limit, environment."""
    theme = b'{"fg":"#ffffff","bg":"#000000","palette":"#000000:#111111"}'
    data = (
        b'{"version":2,"width":80,"height":24,"timestamp":1790000000,"idle_time_limit":2.5,'
        b'"command":"sh","title":"T","env":{"SHELL":"/bin/sh","TERM":"xterm"},"theme":%s}\n' % theme
    )
    items = decode("asciicast", {"": data})
    files, losses = encode("asciicast-v3", items)
    assert losses == []
    again, _ = encode("asciicast-v2", decode("asciicast", files))
    assert decode("asciicast", again) == items
    assert header_of(items).title == "T"


def test_losses_of_a_cast_are_said() -> None:
    """Bytes that are no UTF-8, standard error, who it was, the end: all is said."""
    items: list[Item] = [
        HEADER,
        Output(0, b"\xff\xfeok\xc3"),
        Output(1, b"\xa9", is_stderr=True),
        Input(2, b"\x80"),
        Finish(5, End("exit", 3)),
    ]
    _, losses = encode("asciicast-v2", items)
    assert losses == [
        "facts of the start: host, user",
        "the start's fraction of a second",
        "standard error, mixed with output: 1 bytes",
        "not UTF-8, written as U+FFFD: 2 bytes of output",
        "not UTF-8, written as U+FFFD: 1 bytes of input",
        "the exit status: 3",
        "the time after the last event: 3 microseconds",
    ]


# typescript


def test_a_typescript_without_timing_is_read_at_one_instant() -> None:
    """All of the output is there; there is no time to be had."""
    _, files = load_golden("classic")
    items = decode("typescript", {"output": files["output"]})
    assert output_of(items) == output_of(decode("typescript", files))
    assert {piece.at_us for piece in pieces_of(items)} == {0}
    assert finish_of(items).end.exit_status == 3
    assert not damages_of(items)


def test_timing_cut_off_costs_times_only() -> None:
    """Output that the timing no longer tells of is read, and the lack is said."""
    _, files = load_golden("classic")
    files["timing"] = files["timing"].splitlines(keepends=True)[0]
    items = decode("typescript", files)
    assert output_of(items).endswith(b"30 90\r\n")
    [damage] = damages_of(items)
    assert damage.reason == "output: 46 bytes that the timing does not tell of"


def test_a_typescript_cut_off_says_how_much_is_missing() -> None:
    """Where the timing tells of more than there is, the first such line and the sum are said."""
    _, files = load_golden("classic")
    files["output"] = files["output"][:170]
    items = decode("typescript", files)
    [damage] = damages_of(items)
    assert damage.reason.startswith("output is cut short: the timing tells of ")
    assert damage.line == 2
    assert 0 < len(output_of(items)) < 80


def test_missing_input_is_said_and_output_read() -> None:
    """Without the file that --log-in wrote, the rest is as it was."""
    _, files = load_golden("advanced")
    whole = decode("typescript", files)
    del files["input"]
    items = decode("typescript", files)
    assert output_of(items) == output_of(whole)
    assert [damage.reason for damage in damages_of(items)] == [
        "input is missing: the timing tells of 6 bytes more"
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"O 0.1", "timing: '' is no number of bytes"),
        (b"O x 5", "timing: 'x' is no time in seconds"),
        (b"Q 0.1 5", "timing: unknown step 'Q'"),
        (b"S 0.1 SIGWINCH ROWS=99999 COLS=1", "timing: the window is too large to be one"),
        (b"O 999999999999.0 1", "timing: 999999999999.0 leads out of range"),
        (b"O 0.1 99999999999999999", "timing: '99999999999999999' is no number of bytes"),
    ],
)
def test_a_bad_timing_line_is_named(line: bytes, reason: str) -> None:
    """A bad step is named by its line; the steps around it count."""
    timing = b"O 0.5 1\n" + line + b"\nO 0.5 1\n"
    items = decode("typescript", {"timing": timing, "output": b"head\nab"})
    assert output_of(items) == b"ab"
    [damage] = damages_of(items)
    assert describe(damage) == (2, 8, len(line) + 1, reason)


def test_signals_stand_in_the_recording() -> None:
    """What signals script got is a note, and goes back into an advanced timing file."""
    timing = b"O 0.5 1\nS 0.25 SIGTERM\n"
    items = decode("typescript", {"timing": timing, "output": b"head\na"})
    assert pieces_of(items)[1] == Note(750_000, "signal", {"name": "SIGTERM"})
    files, _ = encode("typescript", items)
    assert b"S 0.250000 SIGTERM\n" in files[".timing"]


@pytest.mark.parametrize("size_bytes", [1000, 65535, 65536, 65537, 10**6])
def test_a_first_line_without_an_end_is_held_up_to_a_limit(size_bytes: int) -> None:
    """What comes after the limit is output, however the bytes arrive."""
    files = {"timing": b"O 0.5 1\n", "output": b"x" * 100_000 + b"\nab"}
    assert decode("typescript", files, cut_every(size_bytes)) == decode("typescript", files)


def test_an_unknown_end_is_not_written_as_success() -> None:
    """A recording whose end is unknown gets no exit status."""
    files, _ = encode("typescript", [HEADER, Output(0, b"x"), Finish(0, End("unknown"))])
    assert b"[<unknown>]" in files[""]
    assert b"EXIT_CODE" not in files[""] + files[".timing"]


def test_what_was_recorded_cannot_forge_a_timing_line() -> None:
    """Facts with newlines stay on their lines, so that no step can be smuggled in."""
    header = Header(make_start(command=["sh\nO 9.9 999"], terminal="/dev/pts/3\n"), term='x"\ny')
    files, _ = encode("typescript", [header, Finish(0, End("exit", 0))])
    lines = files[".timing"].splitlines()
    assert all(line.startswith(b"H ") for line in lines)
    assert files[""].count(b"\n") == 3


@pytest.mark.parametrize("started", ["0001-01-01 00:00:00+00:00", "0001-01-01 00:00:00+23:59"])
def test_a_start_before_1970_is_not_believed(started: str) -> None:
    """Instants that other formats could not write count as unknown."""
    timing = f"H 0.0 START_TIME {started}\nO 0.5 1\n".encode()
    items = decode("typescript", {"timing": timing, "output": b"head\na"})
    assert header_of(items).start.started_unix_us == 0


# ttyrec


def test_a_frame_that_cannot_be_one_ends_the_reading() -> None:
    """Nothing can be found after a bad frame; how much that was is said."""
    good = frame(1_790_000_000, 0, b"a") + frame(1_790_000_001, 0, b"b")
    bad = frame(1_790_000_002, 10**6, b"c") + frame(1_790_000_003, 0, b"d")
    items = decode("ttyrec", {"": good + bad})
    assert output_of(items) == b"ab"
    reason = "a frame with 1000000 microseconds; the rest cannot be read"
    assert [describe(d) for d in damages_of(items)] == [(3, 26, 26, reason)]


def test_a_frame_that_is_too_large_is_no_frame() -> None:
    """A file that begins with an absurd frame is no ttyrec; nothing is held for it."""
    head = frame(1, 0, b"")[:8] + (MAX_FRAME_BYTES + 1).to_bytes(4, "little")
    with pytest.raises(FormatError, match=r"^byte 0: a frame of 16777217 bytes"):
        decode("ttyrec", {"": head})


def test_a_torn_frame_gives_what_there_is() -> None:
    """The last frame's bytes that are there are read; the tear is said."""
    data = frame(1_790_000_000, 0, b"a") + frame(1_790_000_001, 0, b"bcd")[:-1]
    items = decode("ttyrec", {"": data})
    assert output_of(items) == b"abc"
    assert [describe(d) for d in damages_of(items)] == [(2, 13, 14, "torn frame")]


def test_a_clock_set_back_costs_no_later_time() -> None:
    """A recorder's clock that was set back neither turns time round nor stops it."""
    data = frame(100, 0, b"a") + frame(50, 0, b"b") + frame(52, 5, b"c")
    assert pieces_of(decode("ttyrec", {"": data})) == [
        Output(0, b"a"),
        Note(0, "clock", {"step_us": -50_000_000}),
        Output(0, b"b"),
        Output(2_000_005, b"c"),
    ]


def test_losses_of_a_ttyrec_are_said() -> None:
    """Input, who it was, how it ended, and time around the output: all is said."""
    header = Header(make_start(), term="xterm")
    items: list[Item] = [
        header,
        Output(5, b"x"),
        Input(6, b"yz"),
        Note(7, "drop", {}),
        Finish(9, End("signal", None, 15)),
    ]
    _, losses = encode("ttyrec", items)
    assert losses == [
        "facts of the start: host, term, user",
        "the time before the first output: 5 microseconds",
        "input: 2 bytes",
        "notes (drop): 1",
        "the end: signal 15",
        "the time after the last output: 4 microseconds",
    ]


# sudo


def test_compressed_data_that_are_damaged_cost_one_stream_only() -> None:
    """What could be decompressed is read, the damage named by the file."""
    name, files = load_golden("sudo-gzip")
    damaged = bytearray(files["ttyin"])
    damaged[-6] ^= 255
    items = decode(name, files | {"ttyin": bytes(damaged)})
    assert output_of(items) == output_of(decode(name, files))
    assert [d.reason.partition(":")[0] for d in damages_of(items)] == ["ttyin"]


def test_compressed_data_that_end_early_are_said() -> None:
    """A log that sudo could not finish is read up to where it ends."""
    name, files = load_golden("sudo-gzip")
    items = decode(name, files | {"ttyout": files["ttyout"][:-12]})
    reasons = [damage.reason for damage in damages_of(items)]
    assert "ttyout: compressed data end too early" in reasons


def test_compressed_data_of_any_size_and_several_members_are_read() -> None:
    """Gzip allows members in a row; what they hold may be far larger than they are."""
    big = b"x" * 5_000_000
    files = {
        "log.json": b'{"command":"sh","ttyname":"/dev/pts/0"}',
        "timing": b"4 0.5 10000000\n",
        "ttyout": gzip.compress(big) + gzip.compress(big),
    }
    items = decode("sudo", files)
    assert len(output_of(items)) == 10_000_000
    assert not damages_of(items)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "there is neither log.json nor log"),
        ({"log.json": b"{"}, "log.json is not JSON"),
        ({"log.json": b"[]"}, "log.json holds no object"),
        ({"log": b"x\ny\nz\n"}, "log does not begin with time:user"),
        ({"log.json": b"{}"}, "there is no timing file"),
    ],
)
def test_a_sudo_log_without_its_parts_is_refused(facts: dict[str, bytes], reason: str) -> None:
    """Without facts or timing it is no I/O log."""
    with pytest.raises(FormatError) as caught:
        decode("sudo", facts)
    assert caught.value.reason.startswith(reason)


def test_a_stream_of_one_byte_is_read_even_if_it_could_be_compressed() -> None:
    """The first byte of gzip alone is just a byte."""
    files = {"log.json": b'{"command":"sh"}', "timing": b"1 0.5 1\n", "stdout": b"\x1f"}
    items = decode("sudo", files)
    assert pieces_of(items) == [Output(500_000, b"\x1f")]
    assert not damages_of(items)


def test_events_of_sudo_1_8_7_are_understood() -> None:
    """That version numbered ttyout 6, and all later events two too high."""
    files = {
        "log": b"1790000000:avery:root::/dev/pts/0:24:80\n/\nsh\n",
        "timing": b"6 0.5 1\n5 0.25 1\n7 0.25 30 90\n",
        "ttyout": b"o",
        "ttyin": b"i",
    }
    assert pieces_of(decode("sudo", files)) == [
        Output(500_000, b"o"),
        Input(750_000, b"i"),
        Window(1_000_000, 90, 30),
    ]


def test_suspending_stands_in_the_recording() -> None:
    """A command that was stopped and continued has notes of it."""
    facts: dict[str, Any] = {"log.json": b'{"command":"sh"}', "timing": b"7 1 TSTP\n7 2.5 CONT\n"}
    assert pieces_of(decode("sudo", facts)) == [
        Note(1_000_000, "signal", {"name": "SIGTSTP"}),
        Note(3_500_000, "signal", {"name": "SIGCONT"}),
    ]


def test_the_end_that_later_versions_log_is_read() -> None:
    """Sudo 1.9.14 and later may note the exit value or signal, and the time it took."""
    facts = b'{"command":"sh","signal":"TERM","run_time":{"seconds":2,"nanoseconds":5000000}}'
    items = decode("sudo", {"log.json": facts, "timing": b""})
    assert finish_of(items) == Finish(2_005_000, End("signal", None, 15))


# tlog


def test_recordings_mixed_in_one_file_are_told_apart() -> None:
    """Each of them is read alone when it is named; without a name, the names are listed."""
    lines = [
        line
        for pair in zip(make_lines("r-a", 3), make_lines("r-b", 3), strict=True)
        for line in pair
    ]
    reader = Reader("r-b")
    items = reader.feed(b"".join(lines)) + reader.finish()
    assert header_of(items).rec == "r-b"
    assert output_of(items) == b"01"
    with pytest.raises(AmbiguousError, match="several recordings are mixed; there are r-a, r-b"):
        decode("tlog", {"": b"".join(lines)})
    with pytest.raises(NotFoundError, match="recording r-c is not there; there are r-a, r-b"):
        list(export_lines(lines, Exporter("ttyrec"), "r-c"))


def test_what_is_said_of_a_hostile_recording_cannot_act_on_the_terminal() -> None:
    """Names that a recording brought are told without control characters."""
    evil = "\x1b]0;owned\x07"
    lines = make_lines(evil, 1) + make_lines("r-b", 1)
    with pytest.raises(AmbiguousError) as caught:
        decode("tlog", {"": b"".join(lines)})
    header = Header(make_start(), environment={evil: "1"}, extras={evil: 1})
    items: list[Item] = [header, Note(0, evil, {}), Finish(1, End(evil))]
    losses = [
        loss for kind in ("ttyrec", "asciicast-v2", "tlog") for loss in encode(kind, items)[1]
    ]
    assert all(text.isprintable() for text in [str(caught.value), *losses])
    assert any("owned" in text for text in losses)


def test_a_beginning_of_an_id_is_enough_when_it_fits_one() -> None:
    """A whole id beats the ids that begin with it."""
    recs = ["ab", "abc", "b"]
    assert resolve_rec(recs, "ab") == "ab"
    assert resolve_rec(recs, "abc") == "abc"
    with pytest.raises(AmbiguousError, match="a fits several; there are ab, abc"):
        resolve_rec(recs, "a")
    with pytest.raises(NotFoundError, match="recording x is not there"):
        resolve_rec(recs, "x")


def test_gaps_repetitions_and_damage_reach_the_other_format() -> None:
    """Messages that are missing, repeated or damaged are told of in the other format too."""
    lines = make_lines("r-a", 6)
    data = b"".join([lines[0], lines[2], lines[2], b"rubbish\n", lines[4], lines[5]])
    items = decode("tlog", {"": data})
    gaps = [piece.facts for piece in pieces_of(items) if isinstance(piece, Note)]
    assert gaps == [{"first_id": 2, "last_id": 2}, {"first_id": 4, "last_id": 4}]
    reasons = [damage.reason for damage in damages_of(items)]
    assert reasons[0] == "message 3 comes again, after 3: left out"
    assert reasons[1].startswith("not a message")
    files, _ = encode("asciicast-v3", items)
    again = [p for p in pieces_of(decode("asciicast", files)) if isinstance(p, Note)]
    assert [note.kind for note in again] == ["gap", "lost", "lost", "gap"]
    assert again[1].facts["what"] == reasons[0]


def test_absurd_facts_of_a_start_do_not_stop_other_formats() -> None:
    """Numbers that cannot be true are left out, so that every format can be written."""
    start = make_start(columns=-5, rows=10**12, started_unix_us=-(10**20))
    cutter = Cutter(Identity("h", "r", "u", "xterm", NO_AUDIT_SESSION, make_start()))
    line = cutter.end(End("exit", 0), 0)[0]
    absurd = line.replace(b'"started_unix_us":1790000000123456', b'"started_unix_us":-99')
    absurd = absurd.replace(b'"recorder"', b'"columns":-5,"rows":1000000000000,"recorder"')
    assert absurd != line
    header = header_of(decode("tlog", {"": absurd}))
    assert (header.start.columns, header.start.rows) == (None, None)
    assert header.start.started_unix_us == 0
    assert start.columns == -5


def test_several_files_travel_as_one_archive() -> None:
    """The archive holds the files under the recording's name, the same bytes each time."""
    parts = [Part("", b"a"), Part(".timing", b"t"), Part("", b"b")]
    archive = zip_parts("rec-1", parts)
    assert archive == zip_parts("rec-1", parts)
    assert archive.startswith(b"PK")
    assert b"rec-1.timing" in archive
