"""`steno tlog`: tlog's programs, run or installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from steno.cli.options import examples
from steno.cli.tlog.configuration import DIRECTORY
from steno.cli.tlog.programs import main
from steno.cli.tlog.schema import PLAY, PROGRAMS, REC, SESSION, Program
from steno.errors import StoreError

_SCRIPT = """\
#!{python} -I
import sys
from pathlib import Path
from steno.cli.tlog.programs import main
main({name!r}, sys.argv[1:], called=sys.argv[0], directory=Path({directory!r}))
"""
_MARK = b"from steno.cli.tlog.programs import main\n"


class _Program(click.Command):
    """One of tlog's programs: it reads its own arguments, every one of them."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(
            name,
            help=f"{program.purpose} Its options are {program.name}'s.",
            short_help=f"Be {program.name}.",
            add_help_option=False,
        )
        self._program = program

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave all arguments to the program."""
        ctx.obj = args
        return []

    def invoke(self, ctx: click.Context) -> None:
        """Run the program and exit."""
        main(self._program.name, ctx.obj, called=self._program.name)


@click.group("tlog")
def command() -> None:
    """Stand in for tlog: its programs, on Steno's recorder and player."""


for _program, _name in ((REC, "rec"), (SESSION, "rec-session"), (PLAY, "play")):
    command.add_command(_Program(_program, _name))


@command.command("install", epilog=examples("steno tlog install /opt/steno-tlog/bin"))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--configuration-directory",
    type=click.Path(path_type=Path),
    default=DIRECTORY,
    show_default=True,
    metavar="DIRECTORY",
    help="Where the programs look for tlog-rec.conf and the others.",
)
def install(directory: Path, configuration_directory: Path) -> None:
    """Put tlog-rec, tlog-rec-session and tlog-play into DIRECTORY.

    They are small scripts that run this installation of Steno. What is there and is none of them
    is left alone, with an error.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            _refuse_others(directory / name)
        for name in PROGRAMS:
            _install(directory / name, configuration_directory.absolute())
    except OSError as error:
        raise StoreError(f"{error.filename or directory}: {error.strerror}") from error


def _refuse_others(path: Path) -> None:
    if os.path.lexists(path) and not (path.is_file() and _MARK in path.read_bytes()[:1024]):
        raise StoreError(f"{path}: is there, and is not Steno's; remove it first")


def _install(path: Path, configuration_directory: Path) -> None:
    text = _SCRIPT.format(
        python=sys.executable, name=path.name, directory=str(configuration_directory)
    )
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(text)
        made.chmod(0o755)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
