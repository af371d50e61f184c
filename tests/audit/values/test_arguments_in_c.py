"""Joining arguments in C, against Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.audit import _records
from steno.audit.records import LineReader, Record
from steno.audit.values.arguments import arguments_of, join_arguments

DATA = Path(__file__).parents[2] / "data" / "audit"

_NAME = st.one_of(
    st.builds("a{}".format, st.integers(0, 3)),
    st.builds("a{}[{}]".format, st.integers(0, 3), st.integers(0, 3)),
    st.builds("a{}_len".format, st.integers(0, 3)),
    st.sampled_from(
        ["argc", "a01", "a1[01]", "a1[", "a1[0]x", "a1_lenx", "a1234567890", "auid", "x"]
    ),
)
_VALUE = st.sampled_from(
    [
        "",
        '"',
        '""',
        '"ab"',
        '"a"b',
        '"a"b"',
        "6162",
        "616",
        "FFC3",
        "xyz",
        "0",
        "1",
        "2",
        "3",
        "003",
        "-1",
    ]
)
_FIELDS = st.lists(st.tuples(_NAME, _VALUE), max_size=8)


@st.composite
def _in_order(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Return fields as the kernel writes them, perhaps some bytes short."""
    fields: list[tuple[str, str]] = []
    count = draw(st.integers(0, 4))
    for number in range(count):
        pieces = draw(st.lists(_VALUE, min_size=1, max_size=3))
        if len(pieces) == 1:
            fields.append((f"a{number}", pieces[0]))
            continue
        length = sum(len(piece.strip('"')) for piece in pieces) + draw(st.sampled_from([0, 0, 1]))
        fields.append((f"a{number}_len", str(length)))
        fields += [(f"a{number}[{at}]", piece) for at, piece in enumerate(pieces)]
    return [("argc", str(count + draw(st.sampled_from([0, 0, 1])))), *fields]


@given(st.lists(st.one_of(_FIELDS, _in_order()), max_size=2))
@example([[("argc", "1"), ("a0_len", "2"), ("a0[0]", "61"), ("a0[1]", "62")]])
@example([[("argc", "1"), ("a0_len", "4"), ("a0[0]", "61")], [("a0[1]", "62")]])
@example([[("argc", "1"), ("a0", "61"), ("a1_len", "3")]])
def test_joins_as_python_does(parts: list[list[tuple[str, str]]]) -> None:
    """Whatever the fields, in however many records, the arguments are the same."""
    records = [
        Record(b"type=EXECVE msg=audit(1.234:5): " + " ".join(map("=".join, fields)).encode())
        for fields in parts
    ]
    assert arguments_of(records) == join_arguments(
        field for record in records for field in record.pairs
    )


def test_c_joins_all_that_the_kernel_writes() -> None:
    """No real event is left to Python, and the arguments are the same."""
    events: dict[int, list[Record]] = {}
    for log in ("f1/audit-enriched.log", "f2/audit-enriched-zoo.log"):
        for record in LineReader().feed((DATA / log).read_bytes()):
            if record.type == "EXECVE":
                events.setdefault(record.serial, []).append(record)
    assert len(events) == 80
    for records in events.values():
        fields = [field for record in records for field in record.pairs]
        assert _records.join_arguments(records) == join_arguments(fields)


@pytest.mark.parametrize("records", [None, [None], ("x",)])
def test_refuses_what_are_no_records(records: object) -> None:
    """Anything but a list of records is a programming error, named as such."""
    with pytest.raises(TypeError, match="records"):
        _records.join_arguments(records)  # type: ignore[arg-type]
