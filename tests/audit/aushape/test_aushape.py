"""aushape's JSON and XML: as aushape writes them where it does right, valid where it does not."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.aushape.documents import AushapeFormat, AushapeWriter
from steno.audit.coalescing import Coalescer
from steno.audit.event import Event, Process, Thing, Who
from steno.audit.events import EventBuilder
from steno.audit.records import LineReader

DATA = Path(__file__).parents[2] / "data/audit"
LOGS = {
    "f1": DATA / "f1/audit-enriched.log",
    "f2": DATA / "f2/audit-enriched-zoo.log",
    "f5": DATA / "f5/audit-immutable-kernel6.1.log",
}

Logged = list[tuple[Event, list[str]]]


@functools.cache
def read(log: str) -> Logged:
    """Return a log's events, each with its records' lines."""
    lines, groups, builder = LineReader(), Coalescer(), EventBuilder()
    found = groups.feed(lines.feed(LOGS[log].read_bytes()) + lines.finish()) + groups.finish()
    return [
        (builder.build(group), [record.line.decode(errors="replace") for record in group.records])
        for group in found
    ]


def write(events: Logged, form: AushapeFormat) -> bytes:
    """Return all that a writer makes of events."""
    writer = AushapeWriter(form)
    return b"".join(itertools.starmap(writer.add, events)) + writer.finish()


def read_bare(data: str) -> dict[int, dict[str, Any]]:
    """Return the events of aushape's bare output, which is no JSON as a whole, by serial."""
    decoder, at, found = json.JSONDecoder(strict=False), 0, dict[int, dict[str, Any]]()
    while at < len(data):
        event, at = decoder.raw_decode(data, at)
        # auparse 3.0.9 makes an event of its own of a LOGIN record; it belongs to the next one.
        found.setdefault(event["serial"], event)["data"] |= event["data"]
    return found


def differences(ours: Any, theirs: Any, place: str = "") -> dict[str, tuple[Any, Any]]:  # noqa: ANN401  # JSON
    """Return where two JSON values differ, numbered where that happens several times."""
    if ours == theirs:
        return {}
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {
            where: pair
            for key in sorted(ours.keys() | theirs.keys())
            for where, pair in differences(ours.get(key), theirs.get(key), f"{place}/{key}").items()
        }
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = list(zip(ours, theirs, strict=True))
        if all(isinstance(item, dict) for item in ours):
            return {
                where: pair
                for number, (one, other) in enumerate(pairs)
                for where, pair in differences(one, other, f"{place}/{number}").items()
            }
    return {place: (ours, theirs)}


EXPLAINED = {
    "/data/login/old-ses": "auparse knows `ses` to be unset, not `old-ses`",
    "/data/add_group/op": "auparse takes the first word of the operation only",
    "/data/add_user/op": "the same",
    "/data/del_group/op": "the same",
    "/data/del_user/op": "the same",
    "/data/tty/data": "auparse writes letters that are not ASCII as octal escapes",
}
"""All that docs/audit.md names; anything else is a mistake."""


ARGUMENTS = {f"/data/syscall/a{number}" for number in range(4)}


def is_read_further(ours: list[str], theirs: list[str]) -> bool:
    """Tell whether a system call's argument differs in no more than how far it is read.

    What auparse leaves a number, Steno may read (modes, ids, flags); and for the status 0 of exit
    auparse says EXIT_SUCCESS.
    """
    raw = theirs[-1]
    return ours[-1] == raw and theirs[0] in (f"0x{raw}", "EXIT_SUCCESS")


def test_every_event_is_as_aushape_has_it_but_for_what_is_explained() -> None:
    """f1 against aushape 1.x's own output, event by event, field by field."""
    theirs = read_bare((DATA / "f1/aushape.jsonl").read_text())
    ours = {event["serial"]: event for event in json.loads(write(read("f1"), AushapeFormat()))}
    assert ours.keys() == theirs.keys()
    assert len(ours) == 409
    found: dict[str, tuple[Any, Any]] = {}
    for serial in ours:
        for place, pair in differences(ours[serial], theirs[serial]).items():
            if place in ARGUMENTS and pair[0][-1] == pair[1][-1]:
                continue
            assert place in EXPLAINED, (serial, place, pair)
            found[place] = pair
    assert found["/data/login/old-ses"] == (["unset", "4294967295"], ["4294967295"])
    assert found["/data/del_user/op"] == (["deleting user entries"], ["deleting"])
    typed, escaped = found["/data/tty/data"]
    assert "\u00fc" in typed[0]
    assert "\\303\\274" in escaped[0]
    assert typed[1] == escaped[1]


def test_docs_name_each_difference() -> None:
    """docs/audit.md tells what users of aushape will see that is not the same."""
    text = (Path(__file__).parents[3] / "docs/audit.md").read_text()
    for place in EXPLAINED:
        record, field = place.split("/")[2:]
        assert f"`{field}`" in text, place
        assert f"`{record}`" in text, place


FORMATS = [
    AushapeFormat(),
    AushapeFormat(fold_level=0),
    AushapeFormat(fold_level=None, indent=2, with_text=True),
    AushapeFormat(events_per_doc=3, fold_level=0, with_norm=True),
    AushapeFormat(events_per_doc=-5000),
    AushapeFormat(events_per_doc=0, fold_level=0, with_text=True, with_norm=True),
    AushapeFormat(max_event_bytes=1024, with_text=True, with_norm=True, fold_level=0),
    AushapeFormat(max_event_bytes=2000),
]


def documents(data: bytes, form: AushapeFormat) -> list[Any]:
    """Return the documents of an output whose documents stand on one line each, or the one."""
    if form.fold_level == 0:
        return [json.loads(line) for line in data.splitlines()]
    decoder, text, at, found = json.JSONDecoder(), data.decode(), 0, []
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        assert text[at] == "\n"
        at += 1
        found.append(document)
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("log", LOGS)
def test_json_is_always_json_and_fits_the_schema(log: str, form: AushapeFormat) -> None:
    """Names that are not UTF-8 and unknown types included; every field is one or two strings."""
    events = read(log)
    found = documents(write(events, form), form)
    if form.events_per_doc != 0:
        assert all(isinstance(document, list) and document for document in found)
        found = [event for document in found for event in document]
    assert [event["serial"] for event in found] == [event.serial for event, _ in events]
    for event in found:
        assert event.keys() <= {
            "serial",
            "time",
            "node",
            "trimmed",
            "error",
            "text",
            "data",
            "norm",
        }
        for name, record in event.get("data", {}).items():
            assert name == name.lower()
            check_record(name, record)
        assert not form.with_norm or "norm" in event or "trimmed" in event


def check_record(name: str, record: Any) -> None:  # noqa: ANN401  # JSON
    """Check that a record is what aushape's schema calls one."""
    if name == "execve":
        assert all(isinstance(argument, str) for argument in record)
        return
    for one in record if isinstance(record, list) else [record]:
        for value in one.values():
            assert 1 <= len(value) <= 2
            assert all(isinstance(part, str) for part in value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("log", LOGS)
def test_xml_is_always_well_formed(log: str, form: AushapeFormat) -> None:
    """Control characters and unknown types included, which break aushape's own."""
    form = changed(form, language="xml")
    events = read(log)
    data = write(events, form)
    if form.events_per_doc == 0:
        roots = [ElementTree.fromstring(line) for line in data.splitlines()]
        assert [root.tag for root in roots] == ["event"] * len(events)
        return
    parts = data.split(b'<?xml version="1.0" encoding="UTF-8"?>')[1:]
    found = [event for part in parts for event in ElementTree.fromstring(part.strip())]
    assert [int(event.attrib["serial"]) for event in found] == [event.serial for event, _ in events]


def changed(form: AushapeFormat, **changes: Any) -> AushapeFormat:  # noqa: ANN401  # options
    """Return a format with other options."""
    return dataclasses.replace(form, **changes)


@pytest.mark.parametrize("language", ["json", "xml"])
@pytest.mark.parametrize("limit", [1024, 1500, 4096])
def test_no_event_is_larger_than_the_limit(language: Any, limit: int) -> None:  # noqa: ANN401  # Literal
    """Cut ones say so, keep their identity, and lose normalized data and late records first."""
    form = AushapeFormat(
        language, 0, fold_level=0, max_event_bytes=limit, with_text=True, with_norm=True
    )
    whole = AushapeFormat(language, 0, fold_level=0, with_text=True, with_norm=True)
    for logged in read("f1"):
        cut, full = write([logged], form), write([logged], whole)
        assert len(cut) - 1 <= limit
        if len(full) - 1 <= limit:
            assert cut == full
        else:
            assert b"trimmed" in cut


def test_what_is_cut_first_is_what_comes_last() -> None:
    """First the normalized data go, then the last records; the first are kept whole."""
    event = next(event for event, _ in read("f1") if event.action == "ran")
    limited = AushapeFormat(events_per_doc=0, fold_level=0, max_event_bytes=1024, with_norm=True)
    cut = json.loads(write([(event, [])], limited))
    whole = json.loads(write([(event, [])], AushapeFormat(events_per_doc=0, fold_level=0)))
    assert cut["trimmed"] == []
    assert "norm" not in cut
    kept = list(cut["data"])
    assert kept == list(whole["data"])[: len(kept)]
    assert cut["data"]["syscall"] == whole["data"]["syscall"]


def test_missing_records_are_an_error_and_the_lines_are_shown() -> None:
    """An EXECVE that announces more than was logged: said, with all there is."""
    records = [
        {"type": "EXECVE", "fields": {"argc": {"raw": "2"}, "a0": {"raw": '"ls"', "value": "ls"}}}
    ]
    event = Event(
        1,
        0,
        "ran",
        process=Process(arguments=["ls"]),
        records=msgspec.Raw(json.dumps(records).encode()),
    )
    (shown,) = json.loads(write([(event, ["type=EXECVE ..."])], AushapeFormat()))
    assert "announced 2 arguments" in shown["error"]
    assert shown["text"] == ["type=EXECVE ..."]
    assert shown["data"] == {"execve": ["ls"]}


def test_a_type_that_comes_twice_is_a_list() -> None:
    """Aushape gives up the whole event there."""
    records = [{"type": "BPF", "fields": {"op": {"raw": op}}} for op in ("LOAD", "UNLOAD")]
    event = Event(1, 0, "used BPF", records=msgspec.Raw(json.dumps(records).encode()))
    (shown,) = json.loads(write([(event, [])], AushapeFormat()))
    assert shown["data"] == {"bpf": [{"op": ["LOAD"]}, {"op": ["UNLOAD"]}]}
    xml = ElementTree.fromstring(write([(event, [])], AushapeFormat("xml")))
    assert [item[0].attrib["i"] for item in xml.findall("event/data/bpf/item")] == [
        "LOAD",
        "UNLOAD",
    ]


def test_bytes_that_are_not_utf_8_stand_beside_their_text() -> None:
    """What U+FFFD stands for is in the second string, hexadecimal."""
    events = [
        event
        for event in json.loads(write(read("f2"), AushapeFormat()))
        for path in event["data"].get("path", [])
        if "\ufffd" in path["name"][0]
    ]
    assert events
    for event in events:
        for path in event["data"]["path"]:
            shown, *raw = path["name"]
            if "\ufffd" in shown:
                assert bytes.fromhex(raw[0]).decode(errors="replace") == shown


def test_documents_hold_so_many_events() -> None:
    """--events-per-doc N, and the last document the rest; without events `all` is one document."""
    events = read("f5")[:7]
    form = AushapeFormat(events_per_doc=3, fold_level=0)
    assert [len(document) for document in documents(write(events, form), form)] == [3, 3, 1]
    assert json.loads(write([], AushapeFormat())) == []
    assert write([], form) == b""
    assert ElementTree.fromstring(write([], AushapeFormat("xml"))).tag == "log"


def test_normalized_data_speak_steno_s_words() -> None:
    """The members are aushape's; action, object and result are the event's."""
    event = Event(
        7,
        0,
        "deleted",
        "failure",
        who=Who(login_uid=1501, login_user="avery", uid=0, user="root"),
        process=Process(pid=5, program="/usr/bin/rm"),
        objects=[Thing("file", "/etc/motd")],
        keys=["steno-file"],
    )
    (shown,) = json.loads(write([(event, [])], AushapeFormat(with_norm=True)))
    assert shown["norm"] == {
        "event_kind": ["file"],
        "session": ["unset", "4294967295"],
        "subject_kind": ["privileged-acct"],
        "subject_primary": ["avery", "1501"],
        "subject_secondary": ["root", "0"],
        "subject_attrs": [["5"]],
        "action": ["deleted"],
        "object_kind": ["file"],
        "object_primary": ["/etc/motd"],
        "result": ["failure"],
        "how": ["/usr/bin/rm"],
        "key": ["steno-file"],
    }


TEXTS = st.text(max_size=20)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.one_of(st.sampled_from(["PATH", "EXECVE", "AVC", "SYSCALL"]), TEXTS),
            "fields": st.dictionaries(
                st.one_of(st.sampled_from(["a0", "argc", "item", "name"]), TEXTS),
                st.fixed_dictionaries({"raw": TEXTS}, optional={"value": TEXTS}),
                max_size=4,
            ),
        }
    ),
    max_size=5,
)


@given(RECORDS, TEXTS, st.sampled_from(FORMATS))
def test_nothing_makes_invalid_documents(
    records: list[dict[str, Any]], host: str, form: AushapeFormat
) -> None:
    """Any names, any values, any types: JSON parsers and XML parsers take it."""
    event = Event(1, 0, "x", host=host, records=msgspec.Raw(msgspec.json.encode(records)))
    lines = [record["type"] for record in records]
    documents(write([(event, lines)], form), form)
    xml = write([(event, lines)], changed(form, language="xml"))
    if form.events_per_doc == 0:
        ElementTree.fromstring(xml.strip())
    else:
        ElementTree.fromstring(xml.split(b"?>", 1)[1].strip())
