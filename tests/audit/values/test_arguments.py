"""Arguments of EXECVE records, whole and in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.audit.records import Field, LineReader
from steno.audit.values.arguments import join_arguments
from steno.audit.values.escaping import encode_string

DATA = Path(__file__).parents[2] / "data/audit"


def fields_of(log: str, serial: int) -> list[Field]:
    """Return the fields of all EXECVE records of an event."""
    reader = LineReader()
    records = reader.feed((DATA / log).read_bytes()) + reader.finish()
    found = [r for r in records if r.serial == serial and r.type == "EXECVE"]
    return [field for record in found for field in record.pairs]


def test_arguments_in_many_records_come_together() -> None:
    """The zoo's long arguments: quoted and hexadecimal, several in pieces, over 13 records."""
    arguments, whole = join_arguments(fields_of("f2/audit-enriched-zoo.log", 837))
    assert whole
    assert arguments[0] == b"/bin/true"
    assert [len(argument) for argument in arguments] == [9, 6000, 6000, 6000, 9000, 5, 7400, 7500]
    assert arguments[1] == "é".encode() * 3000
    assert arguments[6] == b"z" * 7400


def test_twenty_thousand_bytes_and_two_thousand_arguments() -> None:
    """f1's long argument and its 2501 arguments are all there."""
    log = (DATA / "f1/audit-enriched.log").read_bytes()
    reader = LineReader()
    events: dict[int, list[Field]] = {}
    for record in reader.feed(log) + reader.finish():
        if record.type == "EXECVE":
            events.setdefault(record.serial, []).extend(record.pairs)
    joined = [join_arguments(fields) for fields in events.values()]
    assert all(whole for _, whole in joined)
    assert [b"/bin/echo", b"x" * 20000] in [arguments for arguments, _ in joined]
    assert 2501 in [len(arguments) for arguments, _ in joined]


@pytest.mark.parametrize("left_out", ["a1[1]", "a1[2]", "a2", "argc"])
def test_what_is_missing_is_told(left_out: str) -> None:
    """A lost record shows: the arguments that are there are not taken for all."""
    fields = [
        ("argc", b"3"),
        ("a0", b'"x"'),
        ("a1_len", b"6"),
        ("a1[0]", b'"ab"'),
        ("a1[1]", b'"cd"'),
        ("a1[2]", b'"ef"'),
        ("a2", b'"y"'),
    ]
    assert join_arguments(fields) == ([b"x", b"abcdef", b"y"], True)
    assert join_arguments([field for field in fields if field[0] != left_out])[1] is False


def test_an_event_says_when_arguments_are_missing() -> None:
    """A lost EXECVE record of the zoo's long arguments: the event is cut, and its sentence too."""
    lines = [
        line
        for line in (DATA / "f2/audit-enriched-zoo.log").read_bytes().splitlines(keepends=True)
        if b":837)" in line
    ]

    def read(lines: list[bytes]) -> Event:
        reader = EventReader()
        (event,) = reader.feed(b"".join(lines)) + reader.finish()
        return event

    whole = read(lines)
    cut = read([line for line in lines if b" a4[2]=" not in line])
    assert not whole.process.is_cut
    assert cut.process.is_cut
    assert cut.process.arguments is not None
    assert len(cut.process.arguments) == 8


@given(st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4), max_size=5))
def test_pieces_are_cut_anywhere(arguments: list[list[bytes]]) -> None:
    """However an argument is cut, within a character too, it comes back whole."""
    fields: list[Field] = [("argc", str(len(arguments)).encode())]
    for number, pieces in enumerate(arguments):
        written = [encode_string(piece) for piece in pieces]
        if len(pieces) > 1:
            length = sum(len(piece.strip(b'"')) for piece in written)
            fields.append((f"a{number}_len", str(length).encode()))
        for place, piece in enumerate(written):
            name = f"a{number}[{place}]" if len(pieces) > 1 else f"a{number}"
            fields.append((name, piece))
    assert join_arguments(fields) == ([b"".join(pieces) for pieces in arguments], True)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"(argc|a[0-9]{1,10}(_len|\[[0-9]{0,10}\])?)", fullmatch=True)
            | st.text(max_size=5),
            st.binary(max_size=10),
        )
    )
)
def test_damaged_records_are_read_as_far_as_they_go(fields: list[Field]) -> None:
    """Any fields give as many arguments as are named, never an error."""
    arguments, _ = join_arguments(fields)
    assert len(arguments) <= len(fields)
