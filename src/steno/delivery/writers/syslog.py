"""A recording in syslog, through the local socket.

Source: RFC 5424, section 6 (HEADER, a nil STRUCTURED-DATA, MSG without a byte order mark, as
the line must stay JSON) and section 6.2.1 (numbers of facilities and severities).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from steno.delivery.writers.datagram import DatagramWriter
from steno.errors import UsageError

DEFAULT_PATH = "/dev/log"
FACILITIES = {
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7,
    "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11, "local0": 16, "local1": 17, "local2": 18,
    "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}  # fmt: skip
PRIORITIES = {
    "emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7,
}  # fmt: skip
PAYLOAD_BYTES = 2048
"""How large messages become for syslog unless said otherwise (as tlog's): daemons cut long ones
off, rsyslog at 8 KiB."""


def read_clock() -> datetime:
    """Return the time of day, UTC."""
    return datetime.now(UTC)


class SyslogWriter(DatagramWriter):
    """Sends each line as one RFC 5424 message."""

    def __init__(
        self,
        host: str,
        *,
        path: str = DEFAULT_PATH,
        facility: str = "authpriv",
        priority: str = "info",
        clock: Callable[[], datetime] = read_clock,
    ) -> None:
        """Connect to the socket at `path`.

        Raises:
            UsageError: There is no such facility or priority.
            UnreachableError: Nobody listens at `path`.
        """
        if facility not in FACILITIES:
            raise UsageError(f"no syslog facility {facility!r}; there are {', '.join(FACILITIES)}")
        if priority not in PRIORITIES:
            raise UsageError(f"no syslog priority {priority!r}; there are {', '.join(PRIORITIES)}")
        self._clock = clock
        self._head = f"<{FACILITIES[facility] * 8 + PRIORITIES[priority]}>1 "
        self._tail = f" {_printable(host, 255)} steno {os.getpid()} - - "
        super().__init__("syslog", path)

    def write(self, lines: Sequence[bytes]) -> None:
        """Send the lines; see Writer."""
        now = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        head = f"{self._head}{now}{self._tail}".encode()
        for line in lines:
            self.put(head + line.removesuffix(b"\n"))
        self.flush()


def _printable(text: str, limit: int) -> str:
    kept = "".join(letter for letter in text if "!" <= letter <= "~")
    return kept[:limit] or "-"
