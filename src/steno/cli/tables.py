"""How recordings are written out for people: instants, durations, sizes, tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from steno.cli.messages import escape_controls
from steno.model import Verification
from steno.store.protocol import Summary

_UNITS = ("B", "kB", "MB", "GB", "TB")
_LAST_DATED_US = 253_402_214_400 * 1_000_000
"""The last day of the year 9999 begins, in UTC."""

_GAP_CELLS = 1
_GIVING_WAY = (
    ("recording", 14), ("command", 8), ("host", 10), ("user", 8), ("recording", 9), ("started", 0),
    ("service", 0), ("command", 0), ("length", 0), ("host", 0), ("end", 8), ("end", 0),
)  # fmt: skip
"""Which columns of a wide table give way, in this order, and to how many cells.

0: it is left out; `started` only loses what goes without saying.
"""


class _Console(Console):
    """A console that leaves to the command line what happens when its reader has gone."""

    def on_broken_pipe(self) -> None:
        """Go on with the exception that is being handled."""
        raise  # called while it is

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401  # rich's own
        """Print; off a terminal, the lines of tables end where their words do."""
        if self.is_terminal or not any(isinstance(one, Table) for one in objects):
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))


def make_console(*, is_stderr: bool = False) -> Console:
    """Return the console that tables go to; off a terminal, lines are never cut or wrapped."""
    console = _Console(stderr=is_stderr, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 10_000
        console.soft_wrap = True
    return console


def format_instant(unix_us: int) -> str:
    """Return local date and time to the second."""
    # Hosts may say any; in whatever zone, this has a date.
    dated_us = min(max(unix_us, 0), _LAST_DATED_US)
    return datetime.fromtimestamp(dated_us / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_duration(duration_us: int) -> str:
    """Return a duration as people say it: 0.4 s, 12 s, 3 m 05 s, 2 h 07 m."""
    seconds = duration_us / 1e6
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, seconds_left = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {seconds_left:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m"


def format_offset(at_us: int) -> str:
    """Return an instant within a recording: 1:02.5, 1:00:02.5."""
    tenths = at_us // 100_000
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{tenths // 10:02}.{tenths % 10}"


def format_size(size_bytes: int) -> str:
    """Return a size with its unit, in powers of 1000."""
    size = float(size_bytes)
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def format_end(summary: Summary) -> str:
    """Return how a recording ended: live, exit 3, signal 9, hangup, or that nothing is known."""
    end = summary.end
    if end is None:
        return "live" if summary.is_live else "cut off"
    if end.reason == "exit":
        return "ended" if end.exit_status is None else f"exit {end.exit_status}"
    if end.reason == "signal":
        return f"signal {end.signal}"
    return end.reason


def format_chain(chain: Verification) -> str:
    """Return what the chain proves, in a few words."""
    if chain.state == "complete":
        return f"complete: {chain.lines} lines, unbroken"
    if chain.state == "so_far":
        return f"unbroken so far: {chain.lines} lines, no end yet"
    if chain.state == "unchained":
        return "not chained: nothing can be proven"
    return f"BROKEN at line {chain.broken_line}, byte {chain.broken_offset_bytes}: {chain.reason}"


def printable(text: str) -> Text:
    """Return recorded text that cannot drive the reader's terminal: controls are shown as such."""
    return Text(escape_controls(text))


def make_recordings_table(summaries: Sequence[Summary], width_cells: int) -> Table:
    """Return the table that `steno ls` prints; where it is too wide, columns are cut or left out.

    The beginning of an id suffices to name a recording, and off a terminal nothing is cut.
    """
    columns = {
        "recording": [printable(one.rec) for one in summaries],
        "started": [Text(format_instant(one.started_unix_us)) for one in summaries],
        "length": [Text(format_duration(one.duration_us)) for one in summaries],
        "user": [printable(one.user) for one in summaries],
        "host": [printable(one.host) for one in summaries],
        "service": [printable(one.service or "") for one in summaries],
        "end": [_describe_end(one) for one in summaries],
        "command": [printable(" ".join(one.command or [])) for one in summaries],
    }
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP_CELLS, 0, 0))
    for name, width in _fit(columns, summaries, width_cells).items():
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=width)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _fit(
    columns: dict[str, list[Text]], summaries: Sequence[Summary], width_cells: int
) -> dict[str, int]:
    """Return how wide each column is; those that find no room are taken out of `columns`."""
    widths = {name: _width(name, cells) for name, cells in columns.items()}
    for name, least in _GIVING_WAY:
        excess = sum(widths.values()) + _GAP_CELLS * (len(widths) - 1) - width_cells
        if excess <= 0:
            break
        if name == "started":
            columns[name] = [Text(_format_briefly(one.started_unix_us)) for one in summaries]
            widths[name] = _width(name, columns[name])
        elif least:
            widths[name] -= max(0, min(excess, widths[name] - least))
        else:
            del columns[name], widths[name]
    return widths


def _width(name: str, cells: Sequence[Text]) -> int:
    return max([cell_len(name), *(cell.cell_len for cell in cells)])


def _format_briefly(unix_us: int) -> str:
    """Return month, day, hour and minute; of another year than this the date."""
    instant = format_instant(unix_us)
    return instant[5:16] if instant[:4] == str(datetime.now().astimezone().year) else instant[:10]


def _describe_end(summary: Summary) -> Text:
    is_broken = summary.chain.state == "broken"
    return Text(
        format_end(summary) + (" BROKEN" if is_broken else ""), style="red" if is_broken else ""
    )
