"""`steno config import-tlog`: from tlog's configuration to Steno's."""

from __future__ import annotations

from pathlib import Path

import click

from steno.cli.messages import escape_controls
from steno.cli.options import examples
from steno.cli.tlog.configuration import read_file
from steno.cli.tlog.options import Value
from steno.cli.tlog.schema import PLAY, REC, SESSION, Program
from steno.cli.tlog.translation import Translation, render, translate
from steno.errors import NotFoundError, RefusedError
from steno.files import replace_file

_AGENT_HEAD = "From tlog's configuration, by steno config import-tlog. Keys: docs/agent.md."
_POLICY_HEAD = (
    "From tlog's configuration, by steno config import-tlog. Keys: docs/policy.md.\n"
    "Who is recorded says SSSD's [session_recording], as before, or steno host enable."
)


@click.command(
    "import-tlog",
    epilog=examples("steno config import-tlog", "steno config import-tlog --to /etc/steno"),
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("/etc/tlog"),
    show_default=True,
    metavar="DIRECTORY",
    help="Where tlog's files are.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIRECTORY",
    help="Write agent.toml and policy.toml there [default: only show them].",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def command(source: Path, target: Path | None, force: bool) -> None:
    """Turn tlog's configuration files into Steno's, and say what has no counterpart."""
    found = translate(_read(SESSION, source), _read(REC, source), _read(PLAY, source))
    files = {
        "agent.toml": render(_AGENT_HEAD, found.agent),
        "policy.toml": render(_POLICY_HEAD, {"defaults": found.policy}),
    }
    if not any((source / program.file).exists() for program in (SESSION, REC, PLAY)):
        raise NotFoundError(f"{source}: none of tlog's configuration files is there")
    if target is None:
        for name, text in files.items():
            click.echo(f"# ---- /etc/steno/{name}")
            click.echo(text)
    else:
        write(files, target, force=force)
    tell(found)


def write(files: dict[str, str], target: Path, *, force: bool) -> None:
    """Write the files, all or none.

    Raises:
        RefusedError: One is there already, and `force` is not given.
    """
    there = [str(target / name) for name in files if (target / name).exists()]
    if there and not force:
        raise RefusedError(f"{', '.join(there)}: there already; --force replaces them")
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, text in files.items():
        replace_file(target / name, text.encode(), 0o644)
        click.echo(f"wrote {target / name}")


def tell(found: Translation) -> None:
    """Say on standard error what has no counterpart."""
    for remark in found.remarks:
        click.echo(escape_controls(f"note: {remark}"), err=True)


def _read(program: Program, source: Path) -> dict[str, Value]:
    file = source / program.file
    return read_file(program, file) if file.exists() else {}
