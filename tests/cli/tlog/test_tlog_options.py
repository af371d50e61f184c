"""tlog's command lines."""

from __future__ import annotations

import pytest

from steno.cli.tlog.options import parse_options, write_usage
from steno.cli.tlog.schema import PLAY, PROGRAMS, REC, SESSION, Program
from steno.errors import UsageError


@pytest.mark.parametrize(
    ("program", "words", "values", "rest"),
    [
        (REC, ["-o", "f", "--latency=3", "vim", "-o", "g"],
         {"file.path": "f", "latency": 3}, ["vim", "-o", "g"]),
        (REC, ["-ofile", "--", "-x"], {"file.path": "file"}, ["-x"]),
        (REC, ["--log-input", "--log-out=OFF", "on"],
         {"log.input": True, "log.output": False}, ["on"]),
        (REC, ["--lat", "7", "-"], {"latency": 7}, ["-"]),
        (SESSION, ["-lc", "id", "x"], {"login": True, "command": True}, ["id", "x"]),
        (SESSION, ["-c", "-l", "id"], {"login": True, "command": True}, ["id"]),
        (PLAY, ["-fp", "-s2.5", "--lax=no"],
         {"follow": True, "paused": True, "speed": 2.5, "lax": False}, []),
        (PLAY, ["-fno", "-M", "A=1", "-MOR", "-M", "B=2"],
         {"follow": False, "journal.match": ["A=1", "OR", "B=2"]}, []),
        (REC, [], {}, []),
    ],
)  # fmt: skip
def test_options_are_read_as_getopt_does(
    program: Program, words: list[str], values: dict[str, object], rest: list[str]
) -> None:
    """Short, long and shortened options, values beside or behind, up to the first other word."""
    assert parse_options(program, words) == (values, rest)


@pytest.mark.parametrize(
    ("program", "words", "reason"),
    [
        (REC, ["--bogus"], "--bogus: no such option"),
        (REC, ["-x"], "-x: no such option"),
        (REC, ["--log-"], "may be --log-input, --log-output, --log-window"),
        (REC, ["--latency"], "--latency: needs a value"),
        (REC, ["--latency=0"], "0 is less than 1"),
        (REC, ["--latency=a"], "'a' is not a number"),
        (REC, ["-w", "paper"], "'paper' is none of journal, syslog, file"),
        (REC, ["--log-input=0"], "neither yes, on or true"),
        (PLAY, ["--speed=-1"], "less than 0"),
        (PLAY, ["--speed=nan"], "not a number"),
        (PLAY, ["--speed=inf"], "not a number"),
        (SESSION, ["--latency=3"], "--latency: no such option"),
        (SESSION, ["--shell=/bin/sh"], "--shell: no such option"),
    ],
)
def test_bad_options_are_named(program: Program, words: list[str], reason: str) -> None:
    """An option that cannot be understood is refused, and named."""
    with pytest.raises(UsageError, match=reason):
        parse_options(program, words)


@pytest.mark.parametrize("program", PROGRAMS.values())
def test_the_usage_message_names_every_option(program: Program) -> None:
    """`--help` names what the command line takes, and nothing else."""
    text = write_usage(program)
    for parameter in program.parameters:
        assert (f"--{parameter.option}" in text) == parameter.is_option
