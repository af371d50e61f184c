"""Whether journald still takes audit events from the kernel: it stops for good after one burst.

What comes faster than journald reads it waits in its audit socket. When that is full, the kernel
throws the rest away and tells journald of an error, and journald never looks at the socket again;
one that is started anew with the same socket neither. It says so to the kernel's log, which comes
back into the journal from systemd 250 on. Only root writes to the kernel's log.

Source: systemd 252, journald-server.c, server_process_datagram(), in 255 the same, in later ones
manager_process_datagram(); sd-event.c, source_dispatch(); journald-kmsg.c, dev_kmsg_record().
Linux, net/netlink/af_netlink.c, netlink_overrun().
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MATCH = ("_TRANSPORT=kernel", "SYSLOG_IDENTIFIER=systemd-journald")
"""What journalctl looks for to find what journald said to the kernel's log."""

_EVENT = re.compile(rb"Got invalid event from epoll for datagram fd: ([0-9a-f]{1,8})\s*")
_EPOLLERR = 0x8
_OVERRUN = re.compile(
    rb"(?:recvmsg\(\) failed|Failed to receive message): No buffer space available\s*"
)


def is_told_by_journald(entry: Mapping[bytes, bytes]) -> bool:
    """Return whether journald itself said this, to the kernel's log."""
    return (
        entry.get(b"_TRANSPORT") == b"kernel"
        and entry.get(b"SYSLOG_IDENTIFIER") == b"systemd-journald"
    )


def tells_deafness(entry: Mapping[bytes, bytes]) -> bool:
    """Return whether journald says that it has stopped to take audit events.

    No other socket of journald's overruns: the others are local, and make the sender wait.
    """
    message = entry.get(b"MESSAGE", b"")
    event = _EVENT.fullmatch(message)
    if event is not None:
        return bool(int(event[1], 16) & _EPOLLERR)
    return _OVERRUN.fullmatch(message) is not None
