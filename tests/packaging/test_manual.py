"""The manual pages: one for each command, and well formed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from steno.cli import group

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, freshly made."""
    directory = tmp_path_factory.mktemp("manual")
    words = [sys.executable, ROOT / "packaging" / "manual.py", directory]
    subprocess.run(words, check=True)
    return directory


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands, with the names of their pages."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from commands(below, f"{name}-{word}")


def test_each_command_has_a_page_with_all_its_options(manual: Path) -> None:
    """Each command that is not hidden has a page, which names each of its options."""
    for name, command in commands(group, "steno"):
        if not command.hidden:
            text = (manual / f"{name}.1").read_text()
            for parameter in command.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    assert parameter.opts[0].replace("-", "\\-") in text, (name, parameter.opts)


def test_pages_are_well_formed(manual: Path) -> None:
    """Nothing in any page makes groff complain, the hand-written ones included."""
    if shutil.which("groff") is None:
        pytest.skip("Debian's groff-base is missing")
    words = ["groff", "-man", "-Tutf8", "-ww", "-z", "-Kutf8"]
    # man(1) finds what `.so` names, below its own directories.
    pages = [page for page in sorted(manual.iterdir()) if not page.read_text().startswith(".so ")]
    done = subprocess.run([*words, *pages], capture_output=True, text=True, check=False)
    assert len(pages) > 30
    assert (done.returncode, done.stderr) == (0, "")
