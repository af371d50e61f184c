"""`steno ssh`: a hop to another host, recorded here."""

from __future__ import annotations

from typing import Any

import click

from steno.cli.options import examples
from steno.cli.rec import Options, record_as_told
from steno.cli.rec import command as rec_command
from steno.cli.ssh_arguments import parse_call
from steno.structs import convert

SERVICE = "ssh"


def _borrow_options() -> list[click.Parameter]:
    """Return the options of `steno rec`: all but the short one, as short ones are ssh's here."""
    return [
        option
        for option in rec_command.params
        if isinstance(option, click.Option) and "-q" not in option.opts
    ]


@click.command(
    "ssh",
    params=_borrow_options(),
    context_settings={
        "allow_interspersed_args": False,
        "ignore_unknown_options": True,
        "help_option_names": ["--help"],
    },
    short_help="Record a hop to another host.",
    epilog=examples(
        "steno ssh db1",
        "steno ssh -p 2222 ann@db1 systemctl status nginx",
        "steno ssh --to server --input -t db1 sudo -i",
    ),
)
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[SSH OPTION...] HOST ...")
def command(arguments: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401  # click's own
    """Call ssh, and record what passes, here; the recording's label is the host.

    Long options are those of `steno rec`, short ones ssh's. A COMMAND behind HOST of one word is a
    line for the shell there, as with ssh; of several words each arrives as it is, whatever is in
    it. The exit status is ssh's.
    """
    call = parse_call(arguments)
    labels = tuple(dict.fromkeys((call.host, *given.pop("labels"))))
    options = convert(
        {**given, "labels": labels, "command": tuple(call.words())}, Options, strict=False
    )
    return record_as_told(options, SERVICE)
