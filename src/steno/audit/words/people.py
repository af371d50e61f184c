"""On whose behalf an event happened, and what begins its sentence."""

from __future__ import annotations

from steno.audit.event import Who
from steno.audit.values.names import UNSET, Names
from steno.audit.words.gathering import MainFields, Raw
from steno.audit.words.memory import Memory
from steno.audit.words.things import known_name, number_of

_Person = tuple[Who, str]
_Ids = tuple[Raw, Raw, Raw, Raw, Raw, Raw, Raw, Raw]
"""auid, uid, euid and gid, and what auditd wrote for them."""


class People:
    """Work out who it was, and remember it: the same few people do everything.

    Args:
        names: Gives ids their names where the records do not.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known = Memory(self._describe)

    def find(self, fields: MainFields) -> _Person:
        """Return who a record speaks of, and what a sentence calls them; "": nobody is known."""
        return self._known[
            (
                fields.auid, fields.uid, fields.euid, fields.gid,
                fields.AUID, fields.UID, fields.EUID, fields.GID,
            )
        ]  # fmt: skip

    def forget(self) -> None:
        """Describe everybody anew from now on."""
        self._known.clear()

    def _describe(self, ids: _Ids) -> _Person:
        login_uid, login_user = self._user(ids[0], ids[4])
        uid, user = self._user(ids[1], ids[5])
        effective_uid, effective_user = self._user(ids[2], ids[6])
        if effective_uid == uid:
            effective_uid = effective_user = None
        gid = _id(ids[3])
        group = _known_name(ids[7])
        if gid is not None and not group:
            group = self._names.group(gid)
        who = Who(login_uid, login_user, uid, user, effective_uid, effective_user, gid, group)
        login = login_user or ("" if login_uid is None else f"uid {login_uid}")
        now = user or ("" if uid is None else f"uid {uid}")
        return who, f"{login} as {now}" if login and now and login != now else login or now

    def _user(self, raw: Raw, known: Raw) -> tuple[int | None, str | None]:
        number = _id(raw)
        if number is None:
            return None, None
        return number, _known_name(known) or self._names.user(number)


def _id(raw: bytes | None) -> int | None:
    number = number_of(raw)
    return None if number in UNSET else number


def _known_name(raw: bytes | None) -> str | None:
    """Return what auditd found; None: nothing, or nobody."""
    name = known_name(raw)
    return None if not name or name == "unset" else name
