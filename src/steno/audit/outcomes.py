"""How it went: what a system call returned, or what a record's `res` says."""

from __future__ import annotations

import msgspec

from steno.audit.actions import CALLS
from steno.audit.event import Result
from steno.audit.gathering import MainFields
from steno.audit.records import Record
from steno.audit.tables import errors
from steno.audit.things import number_of

_IN_PROGRESS = frozenset({115, 512, 513, 514, 516})
"""EINPROGRESS, and what the kernel says of calls that it begins anew: nobody knows yet."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How it went.

    Attributes:
        result: Whether it worked.
        error: The errno's name.
        reason: What it means, in words.
        exit: What the call returned; the status of a process that ends.
    """

    result: Result = "unknown"
    error: str | None = None
    reason: str = ""
    exit: int | None = None


UNKNOWN = Outcome()

_SUCCESSES = frozenset({b"success", b"1", b"yes", b'"success"'})


def find_outcome(call: MainFields | None, name: str, lead: Record | None) -> Outcome:
    """Return how it went.

    Args:
        call: What the SYSCALL record says.
        name: The call's name.
        lead: The record that decides what the event is, if that is not the call's.
    """
    if lead is not None:
        raw = lead.get("res") or lead.get("result")
        if raw is not None:
            result: Result = "success" if raw in _SUCCESSES else "failure"
            return Outcome(result, exit=_exit_of(call, name))
    if call is None:
        return UNKNOWN
    success = call.success
    exit_ = _exit_of(call, name)
    if success == b"yes" or name in _ENDS:
        return Outcome("success", None, "", exit_)
    if success != b"no":
        return Outcome("unknown", None, "", exit_)
    number = -exit_ if exit_ is not None and exit_ < 0 else 0
    if number in _IN_PROGRESS:
        return Outcome("unknown", errors.NAMES.get(number), "in progress", exit_)
    reason = errors.TEXTS.get(number, "")
    return Outcome("failure", errors.NAMES.get(number), reason[:1].lower() + reason[1:], exit_)


_ENDS = frozenset(name for name, call in CALLS.items() if call.shape == "end")


def _exit_of(call: MainFields | None, name: str) -> int | None:
    if call is None:
        return None
    if name in _ENDS:
        status = number_of(call.a0, 16)
        return None if status is None else status & 0xFF
    return number_of(call.exit)
