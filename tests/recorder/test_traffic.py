"""Waiting in C, and what passes meanwhile, against the way through Python."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.formats.cutter import Cutter, Identity
from steno.formats.stretches import Filled, Row
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Output, Start, Window
from steno.recorder._traffic import carry
from steno.recorder.traffic import OutputWay, Traffic, wait_for_traffic

_TURN_BYTES = 262144
_LATE_US = 10**12
_BURST_S = 0.01
"""So long a burst may take; then it ends, whatever there is."""
_TRIES = 50
"""A busy machine may stand still in any burst for so long."""
_PACKETS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=4096),
        st.text(min_size=1, max_size=600).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from(
            [b"\xe3", b"\x81\x82", b"\xf0\x9f", b"x" * 4096, b"\xc3\xb6" * 1500, b"\x1b" * 3000]
        ),
    ),
    max_size=12,
)


class Pipes:
    """A source whose reads are the packets put in, a sink, and the way between them."""

    def __init__(self) -> None:
        self.source, self._feed = os.pipe2(os.O_NONBLOCK | os.O_DIRECT)
        self._drain, self.sink = os.pipe2(os.O_NONBLOCK)
        self.base_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def put(self, *packets: bytes) -> None:
        """Write packets that are read one by one."""
        for packet in packets:
            os.write(self._feed, packet)

    def end(self) -> None:
        """Let the source meet its end."""
        os.close(self._feed)
        self._feed = -1

    def fill_sink(self, free_bytes: int) -> bytes:
        """Leave that much room in the sink, which is a multiple of 4096."""
        filled = b""
        while select.select([], [self.sink], [], 0)[1]:
            filled += b"-" * os.write(self.sink, b"-" * 4096)
        os.read(self._drain, free_bytes)
        return filled[free_bytes:]

    def take(self) -> bytes:
        """Return what the sink was given."""
        data = b""
        while select.select([self._drain], [], [], 0)[0]:
            data += os.read(self._drain, 1 << 20)
        return data

    def await_passed(self, size_bytes: int) -> None:
        """Wait until the sink is given so much, and take it."""
        while size_bytes > 0:
            assert select.select([self._drain], [], [], 60)[0], "it is not passed on"
            size_bytes -= len(os.read(self._drain, size_bytes))

    def wait(
        self,
        cutter: Cutter,
        *others: tuple[int, int],
        timeout_ms: int = 0,
        turn_bytes: int = _TURN_BYTES,
        lines: list[bytes] | None = None,
    ) -> Traffic:
        """Wait for the source and for others; add what fills messages to `lines`."""
        room = cutter.room()
        assert room is not None

        def record(filled: Filled) -> bool:
            assert lines is not None, "no message should be full"
            lines.extend(cutter.add_filled(filled))
            return True

        way = OutputWay(self.source, self.sink, self.base_ns, turn_bytes, room, record)
        return wait_for_traffic([(self.source, select.POLLIN), *others], timeout_ms, None, way)

    def close(self) -> None:
        """Close all ends."""
        for fd in (self.source, self._feed, self._drain, self.sink):
            if fd >= 0:
                os.close(fd)


@contextmanager
def pipes() -> Iterator[Pipes]:
    """Make pipes for a while."""
    made = Pipes()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def undisturbed(
    fill: Callable[[Pipes], None],
    cutter: Cutter,
    is_whole: Callable[[Traffic], bool],
    *,
    turn_bytes: int = _TURN_BYTES,
    lines: list[bytes] | None = None,
) -> Iterator[tuple[Pipes, Traffic]]:
    """Yield pipes that were filled so, and what passed then in a burst; `lines` is what it filled.

    One that is not whole and took as long as any may take was cut by the clock: another is tried.
    """
    for _ in range(_TRIES):
        with pipes() as made:
            fill(made)
            began_s = time.monotonic()
            traffic = made.wait(cutter, turn_bytes=turn_bytes, lines=lines)
            if is_whole(traffic) or time.monotonic() - began_s < _BURST_S:
                yield made, traffic
                return
    raise AssertionError("every burst was cut by the clock")


def begin_cutter(limit_bytes: int = 16384) -> tuple[Cutter, bytes]:
    """Return a cutter of a recording, and the line that it begins with."""
    start = Start("u", "h", 1_700_000_000_000_000, "steno test")
    cutter = Cutter(Identity("h", "r", "u", "xterm", 1, start), limit_bytes=limit_bytes)
    return cutter, cutter.begin(0)


def make_cutter() -> Cutter:
    """Return a cutter of a recording that has begun."""
    return begin_cutter()[0]


def shown(lines: list[bytes]) -> bytes:
    """Return the output that lines hold."""
    pieces = [piece for line in lines for piece in decode_message(line).pieces]
    return b"".join(piece.data for piece in pieces if isinstance(piece, Output))


def _now_us(made: Pipes) -> int:
    return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - made.base_ns) // 1000


def record(made: Pipes, cutter: Cutter) -> list[bytes]:
    """Pass on and record all that comes, as the relay does."""
    lines: list[bytes] = []
    while (traffic := made.wait(cutter, lines=lines)).row.length_bytes:
        assert traffic.odd is None
        cutter.add_row(traffic.row)
    return lines


def payload_bytes(line: bytes) -> int:
    """Return roughly how large a message's payload is."""
    return line.index(b',"steno":') - line.index(b'"timing":')


@given(_PACKETS, st.sampled_from([256, 700, 5000, 16384, 100_000]), st.booleans())
@example([b"ab\xe3", b"\x81", b"\x82c"], 16384, False)
@example([b"\xff" * 4096] * 3, 16384, True)
@example([b"x" * 1500, b"\xff\xfex" * 700, b"\xc3", b"\xb6" * 2000], 16384, True)
@example([b"x" * 3000, b"\xff", b"y" * 3000, b"\x1b" * 3000], 256, True)
@example([b"y" * 4000] * 12, 5000, False)
def test_passes_on_and_records_as_python_does(
    packets: list[bytes], limit_bytes: int, has_window: bool
) -> None:
    """However output comes, it is passed on and recorded whole, in messages within the limit."""
    (cutter, begin), (reference, same) = begin_cutter(limit_bytes), begin_cutter(limit_bytes)
    window = Window(0, 100, 30)
    lines = [begin, *(cutter.add(window) if has_window else [])]
    expected = [same] + [line for packet in packets for line in reference.add(Output(0, packet))]
    with pipes() as made:
        made.put(*packets)
        lines += record(made, cutter)
        assert made.take() == b"".join(packets)
    end = End("exit", 0)
    lines += cutter.end(end, _LATE_US)
    expected += reference.end(end, _LATE_US)
    assert shown(lines) == shown(expected)
    assert verify_lines(lines).state == "complete"
    assert sum(map(len, lines)) == cutter.written_bytes
    assert all(payload_bytes(line) <= limit_bytes + 200 for line in lines)
    for line in lines:
        kinds = [type(piece) for piece in decode_message(line).pieces]
        assert Output not in kinds or (kinds[0] is Window) == has_window


def test_a_burst_fills_its_messages() -> None:
    """What comes in a row is encoded together: no more messages than its bytes need."""
    cutter = make_cutter()
    lines: list[bytes] = []
    packets = [b"line of text\r\n" * 290] * 12
    size_bytes = sum(map(len, packets))

    def is_whole(traffic: Traffic) -> bool:
        return traffic.row.length_bytes == size_bytes

    def begin(made: Pipes) -> None:
        lines.clear()
        made.put(*packets)

    with undisturbed(begin, cutter, is_whole, lines=lines) as (_, traffic):
        assert is_whole(traffic)
    assert traffic.odd is None
    assert traffic.ready == []
    # A newline takes two bytes: some 56,000 in all.
    assert 3 <= len(lines) <= 4
    assert all(12_000 < payload_bytes(line) <= 16_600 for line in lines)


class Recording:
    """What fills messages in a burst of 64,000 bytes, which is 4 of them.

    Attributes:
        packets: What comes.
        lines: What was recorded.
        passed: What had been passed on each time.
        came_bytes: How much came.
    """

    def __init__(self, made: Pipes, *, keeps_up: bool = True) -> None:
        self.packets = [b"%4d" % number + b"x" * 3996 for number in range(16)]
        self.cutter, begin = begin_cutter()
        self.lines = [begin]
        self.passed: list[bytes] = []
        self.came_bytes = 0
        self._made = made
        self._keeps_up = keeps_up
        made.put(*self.packets)

    def record(self, filled: Filled) -> bool:
        """Record what fills messages."""
        self.passed.append(self._made.take())
        self.lines += self.cutter.add_filled(filled)
        return self._keeps_up

    def wait(self, record: Callable[[Filled], bool]) -> None:
        """Wait for the source, and have it recorded so; a burst may be cut before that by time."""
        made = self._made
        while not self.passed:
            room = self.cutter.room()
            assert room is not None
            way = OutputWay(made.source, made.sink, made.base_ns, _TURN_BYTES, room, record)
            row = wait_for_traffic([(made.source, select.POLLIN)], 0, None, way).row
            assert row.length_bytes, "nothing is recorded"
            self.came_bytes += row.length_bytes
            self.cutter.add_row(row)


def test_full_messages_are_recorded_while_more_passes() -> None:
    """After two of them at the latest; what fills none comes back in the end."""
    with pipes() as made:
        recording = Recording(made)
        recording.wait(recording.record)
    assert len(recording.passed[0]) <= 3 * 16_384
    last = recording.cutter.cut()
    assert last is not None
    whole = b"".join(recording.packets)
    assert shown([*recording.lines, last]) == whole[: recording.came_bytes]


def test_a_recorder_that_falls_behind_ends_the_burst() -> None:
    """What is not read yet stays where it is."""
    with pipes() as made:
        recording = Recording(made, keeps_up=False)
        recording.wait(recording.record)
        assert recording.came_bytes <= 3 * 16_384
        assert len(recording.passed) == 1
        rest = os.read(made.source, 4096)
    assert rest == recording.packets[recording.came_bytes // 4000]


def test_what_recording_raises_ends_the_wait() -> None:
    """It is met by who waits."""

    def fail(filled: Filled) -> bool:
        raise OSError(f"no room for {len(filled.whole)} messages")

    with pipes() as made:
        recording = Recording(made)
        with pytest.raises(OSError, match="no room for"):
            recording.wait(fail)


def test_what_comes_in_a_row_comes_back_at_its_millisecond() -> None:
    """Of what comes in a row each piece is recorded when it came, not when the row began."""
    cutter = make_cutter()
    with pipes() as made:

        def feed() -> None:
            for number in range(6):
                made.put(b"%d" % number * 2000)
                made.await_passed(2000)
                time.sleep(0.002)

        feeder = threading.Thread(target=feed)
        feeder.start()
        lines: list[bytes] = []
        times_us = [_now_us(made)]
        while len(shown(lines)) < 12_000:
            traffic = made.wait(cutter, timeout_ms=60_000)
            times_us.append(_now_us(made))
            cutter.add_row(traffic.row)
            lines += [line for line in [cutter.cut()] if line is not None]
        feeder.join()
    outputs = [one for line in lines for one in decode_message(line).pieces]
    came_us = [piece.at_us for piece in outputs if isinstance(piece, Output)]
    assert came_us == sorted(came_us)
    assert came_us[-1] - came_us[0] >= 5 * 1_000
    assert times_us[0] // 1000 * 1000 <= came_us[0] <= came_us[-1] <= times_us[-1]


def test_a_turn_ends() -> None:
    """Output that goes on for ever gives way to others after a turn."""

    def is_whole(traffic: Traffic) -> bool:
        return traffic.row.length_bytes == 12_000

    packets = [b"x" * 4000] * 8
    with undisturbed(
        lambda made: made.put(*packets), make_cutter(), is_whole, turn_bytes=10_000, lines=[]
    ) as (_, traffic):
        assert is_whole(traffic)


def test_what_is_not_taken_is_left_to_python() -> None:
    """A reader that does not take all ends the burst; what it has taken is told exactly."""
    with pipes() as made:
        before = made.fill_sink(4096)
        made.put(b"a" * 3500, b"b" * 4096, b"c")
        traffic = made.wait(make_cutter())
        assert traffic.odd is not None
        data, taken_bytes, _ = traffic.odd
        passed = b"a" * 3500 + data[:taken_bytes]
        assert made.take() == before + passed
        assert data == b"b" * 4096
        assert taken_bytes < 4096
        assert traffic.row.length_bytes == 3500
        assert os.read(made.source, 10) == b"c"


def test_an_end_is_left_to_python() -> None:
    """The source's end, and only that, makes it ready for a read in Python."""
    with pipes() as made:
        made.put(b"x" * 2000)
        made.end()
        assert made.wait(make_cutter()).row.length_bytes == 2000
        traffic = made.wait(make_cutter())
        assert traffic.row.length_bytes == 0
        assert [fd for fd, _ in traffic.ready] == [made.source]


def test_others_end_a_burst() -> None:
    """Another descriptor that is ready is told with what passed; nothing waits for more."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b"!")
        with pipes() as made:
            made.put(b"x" * 3500)
            traffic = made.wait(make_cutter(), (reader, select.POLLIN), timeout_ms=60_000)
            assert traffic.row.length_bytes == 3500
            assert traffic.ready == [(reader, select.POLLIN)]
    finally:
        os.close(reader)
        os.close(writer)


def test_keys_pass_and_are_counted() -> None:
    """Keys that nobody records are passed on during the wait, which goes on after them."""
    with pipes() as made, pipes() as keys:
        keys.put(b"l", b"s", b"\r")
        way = keys.source, keys.sink
        traffic = wait_for_traffic([(keys.source, select.POLLIN)], 0, way, None)
        passed = traffic.key_bytes
        while passed < 3:
            passed += wait_for_traffic([(keys.source, select.POLLIN)], 0, way, None).key_bytes
        assert keys.take() == b"ls\r"
        assert traffic.ready == []
        assert made.take() == b""


def test_keys_that_are_not_taken_are_left_to_python() -> None:
    """Keys that a busy program does not take come back with how much of them it has."""
    with pipes() as keys:
        before = keys.fill_sink(0)
        keys.put(b"stop")
        way = keys.source, keys.sink
        traffic = wait_for_traffic([(keys.source, select.POLLIN)], 60_000, way, None)
        assert traffic.odd_keys is not None
        assert traffic.odd_keys.data == b"stop"
        assert keys.take() == before + b"stop"[: traffic.odd_keys.taken_bytes]
        assert traffic.key_bytes == 0


def test_keys_behind_those_that_are_not_taken_wait() -> None:
    """While keys wait for a busy program, later ones are not read, whatever else passes."""
    with pipes() as made, pipes() as keys:
        keys.fill_sink(0)
        keys.put(b"first", b"second")
        made.put(b"x" * 3500)
        waits = [(keys.source, select.POLLIN), (made.source, select.POLLIN)]
        room = make_cutter().room()
        assert room is not None
        output = OutputWay(made.source, made.sink, made.base_ns, _TURN_BYTES, room, bool)
        traffic = wait_for_traffic(waits, 60_000, (keys.source, keys.sink), output)
        assert traffic.odd_keys is not None
        assert traffic.odd_keys.data == b"first"
        assert os.read(keys.source, 10) == b"second"


def test_keys_end_is_left_to_python() -> None:
    """The end of keys is told as something to read."""
    with pipes() as keys:
        keys.end()
        way = keys.source, keys.sink
        traffic = wait_for_traffic([(keys.source, select.POLLIN)], 60_000, way, None)
        assert [fd for fd, _ in traffic.ready] == [keys.source]


def test_waits_no_longer_than_told() -> None:
    """Without anything to do the wait ends when it should."""
    with pipes() as made:
        before = time.monotonic()
        traffic = made.wait(make_cutter(), timeout_ms=30)
        assert time.monotonic() - before >= 0.025
        assert traffic == Traffic([], 0, None, Row([], b"", 0), None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([(0, 1)] * 257, 0, (-1, -1), None), "too many"),
        (([], 0, (-1, -1), (0, 1, 0, 262145, 9, 99, b"", ">]", bool)), "no turn"),
        (([], 0, (-1, -1), (0, 1, 0, 0, 9, 99, b"", ">]", bool)), "no turn"),
        (([], 0, (-1, -1), (0, 1, 0, 9, 9, 87, b"", ">]", bool)), "no turn"),
        (([], 0, (-1, -1), (0, 1, 0, 9, 9, 99, b"four", ">]", bool)), "no turn"),
        (([], 0, (-1, -1), (0, 1, 0, 9, 9, 99, b"", ">", bool)), "no turn"),
    ],
)
def test_refuses_other_arguments(arguments: tuple[object, ...], reason: str) -> None:
    """Too many descriptors, or a turn that cannot be, are programming errors."""
    with pytest.raises(ValueError, match=reason):
        carry(*arguments)  # type: ignore[arg-type]
