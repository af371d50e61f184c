"""News of changes: to listeners in this process at once, to other processes through a file.

Each process appends a line for every change to `changes`, and reads what others append. The file
is no truth: it is not synced, and begins anew when it has grown large.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from steno.store.protocol import Change
from steno.structs import decode_json

FILE_LIMIT_BYTES = 4 * 1024 * 1024
POLL_S = 0.3

Listener = Callable[[Change], None]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line of the file."""

    writer: str
    rec: str
    kind: str
    upto_bytes: int


class Changes:
    """Tells listeners about changes, from whichever process they come.

    Runs one thread, from the first listener on until `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._listeners: dict[int, Listener] = {}
        self._next = 0
        self._thread: threading.Thread | None = None
        self._is_closing = threading.Event()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that."""
        with self._lock:
            number = self._next
            self._next += 1
            self._listeners[number] = listener
            if self._thread is None:
                reader = _Reader(self._path)
                self._thread = threading.Thread(
                    target=self._watch, args=(reader,), name="store-changes", daemon=True
                )
                self._thread.start()

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(number, None)

        return unsubscribe

    def announce(self, change: Change) -> None:
        """Tell everybody, here and in other processes."""
        entry = _Entry(self._writer, change.rec, change.kind, change.upto_bytes)
        # A change that other processes miss they still see when they look for themselves.
        with suppress(OSError):
            _append_line(self._path, msgspec.json.encode(entry) + b"\n")
        self._tell(change)

    def close(self) -> None:
        """End the thread; no listener is called afterwards."""
        self._is_closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            self._listeners.clear()

    def _tell(self, change: Change) -> None:
        with self._lock:
            listeners = list(self._listeners.values())
        for listener in listeners:
            listener(change)

    def _watch(self, reader: _Reader) -> None:
        while not self._is_closing.wait(POLL_S):
            for line in reader.lines():
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    entry = decode_json(line, _Entry)
                    if entry.writer != self._writer:
                        self._tell(Change(entry.rec, entry.kind, entry.upto_bytes))
        reader.close()


class _Reader:
    """Reads the file's new lines, also when it begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._position = 0
        self._rest = b""
        self._open()
        if self._descriptor >= 0:
            self._position = os.fstat(self._descriptor).st_size

    def lines(self) -> list[bytes]:
        """Return the lines that came since the last call."""
        data = self._rest + self._read()
        if self._is_replaced():
            data += self._read()  # What came between the two looks.
            self.close()
            self._open()
            data += self._read()
        lines = data.split(b"\n")
        self._rest = lines.pop()
        return lines

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._position = 0
        with suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def _read(self) -> bytes:
        if self._descriptor < 0:
            return b""
        size = os.fstat(self._descriptor).st_size
        data = os.pread(self._descriptor, max(0, size - self._position), self._position)
        self._position += len(data)
        return data

    def _is_replaced(self) -> bool:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return False
        if self._descriptor < 0:
            return True
        return status.st_ino != os.fstat(self._descriptor).st_ino


def _append_line(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line)
        is_large = os.fstat(descriptor).st_size > FILE_LIMIT_BYTES
    finally:
        os.close(descriptor)
    if is_large:
        path.replace(path.with_name(f"{path.name}.old"))
