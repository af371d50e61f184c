"""Tables for people."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from steno.cli.tables import format_instant, make_recordings_table
from steno.model import End, Verification
from steno.store.protocol import Summary

SUMMARY = Summary(
    rec="3c5d7-5a02-98864ff4aabbccddeeff001122334455",
    user="avery",
    host="web01",
    service="sshd",
    command=["bash", "-c", "for i in 1 2 3; do make install; done; echo this is long"],
    started_unix_us=1_790_000_000_000_000,
    duration_us=3_723_000_000,
    is_live=False,
    messages=9,
    size_bytes=9000,
    end=End("exit", 3),
    chain=Verification("complete", 9),
)


def _begun(at: datetime) -> Summary:
    return msgspec.structs.replace(SUMMARY, started_unix_us=int(at.timestamp() * 1e6))


@pytest.mark.parametrize("width_cells", [80, 100, 400])
def test_a_table_fits_and_keeps_what_matters(width_cells: int) -> None:
    """Where a window is narrow, ids and commands are cut, and nothing else."""
    out = io.StringIO()
    console = Console(file=out, width=width_cells)
    console.print(make_recordings_table([SUMMARY], width_cells))
    heading, row = out.getvalue().splitlines()
    assert " started             length   user  host  service end    command" in heading
    assert max(len(heading), len(row)) <= width_cells
    assert row.startswith("3c5d7-5a02-98")
    assert " 1 h 02 m avery web01 sshd    exit 3 bash -c" in row
    assert (width_cells < 400) == ("\u2026" in row)


@pytest.mark.parametrize(
    ("width_cells", "headings"),
    [
        (72, "recording started length user host service end command"),
        (60, "recording started length user host end command"),
        (50, "recording started length user host end"),
        (40, "recording started user host end"),
        (30, "recording started user"),
    ],
)
def test_a_narrow_table_leaves_out_whole_columns(
    monkeypatch: pytest.MonkeyPatch, width_cells: int, headings: str
) -> None:
    """What names a recording, when and whose stay readable to the last, each in one line."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        out = io.StringIO()
        began = datetime.now(UTC).replace(month=1, day=2)
        rows = [_begun(at) for at in (began, datetime(2020, 9, 21, tzinfo=UTC))]
        table = make_recordings_table(rows, width_cells)
        Console(file=out, width=width_cells).print(table)
    finally:
        monkeypatch.undo()
        time.tzset()
    heading, row, other = out.getvalue().splitlines()
    assert heading.split() == headings.split()
    assert max(map(len, (heading, row, other))) <= width_cells
    assert row.startswith("3c5d7-5a")
    assert f" {began:%m-%d %H:%M} " in row
    assert " 2020-09-21 " in other
    assert " avery" in row


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_any_instant_can_be_shown(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """What hosts say comes at the beginning or the end of the calendar, in any zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert format_instant(253_402_300_799_999_999)[:8] == "9999-12-"
        assert format_instant(2**63 - 1) == format_instant(253_402_300_799_999_999)
        assert format_instant(-(2**63)) == format_instant(0)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_empty_table_has_its_headings() -> None:
    """No recordings make no error."""
    out = io.StringIO()
    Console(file=out, width=80).print(make_recordings_table([], 80))
    assert out.getvalue().startswith("recording started")
