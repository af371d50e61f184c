"""Several processes convert one audit log: this one puts records together, the others make events.

Events are handed out in the order in which they end, in batches, to one worker after the other, and
what workers make of them comes back in the same order: the output is the same, byte for byte, as
that of one process. Workers are forked, and end with this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import signal
import struct
import traceback
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from steno.audit._records import split
from steno.audit.coalescing import RecordGroup
from steno.audit.records import Record
from steno.errors import StenoError

Convert = Callable[[list[RecordGroup]], bytes]
"""What a worker does with events; made in the worker."""

BATCH_BYTES = 400 * 1024
"""So much of a log goes to a worker at a time: with what is around it, it fits into a pipe."""

_PIPE_BYTES = 1024 * 1024
"""What an unprivileged process may have a pipe hold."""

_PER_WORKER = 2
"""So many batches may be on their way through one worker."""

_LENGTH = struct.Struct("<Q")


class _Batch(msgspec.Struct, array_like=True):
    """Events on their way to a worker.

    Attributes:
        lines: The lines of all their records.
        counts: How many lines each event has.
        lost: What was lost before which of them.
        unended: Which of them were ended by a limit.
    """

    lines: bytes
    counts: list[int]
    lost: dict[int, int]
    unended: list[int]


def _pack(groups: list[RecordGroup]) -> bytes:
    lines = [record.line for group in groups for record in group.records]
    lines.append(b"")
    batch = _Batch(
        b"\n".join(lines),
        [len(group.records) for group in groups],
        {number: group.lost_before for number, group in enumerate(groups) if group.lost_before},
        [number for number, group in enumerate(groups) if not group.is_whole],
    )
    return msgspec.msgpack.encode(batch)


def _unpack(packed: bytes) -> list[RecordGroup]:
    batch = msgspec.msgpack.decode(packed, type=_Batch)
    records: list[Record] = split(batch.lines, 0)[0]
    groups: list[RecordGroup] = []
    at = 0
    for number, count in enumerate(batch.counts):
        node, at_us, serial = records[at].key
        group = RecordGroup(
            node, at_us, serial, records[at : at + count], batch.lost.get(number, 0)
        )
        groups.append(group)
        at += count
    for number in batch.unended:
        groups[number] = msgspec.structs.replace(groups[number], is_whole=False)
    return groups


class _Worker:
    """One forked process, and the two pipes to it."""

    def __init__(self, make: Callable[[], Convert], others: list[_Worker]) -> None:
        """Fork it; `others` are those before it, whose pipes are no business of its."""
        to_worker, from_parent = os.pipe2(os.O_CLOEXEC)[::-1]
        from_worker, to_parent = os.pipe2(os.O_CLOEXEC)
        for descriptor in (to_worker, to_parent):
            with contextlib.suppress(OSError):  # a limit on what pipes may hold: it goes slower
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.room_bytes = fcntl.fcntl(to_worker, fcntl.F_GETPIPE_SZ)
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (to_worker, from_worker):
                os.close(descriptor)
            for other in others:
                other.close()
            _work(make, from_parent, to_parent)
        for descriptor in (from_parent, to_parent):
            os.close(descriptor)
        self._to: BinaryIO = os.fdopen(to_worker, "wb", buffering=0)
        self._from: BinaryIO = os.fdopen(from_worker, "rb", buffering=0)

    def send(self, packed: bytes) -> None:
        """Hand it a batch; blocks while the pipe is full.

        Raises:
            StenoError: It has ended.
        """
        try:
            _write(self._to, packed)
        except BrokenPipeError as error:
            raise StenoError("a worker process has ended before its work was done") from error

    def receive(self) -> bytes:
        """Return what it made of its oldest batch; waits for it.

        Raises:
            StenoError: It has ended.
        """
        data = _read(self._from)
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

    def convert(self, groups: list[RecordGroup]) -> list[bytes]:
        """Hand events to the next worker; return what is ready, of earlier ones.

        Raises:
            StenoError: A worker has ended.
        """
        worker = self._workers[self._next]
        self._next = (self._next + 1) % len(self._workers)
        packed = _pack(groups)
        ready: list[bytes] = []
        while self._busy.count(worker) >= _PER_WORKER:
            ready.append(self._take())
        if len(packed) + _LENGTH.size > worker.room_bytes:
            # It would block, and the worker too, if it had a result to get rid of.
            ready += self.finish()
        worker.send(packed)
        self._busy.append(worker)
        return ready

    def finish(self) -> list[bytes]:
        """Return what is not ready yet, when it is.

        Raises:
            StenoError: A worker has ended.
        """
        return [self._take() for _ in range(len(self._busy))]

    def _take(self) -> bytes:
        return self._busy.popleft().receive()


def _work(make: Callable[[], Convert], source: int, target: int) -> None:
    """Do a worker's work until there is no more; never returns."""
    status = 1
    try:
        # The terminal's interrupt is for the process that the user started; this one ends with it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()
        convert = make()
        with os.fdopen(source, "rb", buffering=0) as batches:
            results = os.fdopen(target, "wb", buffering=0)
            while (packed := _read(batches)) is not None:
                _write(results, convert(_unpack(packed)))
        status = 0
    except BrokenPipeError:
        pass
    except BaseException:  # noqa: BLE001  # a forked process must never go on as its parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _write(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        rest = rest[file.write(rest) :]


def _read(file: BinaryIO) -> bytes | None:
    """Return the next piece; None at the end, also where that comes within a piece."""
    head = _read_exactly(file, _LENGTH.size)
    return None if head is None else _read_exactly(file, _LENGTH.unpack(head)[0])


def _read_exactly(file: BinaryIO, size: int) -> bytes | None:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        count = file.readinto(view[at:])  # type: ignore[attr-defined]
        if not count:
            return None
        at += count
    return bytes(data)
