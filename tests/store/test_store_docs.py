"""The documentation names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steno.store.expressions import Field
from steno.store.fields import FIELDS, STATES
from steno.store.files import FORMAT
from steno.store.index import VERSION
from steno.store.query import parse

DOCS = Path(__file__).parents[2] / "docs"


def test_every_field_is_documented() -> None:
    """docs/find.md has one row for each field, no other, and its example is one."""
    text = (DOCS / "find.md").read_text()
    rows = re.findall(r"^\| `(\w+):` \| .+ \| `(.+?)` \|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(FIELDS)
    for name, example in rows:
        tree = parse(example)
        assert isinstance(tree, Field)
        assert tree.name == name
    assert sorted(re.findall(r"`is:(\w+)` [a-z]", text)) == sorted(STATES)


@pytest.mark.parametrize(
    "query",
    re.findall(r"^\$ steno (?:search|ls) '(.*)' +#", (DOCS / "find.md").read_text(), re.MULTILINE),
)  # fmt: skip
def test_documented_queries_parse(query: str) -> None:
    """The examples at the beginning of docs/find.md are queries."""
    assert parse(query)


def test_versions_are_documented() -> None:
    """docs/formats/store.md names the versions that this program writes."""
    text = (DOCS / "formats" / "store.md").read_text()
    assert f'"format":{FORMAT},' in text
    assert f"now {VERSION};" in text
