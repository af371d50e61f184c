"""JSON as people write it into configuration files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import FormatError
from steno.formats.commented_json import decode_commented

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_comments_of_both_kinds_and_spare_commas() -> None:
    """Comments count for nothing outside strings, nor does a comma behind the last member."""
    text = b"""// at the top
    { "path": "/a//b /* c */", /* two
      lines */ "list": [1, 2, ], // end
      "es": { // "verbose": true
      },
    }"""
    assert decode_commented(text, "x") == {"path": "/a//b /* c */", "list": [1, 2], "es": {}}


@given(VALUES)
def test_plain_json_means_the_same(value: object) -> None:
    """What is JSON already is read as any reader does, slashes and commas in strings kept."""
    assert decode_commented(json.dumps(value).encode(), "x") == value


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (b'{\n// c\n"a": }', 3, "expecting value"),
        (b'{"a": 1\n/* open', 2, "expecting ','"),
        (b'{"a": 1}\n{', 2, "extra data"),
        (b'\n{"a": "\xff"}', 2, "UTF-8"),
        (b"", 1, "expecting value"),
        (b'{"a": NaN}', None, "NaN"),
        (b"[" * 100_000, None, "not JSON"),
        (b'{"a": ,}', 1, "expecting value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: bytes, line: int | None, word: str) -> None:
    """What is no JSON is refused, with the line, which comments do not move."""
    with pytest.raises(FormatError, match=word) as caught:
        decode_commented(text, "conf")
    assert (caught.value.line, caught.value.source) == (line, "conf")
