"""Who wrote a message into the journal: believed is only what the kernel and journald add to it.

A field that begins with `_` is not the sender's: `_UID` and `_PID` came from the kernel with the
message, `_EXE`, `_COMM`, `_CAP_EFFECTIVE` and what names the session journald looked up a moment
later, so that all of them are missing where a program has ended by then. The tag
(SYSLOG_IDENTIFIER) is the sender's word: it counts for nothing but which of its programs root ran,
or which one a process was before, where nobody else tells.

Sources: systemd.journal-fields(7); systemd 252, src/journal/journald-context.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Entry = Mapping[bytes, bytes]

_OF_ROOT = {
    "sshd": "sshd",
    "sshd-session": "sshd",
    "sshd-auth": "sshd",
    "login": "login",
    "su": "su",
    "runuser": "runuser",
    "sudo": "sudo",
    "sudo-rs": "sudo",
    "systemd-logind": "systemd-logind",
    "gdm-session-worker": "gdm",
    "lightdm": "lightdm",
    "sddm-helper": "sddm",
    "xdm": "xdm",
    "xrdp-sesman": "xrdp",
    "cockpit-session": "cockpit",
    "vsftpd": "vsftpd",
    "cron": "cron",
    "crond": "crond",
    "atd": "atd",
    "systemd": "systemd",
}
"""Programs that let people in, or open sessions for nobody, by the last part of their path."""

_OF_ANYBODY = ("su", "sudo")
"""Programs that people start themselves: they have root's rights, and the person's own real uid."""

_PLACES = ("/usr/bin/", "/bin/", "/usr/local/bin/", "/run/wrappers/bin/")
_COMM_BYTES = 15
# A user's systemd is called so while it opens its session; process 1 has much to say, none of it of
# logins.
_BY_COMM = {name[:_COMM_BYTES]: name for name in _OF_ROOT if name != "systemd"}
_BY_COMM["(systemd)"] = "systemd"
_GETTY = re.compile(r"(?:serial-|console-|container-)?(?:getty|autovt)@?(?P<tty>[\w\\-]*)\.service")

COMMS = tuple(sorted(_BY_COMM))
"""What the kernel calls the processes whose messages are looked at."""

TAGS = ("login", "runuser", "sshd", "sshd-session", "su", "sudo", "systemd-logind")
"""How the last words of those that have ended are found."""


class Speaker(NamedTuple):
    """The process that wrote a message.

    Attributes:
        program: Which of the known programs it runs.
        service: What that is called among logins: `sshd`, `login`, `gdm` ...
        path: The program's path; None: it had ended before anybody looked.
        pid: The process.
        uid: Its real user.
    """

    program: str
    service: str
    path: str | None
    pid: int
    uid: int

    @property
    def is_of_root(self) -> bool:
        """Whether root runs it, and not a person with a program that has root's rights."""
        return self.uid == 0


def speaker_of(entry: Entry, was: Callable[[int], Speaker | None]) -> Speaker | None:
    """Return who wrote an entry, if that is a program whose words on logins are to be believed.

    Args:
        entry: The entry.
        was: Returns who a process was that spoke lately.
    """
    pid, uid = number_of(entry.get(b"_PID")), number_of(entry.get(b"_UID"))
    if pid is None or uid is None:
        return None
    if b"_EXE" not in entry and b"_COMM" not in entry:
        tag = entry.get(b"SYSLOG_IDENTIFIER", b"").decode(errors="replace")
        before = was(pid)
        if before is not None and (before.uid, before.program) == (uid, tag):
            return before
        is_known = uid == 0 and tag in TAGS
        return Speaker(tag, _OF_ROOT[tag], None, pid, uid) if is_known else None
    path = entry.get(b"_EXE", b"").decode(errors="replace").removesuffix(" (deleted)") or None
    if path is None:
        program = _BY_COMM.get(entry.get(b"_COMM", b"").decode(errors="replace"), "")
    else:
        program = path.rpartition("/")[2]
    if program not in _OF_ROOT or not (uid == 0 or _has_rights(entry, program, path)):
        return None
    return Speaker(program, _OF_ROOT[program], path, pid, uid)


def _has_rights(entry: Entry, program: str, path: str | None) -> bool:
    """Return whether a person's process has root's rights, as su and sudo have; logger has not."""
    if program not in _OF_ANYBODY or (path is not None and path != _expected(path, program)):
        return False
    try:
        return int(entry.get(b"_CAP_EFFECTIVE", b"0"), 16) != 0
    except ValueError:
        return False


def _expected(path: str, program: str) -> str:
    return next((place + program for place in _PLACES if path == place + program), "")


def terminal_of(entry: Entry) -> str:
    """Return the terminal that a getty's unit is for: login says it of failures only."""
    unit = entry.get(b"_SYSTEMD_UNIT", b"").decode(errors="replace")
    found = _GETTY.fullmatch(unit)
    if found is None or not found["tty"]:
        return ""
    if unit.startswith("container-"):
        return f"pts/{found['tty']}"
    return found["tty"].replace("\\x2d", "-")


def session_of(entry: Entry) -> int | None:
    """Return the audit session of who wrote an entry, as the kernel counts it."""
    return number_of(entry.get(b"_AUDIT_SESSION"))


def number_of(value: bytes | None) -> int | None:
    """Return a decimal number that is neither negative nor unset; None: it is none."""
    if value is None or not value.isdigit() or len(value) > 10 or int(value) >= 0xFFFFFFFF:
        return None
    return int(value)
