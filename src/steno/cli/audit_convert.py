"""`steno audit convert`: audit logs to events."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

from steno.audit.aushape.documents import AushapeFormat
from steno.cli.audit_aushape import aushape_options
from steno.cli.audit_converting import Conversion, Wanted
from steno.cli.audit_files import find_logs, read_logs
from steno.cli.audit_parallel import ParallelConversion, count_workers
from steno.cli.audit_selecting import Selection, selection_options
from steno.cli.audit_telling import Teller
from steno.cli.options import examples
from steno.cli.output_files import OutputFiles
from steno.errors import UsageError

_FORMATS = ("steno", "ecs", "aushape", "aushape-json", "aushape-xml")


@click.command(
    "convert",
    epilog=examples(
        "steno audit convert /var/log/audit",
        "ausearch --raw -ts today | steno audit convert --no-records",
        "steno audit convert --format ecs --from 14:30 --user avery audit.log",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE|DIRECTORY|-]...")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="steno",
    show_default=True,
    help="steno and ecs (Elastic Common Schema) are one JSON object a line.",
)
@click.option("-o", "--output", metavar="FILE", help="Write there, whole or not at all.")
@click.option("-f", "--follow", is_flag=True, help="Wait for more at the end of the last file.")
@selection_options
@click.option("--no-records", is_flag=True, help="steno: leave the records underneath out.")
@click.option("--no-names", is_flag=True, help="Do not ask this host for the names of ids.")
@aushape_options
def command(
    files: tuple[str, ...],
    format_name: str,
    output: str | None,
    follow: bool,
    selection: Selection,
    no_records: bool,
    no_names: bool,
    aushape: Callable[[str | None], AushapeFormat],
) -> int:
    """Convert audit logs to events that say in plain words what happened.

    A DIRECTORY stands for its audit.log and all that was rotated away; packed files are unpacked.
    Without FILE it is standard input (ausearch --raw | steno audit convert), or /var/log/audit
    where that is a terminal or /dev/null. What is no audit record is named on standard error, and
    the rest is converted; then the exit code is 4.
    """
    language = format_name.partition("-")[2] or None
    form = aushape(language)
    if follow and output is not None:
        raise UsageError("--follow has no end; --output writes when all is there")
    logs = find_logs(files)
    if follow and logs[-1] is None:
        raise UsageError("--follow is for files; standard input is read as it comes, anyhow")
    wanted = Wanted(
        format="aushape" if language else "ecs" if format_name == "ecs" else "steno",
        aushape=form,
        selection=selection,
        with_records=not no_records,
        with_names=not no_names,
        # What comes through a pipe may have been filtered.
        finds_losses=None not in logs,
    )
    teller = Teller(has_several=len(logs) > 1)
    with OutputFiles(output) as file, contextlib.ExitStack() as stack:
        workers = 0 if follow else count_workers(wanted, logs)
        conversion = ParallelConversion(wanted, workers) if workers else Conversion(wanted)
        stack.callback(conversion.close)
        for data in _convert(conversion, read_logs(logs, follow=follow), teller):
            file.write("", data)
            if follow or output is None:
                sys.stdout.flush()
        file.commit()
    return teller.finish()


def _convert(
    conversion: Conversion | ParallelConversion,
    pieces: Iterator[tuple[str, bytes]],
    teller: Teller,
) -> Iterator[bytes | memoryview]:
    for _, piece in teller.hold(pieces):
        yield from conversion.feed_pieces(piece) if piece else conversion.expire_pieces()
        _tell(teller, conversion)
    yield from conversion.finish_pieces()
    _tell(teller, conversion)


def _tell(teller: Teller, conversion: Conversion | ParallelConversion) -> None:
    account = conversion.take_account()
    teller.tell(account.damages)
    teller.lost += account.lost
