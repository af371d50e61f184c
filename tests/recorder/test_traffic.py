"""Waiting in C, and what passes meanwhile, against the way through Python."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.formats.cutter import Cutter, Identity
from steno.formats.tlog import decode_message
from steno.model import Output, Start
from steno.recorder._traffic import carry
from steno.recorder.traffic import OutputWay, Traffic, wait_for_traffic

_TURN_BYTES = 65536
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

    def wait(self, cutter: Cutter, *others: tuple[int, int], timeout_ms: int = 0) -> Traffic:
        """Wait for the source and for others."""
        room = cutter.room()
        assert room is not None
        way = OutputWay(self.source, self.sink, self.base_ns, _TURN_BYTES, room)
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


def make_cutter(limit_bytes: int = 16384) -> Cutter:
    """Return a cutter of a recording that has begun."""
    start = Start("u", "h", 1_700_000_000_000_000, "steno test")
    cutter = Cutter(Identity("h", "r", "u", "xterm", 1, start), limit_bytes=limit_bytes)
    cutter.begin(0)
    return cutter


def shown(lines: list[bytes]) -> bytes:
    """Return the output that lines hold."""
    pieces = [piece for line in lines for piece in decode_message(line).pieces]
    return b"".join(piece.data for piece in pieces if isinstance(piece, Output))


def payload_bytes(line: bytes) -> int:
    """Return roughly how large a message's payload is."""
    return line.index(b',"steno":') - line.index(b'"timing":')


def record(made: Pipes, cutter: Cutter) -> list[bytes]:
    """Pass on and record all that comes, as the relay does."""
    lines: list[bytes] = []
    while True:
        traffic = made.wait(cutter)
        if traffic.read_bytes:
            lines += cutter.add_stretches(traffic.stretches, traffic.unfinished)
        if traffic.odd is not None:
            data, taken_bytes, at_us = traffic.odd
            assert taken_bytes == len(data)
            assert at_us is not None
            lines += cutter.add(Output(at_us, data))
        elif not traffic.read_bytes:
            return lines + [line for line in [cutter.cut()] if line is not None]


@given(_PACKETS, st.sampled_from([700, 5000, 16384, 100_000]))
@example([b"ab\xe3", b"\x81", b"\x82c"], 16384)
@example([b"\xff" * 4096] * 3, 16384)
@example([b"x" * 1500, b"\xff\xfex" * 700, b"\xc3", b"\xb6" * 2000], 16384)
@example([b"y" * 4000] * 12, 5000)
def test_passes_on_and_records_as_python_does(packets: list[bytes], limit_bytes: int) -> None:
    """However output comes, all of it is passed on and recorded, in messages within the limit."""
    cutter, reference = make_cutter(limit_bytes), make_cutter(limit_bytes)
    expected = [line for packet in packets for line in reference.add(Output(0, packet))]
    with pipes() as made:
        made.put(*packets)
        lines = record(made, cutter)
        assert made.take() == b"".join(packets)
    rest = [line for line in [reference.cut()] if line is not None]
    assert shown(lines) == shown(expected + rest)
    assert all(payload_bytes(line) <= limit_bytes + 200 for line in lines)


def test_a_burst_becomes_one_stretch_a_message() -> None:
    """What comes in a row is encoded together: one stretch for each message, not for each read."""
    cutter = make_cutter()
    with pipes() as made:
        made.put(*[b"line of text\r\n" * 290] * 12)
        traffic = made.wait(cutter)
    # Another millisecond may begin meanwhile, and with it another stretch.
    assert traffic.read_bytes == 12 * 290 * 14
    assert 3 <= len(traffic.stretches) < 12
    assert traffic.odd is None
    assert traffic.ready == []


def test_what_is_not_taken_is_left_to_python() -> None:
    """A reader that does not take all ends the burst; what it has taken is told exactly."""
    cutter = make_cutter()
    with pipes() as made:
        before = made.fill_sink(4096)
        made.put(b"a" * 3500, b"b" * 4096, b"c")
        traffic = made.wait(cutter)
        assert traffic.odd is not None
        data, taken_bytes, _ = traffic.odd
        passed = b"a" * 3500 + data[:taken_bytes]
        assert made.take() == before + passed
        assert data == b"b" * 4096
        assert taken_bytes < 4096
        assert traffic.read_bytes == 3500
        assert os.read(made.source, 10) == b"c"


def test_an_end_is_left_to_python() -> None:
    """The source's end, and only that, makes it ready for a read in Python."""
    with pipes() as made:
        made.put(b"x" * 2000)
        made.end()
        assert made.wait(make_cutter()).read_bytes == 2000
        traffic = made.wait(make_cutter())
        assert traffic.read_bytes == 0
        assert [fd for fd, _ in traffic.ready] == [made.source]


def test_others_end_a_burst() -> None:
    """Another descriptor that is ready is told with what passed; nothing waits for more."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b"!")
        with pipes() as made:
            made.put(b"x" * 3500)
            traffic = made.wait(make_cutter(), (reader, select.POLLIN), timeout_ms=60_000)
            assert traffic.read_bytes == 3500
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
        room = make_cutter().room()
        assert room is not None
        waits = [(keys.source, select.POLLIN), (made.source, select.POLLIN)]
        output = OutputWay(made.source, made.sink, made.base_ns, _TURN_BYTES, room)
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
        assert traffic == Traffic([], 0, None, [], 0, b"", None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([(0, 1)] * 257, 0, (-1, -1), None), "too many"),
        (([], 0, (-1, -1), (0, 1, 0, 9, 9, 9, b"four", ">]")), "three bytes"),
        (([], 0, (-1, -1), (0, 1, 0, 9, 9, 9, b"", ">")), "two marks"),
    ],
)
def test_refuses_other_arguments(arguments: tuple[object, ...], reason: str) -> None:
    """Too many descriptors, or more than the beginning of a character, are programming errors."""
    with pytest.raises(ValueError, match=reason):
        carry(*arguments)  # type: ignore[arg-type]
