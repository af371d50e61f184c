"""Several processes convert one audit log: this one puts records together, the others make events.

Events are handed out in the order in which they end, in batches, to one worker after the other, and
what workers make of them comes back in the same order: the output is the same, byte for byte, as
that of one process. Workers are forked, and end with this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import mmap
import os
import signal
import struct
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from steno.audit._records import split, split_events
from steno.audit.coalescing import RecordGroup
from steno.cli.audit_files import PIECE_BYTES
from steno.errors import StenoError
from steno.structs import msgpack_decoder

Convert = Callable[[list[RecordGroup]], bytes]
"""What a worker does with events; made in the worker."""

BATCH_BYTES = PIECE_BYTES
"""So much of a log goes to a worker at a time: with what is around it, it fits into a pipe."""

_PIPE_BYTES = 1024 * 1024
"""What an unprivileged process may have a pipe hold."""

_PER_WORKER = 2
"""So many batches may be on their way through one worker."""

_RESULT_BYTES = 4 * 1024 * 1024
"""What a batch becomes, is mostly less."""

_LENGTH = struct.Struct("<Q")


class Lines(msgspec.Struct, array_like=True, tag=True):
    """Whole events, one after the other, that a worker puts together by itself.

    Attributes:
        data: Their lines.
    """

    data: bytes


class Events(msgspec.Struct, array_like=True, tag=True):
    """Events that were put together.

    Attributes:
        data: The lines of all their records.
        counts: How many lines each event has.
        lost: What was lost before which of them.
        unended: Which of them were ended by a limit.
    """

    data: bytes
    counts: list[int]
    lost: dict[int, int]
    unended: list[int]


Batch = list[Lines | Events]
"""What a worker gets at a time, in order."""


def pack_events(groups: list[RecordGroup]) -> Events:
    """Return events as a worker gets them."""
    lines = [record.line for group in groups for record in group.records]
    lines.append(b"")
    return Events(
        b"\n".join(lines),
        [len(group.records) for group in groups],
        {number: group.lost_before for number, group in enumerate(groups) if group.lost_before},
        [number for number, group in enumerate(groups) if not group.is_whole],
    )


def _unpack(part: Lines | Events) -> list[RecordGroup]:
    if isinstance(part, Lines):
        events = split_events(part.data, 0)
        return [RecordGroup(*records[0].key, records) for records in events]
    records = split(part.data, 0)[0]
    groups: list[RecordGroup] = []
    at = 0
    for number, count in enumerate(part.counts):
        node, at_us, serial = records[at].key
        lost = part.lost.get(number, 0)
        groups.append(RecordGroup(node, at_us, serial, records[at : at + count], lost))
        at += count
    for number in part.unended:
        groups[number] = msgspec.structs.replace(groups[number], is_whole=False)
    return groups


class _Results:
    """What a worker made, in memory that it shares with its parent; what is too large, in a pipe.

    There are as many places as batches may be on their way: a place is free again when the batch
    after next is sent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _PER_WORKER * _RESULT_BYTES)
        self._next = 0

    def put(self, file: BinaryIO, data: bytes) -> None:
        """Pass a result on, in the worker."""
        at = self._advance()
        if len(data) <= _RESULT_BYTES:
            self._memory[at : at + len(data)] = data
            _write(file, b"s" + _LENGTH.pack(len(data)))
        else:
            _write(file, b"p" + data)

    def take(self, pieces: _Pieces) -> memoryview | None:
        """Return the next result, in the parent; None: the worker has ended."""
        piece = pieces.read()
        if piece is None:
            return None
        at = self._advance()
        if piece[0] == ord("p"):
            return piece[1:]
        return memoryview(self._memory)[at : at + _LENGTH.unpack(piece[1:])[0]]

    def _advance(self) -> int:
        at = self._next * _RESULT_BYTES
        self._next = (self._next + 1) % _PER_WORKER
        return at


class _Worker:
    """One forked process, the two pipes to it, and the memory that its results are in."""

    def __init__(self, make: Callable[[], Convert], others: list[_Worker]) -> None:
        """Fork it; `others` are those before it, whose pipes are no business of its."""
        to_worker, from_parent = os.pipe2(os.O_CLOEXEC)[::-1]
        from_worker, to_parent = os.pipe2(os.O_CLOEXEC)
        for descriptor in (to_worker, to_parent):
            with contextlib.suppress(OSError):  # a limit on what pipes may hold: it goes slower
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._results = _Results()
        self.room_bytes = fcntl.fcntl(to_worker, fcntl.F_GETPIPE_SZ)
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (to_worker, from_worker):
                os.close(descriptor)
            for other in others:
                other.close()
            _work(make, from_parent, to_parent, self._results)
        for descriptor in (from_parent, to_parent):
            os.close(descriptor)
        self._to: BinaryIO = os.fdopen(to_worker, "wb", buffering=0)
        self._from = _Pieces(os.fdopen(from_worker, "rb", buffering=0))

    def send(self, packed: bytes) -> None:
        """Hand it a batch; blocks while the pipe is full.

        Raises:
            StenoError: It has ended.
        """
        try:
            _write(self._to, packed)
        except BrokenPipeError as error:
            raise StenoError("a worker process has ended before its work was done") from error

    def receive(self) -> memoryview:
        """Return what it made of its oldest batch, until the next call; waits for it.

        Raises:
            StenoError: It has ended.
        """
        data = self._results.take(self._from)
        if data is None:
            raise StenoError("a worker process has ended before its work was done")
        return data

    def close(self) -> None:
        """Let go of it; it ends when it notices."""
        self._to.close()
        self._from.close()


class Workers:
    """Worker processes that convert events in order. Use it in a `with`.

    Args:
        count: How many.
        make: Makes, in a worker, what converts events there.
    """

    def __init__(self, count: int, make: Callable[[], Convert]) -> None:
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._workers.append(_Worker(make, self._workers))
        self._busy: deque[_Worker] = deque()
        self._next = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, 0)

    def convert(self, batch: Batch) -> Iterator[memoryview]:
        """Hand events to the next worker; return what is ready, of earlier ones.

        What is yielded holds until the next is asked for.

        Raises:
            StenoError: A worker has ended.
        """
        worker = self._workers[self._next]
        self._next = (self._next + 1) % len(self._workers)
        packed = msgspec.msgpack.encode(batch)
        while self._busy.count(worker) >= _PER_WORKER:
            yield self._take()
        if len(packed) + _LENGTH.size > worker.room_bytes:
            # It would block, and the worker too, if it had a result to get rid of.
            yield from self.finish()
        worker.send(packed)
        self._busy.append(worker)

    def finish(self) -> Iterator[memoryview]:
        """Return what is not ready yet, when it is; it holds until the next is asked for.

        Raises:
            StenoError: A worker has ended.
        """
        while self._busy:
            yield self._take()

    def _take(self) -> memoryview:
        return self._busy.popleft().receive()


def _work(make: Callable[[], Convert], source: int, target: int, memory: _Results) -> None:
    """Do a worker's work until there is no more; never returns."""
    status = 1
    try:
        # The terminal's interrupt is for the process that the user started; this one ends with it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()
        # Events hold no cycles, and a batch of them is thousands of objects.
        gc.set_threshold(50_000)
        convert = make()
        batches = _Pieces(os.fdopen(source, "rb", buffering=0))
        results = os.fdopen(target, "wb", buffering=0)
        decode = msgpack_decoder(Batch)
        while (packed := batches.read()) is not None:
            parts = [_unpack(part) for part in decode(packed)]
            del packed
            memory.put(results, convert([group for part in parts for group in part]))
        status = 0
    except BrokenPipeError:
        pass
    except BaseException:  # noqa: BLE001  # a forked process must never go on as its parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _write(file: BinaryIO, data: bytes) -> None:
    for part in (_LENGTH.pack(len(data)), data):
        rest = memoryview(part)
        while rest:
            rest = rest[file.write(rest) :]


class _Pieces:
    """What `_write` wrote; memory that was used is used again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._memory = memoryview(bytearray(_PIPE_BYTES))

    def read(self) -> memoryview | None:
        """Return the next piece, until the next call; None at the end, even within a piece."""
        head = self._read_exactly(_LENGTH.size)
        return None if head is None else self._read_exactly(_LENGTH.unpack(head)[0])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read_exactly(self, size: int) -> memoryview | None:
        if size > len(self._memory):
            self._memory = memoryview(bytearray(size))
        at = 0
        while at < size:
            count = self._file.readinto(self._memory[at:size])  # type: ignore[attr-defined]
            if not count:
                return None
            at += count
        return self._memory[:size]
