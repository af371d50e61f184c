"""What a host knows about a session that starts: read from the system, never from the session.

The environment of a session is in its user's hands; only TERM is taken from it, as a label.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from steno import __version__
from steno.errors import DISK_FULL, NoSpaceError, StenoError, StoreError
from steno.formats.cutter import Identity
from steno.model import NO_AUDIT_SESSION, Start
from steno.recorder.clock import RecordingClock
from steno.recorder.long_commands import cut_command
from steno.recorder.session import Settings
from steno.recorder.terminal import OuterTerminal

_UTMP_FILES = ("/run/utmp", "/var/run/utmp")
_UTMP = struct.Struct("<hxxi32s4s32s256shhiii16s20x")
"""One record, utmp(5), 384 bytes on Linux with glibc: type, pid, line, id, user, host, ..."""
_USER_PROCESS = 7
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""Its inode: PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h."""
_SESSIONS = Path("/run/systemd/sessions")


class Account(msgspec.Struct, frozen=True):
    """A user of this host: name, numeric id, home and shell as the system has them."""

    name: str
    uid: int
    home: str
    shell: str


def read_account(uid: int) -> Account:
    """Return the account with this id; one without an entry goes by its number."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, "/", "/bin/sh")
    return Account(entry.pw_name, uid, entry.pw_dir, entry.pw_shell or "/bin/sh")


def choose_command(command: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return what to run: `command`, or the person's shell."""
    return list(command) or [environ.get("SHELL") or read_account(os.getuid()).shell]


def gather(
    *,
    account: Account,
    clock: RecordingClock,
    command: Sequence[str],
    settings: Settings,
    terminal: OuterTerminal | None,
    term: str,
    number: int | None,
    labels: Sequence[str] = (),
    service: str = "rec",
    inner_terminal: str | None = None,
) -> Identity:
    """Return who and what a recording that starts now is about."""
    boot_id = (read_line("/proc/sys/kernel/random/boot_id") or "").replace("-", "")
    login_uid = read_audit_id("/proc/self/loginuid")
    audit_session = read_audit_id("/proc/self/sessionid")
    window = terminal.window() if terminal is not None else None
    host = os.uname().nodename or "localhost"
    words, cut_bytes = cut_command(list(map(to_text, command)), settings.payload_bytes)
    start = Start(
        user=account.name,
        host=host,
        started_unix_us=clock.started_unix_us,
        recorder=f"steno {__version__}",
        uid=account.uid,
        login_user=None if login_uid is None else read_account(login_uid).name,
        login_uid=login_uid,
        boot_id=boot_id or None,
        audit_session=audit_session,
        service=service,
        remote=find_remote(terminal.name if terminal is not None else None, audit_session),
        command=words,
        command_cut_bytes=cut_bytes,
        terminal=terminal.name if terminal is not None else None,
        columns=window[0] if window else None,
        rows=window[1] if window else None,
        records=settings.records(),
        labels=[to_text(label) for label in labels],
        coarse_unix_us=clock.coarse_unix_us,
        number=number,
        charset=settings.charset,
        pid=audited_pid(os.getpid()),
        inner_terminal=inner_terminal,
    )
    return Identity(
        host=host,
        rec=make_rec(boot_id),
        user=account.name,
        term=to_text(term) if terminal is not None else "",
        session=audit_session or NO_AUDIT_SESSION,
        start=start,
    )


def audited_pid(pid: int) -> int | None:
    """Return a process's id as the audit trail knows it; None in a container, which knows its own.

    The kernel audits with the ids of its first namespace.
    """
    try:
        number = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return pid
    return pid if number == _FIRST_PID_NAMESPACE else None


def make_rec(boot_id: str) -> str:
    """Return an id for a recording by this process: the process's start, its id, the boot's.

    These are unique over hosts and boots (a process makes one recording). tlog puts the same facts
    the other way round; here what tells recordings of one host apart comes first, so that a short
    beginning names one.
    """
    stat = read_line("/proc/self/stat") or ""
    # The command's name stands in parentheses and may hold anything, spaces included.
    fields = stat.rpartition(")")[2].split()
    started_ticks = int(fields[19]) if len(fields) > 19 else 0
    return f"{started_ticks:x}-{os.getpid():x}-{boot_id or '0' * 32}"


def find_remote(terminal: str | None, audit_session: int | None) -> str | None:
    """Return where the person came from, as the system noted when they logged in."""
    if terminal is not None:
        for file in _UTMP_FILES:
            with contextlib.suppress(OSError):
                return find_in_utmp(Path(file).read_bytes(), terminal) or _ask_logind(audit_session)
    return _ask_logind(audit_session)


def find_in_utmp(data: bytes, terminal: str) -> str | None:
    """Return the host of the login on `terminal` (/dev/pts/3), or None."""
    line = terminal.removeprefix("/dev/").encode()
    found = None
    for offset in range(0, len(data) - _UTMP.size + 1, _UTMP.size):
        kind, _, entry_line, _, _, host, *_ = _UTMP.unpack_from(data, offset)
        if kind == _USER_PROCESS and entry_line.rstrip(b"\0") == line:
            found = host.split(b"\0", 1)[0].decode("utf-8", "replace") or None
    return found


def take_number(directory: Path) -> int:
    """Count one more recording in `directory`; return its number, from 1.

    Several recorders may do so at a time: each gets a number of its own.

    Raises:
        NoSpaceError, StoreError: The number cannot be kept; none was used up.
    """
    path = directory / "number"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path) as fd:
            text = os.pread(fd, 32, 0)
            number = int(text) + 1 if text.strip().isdigit() else 1
            # Of one length always, so that no crash can leave a shorter or longer number.
            os.pwrite(fd, b"%020d\n" % number, 0)
            os.fdatasync(fd)
            return number
    except OSError as error:
        raise _explained(path, error) from error


def to_text(value: str) -> str:
    """Return an argument or variable of the system as text that JSON can hold."""
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def term_of(environ: Mapping[str, str]) -> str:
    """Return the terminal's type, a harmless fact of the environment."""
    return environ.get("TERM", "")


def read_line(path: str) -> str | None:
    """Return a file's text without the newline; None when it cannot be read."""
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return None


def read_audit_id(path: str) -> int | None:
    """Return the number in /proc/PID/loginuid or sessionid; None when it is unset or unreadable."""
    text = read_line(path)
    if text is None or not text.isdigit() or int(text) == NO_AUDIT_SESSION:
        return None
    return int(text)


def _ask_logind(audit_session: int | None) -> str | None:
    """Return the remote host of the login session, whose name is the audit session's number."""
    if audit_session is None:
        return None
    text = read_line(str(_SESSIONS / str(audit_session))) or ""
    facts = dict(line.partition("=")[::2] for line in text.splitlines())
    return facts.get("REMOTE_HOST") or None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _explained(path: Path, error: OSError) -> StenoError:
    kind = NoSpaceError if error.errno in DISK_FULL else StoreError
    return kind(f"{path}: {error.strerror}")
