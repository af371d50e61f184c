"""Becoming the agent's own user, with the few rights of root that the agent needs.

- CAP_CHOWN gives a pseudo-terminal to the session's user.
- CAP_DAC_OVERRIDE opens the session's own terminal, which belongs to its user.
- CAP_KILL ends a session that an administrator wants ended and that ignores the hang-up.

Source: capabilities(7), capset(2).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from collections.abc import Iterable

from steno.errors import ConfigError, RefusedError

CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5}
_PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 8, 38
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def find_user(name: str) -> tuple[int, int]:
    """Return the ids of the agent's user and of its group.

    Raises:
        ConfigError: There is no such user.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise ConfigError(f"there is no user {name!r}", key="user") from error
    return entry.pw_uid, entry.pw_gid


def become(uid: int, gid: int, capabilities: Iterable[int] = CAPABILITIES.values()) -> None:
    """Go on as this user, for good, with these capabilities only.

    Raises:
        RefusedError: The system does not allow it; the process should end.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        wanted = sum(1 << number for number in capabilities)
        data = (_Data * 2)(_Data(wanted, wanted, 0), _Data(0, 0, 0))
        _check(libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), data))
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    except OSError as error:
        reason = error.strerror
        raise RefusedError(f"it is not possible to become user {uid}: {reason}") from error


def read_capabilities() -> int:
    """Return the rights that this process has, as a set of bits."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def missing_capabilities() -> list[str]:
    """Return the names of the rights that the agent needs and does not have."""
    have = read_capabilities()
    return [name for name, number in CAPABILITIES.items() if not have >> number & 1]


def raise_descriptor_limit() -> int:
    """Allow this process as many descriptors as the system lets it have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
