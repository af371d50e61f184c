"""Lines of audit logs to records, against a reference in Python and real logs."""

from __future__ import annotations

import json
from pathlib import Path

import audit_reference as reference
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.audit.encoding import RecordEncoder
from steno.audit.records import DamagedLine, LineReader, Record
from steno.audit.values.decoding import Decoder
from steno.audit.values.names import Names

DATA = Path(__file__).parents[1] / "data" / "audit"
LOGS = [
    DATA / "f1" / "audit-enriched.log",
    DATA / "f2" / "audit-enriched-zoo.log",
    DATA / "f2" / "plugin-string-zoo.log",
    DATA / "f5" / "audit-immutable-kernel6.1.log",
]
LINES = [line for log in LOGS for line in log.read_bytes().splitlines() if len(line) < 1500]

_HEAD = st.sampled_from(
    [b"", b"node=web1 ", b"node= ", b"node=\xff ", b"node=" + b"x" * 256 + b" "]
).flatmap(
    lambda node: st.sampled_from(
        [b"SYSCALL", b"EXECVE", b"TTY", b"USER_CMD", b"UNKNOWN[9]", b"x"]
    ).map(lambda kind: node + b"type=" + kind + b" msg=audit(1795161724.578:81):")
)
_PIECE = st.one_of(
    st.sampled_from(
        [
            *(
                b" ",
                b"=",
                b'"',
                b"'",
                b"\x1d",
                b"{",
                b" }",
                b"msg='",
                b"avc: ",
                b"for",
                b"op=",
                b"\xff",
            ),
            *(
                b"uid=",
                b"UID=",
                b"auid=0 ",
                b'AUID="root" ',
                b"a0=",
                b"a1=4142 ",
                b"\xc3\xbc",
                b"\0",
            ),
            *(b"avc:  denied  { read write } for ", b"arch=c000003e ", b"syscall=59 ", b"exe="),
            *(b"saddr=", b"SADDR={ x }", b"proctitle=6C730000 ", b"exit=-13 ", b"x" * 65 + b"=1 "),
        ]
    ),
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
)
_BODY = st.lists(_PIECE, max_size=25).map(b"".join).map(lambda body: body.replace(b"\n", b""))


@st.composite
def _damaged_lines(draw: st.DrawFn) -> bytes:
    """Cut a real line and splice it with another one, or change a byte of it."""
    line, other = draw(st.sampled_from(LINES)), draw(st.sampled_from(LINES))
    cut = draw(st.integers(0, len(line)))
    kept = draw(st.sampled_from([line, line[:cut], line[:cut] + other, other + line[cut:]]))
    at = draw(st.integers(0, len(kept)))
    changed = draw(st.sampled_from([b"", b"\xff", b'"', b"'", b"\x1d", b"=", b" ", b"\0"]))
    return (kept[:at] + changed + kept[at + 1 :]).replace(b"\n", b"")


_LINE = st.one_of(
    st.tuples(_HEAD, st.sampled_from([b" ", b"", b"  "]), _BODY).map(b"".join),
    _damaged_lines(),
)


def read(line: bytes, kind: type[Record] | type[reference.Record]) -> list[object] | None:
    """Return all that a record says, or None where the line is none."""
    try:
        record = kind(line, 7)
    except ValueError:
        return None
    facts = [record.type, record.at_unix_us, record.serial, record.node, record.key, record.line]
    return [*facts, record.offset_bytes, record.pairs, record.fields, record.words]


@given(_LINE)
@example(b"type=A msg=audit(1.234:5):")
@example(b"type=A msg=audit(1.234:5): {")
@example(b"type=A msg=audit(1.234:5): a={ }b c={}d }e f")
@example(b"type=A msg=audit(1.234:5): msg=' avc:  denied  {  a b  }  for' x='")
@example(b"type=A msg=audit(1.23:5): a=b")
def test_reads_as_the_reference_does(line: bytes) -> None:
    """Whatever the line, C reads of it what the reference reads, and refuses what that refuses."""
    assert read(line, Record) == read(line, reference.Record)


@given(st.lists(_LINE, max_size=4))
@example([b'type=EXECVE msg=audit(1.234:5): a0="x" a0=FF00 a0="\xff" a1=6162 a1="q"r'])
@example(
    [b'type=SYSCALL msg=audit(1.234:5): arch=c000003e syscall=59 a0=1 uid=0\x1dUID="\xff" X={ y }']
)
def test_encodes_as_the_reference_does(lines: list[bytes]) -> None:
    """Whatever the lines, the JSON holds what the reference says, values decoded."""
    accounts = {0: "root", 1501: "avery"}
    decoder = Decoder(Names(accounts.get, accounts.get))
    good = [line for line in lines if read(line, reference.Record) is not None]
    encoder = RecordEncoder(decoder)
    expected = reference.encode_records(decoder, [reference.Record(line) for line in good])
    for _ in range(2):
        assert json.loads(encoder.encode([Record(line) for line in good])) == expected


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_reads_real_logs(log: Path) -> None:
    """Every line of a real log is a record, read and encoded as the reference does."""
    reader = LineReader()
    data = log.read_bytes()
    records = reader.feed(data) + reader.finish()
    assert reader.take_damage() == []
    assert b"".join(record.line + b"\n" for record in records) == data
    decoder = Decoder(Names())
    references = [reference.Record(record.line) for record in records]
    encoded = json.loads(RecordEncoder(decoder).encode(records))
    assert encoded == reference.encode_records(decoder, references)


@given(st.lists(_LINE | st.sampled_from([b"", b" ", b"----", b"time->x"]), max_size=6), st.data())
def test_no_byte_is_lost_however_cut(lines: list[bytes], data: st.DataObject) -> None:
    """Every line is in a record, a damage or passed over, at its place, the same for every cut."""
    whole = b"\n".join(lines) + data.draw(st.sampled_from([b"", b"\n"]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    at_once, in_pieces = LineReader(), LineReader()
    records = at_once.feed(whole) + at_once.finish()
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    again = [record for piece in pieces for record in in_pieces.feed(piece)] + in_pieces.finish()
    damage = at_once.take_damage()
    assert damage == in_pieces.take_damage()
    found = [(record.offset_bytes, record.line) for record in records]
    assert found == [(record.offset_bytes, record.line) for record in again]
    found += [(bad.offset_bytes, bad.line) for bad in damage]
    for offset_bytes, line in found:
        assert whole[offset_bytes : offset_bytes + len(line)] == line
        assert whole[offset_bytes + len(line) :][:1] in (b"", b"\n")
    passed_over = {b"----", b"time->x"}
    expected = [line for line in whole.split(b"\n") if line.strip() and line not in passed_over]
    assert sorted(line for _, line in found) == sorted(expected)
    for bad in damage:
        assert whole.split(b"\n")[bad.number - 1] == bad.line


def test_a_long_line_is_damage_in_pieces() -> None:
    """A line beyond the limit is kept in pieces; what follows it is read."""
    good = b"type=USER msg=audit(1.234:5): a=b"
    whole = b"x" * 50 + good + b"\n" + good + b"\n" + b"y" * 30
    reader = LineReader(limit_bytes=40)
    records = [record for at in range(len(whole)) for record in reader.feed(whole[at : at + 1])]
    records += reader.finish()
    assert [(record.line, record.offset_bytes) for record in records] == [(good, 84)]
    damage = reader.take_damage()
    assert b"".join(bad.line for bad in damage) == b"x" * 50 + good + b"y" * 30
    assert {bad.reason for bad in damage[:-1]} == {"a line of more than 40 bytes"}
    assert damage[-1] == DamagedLine(3, 118, b"y" * 30, "not an audit record")


def test_finds_single_fields() -> None:
    """`get` gives the first field of a name, as `fields` does, and None for none."""
    record = Record(b"type=SYSCALL msg=audit(1.234:5): a=1 b=2 a=3 msg='c=\"4\"'\x1dA=5")
    assert [record.get(name) for name in ("a", "b", "c", "A", "d")] == [
        b"1",
        b"2",
        b'"4"',
        b"5",
        None,
    ]
    assert record.fields == {"a": b"1", "b": b"2", "c": b'"4"', "A": b"5"}


@given(_LINE, st.lists(st.sampled_from(["pid", "uid", "a0", "UID", "b", "msg", "x"]), max_size=32))
def test_finds_many_fields(line: bytes, names: list[str]) -> None:
    """`values` gives for each name what `get` does, whatever their order."""
    try:
        record = Record(line)
    except ValueError:
        return
    names += [name for name, _ in record.pairs][:16]
    names = list(dict.fromkeys(names))[:32]
    assert record.values(tuple(names)) == tuple(record.get(name) for name in names)


def test_remembers_answers() -> None:
    """The decoder is asked once for a value that comes again, until told to forget."""
    asked: list[int] = []

    def find(uid: int) -> str | None:
        asked.append(uid)
        return None

    encoder = RecordEncoder(Decoder(Names(find, find, limit=1)))
    records = [Record(b"type=A msg=audit(1.234:%d): uid=77" % serial) for serial in range(9)]
    first = encoder.encode(records)
    other = [Record(b"type=A msg=audit(1.234:5): uid=78")]
    encoder.encode(other)
    assert encoder.encode(records) == first
    assert asked == [77, 78]
    encoder.forget()
    encoder.encode(records)
    assert asked == [77, 78, 77]


def test_hands_on_what_the_decoder_raises() -> None:
    """An error in a lookup comes through, and the encoder goes on working after it."""
    is_broken = True

    def find(uid: int) -> str | None:
        if is_broken:
            raise OSError("no such directory server")
        return "root"

    encoder = RecordEncoder(Decoder(Names(find)))
    records = [Record(b"type=A msg=audit(1.234:5): uid=0")]
    with pytest.raises(OSError, match="directory server"):
        encoder.encode(records)
    is_broken = False
    assert b'"value":"root"' in encoder.encode(records)


@pytest.mark.parametrize("records", [None, [None], [1], ("x",)])
def test_refuses_what_are_no_records(records: object) -> None:
    """Anything but a list of records is a programming error, named as such."""
    with pytest.raises(TypeError, match="records"):
        RecordEncoder(Decoder(Names())).encode(records)  # type: ignore[arg-type]
