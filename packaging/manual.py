"""Write the manual pages of all commands: manual.py DIRECTORY.

Each page is made of what the command says with --help, so that it is never out of date; pages
in packaging/man/ are written by hand, and copied.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from steno import __version__
from steno.cli import group
from steno.cli.tlog.schema import PLAY, REC, Program

BY_HAND = Path(__file__).parent / "man"


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from commands(below, click.Context(below, info_name=name, parent=context))


def page(context: click.Context) -> str:
    """Return one page, as troff with the macros of man(7)."""
    name = context.command_path.replace(" ", "-")
    lines = [
        f'.TH {quote(name.upper())} 1 "" {quote(f"Steno {__version__}")} "Steno\'s manual"',
        ".SH NAME",
        f"{escape(name)} \\- {escape(summary(context.command))}",
        ".SH SYNOPSIS",
        f".B {escape(context.command_path)}",
        escape(" ".join(context.command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *paragraphs(context.command.help or ""),
        *options(context),
        *subcommands(context),
        *examples(context),
        ".SH EXIT STATUS",
        "0 when all went well; else one line on standard error says what did not.",
        "What each number means stands in docs/exit\\-codes.md.",
        *see_also(context),
    ]
    return "\n".join(lines) + "\n"


def tlog_page(program: Program) -> str:
    """Return the page of one of the programs that stand in for tlog's."""
    purpose = program.purpose[:1].lower() + program.purpose[1:].rstrip(".")
    lines = [
        f'.TH {quote(program.name.upper())} 8 "" {quote(f"Steno {__version__}")} "Steno\'s manual"',
        ".SH NAME",
        f"{escape(program.name)} \\- {escape(purpose)}",
        ".SH SYNOPSIS",
    ]
    for usage in program.usage:
        lines += [f".B {escape(usage.format(name=program.name))}", ".br"]
    lines += [".SH DESCRIPTION", "Stands in for tlog's program of that name; see docs/tlog.md."]
    lines.append(".SH OPTIONS")
    for parameter in program.parameters:
        if parameter.is_option:
            short = f"-{parameter.short}, " if parameter.short else ""
            call = f"{short}--{parameter.option}{parameter.value}"
            lines += [".TP", f".B {escape(call)}", escape(parameter.help + ".")]
    lines += [".SH FILES", escape(f"/etc/tlog/{program.file}"), ".SH SEE ALSO", ".BR steno (1)"]
    return "\n".join(lines) + "\n"


def summary(command: click.Command) -> str:
    """Return the first sentence of a command's help, as the line NAME wants it."""
    text = command.get_short_help_str(limit=200).rstrip(".")
    return text[:1].lower() + text[1:]


def options(context: click.Context) -> Iterator[str]:
    """Yield the section of the options."""
    yield ".SH OPTIONS"
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield f".B {escape(record[0])}"
            yield escape(" ".join(record[1].split()) or "See above.")


def subcommands(context: click.Context) -> Iterator[str]:
    """Yield the section of a group's commands."""
    command = context.command
    if isinstance(command, click.Group):
        yield ".SH COMMANDS"
        for below in direct(command, context):
            yield ".TP"
            yield f".BR {escape(below.command_path.replace(' ', '-'))} (1)"
            yield escape(below.command.get_short_help_str(limit=200))


def examples(context: click.Context) -> Iterator[str]:
    """Yield the section of examples, which --help shows last."""
    lines = (context.command.epilog or "").splitlines()[2:]
    if lines:
        yield from (".SH EXAMPLES", ".nf")
        yield from (escape(line.strip()) for line in lines)
        yield ".fi"


def see_also(context: click.Context) -> Iterator[str]:
    """Yield the section of related pages."""
    if context.parent is not None:
        yield ".SH SEE ALSO"
        parent = context.parent
        around = direct(parent.command, parent) if isinstance(parent.command, click.Group) else ()
        paths = [parent.command_path]
        paths += [c.command_path for c in around if c.command_path != context.command_path]
        pages = [f".BR {escape(path.replace(' ', '-'))} (1)" for path in sorted(paths)]
        yield from (f"{line} ," for line in pages[:-1])
        yield pages[-1]


def direct(command: click.Group, context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of a group's own commands."""
    for below in commands(command, context):
        if below.parent is context:
            yield below


def paragraphs(text: str) -> Iterator[str]:
    """Yield a help text's paragraphs; one that begins with a backspace keeps its lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        first, _, rest = paragraph.lstrip(" ").partition("\n")
        if first.strip() == "\b":
            yield ".nf"
            yield from (escape(line) for line in rest.splitlines())
            yield ".fi"
        else:
            yield escape(" ".join(paragraph.split()))


def escape(text: str) -> str:
    """Return text as troff wants it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\f", "")
    return re.sub(r"^([.'])", r"\\&\1", text)


def quote(text: str) -> str:
    """Return text as one argument of a macro."""
    return '"' + escape(text).replace('"', "\\(dq") + '"'


def main() -> None:
    """Write all pages."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for context in commands(group, click.Context(group, info_name="steno")):
        name = context.command_path.replace(" ", "-")
        (directory / f"{name}.1").write_text(page(context))
    for program in (REC, PLAY):  # tlog-rec-session is steno-shell there
        (directory / f"{program.name}.8").write_text(tlog_page(program))
    for written in BY_HAND.iterdir():
        shutil.copy(written, directory)


if __name__ == "__main__":
    main()
