"""What the kernel says of its audit system: whether it is on, what it lost, what waits.

Source: Linux, include/uapi/linux/audit.h (`struct audit_status`, AUDIT_GET); netlink(7).
"""

from __future__ import annotations

import os
import socket
import struct

from steno.audit.rules.text import AuditStatus
from steno.errors import ProtocolError, UnreachableError

_NETLINK_AUDIT = 9
_AUDIT_GET = 1000
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_STATUS = struct.Struct("=8I")
_TIMEOUT_S = 2.0
_ANSWER_BYTES = 8192


def decode_status(answer: bytes) -> AuditStatus:
    """Return what an answer to AUDIT_GET says.

    Raises:
        ProtocolError: It is none; an error that the kernel answers is an OSError.
    """
    if len(answer) < _HEADER.size:
        raise ProtocolError("the kernel's audit status is cut short")
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    body = answer[_HEADER.size :]
    if kind == _NLMSG_ERROR and len(body) >= 4:
        number = -struct.unpack_from("=i", body)[0]
        raise OSError(number, os.strerror(number))
    if kind != _AUDIT_GET or len(body) < _STATUS.size:
        raise ProtocolError("the kernel's audit status is none")
    _, enabled, _, pid, _, backlog_limit, lost, backlog = _STATUS.unpack_from(body)
    return AuditStatus(enabled, pid, backlog_limit, lost, backlog=backlog)


def read_status() -> AuditStatus:
    """Ask the kernel; needs CAP_AUDIT_CONTROL, and the host's own process ids.

    Raises:
        UnreachableError: It does not answer, or may not be asked.
        ProtocolError: It answers something else.
    """
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_AUDIT
        ) as asked:
            asked.settimeout(_TIMEOUT_S)
            asked.bind((0, 0))
            asked.sendto(_HEADER.pack(_HEADER.size, _AUDIT_GET, _NLM_F_REQUEST, 1, 0), (0, 0))
            return decode_status(asked.recv(_ANSWER_BYTES))
    except OSError as error:
        raise UnreachableError(f"the kernel's audit system: {error.strerror or error}") from error
