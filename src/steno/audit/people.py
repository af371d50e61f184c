"""On whose behalf an event happened, and what begins its sentence."""

from __future__ import annotations

from steno.audit.event import Who
from steno.audit.names import UNSET, Names
from steno.audit.records import Record
from steno.audit.things import number_of, plain_text

_LIMIT = 8192
"""So many different people are remembered; then all are forgotten."""

_Person = tuple[Who, str]


class People:
    """Work out who it was, and remember it: the same few people do everything.

    Args:
        names: Gives ids their names where the records do not.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[tuple[bytes | None, ...], _Person] = {}

    def find(self, record: Record) -> _Person:
        """Return who `record` speaks of, and what a sentence calls them; "": nobody is known."""
        get = record.get
        key = (
            get("auid"), get("uid"), get("euid"), get("gid"),
            get("AUID"), get("UID"), get("EUID"), get("GID"),
        )  # fmt: skip
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _LIMIT:
                self._known.clear()
            known = self._known[key] = self._describe(record)
        return known

    def _describe(self, record: Record) -> _Person:
        login_uid, login_user = self._user(record, "auid")
        uid, user = self._user(record, "uid")
        effective_uid, effective_user = self._user(record, "euid")
        if effective_uid == uid:
            effective_uid = effective_user = None
        gid = _id(record.get("gid"))
        group = _known_name(record.get("GID"))
        if gid is not None and not group:
            group = self._names.group(gid)
        who = Who(login_uid, login_user, uid, user, effective_uid, effective_user, gid, group)
        login = login_user or ("" if login_uid is None else f"uid {login_uid}")
        now = user or ("" if uid is None else f"uid {uid}")
        return who, f"{login} as {now}" if login and now and login != now else login or now

    def _user(self, record: Record, field: str) -> tuple[int | None, str | None]:
        number = _id(record.get(field))
        if number is None:
            return None, None
        return number, _known_name(record.get(field.upper())) or self._names.user(number)


def _id(raw: bytes | None) -> int | None:
    number = number_of(raw)
    return None if number in UNSET else number


def _known_name(raw: bytes | None) -> str | None:
    """Return what auditd found; for an id without a name it writes `unknown(1599)`."""
    name = plain_text(raw)
    return None if not name or name == "unset" or name.startswith("unknown(") else name
