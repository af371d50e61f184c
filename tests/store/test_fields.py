"""How a query's instants and durations are read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.store.fields import parse_duration, parse_instant, parse_zone

ZONE = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 20, 14, 30, 15, 250_000, tzinfo=ZONE)
SECOND_US = 1_000_000
MINUTE_US, HOUR_US, DAY_US = 60 * SECOND_US, 3600 * SECOND_US, 86_400 * SECOND_US


def unix_us(*parts: int, zone: timezone = ZONE) -> int:
    """Return an instant in microseconds since 1970."""
    return round(datetime(*parts, tzinfo=zone).timestamp() * SECOND_US)  # type: ignore[arg-type,misc]  # parts are year, month, day ...


@pytest.mark.parametrize(
    ("value", "start_us", "width_us"),
    [
        ("2026-11-20", unix_us(2026, 11, 20), DAY_US),
        ("20261120", unix_us(2026, 11, 20), DAY_US),
        ("today", unix_us(2026, 11, 20), DAY_US),
        ("Yesterday", unix_us(2026, 11, 19), DAY_US),
        ("2026-11-20T09:05", unix_us(2026, 11, 20, 9, 5), MINUTE_US),
        ("2026-11-20 09:05", unix_us(2026, 11, 20, 9, 5), MINUTE_US),
        ("2026-11-20T09:05:07", unix_us(2026, 11, 20, 9, 5, 7), SECOND_US),
        ("2026-11-20T09:05Z", unix_us(2026, 11, 20, 10, 5), MINUTE_US),
        ("2026-11-20T09:05:07+05:30", unix_us(2026, 11, 20, 4, 35, 7), SECOND_US),
        ("14:00", unix_us(2026, 11, 20, 14, 0), MINUTE_US),
        ("9:05:07", unix_us(2026, 11, 20, 9, 5, 7), SECOND_US),
        ("now", unix_us(2026, 11, 20, 14, 30, 15, 250_000), 0),
        ("3d", unix_us(2026, 11, 17, 14, 30, 15, 250_000), 0),
        ("1h30m", unix_us(2026, 11, 20, 13, 0, 15, 250_000), 0),
    ],
)
def test_instants(value: str, start_us: int, width_us: int) -> None:
    """Days, times, words and ages name the span that a person means, in the person's zone."""
    assert parse_instant(value, NOW) == (start_us, start_us + width_us)


@pytest.mark.parametrize(
    ("value", "expected_us"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1w", 604_800), ("1h30m", 5400),
     ("0.5s", 0.5), ("1.5H", 5400)],
)  # fmt: skip
def test_durations(value: str, expected_us: float) -> None:
    """Durations are numbers with units, added up."""
    assert parse_duration(value) == expected_us * SECOND_US


@given(st.text(max_size=12) | st.text("0123456789-:TZ+smhdw. ", max_size=20))
def test_any_text_is_read_or_refused(value: str) -> None:
    """Any other text is refused with a reason; nothing else happens."""
    for read in (parse_duration, lambda text: parse_instant(text, NOW)):
        try:
            read(value)
        except ValueError as error:
            assert str(error).startswith("not a ")  # noqa: PT017 - it need not be raised


def test_zones_are_offsets() -> None:
    """A zone is an offset from UTC in hours and minutes; anything else is refused."""
    assert parse_zone("+02:00").utcoffset(None) == timedelta(hours=2)
    assert parse_zone("-09:30").utcoffset(None) == -timedelta(hours=9, minutes=30)
    for text in ("", "Z", "2:00", "+24:00", "+02:60", "+02:00\n", "Europe/Berlin"):
        with pytest.raises(ValueError, match="not a time zone"):
            parse_zone(text)
