"""What a policy is asked about: one session that is about to start."""

from __future__ import annotations

import msgspec

GRAPHICAL = "graphical"
"""The kind of a graphical login itself, which no terminal's recording could show."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One session that is about to start, in facts that the system vouches for.

    Attributes:
        user: Whose account it is; the uid's digits where the account has no name.
        uid: Its numeric id.
        groups: Names of all groups the account is in, nested ones too (steno.policy.accounts).
        service: What let the person in: sshd, sudo, su, login, cron ...
        has_terminal: Whether the session has a terminal.
        host: This host's name, with its domain if that is known.
        host_groups: Groups of hosts it belongs to, beside those that the policy file defines.
        kind: What is started: shell, command, scp, sftp, rsync, git, ansible ..., or `graphical`
            for a graphical login itself.
        is_graphical: Whether a graphical login is around it.
    """

    user: str
    uid: int
    groups: tuple[str, ...] = ()
    service: str = ""
    has_terminal: bool = True
    host: str = ""
    host_groups: tuple[str, ...] = ()
    kind: str = "shell"
    is_graphical: bool = False
