"""Local accounts: entries that go past the login shell, and those that lock somebody out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from steno.errors import ConfigError
from steno.policy.checks.finding import Finding, HostFiles
from steno.policy.checks.pam import PamLine, read_stack
from steno.policy.passwd import Entry, parse_passwd
from steno.policy.places import LOGIN_SHELL, WAITER
from steno.policy.shells import is_recording_shell, parse_listed, parse_table

_TABLE = "/etc/steno/shells"
_SFTP = re.compile(r'(?:^|,)command="\s*internal-sftp[ "]')
_ENVIRONMENT = re.compile(r'(?:^|,)environment="TLOG_REC_SESSION_SHELL=')


def check_login_shell(files: HostFiles, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """Yield what is wrong with the programs steno-shell and steno-wait."""
    used = sorted(name for name, entry in entries.items() if _is_ours(entry))
    for program in (LOGIN_SHELL, WAITER):
        yield from _check_program(files, program, used)
    listed = parse_listed(os.fsencode(files.read("/etc/shells") or ""))
    if used and LOGIN_SHELL.encode() not in listed:
        yield Finding(
            "shells-list",
            "lockout",
            f"{LOGIN_SHELL} is not in /etc/shells: ftp, mail and desktop services may refuse"
            " recorded users",
            f"echo {LOGIN_SHELL} >>/etc/shells, or: steno host enable",
            "/etc/shells",
        )


def _check_program(files: HostFiles, program: str, used: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with one of the programs that recorded users run."""
    found = files.stat(program)
    if found is None or not files.is_program(program):
        yield Finding(
            "login-shell",
            "lockout" if used else "gap",
            f"{program} is missing or not executable for all"
            + (f": {', '.join(used)} cannot log in" if used else ""),
            "install the package again, or: steno host disable --all",
        )
    elif found.st_uid != 0 or found.st_mode & 0o022:
        yield Finding(
            "login-shell",
            "escape",
            f"{program} can be replaced by others than root",
            f"chown root:root {program}; chmod 711 {program}",
        )
    elif found.st_mode & 0o044:
        yield Finding(
            "login-shell",
            "gap",
            f"{program} can be read by its users: who can may trace it, and have it run something"
            " else before it has asked the agent",
            f"chmod 711 {program}",
        )


def check_accounts(files: HostFiles, key_files: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with local accounts that are, or should be, recorded.

    Args:
        files: The host's files.
        key_files: sshd's AuthorizedKeysFile.
    """
    entries = parse_passwd(os.fsencode(files.read("/etc/passwd") or ""))
    yield from check_login_shell(files, entries)
    try:
        table = parse_table(os.fsencode(files.read(_TABLE) or ""), _TABLE)
    except ConfigError as error:
        yield Finding("shells-table", "lockout", str(error), "repair the line", _TABLE)
        return
    for name in sorted(table):
        yield from _check_enabled(files, entries.get(name), name, table[name])
    for name, entry in entries.items():
        if _is_ours(entry) and name not in table:
            yield Finding(
                "shells-table",
                "lockout",
                f"{name}: the login shell is steno-shell, and no real shell is kept: unless a"
                " policy names one there is no session",
                f"steno host enable {name} --shell PATH",
                _TABLE,
            )
    recorded = {entry.uid: name for name, entry in entries.items() if _is_ours(entry)}
    yield from _check_twins(entries, recorded)
    for name in recorded.values():
        yield from _check_keys(files, entries[name], key_files)
    if recorded:
        yield from check_chsh(files)


def _is_ours(entry: Entry) -> bool:
    return is_recording_shell(entry.shell)


def _check_enabled(
    files: HostFiles, entry: Entry | None, name: str, shell: bytes
) -> Iterator[Finding]:
    if entry is None:
        yield Finding(
            "shells-table",
            "hint",
            f"{name}: no such local account",
            f"steno host disable {name}",
            _TABLE,
        )
    elif not _is_ours(entry):
        yield Finding(
            "accounts",
            "escape",
            f"{name} was enabled, but the login shell is {os.fsdecode(entry.shell)}: the sessions"
            " are not recorded",
            f"steno host enable {name}, or: steno host disable {name}",
            "/etc/passwd",
        )
    if entry is not None and not files.is_program(os.fsdecode(shell)):
        yield Finding(
            "shells-table",
            "lockout",
            f"{name}: the real shell {os.fsdecode(shell)} is missing or not executable",
            f"install it, or: steno host enable {name} --shell PATH",
            _TABLE,
        )


def _check_twins(entries: Mapping[str, Entry], recorded: Mapping[int, str]) -> Iterator[Finding]:
    """Two names of one account: the other one's login shell may not record."""
    for name, entry in entries.items():
        twin = recorded.get(entry.uid)
        if twin is not None and not _is_ours(entry) and not _is_closed(entry):
            yield Finding(
                "accounts",
                "escape",
                f"{name} has the numeric id of {twin} and another login shell: by that name the"
                " sessions are not recorded",
                f"steno host enable {name}, or remove the account",
                "/etc/passwd",
            )


def _is_closed(entry: Entry) -> bool:
    return entry.shell.rpartition(b"/")[2] in (b"nologin", b"false")


def _check_keys(files: HostFiles, entry: Entry, patterns: Sequence[str]) -> Iterator[Finding]:
    for pattern in patterns:
        path = _expand(pattern, entry)
        for number, line in enumerate((files.read(path) or "").splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            if _SFTP.search(line):
                yield Finding(
                    "authorized-keys",
                    "escape",
                    f'{entry.name}: a key\'s command="internal-sftp" runs without the login shell',
                    'command="/usr/lib/openssh/sftp-server"',
                    f"{path}:{number}",
                )
            if _ENVIRONMENT.search(line):
                yield Finding(
                    "authorized-keys",
                    "gap",
                    f"{entry.name}: a key chooses the real shell (with PermitUserEnvironment)",
                    "remove environment=",
                    f"{path}:{number}",
                )


def _expand(pattern: str, entry: Entry) -> str:
    """Return the file that an AuthorizedKeysFile means for an account, by its tokens."""
    tokens = {"%%": "%", "%h": entry.home, "%u": entry.name, "%U": str(entry.uid)}
    path = re.sub("%[%huU]", lambda found: tokens[found[0]], pattern)
    return path if path.startswith("/") else f"{entry.home.rstrip('/')}/{path}"


def check_chsh(files: HostFiles) -> Iterator[Finding]:
    """Yield that `chsh` lets people whose shell is listed choose another one, if so."""
    found = files.stat("/usr/bin/chsh")
    if found is None or not found.st_mode & 0o4000:
        return
    stack = read_stack("chsh", files.read) or []
    if not any(_holds_shell(line) for line in stack):
        yield Finding(
            "chsh",
            "escape",
            "recorded users can give themselves another login shell with chsh",
            "below pam_rootok in /etc/pam.d/chsh add: auth requisite pam_succeed_if.so quiet"
            f" shell != {LOGIN_SHELL}",
            "/etc/pam.d/chsh",
        )


def _holds_shell(line: PamLine) -> bool:
    if line.module == "pam_deny.so" and line.control in ("required", "requisite"):
        return line.group == "auth" and not line.place.startswith("/etc/pam.d/common")
    words = " ".join(line.arguments)
    return line.module == "pam_succeed_if.so" and f"shell != {LOGIN_SHELL}" in words
