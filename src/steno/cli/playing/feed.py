"""One recording's pieces, as they come, whatever they come from."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from steno.cli.input_files import names_file
from steno.cli.library import Library, Location, open_library
from steno.cli.playing.sources import (
    ElasticSource,
    FileSource,
    JournalSource,
    LibrarySource,
    LineSource,
    open_elastic,
    open_journal,
    refuse_empty,
    refuse_several,
)
from steno.delivery.wire import hide_password
from steno.errors import FormatError, NotFoundError, StenoError
from steno.formats.lines import LineSplitter
from steno.formats.sequence import Sequencer
from steno.formats.tlog import Decoder, Placed, decode_message, read_rec
from steno.model import Damage, End, Message, Piece

_PATIENCE_S = 10.0
"""How long a message that a search does not find yet is waited for."""


class Feed:
    """Follow one recording in a source of lines: the only one, or that whose id begins as `rec`.

    Attributes:
        library: Where the recording is from, when it is from a store or server; else None.
        rec: The recording's id, once it is known.
        is_live: Whether more is to be expected, as far as a library knows.
        end: Its end facts, once they have come.
        damages: What could not be read, so far.
        first: Its first message, once that has come.
    """

    def __init__(
        self,
        source: LineSource,
        rec: str | None = None,
        library: Library | None = None,
        *,
        is_original: bool = False,
    ) -> None:
        self.library = library
        self.is_live = False
        self.rec: str | None = None if library is None else rec
        self.end: End | None = None
        self.damages: list[Damage] = []
        self.first: Message | None = None
        self._wanted = rec
        self._source = source
        self._decoder = Decoder(is_original=is_original)
        self._sequencer = Sequencer()
        self._other_recs: set[str] = set()

    @property
    def name(self) -> str:
        """What to call the source in a message."""
        return self._source.name

    def expect_more(self) -> None:
        """Take it that messages are still being written: one that is missing may come yet."""
        if isinstance(self._source, ElasticSource):
            self._source.patience_s = _PATIENCE_S
        elif isinstance(self._source, FileSource):
            self._source.is_awaited = True

    def poll(self) -> list[Piece]:
        """Return the pieces that came since the last call.

        Raises:
            AmbiguousError: There are several recordings, and none was named, or not fully.
        """
        return [piece for pieces in self.batches() for piece in pieces]

    def batches(self) -> Iterator[list[Piece]]:
        """Yield the pieces that came since the last call, some at a time; raises as `poll` does."""
        while data := self._source.read_new():
            yield self._take(self._decoder.feed(data))

    def finish(self) -> list[Piece]:
        """Return what the input's end completes, when nothing more will come.

        Raises:
            FormatError: There was no recording in it.
            NotFoundError: The recording that was named is not among those in it.
        """
        pieces = self._take(self._decoder.finish())
        if self.first is None:
            if self._other_recs:
                raise NotFoundError(f"{self.name}: no recording {self._wanted} in it")
            raise self._refuse_empty()
        return pieces

    def stream(self) -> Iterator[Piece]:
        """Yield all pieces there are, keeping few where the source can be looked through before.

        That there are several recordings, and none was named, is noticed before the first piece
        is given out. Raises as `poll` and `finish` do.
        """
        if self.find_only():
            for pieces in self.batches():
                yield from pieces
        else:
            yield from self.poll()
        yield from self.finish()

    def find_only(self) -> bool:
        """Look a file through for the one recording that is in it, before anything is read of it.

        Returns:
            Whether it is sure that no second recording turns up.

        Raises:
            AmbiguousError: There are several.
        """
        source = self._source
        if self._wanted is not None:
            return True
        if not isinstance(source, FileSource) or not source.is_regular:
            return False
        found: list[str] = []
        for line in _read_lines(source):
            rec = read_rec(line)
            if rec is not None and rec not in found and _is_message(line):
                found.append(rec)
                if len(found) > 1:
                    raise refuse_several(self.name, *found)
        source.rewind()
        return True

    def close(self) -> None:
        """Release the source."""
        self._source.close()

    def _take(self, items: list[Placed | Damage]) -> list[Piece]:
        pieces: list[Piece] = []
        for item in items:
            if isinstance(item, Damage):
                self.damages.append(item)
                continue
            message = item.message
            if not self._is_ours(message.rec):
                continue
            self.end = message.end or self.end
            self.first = self.first or message
            pieces += self._sequencer.feed(message)
            if self._sequencer.disorder is not None:
                self.damages.append(item.damaged(self._sequencer.disorder))
        return pieces

    def _is_ours(self, rec: str) -> bool:
        wanted = self._wanted or ""
        if self.rec is None and rec.startswith(wanted):
            self.rec = rec
        # Messages of tlog's first versions name no recording; a library knows whose they are.
        if rec == self.rec or (self.library is not None and not rec):
            return True
        if rec.startswith(wanted) and self.rec != wanted:
            raise refuse_several(self.name, str(self.rec), rec)
        self._other_recs.add(rec)
        return False

    def _refuse_empty(self) -> StenoError:
        source = self._source
        if isinstance(source, JournalSource) and not self.damages:
            return NotFoundError(f"{self.name}: no recording: no message has {source.wanted}")
        head = source.read_head() if isinstance(source, FileSource) else b""
        return refuse_empty(self.name, self.damages[0] if self.damages else None, head)


def _read_lines(source: FileSource) -> Iterator[bytes]:
    splitter = LineSplitter()
    while data := source.read_new():
        yield from (line.data or b"" for line in splitter.feed(data))
    yield from (line.data or b"" for line in splitter.finish())


def _is_message(line: bytes) -> bool:
    try:
        decode_message(line)
    except FormatError:
        return False
    return True


def open_feed(
    target: str, location: Location, rec: str | None, *, is_original: bool = False
) -> Feed:
    """Open what `target` names.

    That is a file, `-` (standard input), `journal:ID`, `es+http://HOST/INDEX?q=rec:ID`, the
    address of a recording's page on a server, or the id of a recording (or its beginning) in the
    library of `location`. With `is_original` its pieces hold what the terminal had, where that
    spoke another charset.

    Raises:
        NotFoundError: There is nothing by that name.
    """
    if target.startswith("journal:"):
        return Feed(open_journal(target), rec, is_original=is_original)
    if target.startswith(("es+http://", "es+https://")):
        source = open_elastic(target, location.ca, location.token_file)
        return Feed(source, rec, is_original=is_original)
    if target.startswith(("http://", "https://")):
        return _open_page(target, location, is_original)
    if names_file(target):
        return Feed(FileSource(target), rec, is_original=is_original)
    return _open_recording(open_library(location), target, is_original)


def _open_page(url: str, location: Location, is_original: bool) -> Feed:
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}"
    names = [name for name in parts.path.split("/") if name]
    if len(names) < 2 or names[-2] != "recordings":
        raise NotFoundError(
            f"{hide_password(url)}: not the address of a recording (…/recordings/ID)"
        )
    there = Location(server, location.token_file, location.ca, None)
    return _open_recording(open_library(there), unquote(names[-1]), is_original)


def _open_recording(library: Library, rec: str, is_original: bool) -> Feed:
    summary = library.find(rec)
    source = LibrarySource(library, summary.rec)
    feed = Feed(source, summary.rec, library, is_original=is_original)
    feed.is_live = summary.is_live
    return feed
