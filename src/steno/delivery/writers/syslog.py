"""A recording in syslog, through the local socket.

Sources: RFC 3164, section 4.1 (the older form: local time without a year, a tag; no host, as
syslog(3) of the C library writes it to the local socket); RFC 5424, section 6 (HEADER, a nil
STRUCTURED-DATA, MSG without a byte order mark, as the line must stay JSON) and section 6.2.1
(numbers of facilities and severities).
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
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
PAYLOAD_BYTES = 2048
"""How large messages become for syslog unless said otherwise (as tlog's): daemons cut long ones
off, rsyslog at 8 KiB."""


def read_clock() -> datetime:
    """Return the time of day, UTC."""
    return datetime.now(UTC)


class SyslogWriter(DatagramWriter):
    """Sends each line as one message: of RFC 5424, or with a tag in the older form."""

    def __init__(
        self,
        host: str,
        *,
        path: str = DEFAULT_PATH,
        facility: str = "authpriv",
        priority: str = "info",
        tag: str | None = None,
        clock: Callable[[], datetime] = read_clock,
    ) -> None:
        """Connect to the socket at `path`.

        With a `tag`, messages have the older form, by that tag: what journald and syslog(3)'s
        readers expect of local programs.

        Raises:
            UsageError: There is no such facility or priority.
            UnreachableError: Nobody listens at `path`.
        """
        if facility not in FACILITIES:
            raise UsageError(f"no syslog facility {facility!r}; there are {', '.join(FACILITIES)}")
        if priority not in PRIORITIES:
            raise UsageError(f"no syslog priority {priority!r}; there are {', '.join(PRIORITIES)}")
        self._clock = clock
        self._tag = tag
        self._head = f"<{FACILITIES[facility] * 8 + PRIORITIES[priority]}>"
        self._tail = f" {_printable(host, 255)} steno {os.getpid()} - - "
        super().__init__("syslog", path)

    def write(self, lines: Sequence[bytes]) -> None:
        """Send the lines; see Writer."""
        now = self._clock()
        if self._tag is None:
            head = f"{self._head}1 {now:%Y-%m-%dT%H:%M:%S.%fZ}{self._tail}"
        else:
            local = now.astimezone()
            month = _MONTHS[local.month - 1]  # not in the words of somebody's locale
            head = f"{self._head}{month} {local.day:2} {local:%H:%M:%S} {self._tag}: "
        for line in lines:
            self.put(head.encode() + line.removesuffix(b"\n"))
        self.flush()


def _printable(text: str, limit: int) -> str:
    kept = "".join(letter for letter in text if "!" <= letter <= "~")
    return kept[:limit] or "-"
