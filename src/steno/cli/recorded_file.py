"""What can be known of a recording in a file, without a library."""

from __future__ import annotations

from collections.abc import Iterator

from steno.cli.input_files import name_input, open_input, read_input
from steno.cli.playing.sources import refuse_several
from steno.cli.splitting import split_recordings
from steno.errors import StoreError
from steno.formats.tlog_track import resolve_rec
from steno.model import Command, Damage, TextLine
from steno.store.protocol import Derived, Summary

_AT_REST_US = 3600 * 1_000_000
"""What stands on the screen after so long without a word counts as said."""


class RecordedFile:
    """One recording of a file, or of standard input (`-`), derived here as by a server.

    Raises:
        NotFoundError: There is no such file, or no such recording in it.
        AmbiguousError: It holds several recordings, and none was named, or not fully.
        FormatError: It holds none.
        StoreError: The package's server part is not installed.
    """

    def __init__(self, target: str, rec: str | None) -> None:
        name = name_input(target)
        with open_input(target) as file:
            recordings = split_recordings(name, read_input(file))
        chosen = rec or next(iter(recordings))
        if rec is None and len(recordings) > 1:
            raise refuse_several(name, *recordings)
        chosen = resolve_rec(list(recordings), chosen)
        self._derived = _derive(chosen, b"".join(recordings[chosen]))

    def find(self, _rec: str) -> Summary:
        """Return what is known of the recording."""
        return self._derived.summary

    def lines(self, _rec: str) -> Iterator[TextLine]:
        """Yield the screen text."""
        return iter(self._derived.lines)

    def commands(self, _rec: str) -> list[Command]:
        """Return the lines that were typed, as far as the screen tells."""
        return self._derived.commands

    def damages(self, _rec: str) -> list[Damage]:
        """Return the stretches that could not be read."""
        return self._derived.damages

    def close(self) -> None:
        """Nothing is held."""


def _derive(rec: str, data: bytes) -> Derived:
    try:
        from steno.server.derivation import Derivation
    except ModuleNotFoundError as error:
        raise StoreError(
            f"showing a file needs steno[server] ({error.name} is missing); steno play does not"
        ) from error
    derivation = Derivation(rec)
    try:
        derivation.feed(data)
        derivation.finish_torn()
        derivation.settle(_AT_REST_US)
        return derivation.take(is_live=False, sender=None, from_bytes=0, from_serial=0)
    finally:
        derivation.close()
