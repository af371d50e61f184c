"""A recording in systemd's journal, with tlog's fields.

Source: systemd, docs/JOURNAL_NATIVE_PROTOCOL.md: fields as `NAME=value` lines, or, where the value
holds a newline, `NAME`, a newline, the value's length as a little-endian 64-bit integer, the value
and a newline; entries too large for a datagram travel in a sealed memfd.
Fields: tlog 12.1, lib/tlog/journal_json_writer.c.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Sequence

from steno.delivery.writers.datagram import DatagramWriter
from steno.delivery.writers.syslog import PRIORITIES
from steno.errors import UsageError
from steno.model import NO_AUDIT_SESSION

DEFAULT_PATH = "/run/systemd/journal/socket"
_ID = re.compile(rb'"session":[0-9]+,"id":([0-9]+),"pos":')
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class JournalWriter(DatagramWriter):
    """Sends each line as one entry."""

    def __init__(
        self,
        rec: str,
        user: str,
        session: int = NO_AUDIT_SESSION,
        *,
        path: str = DEFAULT_PATH,
        priority: str = "info",
        identifier: str = "steno",
        is_augmented: bool = True,
    ) -> None:
        """Connect to the journal's socket at `path`.

        Entries say that they are from `identifier`; with `is_augmented` they have tlog's fields.

        Raises:
            UsageError: There is no such priority.
            UnreachableError: Nobody listens at `path`.
        """
        if priority not in PRIORITIES:
            raise UsageError(f"no journal priority {priority!r}; there are {', '.join(PRIORITIES)}")
        self._is_augmented = is_augmented
        self._head = encode_field(b"PRIORITY", b"%d" % PRIORITIES[priority])
        self._head += encode_field(b"SYSLOG_IDENTIFIER", identifier.encode())
        if is_augmented:
            self._head += (
                encode_field(b"TLOG_REC", rec.encode())
                + encode_field(b"TLOG_USER", user.encode())
                + encode_field(b"TLOG_SESSION", b"%d" % session)
            )
        super().__init__("journal", path)

    def write(self, lines: Sequence[bytes]) -> None:
        """Send the lines; see Writer."""
        for line in lines:
            entry = encode_field(b"MESSAGE", line.removesuffix(b"\n"))
            if self._is_augmented:
                found = _ID.search(line)
                entry = encode_field(b"TLOG_ID", found[1] if found else b"0") + entry
            self.put(self._head + entry)
        self.flush()

    def send(self, connection: socket.socket, datagram: bytes) -> None:
        """Send one entry, in sealed memory where it is too large for a datagram."""
        try:
            super().send(connection, datagram)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            _send_sealed(connection, datagram)


def encode_field(name: bytes, value: bytes) -> bytes:
    """Return one field of an entry."""
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name, struct.pack("<Q", len(value)), value)
    return b"%s=%s\n" % (name, value)


def _send_sealed(connection: socket.socket, entry: bytes) -> None:
    fd = os.memfd_create("steno-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(entry)
        while rest:
            rest = rest[os.write(fd, rest) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        socket.send_fds(connection, [b""], [fd])
    finally:
        os.close(fd)
