"""What aushape calls normalized data, told in Steno's words. Does no I/O.

The members are aushape's (`--with-norm`). It takes their values from auparse's classification; here
they are the event's own, so that they agree with everything else that Steno says of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from steno.audit.aushape.markup import Field, Group, Node
from steno.audit.event import Event, Thing

_FIRST_PERSON_UID = 1000
"""Debian's, Fedora's and SUSE's UID_MIN: accounts below are services'."""

_UNSET = Field("", "unset", "4294967295")


def shape_norm(event: Event) -> Group:
    """Return the member `norm`; it can be cut at the end."""
    return Group("norm", tuple(_members(event)), is_cuttable=True, first_rank=1)


def _members(event: Event) -> Iterator[Node]:
    who, process = event.who, event.process
    chief = event.objects[0] if event.objects else None
    yield Field("event_kind", chief.kind if chief else "event")
    yield _number("session", event.audit_session)
    yield Field(
        "subject_kind", _kind_of(who.effective_uid if who.effective_uid is not None else who.uid)
    )
    yield _account("subject_primary", who.login_user, who.login_uid)
    if who.uid is not None:
        yield _account("subject_secondary", who.user, who.uid)
    attributes = [str(process.pid)] if process.pid is not None else []
    attributes += [process.terminal] if process.terminal else []
    if attributes:
        yield _list("subject_attrs", attributes)
    yield Field("action", event.action)
    if chief:
        yield from _object(chief, event.objects[1:])
    yield Field("result", event.result)
    if process.program:
        yield Field("how", process.program)
    if event.keys:
        yield Field("key", ",".join(event.keys))


def _object(chief: Thing, others: list[Thing]) -> Iterator[Node]:
    yield Field("object_kind", chief.kind)
    yield Field("object_primary", chief.name, chief.name_hex)
    if others:
        yield Field("object_primary2", others[0].name, others[0].name_hex)
    attributes = [part for part in (chief.role, chief.mode, chief.owner) if part]
    if attributes:
        yield _list("object_attrs", attributes)


def _list(name: str, values: list[str]) -> Group:
    return Group(name, tuple(Field("attr", value) for value in values), is_list=True)


def _number(name: str, number: int | None) -> Field:
    return Field(name, _UNSET.value, _UNSET.raw) if number is None else Field(name, str(number))


def _account(name: str, user: str | None, uid: int | None) -> Field:
    if uid is None:
        return Field(name, _UNSET.value, _UNSET.raw)
    return Field(name, user, str(uid)) if user else Field(name, str(uid))


def _kind_of(uid: int | None) -> str:
    if uid is None:
        return "unset-acct"
    if uid == 0:
        return "privileged-acct"
    return "user-acct" if uid >= _FIRST_PERSON_UID else "service-acct"
