"""Who is calling: what the kernel says of the process at the other end of a socket.

Source: unix(7) (SO_PEERCRED), Linux, net/core/sock.c (SO_PEERPIDFD), proc(5).
"""

from __future__ import annotations

import os
import select
import socket
import struct

import msgspec

from steno.agent.exits import watch_process
from steno.agent.logind import Login, read_login
from steno.errors import RefusedError
from steno.model import NO_AUDIT_SESSION

_SO_PEERPIDFD = 77
_CREDENTIALS = struct.Struct("=iII")
_MOST_PARENTS = 64


class Process(msgspec.Struct, frozen=True):
    """A process, as /proc has it.

    Attributes:
        pid: Its number.
        parent: Its parent's number; 0 for none that can be seen.
        name: The kernel's name for it (comm), which is the beginning of its program's name unless
            it has set another.
        uids: Its real, effective, saved and file system user ids.
        program: What it runs (exe), with links resolved; "" where that may not be seen.
        started_ticks: When it started, in clock ticks since the boot.
        login_uid: The audit login uid, None when unset: of no login's making.
    """

    pid: int
    parent: int
    name: str
    uids: tuple[int, int, int, int]
    program: str = ""
    started_ticks: int = 0
    login_uid: int | None = None

    @property
    def is_root(self) -> bool:
        """Whether all its user ids are root's: no user could have started it as it is."""
        return not any(self.uids)


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection.

    Attributes:
        uid: The user whose session it is.
        gid: That user's group.
        login_uid: Who logged in, by the audit login uid; None when unset.
        audit_session: The audit session; None when unset.
        chain: The process and its parents, up to the first.
        login: What logind knows of the login.
    """

    uid: int
    gid: int
    login_uid: int | None
    audit_session: int | None
    chain: tuple[Process, ...]
    login: Login = Login()

    @property
    def pid(self) -> int:
        """The number of the process that is calling."""
        return self.chain[0].pid


def read_credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Return (pid, uid, gid) of who connected, as they were then."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(packed)
    return pid, uid, gid


def open_peer(connection: socket.socket) -> int | None:
    """Return a pidfd of who connected, the caller's to close; None when it is gone already.

    Linux before 6.5 tells only the number, and it may be another process's by now: whoever can
    arrange that calls with the same rights, and its audit ids are looked up by the same number.
    """
    try:
        fd = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return watch_process(read_credentials(connection)[0])
    os.set_inheritable(fd, False)
    return fd


def read_peer(connection: socket.socket, pidfd: int) -> Peer:
    """Return who is calling.

    Raises:
        RefusedError: The process is gone, or /proc does not show it.
    """
    pid, uid, gid = read_credentials(connection)
    chain = tuple(_walk(pid))
    login_uid = _read_audit_id(pid, "loginuid")
    audit_session = _read_audit_id(pid, "sessionid")
    # What was read is of the process that connected only if that still lives.
    ready = select.poll()
    ready.register(pidfd, select.POLLIN)
    if not chain or ready.poll(0):
        raise RefusedError(f"process {pid}, which asked for a session, is gone")
    return Peer(uid, gid, login_uid, audit_session, chain, read_login(audit_session, uid))


def read_process(pid: int) -> Process | None:
    """Return what /proc says of a process; None when there is none, or it may not be seen."""
    stat, status = _read(f"/proc/{pid}/stat"), _read(f"/proc/{pid}/status")
    # The name stands in parentheses and may hold anything, parentheses and newlines included.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    uids = next((line.split()[1:5] for line in status.split("\n") if line.startswith("Uid:")), [])
    if len(fields) < 20 or len(uids) != 4:
        return None
    try:
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        program = ""
    real, effective, saved, file_system = map(int, uids)
    return Process(
        pid=pid,
        parent=int(fields[1]),
        name=name,
        uids=(real, effective, saved, file_system),
        program=program,
        started_ticks=int(fields[19]),
        login_uid=_read_audit_id(pid, "loginuid"),
    )


def read_parent(pid: int) -> int | None:
    """Return the parent of a process; None when there is no such process."""
    process = read_process(pid)
    return None if process is None else process.parent


def _walk(pid: int) -> list[Process]:
    chain: list[Process] = []
    while pid > 0 and len(chain) < _MOST_PARENTS:
        process = read_process(pid)
        if process is None:
            break
        chain.append(process)
        pid = process.parent
    return chain


def _read_audit_id(pid: int, name: str) -> int | None:
    text = _read(f"/proc/{pid}/{name}").strip()
    if not text.isdigit() or int(text) == NO_AUDIT_SESSION:
        return None
    return int(text)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
