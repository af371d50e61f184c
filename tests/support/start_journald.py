"""Become journald, with the audit socket that systemd hands it: start_journald.py [BYTES].

BYTES is the room that the socket has: ReceiveBuffer= of systemd-journald-audit.socket unless it is
given. A journald that opens a socket by itself has little room (net.core.rmem_default): a burst is
too much for that, and journald then takes no audit event any more.
"""

from __future__ import annotations

import os
import socket
import sys

JOURNALD = "/lib/systemd/systemd-journald"
_ROOM_BYTES = 128 << 20
_FIRST_FD = 3  # SD_LISTEN_FDS_START
_NETLINK_AUDIT = 9
_READLOG_GROUPS = 1  # AUDIT_NLGRP_READLOG, as a mask
_SO_RCVBUFFORCE = 33

if __name__ == "__main__":
    given = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_AUDIT)
    room_bytes = int(sys.argv[1]) if len(sys.argv) > 1 else _ROOM_BYTES
    given.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room_bytes)
    given.bind((0, _READLOG_GROUPS))
    descriptor = given.detach()
    if descriptor == _FIRST_FD:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(descriptor, _FIRST_FD)
    told = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.execve(JOURNALD, [JOURNALD], os.environ | told)
