"""`steno verify`: is a recording what was written?"""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from steno.audit.trail import TrailHead, decode_line
from steno.cli.input_files import name_input, names_file, open_input, read_input
from steno.cli.library import Library, Location, collect, library_options, open_library
from steno.cli.options import examples, json_lines_option
from steno.cli.splitting import split_recordings
from steno.cli.tables import format_chain, make_console, printable
from steno.errors import (
    AmbiguousError,
    BrokenChainError,
    FormatError,
    NotFoundError,
    StoreError,
)
from steno.integrity.chain import verify_lines, verify_stream
from steno.model import Verification, is_trail
from steno.store.events import KnownTrail

_STYLES = {"complete": "green", "so_far": "yellow", "unchained": "yellow", "broken": "bold red"}
_GONE = "it is in the index, but its lines are gone"


class Verdict(msgspec.Struct, frozen=True):
    """What `--json` prints, one a line; `error` says why a recording could not be read at all.

    `note` says what is worth knowing of one that verifies.
    """

    source: str
    rec: str
    verification: Verification | None
    error: str | None = None
    note: str | None = None


@click.command(
    "verify",
    epilog=examples("steno verify", "steno verify 3c5d7", "steno verify evidence.log --json"),
)
@click.argument("targets", metavar="[REC|FILE|-]...", nargs=-1)
@json_lines_option
@library_options
def command(targets: tuple[str, ...], as_json: bool, location: Location) -> None:
    """Verify the chains of recordings and audit trails, by id or in files; all without arguments.

    - is standard input.

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
            text += f"; {verdict.note}" if verdict.note else ""
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
        yield from _verify_file(file)
    others = [target for target in targets if target not in files]
    if others or not targets:
        library = open_library(location)
        try:
            trails = library.trails() if not others or any(map(is_trail, others)) else []
            wanted = [_find_trail(trails, target) for target in others if is_trail(target)]
            for target in others:
                if not is_trail(target):
                    yield _verify_recording(library, library.find(target).rec)
            for rec in [] if others else _list_recs(library):
                yield _verify_recording(library, rec)
            yield from _verify_trails(library, wanted if others else trails)
        finally:
            library.close()


def _find_trail(trails: list[KnownTrail], target: str) -> KnownTrail:
    """Return the trail that `target` names or is the beginning of."""
    found = [trail for trail in trails if trail.id.startswith(target)]
    exact = [trail for trail in found if trail.id == target]
    if not found:
        raise NotFoundError(f"no audit trail {target}")
    if len(found) > 1 and not exact:
        raise AmbiguousError(f"{target} could be any of {len(found)} audit trails")
    return (exact or found)[0]


def _verify_trails(library: Library, trails: list[KnownTrail]) -> Iterator[Verdict]:
    """Verify trails, and that each is what the one that follows it says."""
    verdicts: dict[str, Verdict] = {}
    for trail in trails:
        try:
            found = verify_stream(library.read(trail.id), trail.chain)
            verdicts[trail.id] = Verdict("library", trail.id, found)
        except NotFoundError:
            verdicts[trail.id] = Verdict("library", trail.id, None, _GONE)
        except StoreError as error:
            verdicts[trail.id] = Verdict("library", trail.id, None, str(error))
    for trail in trails:
        if trail.follows is not None:
            _compare(verdicts, trail, trail.follows)
    yield from verdicts.values()


def _compare(verdicts: dict[str, Verdict], trail: KnownTrail, before: str) -> None:
    """Take note of what a trail says of the one before it, where both were verified."""
    verdict = verdicts.get(before)
    if verdict is None or verdict.error == _GONE:
        note = f"it follows {before}, which is not here"
        verdicts[trail.id] = msgspec.structs.replace(verdicts[trail.id], note=note)
        return
    found = verdict.verification
    if trail.follows_head is None or found is None or found.state == "broken":
        return
    if found.head != trail.follows_head:
        reason = f"{trail.id}, which follows it, names another last line"
        broken = Verification(
            "broken", found.lines, found.head, found.lines + 1, broken_offset_bytes=0, reason=reason
        )
        verdicts[before] = msgspec.structs.replace(verdict, verification=broken)


def _verify_recording(library: Library, rec: str) -> Verdict:
    try:
        return Verdict("library", rec, library.verification(rec))
    except NotFoundError:
        return Verdict("library", rec, None, _GONE)
    except StoreError as error:
        return Verdict("library", rec, None, str(error))


def _list_recs(library: Library) -> list[str]:
    summaries, _ = collect(
        lambda cursor, count: library.recordings(None, sort="started", cursor=cursor, limit=count)
    )
    return [summary.rec for summary in summaries]


def _verify_file(target: str) -> Iterator[Verdict]:
    """Verify each of the recordings that a file holds; damage breaks the chain it stands in."""
    name = name_input(target)
    with open_input(target) as file:
        data = read_input(file)
    trail = _read_trail_id(data)
    if trail is not None:
        yield Verdict(name, trail, verify_stream([data]))
        return
    for rec, recorded in split_recordings(name, data).items():
        yield Verdict(name, rec, verify_lines(recorded))


def _read_trail_id(data: bytes) -> str | None:
    """Return the id of the audit trail that `data` is; None: it is none."""
    try:
        _, item = decode_line(data.partition(b"\n")[0])
    except FormatError:
        return None
    return item.id if isinstance(item, TrailHead) else None
