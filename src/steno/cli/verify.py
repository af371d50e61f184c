"""`steno verify`: is a recording what was written?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from steno.audit.trail import TrailHead, decode_line
from steno.cli.input_files import names_file, open_input, read_input
from steno.cli.library import Library, Location, collect, library_options, open_library
from steno.cli.playing.sources import refuse_empty
from steno.cli.tables import format_chain, make_console, printable
from steno.errors import (
    AmbiguousError,
    BrokenChainError,
    FormatError,
    NotFoundError,
    StoreError,
)
from steno.formats.tlog import Decoder, Placed
from steno.integrity.chain import verify_lines, verify_stream
from steno.model import Damage, Verification, is_trail

_STYLES = {"complete": "green", "so_far": "yellow", "unchained": "yellow", "broken": "bold red"}


class Verdict(msgspec.Struct, frozen=True):
    """What `--json` prints, one a line; `error` says why a recording could not be read at all."""

    source: str
    rec: str
    verification: Verification | None
    error: str | None = None


@click.command("verify")
@click.argument("targets", metavar="[REC|FILE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@library_options
def command(targets: tuple[str, ...], as_json: bool, location: Location) -> None:
    """Verify the chains of recordings and audit trails, by id or in files; all without arguments.

    The original lines are read and computed on here, also when a server keeps them.
    Ends with 8 when a chain is broken, whatever the others say; else with 9 when a recording of
    the store cannot be read.
    """
    console = make_console()
    broken: list[str] = []
    unreadable: list[str] = []
    for verdict in _verify_all(targets, location):
        verification = verdict.verification
        text, style = f"UNREADABLE: {verdict.error}", _STYLES["broken"]
        if verification is not None:
            text, style = format_chain(verification), _STYLES[verification.state]
        if as_json:
            click.echo(msgspec.json.encode(verdict))
        else:
            console.print(printable(verdict.rec), style="bold", end="  ")
            console.print(printable(text), style=style)
        if verification is None:
            unreadable.append(f"{verdict.rec}: {verdict.error}")
        elif verification.state == "broken":
            broken.append(f"{verdict.rec}: {text}")
    if broken:
        raise BrokenChainError(f"{len(broken)} broken; the first is {broken[0]}")
    if unreadable:
        raise StoreError(f"{len(unreadable)} unreadable; the first is {unreadable[0]}")


def _verify_all(targets: tuple[str, ...], location: Location) -> Iterator[Verdict]:
    files = [target for target in targets if names_file(target)]
    for file in files:
        yield from _verify_file(Path(file))
    others = [target for target in targets if target not in files]
    if others or not targets:
        library = open_library(location)
        try:
            for rec in map(partial(_find, library), others):
                yield _verify_recording(library, rec)
            for rec in [] if others else [*_list_recs(library), *library.trails()]:
                yield _verify_recording(library, rec)
        finally:
            library.close()


def _find(library: Library, target: str) -> str:
    """Return the recording, or the trail, that `target` names or is the beginning of."""
    if not is_trail(target):
        return library.find(target).rec
    found = [trail for trail in library.trails() if trail.startswith(target)]
    if target in found:
        return target
    if not found:
        raise NotFoundError(f"no audit trail {target}")
    if len(found) > 1:
        raise AmbiguousError(f"{target} could be any of {len(found)} audit trails")
    return found[0]


def _verify_recording(library: Library, rec: str) -> Verdict:
    try:
        return Verdict("library", rec, library.verification(rec))
    except NotFoundError:
        return Verdict("library", rec, None, "it is in the index, but its lines are gone")
    except StoreError as error:
        return Verdict("library", rec, None, str(error))


def _list_recs(library: Library) -> list[str]:
    summaries, _ = collect(
        lambda cursor, count: library.recordings(None, sort="started", cursor=cursor, limit=count)
    )
    return [summary.rec for summary in summaries]


def _verify_file(path: Path) -> Iterator[Verdict]:
    """Verify each of the recordings that a file holds; damage breaks the chain it stands in."""
    with open_input(path) as file:
        data = read_input(file)
    trail = _find_trail(data)
    if trail is not None:
        yield Verdict(str(path), trail, verify_stream([data]))
        return
    decoder = Decoder()
    items = decoder.feed(data) + decoder.finish()
    damages = [item for item in items if isinstance(item, Damage)]
    # Damage belongs to the recording before it; at the beginning, to the one that follows.
    rec = next((item.message.rec for item in items if isinstance(item, Placed)), None)
    if rec is None:
        raise refuse_empty(str(path), damages[0] if damages else None)
    lines: dict[str, list[bytes]] = {}
    for item in items:
        if isinstance(item, Placed):
            rec = item.message.rec
        end = item.offset_bytes + item.length_bytes
        lines.setdefault(rec, []).append(data[item.offset_bytes : end])
    for rec, recorded in lines.items():
        yield Verdict(str(path), rec, verify_lines(recorded))


def _find_trail(data: bytes) -> str | None:
    """Return the id of the audit trail that `data` is; None: it is none."""
    try:
        _, item = decode_line(data.partition(b"\n")[0])
    except FormatError:
        return None
    return item.id if isinstance(item, TrailHead) else None
