"""`steno audit convert` with aushape's options."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from steno.cli import group
from steno.errors import StenoError, UsageError

LOG = Path(__file__).parents[1] / "data/audit/f5/audit-immutable-kernel6.1.log"


def convert(*options: str) -> str:
    """Return what the conversion of a small log writes; what it raises is raised."""
    arguments = ["audit", "convert", "--no-names", *options, str(LOG)]
    result = CliRunner().invoke(group, arguments, standalone_mode=False)
    if isinstance(result.exception, StenoError):
        raise result.exception
    assert result.exception is None
    return result.stdout


def test_both_languages_hold_the_same_events() -> None:
    """By either name of the format."""
    events = json.loads(convert("--format", "aushape"))
    assert events == json.loads(convert("--format", "aushape-json", "--fold", "none"))
    for options in (["aushape", "--lang", "xml"], ["aushape-xml"]):
        root = ElementTree.fromstring(convert("--format", *options))
        assert [event.attrib["serial"] for event in root] == [str(e["serial"]) for e in events]


def test_options_are_aushapes_own() -> None:
    """Documents, folding, indentation, size, text and normalized data."""
    lines = convert("--format", "aushape", "--events-per-doc", "none", "--fold", "all").splitlines()
    events = [json.loads(line) for line in lines]
    documents = convert(
        "--format", "aushape", "--events-per-doc", "5", "--fold", "all"
    ).splitlines()
    assert [len(json.loads(line)) for line in documents][:-1] == [5] * (len(events) // 5)
    full = ["--format", "aushape", "--with-text", "--with-norm", "--indent", "1"]
    assert convert(*full).startswith('[\n {\n  "serial"')
    assert {"text", "norm"} <= json.loads(convert(*full))[0].keys()
    cut = convert(*full, "--max-event-size", "1k", "--fold", "0", "--events-per-doc", "0")
    assert max(map(len, cut.splitlines())) <= 1024


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--format", "aushape", "--fold", "some"], "--fold some: expected a number, all, none"),
        (["--format", "aushape", "--events-per-doc", "--1"], "--events-per-doc"),
        (["--format", "aushape", "--max-event-size", "1000"], "at least 1024"),
        (["--format", "aushape", "--max-event-size", "4g"], "--max-event-size 4g"),
        (["--format", "aushape", "--indent", "x"], "--indent x"),
        (["--with-text"], "--with-text is for --format aushape-json or aushape-xml"),
        (["--format", "ecs", "--lang", "xml"], "--lang is for --format aushape"),
    ],
)
def test_wrong_options_are_named(options: list[str], reason: str) -> None:
    """And nothing is written."""
    with pytest.raises(UsageError, match=reason):
        convert(*options)
