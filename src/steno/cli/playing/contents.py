"""Where a recording's commands and matches are, for going to the next one."""

from __future__ import annotations

import msgspec

from steno.cli.playing.feed import Feed
from steno.cli.playing.playback import Timeline
from steno.errors import StoreError
from steno.model import Command, TextLine


class Contents:
    """Looks commands and texts up: in the library that a recording is from, else in its output."""

    def __init__(self, feed: Feed, timeline: Timeline) -> None:
        """Look into what came of `feed` so far, which is in `timeline`."""
        self._feed = feed
        self._timeline = timeline
        self._derived: tuple[int, list[Command], list[TextLine]] | None = None

    def command_instants(self) -> list[int]:
        """Return when commands were entered, in order.

        Raises:
            StoreError: The package's server part, which reads screens, is not installed.
        """
        return [command.at_us for command in self._derive()[0]]

    def match_instants(self, text: str) -> list[int]:
        """Return when lines that contain `text`, in any case, stood on the screen, in order.

        Raises:
            StoreError: The package's server part, which reads screens, is not installed.
        """
        wanted = text.casefold()
        lines = self._derive()[1]
        return sorted({line.at_us for line in lines if wanted in line.text.casefold()})

    def _derive(self) -> tuple[list[Command], list[TextLine]]:
        feed = self._feed
        count = len(self._timeline.pieces)
        if self._derived is not None and self._derived[0] == count:
            return self._derived[1:]
        library = feed.library
        if library is not None and feed.rec is not None and feed.end is not None:
            found = library.commands(feed.rec), list(library.lines(feed.rec))
        else:
            found = self._derive_here()
        self._derived = count, *found
        return found

    def _derive_here(self) -> tuple[list[Command], list[TextLine]]:
        try:
            from steno.screen.deriver import Deriver
        except ModuleNotFoundError as error:
            raise StoreError(
                f"finding needs steno[server] ({error.name} is not installed)"
            ) from error
        first = self._feed.first
        if first is None:
            return [], []
        deriver = Deriver(first.user, first.host)
        deriver.feed(msgspec.structs.replace(first, pieces=()), 0)
        for pieces in self._timeline.runs(0, len(self._timeline.pieces)):
            deriver.feed(msgspec.structs.replace(first, pieces=tuple(pieces), start=None), 0)
        deriver.finish()
        findings = deriver.take()
        deriver.close()
        return findings.commands, findings.lines
