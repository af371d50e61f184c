"""Which real shell a session gets. Does no I/O.

What the system's administrator said comes first, what could come from the session's own user last,
and that only if /etc/shells lists it. There is no default: an account without a shell gets none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from steno.errors import RefusedError

RECORDING_SHELLS = ("steno-shell", "tlog-rec-session")
"""How the names of shells begin that record; they are nobody's real shell."""

NO_LOGIN = frozenset({b"nologin", b"false", b"true", b"sync", b"halt", b"shutdown"})
"""Programs that stand where a shell should, so that nobody logs in."""


class ShellFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session's real shell.

    Attributes:
        user: Whose account it is.
        entry_shell: The shell of the account's passwd entry, as NSS gives it.
        policy_shell: `shell` of the policy's decision.
        sssd_shell: SSSD's variable TLOG_REC_SESSION_SHELL in the session's environment.
        selected_shell: What the name that steno-shell was called by selects.
    """

    user: str
    entry_shell: bytes
    policy_shell: str | None = None
    sssd_shell: bytes | None = None
    selected_shell: bytes | None = None


def choose_shell(facts: ShellFacts, table: Mapping[str, bytes], listed: Collection[bytes]) -> bytes:
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
    for shell, origin in (
        (facts.selected_shell, "the name that steno-shell was called by"),
        (facts.sssd_shell, "TLOG_REC_SESSION_SHELL"),
    ):
        if shell is None:
            continue
        _checked(facts.user, shell, origin)
        if shell not in listed:
            raise RefusedError(
                f"{facts.user}: {_shown(shell)}, from {origin}, is not in /etc/shells"
            )
        return shell
    raise RefusedError(
        f"{facts.user}: the real shell is not known: neither policy, /etc/steno/shells nor SSSD"
        " names one"
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


def parse_listed(data: bytes) -> frozenset[bytes]:
    """Return the shells of an /etc/shells file: shells(5), one path a line, `#` comments."""
    lines = (line.partition(b"#")[0].strip() for line in data.splitlines())
    return frozenset(line for line in lines if line.startswith(b"/"))
