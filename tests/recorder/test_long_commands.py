"""Commands that are too long for the start's facts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
from driven import STENO, Recorded
from hypothesis import given
from hypothesis import strategies as st

from steno.recorder.long_commands import cut_command

ARGUMENTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=8)


@given(ARGUMENTS, st.integers(0, 400))
def test_what_is_kept_is_a_beginning_that_fits(command: list[str], limit_bytes: int) -> None:
    """Kept and left out add up; what is kept fits; what fits is whole."""
    kept, left_out_bytes = cut_command(command, limit_bytes)
    size_bytes = sum(len(orjson.dumps(text).replace(b"\x7f", b"\\u007f")) + 1 for text in kept)
    assert size_bytes <= limit_bytes or not kept
    assert "".join(command).startswith("".join(kept))
    if left_out_bytes is None:
        assert kept == command
    else:
        whole = sum(len(text.encode()) for text in command)
        assert left_out_bytes == whole - sum(len(text.encode()) for text in kept)
        assert kept != command or not command
        assert kept[:-1] == command[: max(0, len(kept) - 1)]


def test_a_long_command_runs_whole_and_is_named_in_part(tmp_path: Path) -> None:
    """The recording says how much of the command's text it leaves out; the command is whole."""
    path = tmp_path / "r.log"
    long = ["x" * 100_000] * 10
    script = 'echo $#; printf %s "$@" | wc -c'
    command = [*STENO, "rec", "-q", "--payload=1000", "--file", str(path), "--"]
    ran = subprocess.run(
        [*command, "sh", "-c", script, "me", *long], capture_output=True, check=True, timeout=60
    )
    assert ran.stdout == b"10\n1000000\n"
    start = Recorded(path).start
    assert start.command is not None
    assert start.command[:4] == ["sh", "-c", script, "me"]
    assert start.command_cut_bytes == 1_000_000 - sum(map(len, start.command[4:]))
    assert len(path.read_bytes().splitlines()[0]) < 2500
