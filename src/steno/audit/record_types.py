"""The types of audit records: their numbers and names, and which of them stand alone."""

from __future__ import annotations

import re

from steno.audit.values.tables.records import NAMES

NUMBERS: dict[str, int] = {name: number for number, name in NAMES.items()}
"""The number of each name."""

_UNKNOWN = re.compile(r"(?:UNKNOWN\[(\d{1,9})\]|AUDIT(\d{4}))\Z")


def name_of(number: int) -> str:
    """Return the type's name; auditd writes `UNKNOWN[1423]` where it has none, and so do we."""
    return NAMES.get(number) or f"UNKNOWN[{number}]"


def number_of(name: str) -> int | None:
    """Return the type's number; None where the name says nothing."""
    number = NUMBERS.get(name)
    if number is None and (match := _UNKNOWN.match(name)):
        number = int(match[1] or match[2])
    return number


def ends_event(name: str) -> bool:
    """Tell whether an event has no further record after one of this type.

    EOE and PROCTITLE end an event. Records that come from user space are events of their own:
    users' messages, the daemon's, the ranges from 2100 on; so are the kernel's KERNEL and USER.
    LOGIN and other kernel records stand alone on old kernels only: since Linux 5.2 and 6.3
    they may be followed by the SYSCALL of the same event, so that they end with time.
    """
    number = number_of(name)
    if number is None:
        return False
    if number in (1320, 1327, 2000) or number >= 2100:
        return True
    return 1000 <= number < 1300 and number != 1006


def comes_from_daemon(name: str) -> bool:
    """Tell whether auditd itself wrote it, with a serial of its own."""
    number = number_of(name)
    return number is not None and 1200 <= number < 1300
