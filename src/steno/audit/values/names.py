"""Names of users and groups: from an ENRICHED record's suffix, else looked up, and remembered."""

from __future__ import annotations

from collections.abc import Callable

UNSET = frozenset({4294967295, -1})
"""What the kernel says for "no login uid" and "no session"."""

Lookup = Callable[[int], str | None]
"""Ask for an id's name; None: there is none. May be slow: each id is asked for once."""


class Names:
    """Give ids their names as auparse does: `root`, `unset`, `unknown(1599)`.

    Args:
        find_user: Looks a uid up, as `pwd.getpwuid` does; None: never resolve users.
        find_group: Looks a gid up; None: never resolve groups.
        limit: How many ids are remembered of each sort; then all are forgotten.
    """

    def __init__(
        self,
        find_user: Lookup | None = None,
        find_group: Lookup | None = None,
        *,
        limit: int = 65536,
    ) -> None:
        self._find_user = find_user
        self._find_group = find_group
        self._limit = limit
        self._users: dict[int, str | None] = {}
        self._groups: dict[int, str | None] = {}

    def forget(self) -> None:
        """Look everybody up anew from now on: accounts may have changed."""
        self._users.clear()
        self._groups.clear()

    def user(self, uid: int) -> str | None:
        """Return the name of `uid`; None where it is not resolved or has none."""
        return _find(uid, self._users, self._find_user, self._limit)

    def group(self, gid: int) -> str | None:
        """Return the name of `gid`; None where it is not resolved or has none."""
        return _find(gid, self._groups, self._find_group, self._limit)

    def user_text(self, uid: int) -> str | None:
        """Return what to show for `uid`; None where users are not resolved at all."""
        if uid in UNSET:
            return "unset"
        if self._find_user is None:
            return None
        return self.user(uid) or f"unknown({uid})"

    def group_text(self, gid: int) -> str | None:
        """Return what to show for `gid`; None where groups are not resolved at all."""
        if gid in UNSET:
            return "unset"
        if self._find_group is None:
            return None
        return self.group(gid) or f"unknown({gid})"


def _find(
    number: int, known: dict[int, str | None], lookup: Lookup | None, limit: int
) -> str | None:
    if lookup is None:
        return None
    if number not in known:
        if len(known) >= limit:
            known.clear()
        known[number] = lookup(number)
    return known[number]
