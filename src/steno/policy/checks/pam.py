"""PAM's configuration: the stack of a service, and what is missing or harmful in it.

Sources: pam.conf(5), pam_loginuid(8), pam_tty_audit(8), pam_env(8), pam_sss(8), pam_exec(8);
Debian's `@include`. Does no I/O but through what is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from steno.policy.checks.finding import Finding

Read = Callable[[str], str | None]

_LINE = re.compile(
    r"\s*(?P<quiet>-?)(?P<type>auth|account|password|session)\s+"
    r"(?P<control>\[[^\]]*\]|\S+)\s+(?P<module>\S+)(?P<rest>.*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\[((?:\\.|[^\]])*)\]|(\S+)")
_DEPTH = 16
"""As deep as PAM itself follows includes, roughly; more is a circle."""

ENTRIES = ("sshd", "login", "gdm-password", "gdm-autologin", "lightdm", "sddm", "xrdp-sesman")
"""The services by which people come to a host: each begins an audit session."""
SWITCHES = ("su", "su-l", "sudo", "sudo-i")
"""The services by which people become others within a session.

`sudo -i` alone runs the other's login shell; where it is a service of its own, sudo itself needs
no pam_sss, and Debian's has none.
"""


class PamLine(msgspec.Struct, frozen=True):
    """One line of a stack.

    Attributes:
        place: File and line.
        group: auth, account, password or session.
        control: required, optional, [success=ok ...] ...
        module: The module's base name, pam_unix.so.
        arguments: Its arguments, brackets resolved.
    """

    place: str
    group: str
    control: str
    module: str
    arguments: tuple[str, ...]


def read_stack(service: str, read: Read) -> list[PamLine] | None:
    """Return the lines of a service's stack, includes followed; None if it has no file.

    Args:
        service: The service's name.
        read: Returns a file's text by its absolute name, None if there is none.
    """
    for directory in ("/etc/pam.d", "/usr/lib/pam.d"):
        if read(f"{directory}/{service}") is not None:
            return list(_lines(f"{directory}/{service}", None, read, _DEPTH))
    return None


def _lines(file: str, group: str | None, read: Read, depth: int) -> Iterator[PamLine]:
    """Yield the lines of `file` that are of `group`, or all."""
    text = read(file)
    if text is None or depth == 0:
        return
    for number, line in _logical_lines(text):
        include = re.match(r"\s*@include\s+(\S+)", line)
        if include:
            yield from _lines(_resolve(include[1]), group, read, depth - 1)
            continue
        found = _LINE.match(line)
        if not found or (group is not None and found["type"].lower() != group):
            continue
        kind = found["type"].lower()
        if found["control"] in ("include", "substack"):
            yield from _lines(_resolve(found["module"]), kind, read, depth - 1)
            continue
        words = tuple(
            word[1].replace("\\]", "]") if word[2] is None else word[2]
            for word in _WORD.finditer(found["rest"])
        )
        module = found["module"].rpartition("/")[2]
        yield PamLine(f"{file}:{number}", kind, found["control"], module, words)


def _resolve(name: str) -> str:
    return name if name.startswith("/") else f"/etc/pam.d/{name}"


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers: comments gone, those that end in a backslash joined."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        body = line.partition("#")[0]
        if body.endswith("\\"):
            pending += body[:-1] + " "
            continue
        yield start, pending + body
        pending = ""
    if pending:
        yield start, pending


def check_pam(read: Read, *, sssd_records: bool, note_program: str) -> Iterator[Finding]:
    """Yield what is missing or harmful in the stacks by which people come to a shell."""
    for service in (*ENTRIES, *SWITCHES):
        stack = read_stack(service, read)
        if stack is None:
            continue
        session = [line for line in stack if line.group == "session"]
        file = f"/etc/pam.d/{service}"
        if service in ENTRIES:
            yield from _check_entry(service, file, session, note_program)
        runs_login_shell = service != "sudo" or read_stack("sudo-i", read) is None
        is_told = any(line.module == "pam_sss.so" for line in session)
        if sssd_records and runs_login_shell and not is_told:
            yield Finding(
                "pam-sss",
                "lockout",
                f"{service}: no session line for pam_sss: SSSD cannot tell the real shell, so that"
                " its recorded users get no session",
                "add: session optional pam_sss.so",
                file,
            )
        yield from _check_modules(service, stack)


def notes_logins(service: str, read: Read, note_program: str) -> bool:
    """Tell whether a service's stack has the hook that notes logins without a shell."""
    return bool(_find_notes(read_stack(service, read) or [], note_program))


def _find_notes(stack: list[PamLine], note_program: str) -> list[PamLine]:
    return [
        line
        for line in stack
        if line.group == "session"
        and line.module == "pam_exec.so"
        and note_program in line.arguments
    ]


def _check_entry(
    service: str, file: str, session: list[PamLine], note_program: str
) -> Iterator[Finding]:
    modules = [line.module for line in session]
    if "pam_loginuid.so" not in modules:
        yield Finding(
            "pam-loginuid",
            "gap",
            f"{service}: no session line for pam_loginuid: recordings and audit trail do not say"
            " who logged in, and nested sessions are not told from new ones",
            "add: session required pam_loginuid.so",
            file,
        )
    notes = _find_notes(session, note_program)
    if service == "sshd" and not notes:
        yield Finding(
            "pam-note-login",
            "hint",
            f"{service}: logins that start no shell (sftp alone, port forwarding) are not counted",
            f"add at the end: session optional pam_exec.so quiet {note_program}",
            file,
        )
    for line in notes:
        if line.control not in ("optional", "[default=ignore]"):
            yield Finding(
                "pam-note-login",
                "lockout",
                f"{service}: the line that notes logins is {line.control}: nobody could log in"
                " without the program",
                "make it optional",
                line.place,
            )


def _check_modules(service: str, stack: list[PamLine]) -> Iterator[Finding]:
    for line in stack:
        if line.module == "pam_env.so" and line.group in ("session", "auth"):
            values = [word for word in line.arguments if word.startswith("user_readenv")]
            if values and values[-1] != "user_readenv=0":
                yield Finding(
                    "pam-env",
                    "gap",
                    f"{service}: pam_env reads ~/.pam_environment: users choose variables of their"
                    " login, among them the one by which SSSD names the real shell",
                    "remove user_readenv=1",
                    line.place,
                )
        if line.module == "pam_tty_audit.so" and "log_passwd" in line.arguments:
            yield Finding(
                "pam-tty-audit",
                "secret",
                f"{service}: pam_tty_audit keeps passwords that are typed, in the audit trail",
                "remove log_passwd",
                line.place,
            )
