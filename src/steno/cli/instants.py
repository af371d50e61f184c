"""Instants as options take them: those of the query language."""

from __future__ import annotations

from datetime import datetime

from steno.errors import UsageError
from steno.store.fields import parse_instant


def read_instant(option: str, text: str) -> tuple[int, int]:
    """Return the first microsecond since 1970 of what `text` names, and the first one after it.

    Raises:
        UsageError: It is no instant; says so, and for which option.
    """
    try:
        return parse_instant(text, datetime.now().astimezone())
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from error
