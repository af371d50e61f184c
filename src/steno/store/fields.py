"""What fields a query may name, and how their values are read: instants, durations, states."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from steno.store.addresses import parse_address

_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[smhdw])+", re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ZONE = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")

STATES = ("live", "ended", "cut", "complete", "broken", "unchained", "damaged", "gaps")
"""What `is:` understands."""


def parse_duration(value: str) -> int:
    """Return the microseconds that `90s`, `10m` or `1h30m` stand for.

    Raises:
        ValueError: It is no duration.
    """
    if not _DURATION.fullmatch(value):
        raise ValueError("not a duration; write 90s, 10m, 2h, 3d or 1h30m")
    seconds = sum(
        float(number) * _UNIT_SECONDS[unit.lower()]
        for number, unit in _DURATION_PART.findall(value)
    )
    return round(seconds * 1_000_000)


def parse_zone(text: str) -> timezone:
    """Return the time zone that `+02:00` or `-09:30` names.

    Raises:
        ValueError: It is none.
    """
    match = _ZONE.fullmatch(text)
    if match is None:
        raise ValueError("not a time zone; write +02:00 or -09:30")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def parse_instant(value: str, now: datetime) -> tuple[int, int]:
    """Return the first instant, and the first one after, of what `value` names, in Unix us.

    `2026-11-20` names a day, `2026-11-20T14:30` a minute, `14:30` today's, `3d` the instant three
    days before `now`; `today` and `yesterday` are days. What names no zone is in `now`'s.

    Raises:
        ValueError: It is no instant.
    """
    try:
        start, width = _read_instant(value.strip(), now)
        return _unix_us(start), _unix_us(start + width)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            "not a time; write 2026-11-20, 2026-11-20T14:30, 14:30, today, yesterday or 3d"
        ) from None


def _read_instant(value: str, now: datetime) -> tuple[datetime, timedelta]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day, minute, second = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
    word = value.lower()
    if word in ("today", "yesterday"):
        return (midnight if word == "today" else midnight - day), day
    if word == "now":
        return now, timedelta(0)
    if _DURATION.fullmatch(value):
        return now - timedelta(microseconds=parse_duration(value)), timedelta(0)
    if match := _CLOCK.fullmatch(value):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return midnight.replace(hour=hours, minute=minutes, second=seconds), (
            second if match[3] else minute
        )
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=now.tzinfo)
    if len(value) <= len("2026-11-20"):
        return parsed, day
    return parsed, minute if value.count(":") == 1 else second


def _unix_us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond


def _check_state(value: str) -> None:
    if value.lower() not in STATES:
        raise ValueError(f"no such state; there are {', '.join(STATES)}")


def _check_number(value: str) -> None:
    if not re.fullmatch(r"\d{1,18}", value, re.ASCII):
        raise ValueError("not a number")


def _check_text(value: str) -> None:
    if not value:
        raise ValueError("a value is missing")


def _check_instant(value: str) -> None:
    parse_instant(value, datetime.now().astimezone())


def _check_words(value: str) -> None:
    if not value.split():
        raise ValueError("a value is missing")


def _check_result(value: str) -> None:
    if not re.fullmatch(r"success|failure|unknown|e[a-z0-9]{2,20}", value, re.IGNORECASE):
        raise ValueError("not a result; write success, failure, unknown or an error like EACCES")


FIELDS: dict[str, Callable[[str], object]] = {
    "user": _check_text,
    "login": _check_text,
    "host": _check_text,
    "service": _check_text,
    "remote": _check_text,
    "command": _check_text,
    "label": _check_text,
    "rec": _check_text,
    "session": _check_number,
    "after": _check_instant,
    "before": _check_instant,
    "at": _check_instant,
    "longer": parse_duration,
    "shorter": parse_duration,
    "status": _check_number,
    "is": _check_state,
    "ran": _check_words,
    "file": _check_text,
    "addr": parse_address,
    "action": _check_words,
    "result": _check_result,
}
"""All fields, and what raises ValueError, with a text for users, where a value makes no sense.

docs/find.md describes each (a test compares).
"""
