"""`steno convert`: from any format to any other, with an account of what was lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import click
import msgspec

from steno import __version__
from steno.cli import messages
from steno.cli.options import examples, json_option
from steno.cli.output_files import OutputFiles
from steno.cli.recording_files import READABLE, RecordingFile
from steno.errors import FormatError, NotFoundError, UsageError
from steno.formats.charset import find_charset
from steno.formats.export import KINDS, Exporter, Part
from steno.formats.recoding import Marker, Recoder
from steno.formats.tlog_track import describe_gap
from steno.formats.track import Finish, Item
from steno.model import Damage, Note

_SUFFIXES = {
    ".cast": "asciicast-v3",
    ".html": "html",
    ".jsonl": "tlog",
    ".log": "tlog",
    ".tlog": "tlog",
    ".ttyrec": "ttyrec",
    ".txt": "text",
    ".typescript": "typescript",
}
_SHORT = {"asciicast": "asciicast-v3", "typescript-advanced": "typescript"}
_SHOWN_DAMAGES = 20


class Report(msgspec.Struct):
    """What a conversion did; `--json` prints it.

    Attributes:
        source: What was read.
        from_format: Its format.
        to_format: The format written.
        pieces: How many pieces were converted.
        duration_us: How long the recording is.
        damages: What could not be read.
        gaps: Where messages are missing, a sentence each.
        losses: What the format written cannot hold, a text each.
    """

    source: str
    from_format: str
    to_format: str
    pieces: int = 0
    duration_us: int = 0
    damages: list[Damage] = []
    gaps: list[str] = []
    losses: list[str] = []

    def count(self, item: Item) -> None:
        """Take note of `item`."""
        if isinstance(item, Damage):
            self.damages.append(item)
            return
        if isinstance(item, Note) and item.kind == "gap":
            self.gaps.append(describe_gap(item.facts))
        if isinstance(item, Finish):
            self.duration_us = item.at_us
        else:
            self.pieces += 1


class _Renderer(Protocol):
    def write(self, item: Item) -> bytes: ...
    def losses(self) -> list[str]: ...


class _Writer(Protocol):
    def write(self, item: Item) -> list[Part]: ...
    def losses(self) -> list[str]: ...


class _Rendered:
    """What renders to one file, as a writer of parts."""

    def __init__(self, renderer: _Renderer) -> None:
        self._renderer = renderer
        self.losses = renderer.losses

    def write(self, item: Item) -> list[Part]:
        data = self._renderer.write(item)
        return [Part("", data)] if data else []


@click.command(
    "convert",
    epilog=examples(
        "steno convert session.log session.cast",
        "steno convert --to text session.log",
        "steno convert --timing t.timing t session.jsonl",
    ),
)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option(
    "--from", "from_format", metavar="FORMAT", help=f"IN's format: {', '.join(READABLE)}."
)
@click.option(
    "--to",
    "to_format",
    metavar="FORMAT",
    help="The format to write, if OUT's name does not tell it: "
    + ", ".join([*KINDS, "text", "html"])
    + ".",
)
@click.option(
    "--rec", metavar="REC", help="Which recording, where IN holds several; a beginning of its id."
)
@click.option(
    "--timing", metavar="FILE", help="A typescript's timing file, if it is not IN.timing."
)
@click.option("--charset", metavar="NAME", help="What IN's bytes are in, if not in UTF-8.")
@click.option(
    "--original",
    "is_original",
    is_flag=True,
    help="What a terminal with another charset had, instead of UTF-8.",
)
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Do not say what the format cannot hold.")
def command(
    source: str,
    target: str | None,
    from_format: str | None,
    to_format: str | None,
    rec: str | None,
    timing: str | None,
    charset: str | None,
    is_original: bool,
    as_json: bool,  # click hands options over so
    quiet: bool,
) -> int:
    """Convert a recording from one format to another.

    IN is a file, the directory of a sudo I/O log, or - for standard input; without OUT the result
    goes to standard output. An existing OUT is replaced only when the new one is complete.
    """
    to_name = _find_target(to_format, target)
    if as_json and target in (None, "-"):
        raise UsageError("--json prints to standard output; name a file to write to")
    if target in (None, "-") and to_name in KINDS and KINDS[to_name].has_parts:
        raise UsageError(f"{to_name} is several files; name the first of them to write to")
    from_name = _find_source(from_format)
    with (
        RecordingFile(source, format_name=from_name, rec=rec, timing=timing) as file,
        OutputFiles(target) as output,
    ):
        report = Report(file.source, file.format, to_name)
        recoder = _choose_recoder(charset, file.format, to_name)
        for part in _convert(file, to_name, report, recoder, is_original=is_original):
            output.write(part.suffix, part.data)
        output.commit()
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        _tell(report, is_quiet=quiet)
    return FormatError.exit_code if report.damages else 0


def _convert(
    file: RecordingFile,
    to_name: str,
    report: Report,
    recoder: Marker | Recoder | None,
    *,
    is_original: bool,
) -> Iterator[Part]:
    writer = _make_writer(file, to_name, keeps_bytes=is_original)
    # From tlog to tlog the charset stays, and with it the way back to the original.
    for item in file.items(is_original=is_original or to_name == "tlog"):
        report.count(item)
        for recoded in [item] if recoder is None else recoder.feed(item):
            yield from writer.write(recoded)
    report.losses = writer.losses()


def _choose_recoder(name: str | None, from_name: str, to_name: str) -> Marker | Recoder | None:
    """Return what brings IN's bytes from the charset `name` to UTF-8; None when they are in that.

    Raises:
        UsageError: There is no such charset, or the format says itself what its bytes are in.
    """
    charset = None if name is None else find_charset(name)
    if name is not None and from_name in ("tlog", "asciicast"):
        raise UsageError(f"--charset goes with bytes; {from_name} holds characters")
    if charset is None:
        return None
    return Marker(charset) if to_name == "tlog" else Recoder(charset)


def _make_writer(file: RecordingFile, to_name: str, *, keeps_bytes: bool) -> _Writer:
    if to_name in KINDS:
        recorder = f"steno {__version__}, converted from {file.format}"
        # The same content gives the same id, however often it is converted.
        has_own = to_name != "tlog" or file.format == "tlog"
        rec = "" if has_own else file.digest()[:32]
        return Exporter(to_name, rec=rec, recorder=recorder, keeps_bytes=keeps_bytes)
    try:
        from steno.web import renderings
    except ImportError as error:
        reason = f"--to {to_name} needs {error.name}: install steno[server]"
        raise UsageError(reason) from error
    if to_name == "text":
        return _Rendered(renderings.TextRenderer())
    player = Path(renderings.__file__).with_name("static") / "player.js"
    try:
        player_js = player.read_text("utf-8")
    except FileNotFoundError as error:
        reason = "the player is not built: run `npm ci && npm run build` in frontend/"
        raise NotFoundError(reason) from error
    title = Path(file.source).name or file.source
    return _Rendered(renderings.PageRenderer(player_js, title=title))


def _find_source(name: str | None) -> str | None:
    if name in ("asciicast-v2", "asciicast-v3"):
        return "asciicast"
    if name is not None and name.startswith("typescript-"):
        name = "typescript"
    if name is not None and name not in READABLE:
        raise UsageError(f"--from {name}: unknown format; there are {', '.join(READABLE)}")
    return name


def _find_target(name: str | None, target: str | None) -> str:
    known = [*KINDS, "text", "html"]
    if name is None:
        suffix = Path(target or "").suffix.lower()
        if suffix not in _SUFFIXES:
            raise UsageError(f"name the format to write with --to: {', '.join(known)}")
        return _SUFFIXES[suffix]
    name = _SHORT.get(name, name)
    if name not in known:
        raise UsageError(f"--to {name}: unknown format; there are {', '.join(known)}")
    return name


def _tell(report: Report, *, is_quiet: bool) -> None:
    """Say on standard error what was damaged, missing and lost."""

    def say(text: str) -> None:
        messages.say(f"{report.source}: {text}")

    for damage in report.damages[:_SHOWN_DAMAGES]:
        place = f"line {damage.line}, byte {damage.offset_bytes}: " if damage.line else ""
        say(f"{place}{damage.reason}")
    if len(report.damages) > _SHOWN_DAMAGES:
        say(f"and {len(report.damages) - _SHOWN_DAMAGES} more damaged places")
    for gap in report.gaps:
        say(gap)
    if report.damages:
        say("the rest was converted")
    if not is_quiet:
        for loss in report.losses:
            messages.say(f"not in {report.to_format}: {loss}")
