"""`steno play`: replay a recording in the terminal."""

from __future__ import annotations

import sys

import click

from steno.cli.cat import report_damages, write_all
from steno.cli.input_files import STANDARD_INPUT
from steno.cli.library import Location, library_options
from steno.cli.numbers import RealRange
from steno.cli.options import chosen_option, examples, original_option
from steno.cli.playing.feed import open_feed
from steno.cli.playing.keeping import KeptPieces
from steno.cli.playing.keys import parse_time
from steno.cli.playing.playback import MAX_SPEED, MIN_SPEED, Timeline
from steno.cli.playing.session import Session
from steno.cli.playing.terminal import Terminal
from steno.errors import UsageError


def _read_time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int:
    if value is None:
        return 0
    at_us = parse_time(value)
    if at_us is None:
        raise click.BadParameter(f"{value!r} is not a time like 90, 1:30 or 1:02:03.5")
    return at_us


@click.command(
    "play",
    epilog=examples(
        "steno play 3c5d7",
        "steno play session.log --goto 1:30 --idle-limit 2",
        "steno play --follow 3c5d7",
        "zcat rec.log.gz | steno play -",
    ),
)
@click.argument("target", metavar="REC|FILE|URL|-")
@chosen_option
@click.option(
    "-s",
    "--speed",
    type=RealRange(MIN_SPEED, MAX_SPEED),
    default=1.0,
    help="How many times as fast as it happened, 1/16 (0.0625) to 16.",
)
@click.option(
    "-i",
    "--idle-limit",
    "idle_limit_s",
    type=RealRange(0, min_open=True),
    metavar="SECONDS",
    help="Shorten longer pauses to this.",
)
@click.option(
    "-g", "--goto", "start_us", callback=_read_time, metavar="TIME", help="Begin here: 90, 1:30."
)
@click.option("-p", "--paused", is_flag=True, help="Begin paused.")
@click.option(
    "-f", "--follow", is_flag=True, help="Begin at the end; show what comes, as it comes."
)
@original_option
@library_options
def command(
    target: str,
    rec: str | None,
    speed: float,
    idle_limit_s: float | None,
    start_us: int,
    paused: bool,
    follow: bool,
    is_original: bool,
    location: Location,
) -> int:
    """Replay a recording; ? shows the keys.

    It may be the id of a recording (or its beginning), a file, the address of a recording's page,
    `journal:ID`, `es+http://HOST/INDEX?q=rec:ID`, or `-`: a recording on standard input; the keys
    come from the terminal. Without a terminal, the output is written at once, as by `steno cat`.
    """
    if follow and (paused or start_us):
        raise UsageError("--follow begins at the end: it goes with neither --goto nor --paused")
    if target == STANDARD_INPUT and sys.stdin is not None and sys.stdin.isatty():
        raise UsageError("standard input is the terminal, where the keys come from: pipe into it")
    feed = open_feed(target, location, rec, is_original=is_original)
    try:
        if not sys.stdout.isatty():
            return write_all(feed)
        if follow:
            feed.expect_more()
        timeline = Timeline(KeptPieces())
        for pieces in feed.batches():
            timeline.add(pieces)
        if not follow:
            timeline.add(feed.finish())
        idle_limit_us = None if idle_limit_s is None else round(idle_limit_s * 1e6)
        with Terminal() as terminal:
            session = Session(
                feed,
                timeline,
                terminal,
                speed=speed,
                idle_limit_us=idle_limit_us,
                follow=follow,
            )
            session.run(start_us, paused=paused)
        return report_damages(feed)
    finally:
        feed.close()
