"""tlog-play: play a recording from a file, the journal or Elasticsearch back."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from itertools import chain

from steno.cli.messages import say
from steno.cli.playing.feed import Feed
from steno.cli.playing.keeping import KeptPieces
from steno.cli.playing.keys import parse_time
from steno.cli.playing.playback import Timeline
from steno.cli.playing.session import Manner, Session
from steno.cli.playing.sources import LineSource
from steno.cli.playing.terminal import Terminal
from steno.cli.rec_ending import die_by
from steno.cli.tlog.configuration import Configuration
from steno.cli.tlog.readers import open_source
from steno.errors import FormatError, NotFoundError, UsageError
from steno.formats.tlog_track import describe_gap
from steno.model import Note, Output, Piece

_POLL_S = 0.5
_END_US = 1 << 62
"""Later than any recording lasts."""


class CheckedFeed(Feed):
    """A feed that ends where a message is missing, unless it is `is_lax`.

    Attributes:
        fault: Why it ended.
        emptiness: Why there is nothing in it.
    """

    def __init__(self, source: LineSource, rec: str | None, *, is_lax: bool) -> None:
        super().__init__(source, rec)
        self.fault: str | None = None
        self.emptiness: str | None = None
        self._is_lax = is_lax

    def batches(self) -> Iterator[list[Piece]]:
        """Yield the pieces that came since the last call, up to a missing message."""
        if self.fault is None:
            for pieces in super().batches():
                yield self._check(pieces)
                if self.fault is not None:
                    return

    def finish(self) -> list[Piece]:
        """Return what the input's end completes.

        Raises:
            FormatError: There is nothing but damage.
        """
        if self.fault is not None:
            return []
        try:
            return self._check(super().finish())
        except (FormatError, NotFoundError) as error:
            if self.damages:
                raise
            self.emptiness = str(error)
            return []

    def _check(self, pieces: list[Piece]) -> list[Piece]:
        for number, piece in enumerate(pieces):
            if isinstance(piece, Note) and piece.kind == "gap" and not self._is_lax:
                self.fault = describe_gap(piece.facts)
                return pieces[:number]
        return pieces


def run(configuration: Configuration) -> int:
    """Play what the configuration names; return the exit status.

    Raises:
        StenoError: It cannot be read or played.
    """
    start_us = _read_start(configuration.text("goto"))
    rec = configuration.text("file.match") if configuration.word("reader") == "file" else None
    feed = CheckedFeed(open_source(configuration), rec, is_lax=configuration.flag("lax"))
    if configuration.flag("follow"):
        feed.is_live = True
        feed.expect_more()
    try:
        was_interrupted = False
        if sys.stdout.isatty():
            was_interrupted = _play(configuration, feed, start_us)
        else:
            _write_out(feed)
    finally:
        feed.close()
    status = _tell_faults(feed, configuration.program.name)
    if was_interrupted:
        die_by(signal.SIGINT)
    return status


def _play(configuration: Configuration, feed: CheckedFeed, start_us: int) -> bool:
    """Play on the terminal; return whether Ctrl-C ended it."""
    timeline = Timeline(KeptPieces())
    for pieces in feed.batches():
        timeline.add(pieces)
    if not feed.is_live:
        timeline.add(feed.finish())
    speed = configuration.number("speed")
    speed = 1.0 if speed is None else speed
    manner = Manner(
        steps_on=True, goes_forward_only=True, is_persistent=configuration.flag("persist")
    )
    with Terminal() as terminal:
        # At no speed at all nothing moves, as in a pause.
        session = Session(feed, timeline, terminal, speed=speed or 1.0, manner=manner)
        session.run(start_us, paused=configuration.flag("paused") or not speed)
    return session.was_interrupted


def _write_out(feed: CheckedFeed) -> None:
    """Write the output where no terminal is, at once; a live recording's as it comes."""
    out = sys.stdout.buffer
    # Several recordings are to be noticed before anything is written.
    batches = feed.batches if feed.find_only() or feed.is_live else lambda: [feed.poll()]
    while True:
        for pieces in chain(batches(), _last_pieces(feed)):
            for piece in pieces:
                if isinstance(piece, Output):
                    out.write(piece.data)
        out.flush()
        if feed.fault is not None or not feed.is_live or feed.end is not None:
            return
        time.sleep(_POLL_S)


def _last_pieces(feed: CheckedFeed) -> Iterator[list[Piece]]:
    """Yield what the input's end completes, where that has come."""
    if not feed.is_live:
        yield feed.finish()


def _tell_faults(feed: CheckedFeed, program: str) -> int:
    """Say what was missing or could not be read; return the exit status."""
    if feed.emptiness is not None:
        # Nothing is there, and nothing was played: tlog-play calls that a success.
        say(feed.emptiness, program=program)
    for damage in feed.damages:
        place = f"line {damage.line}, byte {damage.offset_bytes}"
        say(f"{feed.name}: {place}: {damage.reason}", program=program)
    if feed.fault is not None:
        say(f"{feed.name}: {feed.fault}; --lax plays on", program=program)
    return 1 if feed.damages or feed.fault is not None else 0


def _read_start(text: str | None) -> int:
    """Return the instant that `--goto` says.

    Raises:
        UsageError: It says none.
    """
    if text is None or text.lower() == "start" or not text.strip(" :."):
        return 0
    if text.lower() == "end":
        return _END_US
    at_us = parse_time(text.strip())
    if at_us is None:
        raise UsageError(f"--goto: {text!r} is neither start, end nor a time like 1:30 or 2::")
    return at_us
