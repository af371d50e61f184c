"""Logins that start no login shell: what the PAM hook says, against what the agent sees. Pure.

`steno-note-login` tells of every login: it begins, it ends. One within which `steno-shell` asked
for a session needs nothing more; one that ends without is a login of its own kind (sftp within
sshd, port forwarding), and is recorded as that: who, from where, from when to when.
"""

from __future__ import annotations

import collections

import msgspec

from steno.agent.handshake import LoginNote

LIMIT_LOGINS = 10_000
"""So many open logins are remembered; of more the oldest are forgotten, and noted at their end."""

_LATE_US = 60_000_000
"""A note that says that it is older was written before somebody set the clock."""


class Login(msgspec.Struct, frozen=True):
    """A login that has ended and started no login shell.

    Attributes:
        note: What was said at its end.
        began_unix_us: When it began; None where that was not seen.
        ended_unix_us: When it ended.
    """

    note: LoginNote
    began_unix_us: int | None
    ended_unix_us: int


class _Open(msgspec.Struct):
    began_unix_us: int | None
    has_shell: bool = False


class Logins:
    """The logins that are open now, by audit session."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[int, _Open] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def take_note(self, note: LoginNote, now_unix_us: int) -> Login | None:
        """Take what the hook says; return a login that has just ended without a login shell.

        A login without an audit session cannot be told from others: it says nothing.
        """
        if note.audit_session is None:
            return None
        at_unix_us = now_unix_us
        if note.at_unix_us is not None and 0 <= now_unix_us - note.at_unix_us <= _LATE_US:
            at_unix_us = note.at_unix_us
        if note.is_open:
            self._remember(note.audit_session, _Open(at_unix_us))
            return None
        known = self._open.pop(note.audit_session, _Open(None))
        if known.has_shell:
            return None
        return Login(note, known.began_unix_us, at_unix_us)

    def see_shell(self, audit_session: int | None) -> None:
        """Take note that `steno-shell` asked for a session within a login."""
        if audit_session is None:
            return
        if audit_session not in self._open:
            # It began before the agent did, or without the hook.
            self._remember(audit_session, _Open(None))
        self._open[audit_session].has_shell = True

    def _remember(self, audit_session: int, login: _Open) -> None:
        self._open[audit_session] = login
        self._open.move_to_end(audit_session)
        if len(self._open) > LIMIT_LOGINS:
            self._open.popitem(last=False)
