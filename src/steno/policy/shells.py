"""Which real shell a session gets. Does no I/O.

What the system's administrator said comes first, what could come from the session's own user last,
and that only if /etc/shells lists it. There is no default: an account without a shell gets none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from steno.errors import ConfigError, RefusedError

RECORDING_SHELLS = ("steno-shell", "tlog-rec-session")
"""How the names of shells begin that record; they are nobody's real shell."""

NO_LOGIN = frozenset({b"nologin", b"false", b"true", b"sync", b"halt", b"shutdown"})
"""Programs that stand where a shell should, so that nobody logs in."""


SSSD_VARIABLE = "TLOG_REC_SESSION_SHELL"
"""In this variable SSSD's PAM module puts the account's own shell."""


TABLE_HEAD = b"# Kept by `steno host enable` and `disable`: the real shells of recorded users.\n"


class ShellFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session's real shell.

    Attributes:
        user: Whose account it is.
        entry_shell: The shell of the account's passwd entry, as NSS gives it.
        policy_shell: `shell` of the policy's decision.
        sssd_shell: SSSD_VARIABLE in the session's environment, where anybody may put it.
        selected_shell: What the name that steno-shell was called by selects: an absolute path, or a
            shell's base name.
    """

    user: str
    entry_shell: bytes
    policy_shell: str | None = None
    sssd_shell: bytes | None = None
    selected_shell: bytes | None = None


def choose_shell(facts: ShellFacts, table: Mapping[str, bytes], listed: Sequence[bytes]) -> bytes:
    """Return the path of the real shell.

    The first that is there counts, even if it is then refused: the policy's, the table's, the
    passwd entry's if that is no recording shell, the one that the name selects, SSSD's.

    Args:
        facts: What is known of the session.
        table: /etc/steno/shells, by user.
        listed: What /etc/shells lists.

    Raises:
        RefusedError: There is none, or it means that nobody logs in, or it may not be chosen
            because /etc/shells does not list it.
    """
    trusted = _find_trusted(facts, table)
    if trusted is not None:
        return _checked(facts.user, *trusted)
    if facts.selected_shell is not None:
        return _select(facts.user, facts.selected_shell, listed)
    if facts.sssd_shell is not None:
        shell = _checked(facts.user, facts.sssd_shell, SSSD_VARIABLE)
        if shell in listed:
            return shell
        raise RefusedError(
            f"{facts.user}: {_shown(shell)}, from {SSSD_VARIABLE}, is not in /etc/shells"
        )
    raise RefusedError(
        f"{facts.user}: the real shell is not known: neither policy, /etc/steno/shells nor SSSD"
        " names one"
    )


def _select(user: str, wanted: bytes, listed: Sequence[bytes]) -> bytes:
    """Return the first listed shell that a program's name means; `-` there may stand for `/`."""
    name = wanted.replace(b"-", b"/")
    for shell in listed:
        known = shell if wanted.startswith(b"/") else _base(shell)
        if known.replace(b"-", b"/") == name:
            return _checked(user, shell, "/etc/shells")
    raise RefusedError(
        f"{user}: {_shown(wanted)}, from the name that steno-shell was called by, is not in"
        " /etc/shells"
    )


def is_recording_shell(shell: bytes) -> bool:
    """Tell whether this is Steno's shell, or tlog's, by any of the names that select a shell."""
    return _base(shell).decode("utf-8", "replace").startswith(RECORDING_SHELLS)


def _find_trusted(facts: ShellFacts, table: Mapping[str, bytes]) -> tuple[bytes, str] | None:
    if facts.policy_shell is not None:
        return facts.policy_shell.encode(), "the policy"
    if facts.user in table:
        return table[facts.user], "/etc/steno/shells"
    if not is_recording_shell(facts.entry_shell):
        return facts.entry_shell, "the passwd entry"
    return None


def _checked(user: str, shell: bytes, origin: str) -> bytes:
    if not shell:
        raise RefusedError(f"{user}: {origin} names no shell")
    if _base(shell) in NO_LOGIN:
        raise RefusedError(f"{user}: may not log in: {origin} says {_shown(shell)}")
    if not shell.startswith(b"/"):
        raise RefusedError(f"{user}: {_shown(shell)}, from {origin}, is no absolute path")
    if is_recording_shell(shell):
        raise RefusedError(f"{user}: {_shown(shell)}, from {origin}, is no real shell: it records")
    return shell


def _base(shell: bytes) -> bytes:
    return shell.rpartition(b"/")[2]


def _shown(shell: bytes) -> str:
    return shell.decode("utf-8", "backslashreplace")


def parse_listed(data: bytes) -> tuple[bytes, ...]:
    """Return the shells of an /etc/shells file: shells(5), one path a line, `#` comments."""
    lines = (line.partition(b"#")[0].strip() for line in data.splitlines())
    return tuple(line for line in lines if line.startswith(b"/"))


def parse_table(data: bytes, file: str) -> dict[str, bytes]:
    """Return the real shells that /etc/steno/shells keeps: lines `USER:SHELL`, `#` comments.

    Raises:
        ConfigError: A line is none of these, or a user stands on two; the text names it.
    """
    table: dict[str, bytes] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        name, colon, shell = line.partition(b":")
        user = name.decode("utf-8", "surrogateescape")
        if not name or not colon or not shell.startswith(b"/") or b":" in shell:
            raise ConfigError("not USER:SHELL", file=file, line=number)
        if user in table:
            raise ConfigError(f"{user} stands here twice", file=file, line=number)
        table[user] = shell
    return table


def render_table(table: Mapping[str, bytes]) -> bytes:
    """Return /etc/steno/shells for `table`."""
    lines = [
        user.encode("utf-8", "surrogateescape") + b":" + shell + b"\n"
        for user, shell in sorted(table.items())
    ]
    return TABLE_HEAD + b"".join(lines)
