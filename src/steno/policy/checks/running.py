"""What can only be asked of a host that runs: its agent, its clock, its sshd, its SSSD."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

from steno.policy.checks.finding import Finding
from steno.policy.checks.sshd import Block, parse_effective
from steno.policy.checks.sssd import SessionRecording
from steno.policy.places import HostPlaces

SSSD_PIPE = "/var/lib/sss/pipes/nss"
"""Where the system asks SSSD for accounts; its place is compiled into libnss_sss."""

_CONNECT_S = 3.0
_SSHD_S = 10.0
_TIME_ERROR = 5
"""What adjtimex(2) returns while the clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than struct timex has anywhere; all zero it changes nothing."""


def check_agent(places: HostPlaces) -> Iterator[Finding]:
    """Yield that the agent does not take sessions, if so."""
    path = str(places.agent_socket)
    why = _refusal(path, socket.SOCK_SEQPACKET)
    if why is not None:
        yield Finding(
            "agent",
            "lockout",
            f"the agent does not take sessions: {why}: with on_failure ="
            " deny recorded users cannot log in",
            "systemctl enable --now steno-agent; journalctl -u steno-agent",
            path,
        )


def check_sssd_answers(recording: SessionRecording, pipe: str = SSSD_PIPE) -> Iterator[Finding]:
    """Yield that SSSD, which is to say who is recorded, is not there, if so."""
    why = _refusal(pipe, socket.SOCK_STREAM) if recording.is_on else None
    if why is not None:
        yield Finding(
            "sssd",
            "lockout",
            f"SSSD says who is recorded, and does not answer: {why}: its users cannot log in, and"
            " local ones whom it should name are not recorded",
            "systemctl restart sssd; journalctl -u sssd",
            pipe,
        )


def _refusal(path: str, kind: socket.SocketKind) -> str | None:
    """Return why nobody takes connections at the socket `path`; None: somebody does."""
    with socket.socket(socket.AF_UNIX, kind) as link:
        link.settimeout(_CONNECT_S)
        try:
            link.connect(path)
        except OSError as error:
            return error.strerror or str(error)
    return None


def is_clock_synchronised() -> bool:
    """Return what the kernel was told by whoever keeps its clock (chrony, ntpd, timesyncd)."""
    libc = ctypes.CDLL(None, use_errno=True)
    state: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return state != _TIME_ERROR


def check_clock(is_synchronised: bool) -> Iterator[Finding]:
    """Yield that times in recordings are doubtful, if so."""
    if not is_synchronised:
        yield Finding(
            "clock",
            "gap",
            "the clock is not synchronised: times in recordings may be wrong",
            "run chrony or systemd-timesyncd",
        )


def read_effective() -> Block | None:
    """Return sshd's settings as it understands them; None if it cannot be asked."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        return None
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603  # sshd's own test mode
            [program, "-T"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SSHD_S,
            check=False,
        )
        if done.returncode == 0:
            return parse_effective(done.stdout.decode("utf-8", "replace"))
    return None
