"""How it went: what a system call returned, or what a record's `res` says."""

from __future__ import annotations

import msgspec

from steno.audit.event import Result
from steno.audit.records import Record
from steno.audit.values.tables import errors
from steno.audit.words.actions import CALLS
from steno.audit.words.gathering import MainFields, Raw
from steno.audit.words.memory import Memory
from steno.audit.words.things import number_of

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


_Call = tuple[str, Raw, Raw, Raw]
"""A call's name, its `success` and `exit`, and, where it ends the process, its `a0`."""


class Outcomes:
    """Work out how system calls went, and remember it: most went like many before."""

    def __init__(self) -> None:
        self._known = Memory(_outcome_of)

    def find(self, call: MainFields | None, name: str, lead: Record | None) -> Outcome:
        """Return how it went.

        Args:
            call: What the SYSCALL record says.
            name: The call's name.
            lead: The record that decides what the event is, if that is not the call's.
        """
        known = UNKNOWN
        if call is not None:
            known = self._known[(name, call.success, call.exit, call.a0 if name in _ENDS else None)]
        if lead is not None:
            raw = lead.get("res") or lead.get("result")
            if raw is not None:
                result: Result = "success" if raw in _SUCCESSES else "failure"
                return Outcome(result, None, "", known.exit)
        return known


def _outcome_of(call: _Call) -> Outcome:
    name, success, _, _ = call
    exit_ = _exit_of(call)
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


def _exit_of(call: _Call) -> int | None:
    name, _, exit_, first = call
    if name in _ENDS:
        status = number_of(first, 16)
        return None if status is None else status & 0xFF
    return number_of(exit_)
