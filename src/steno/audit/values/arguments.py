"""The arguments of EXECVE records, also of those that the kernel split over several records.

Source: Linux, kernel/auditsc.c, audit_log_execve_info(): an argument that does not fit is
announced by `a1_len=` and comes in pieces `a1[0]=`, `a1[1]=` ..., each quoted or hexadecimal by
itself; the pieces may lie in several EXECVE records of the event, the first of which has `argc=`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from steno.audit import _records
from steno.audit.records import Record
from steno.audit.values.escaping import decode_string

_NAME = re.compile(r"a(\d{1,9})(?:\[(\d{1,9})\])?\Z")
_LENGTH = re.compile(r"a(\d{1,9})_len\Z")


def arguments_of(records: list[Record]) -> tuple[list[bytes], bool]:
    """Return what `join_arguments` does for an event's EXECVE records, in a tenth of the time."""
    joined = _records.join_arguments(records)
    if joined is None:
        return join_arguments(field for record in records for field in record.pairs)
    return joined


def join_arguments(fields: Iterable[tuple[str, bytes]]) -> tuple[list[bytes], bool]:
    """Join what an event's EXECVE records say.

    Args:
        fields: Name and value as they stand, of all EXECVE records of the event, in order.

    Returns:
        The arguments, and whether they are all there, with all their pieces, as `argc`
        and `a1_len` announce. An argument of which nothing is there is left out.
    """
    pieces: dict[int, list[bytes]] = {}
    written: dict[int, int] = {}
    announced: dict[int, int] = {}
    whole = True
    count = None
    for name, raw in fields:
        if match := _NAME.match(name):
            number, piece = int(match[1]), match[2]
            so_far = pieces.setdefault(number, [])
            whole = whole and len(so_far) == int(piece or 0)
            data = decode_string(raw)
            so_far.append(raw if data is None else data)
            written[number] = written.get(number, 0) + len(raw.strip(b'"'))
        elif name == "argc":
            count = _number(raw)
        elif match := _LENGTH.match(name):
            announced[int(match[1])] = _number(raw)
    whole = whole and count == len(pieces)
    whole = whole and all(written.get(number) == announced[number] for number in announced)
    return [b"".join(pieces[number]) for number in sorted(pieces)], whole


def _number(raw: bytes) -> int:
    return int(raw) if raw.isdigit() and len(raw) < 10 else -1
