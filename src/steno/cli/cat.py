"""`steno cat`: a recording's output, at once."""

from __future__ import annotations

import sys

import click

from steno.cli.library import Location, library_options
from steno.cli.messages import say
from steno.cli.options import chosen_option, examples, original_option
from steno.cli.playing.feed import Feed, open_feed
from steno.cli.playing.sanitizer import Sanitizer
from steno.errors import FormatError
from steno.formats.tlog_track import describe_gap
from steno.model import Input, Note, Output


@click.command(
    "cat",
    epilog=examples("steno cat 3c5d7", "steno cat --input 3c5d7", "zcat rec.log.gz | steno cat -"),
)
@click.argument("target", metavar="REC|FILE|URL|-")
@chosen_option
@click.option("--input", "is_input", is_flag=True, help="What was typed instead of the output.")
@click.option("--stderr", "is_stderr", is_flag=True, help="Only what came from standard error.")
@click.option("--raw", is_flag=True, help="Also on a terminal, every byte as it was recorded.")
@original_option
@library_options
def command(
    target: str,
    rec: str | None,
    is_input: bool,
    is_stderr: bool,
    raw: bool,
    is_original: bool,
    location: Location,
) -> int:
    """Write out the recording's raw output, and end; - is a recording on standard input.

    On a terminal, codes that reach beyond the screen (titles, clipboard, queries) are left out.
    What cannot be read is left out too and named; the exit status is then 4.
    """
    feed = open_feed(target, location, rec, is_original=is_original)
    try:
        return write_all(feed, is_input=is_input, is_stderr=is_stderr, raw=raw)
    finally:
        feed.close()


def write_all(
    feed: Feed, *, is_input: bool = False, is_stderr: bool = False, raw: bool = False
) -> int:
    """Write one stream of a recording to standard output; say on standard error what is bad.

    Returns the exit status.
    """
    out = sys.stdout.buffer
    sanitizer = Sanitizer() if sys.stdout.isatty() and not raw else None
    for piece in feed.stream():
        if isinstance(piece, Note) and piece.kind == "gap":
            say(f"{feed.name}: {describe_gap(piece.facts)}")
        is_wanted = (
            isinstance(piece, Input)
            if is_input
            else isinstance(piece, Output) and (piece.is_stderr or not is_stderr)
        )
        if is_wanted and isinstance(piece, (Input, Output)):
            out.write(piece.data if sanitizer is None else sanitizer.feed(piece.data))
    out.flush()
    return report_damages(feed)


def report_damages(feed: Feed) -> int:
    """Say on standard error what could not be read; return the exit status."""
    for damage in feed.damages:
        place = f"line {damage.line}, byte {damage.offset_bytes}"
        say(f"{feed.name}: {place}: {damage.reason}")
    return FormatError.exit_code if feed.damages else 0
