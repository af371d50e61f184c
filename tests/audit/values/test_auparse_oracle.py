"""Values as auparse, the audit project's own library, reads them: field by field, on all logs."""

from __future__ import annotations

import grp
import json
import pwd
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steno.audit.coalescing import Coalescer
from steno.audit.encoding import RecordEncoder
from steno.audit.records import LineReader
from steno.audit.values.decoding import Decoder
from steno.audit.values.names import Names
from steno.audit.values.tables.records import NAMES

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data/audit"
LOGS = (
    DATA / "f1/audit-enriched.log",
    DATA / "f2/audit-enriched-zoo.log",
    DATA / "f5/audit-immutable-kernel6.1.log",
    DATA / "made/values.log",
)
DOCS = ROOT.parent / "docs/audit.md"
DEBIAN_PYTHON = "/usr/bin/python3"


def _has_auparse() -> bool:
    done = subprocess.run([DEBIAN_PYTHON, "-c", "import auparse"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not _has_auparse(), reason="Debian package python3-audit is missing"),
]


class Field(NamedTuple):
    """One field as both read it."""

    type: str
    name: str
    raw: str
    value: str
    their_raw: str | None
    their_value: str | None


def _is_same(field: Field) -> bool:
    return (field.raw, field.value) == (field.their_raw, field.their_value)


def _is_bare(field: Field) -> bool:
    return field.their_value in (field.raw, f"0x{field.raw}")


def _is_cut(field: Field) -> bool:
    cut = field.raw.split(" ")[0].rstrip(")")
    return field.their_raw != field.raw and field.their_raw == cut


def _is_address_of_more(field: Field) -> bool:
    theirs = field.their_value or ""
    is_unknown = any(word in theirs for word in ("too short", "(unsupported)", "unknown-family"))
    is_more = "path=@" in field.value or "groups=" in field.value
    is_none = not theirs or theirs.startswith("malformed")
    return field.name == "saddr" and (is_unknown or is_more or is_none)


def _is_of_architecture(field: Field) -> bool:
    """Tell whether auparse takes one architecture for another, or says more than the number."""
    theirs = field.their_value or ""
    if field.name == "syscall":
        is_of_riscv = (field.value, theirs) == ("execve", "fadvise64")
        return is_of_riscv or field.value == field.raw or theirs.startswith(f"{field.value}(")
    is_argument = field.type == "SYSCALL" and field.value.startswith(("O_", "MAP_"))
    return is_argument or (field.name, field.value, theirs) == ("arch", "arm", "armeb")


def _in(*names: str) -> Callable[[Field], bool]:
    return lambda field: field.name in names


DIFFERENCES: dict[str, Callable[[Field], bool]] = {
    "Names that are not UTF-8": lambda field: field.their_value is None,
    "Values with blanks or parentheses": _is_cut,
    "Quotes": lambda field: (
        field.their_value in (f'"{field.value}"', field.value.removesuffix("'"))
    ),
    "Bare numbers": lambda field: _is_bare(field) and field.value == field.raw,
    "Numbers that auparse does not name": _is_bare,
    "Names since auparse 3.0.9": lambda field: (field.their_value or "").startswith("unknown-"),
    "Several keys": lambda field: field.name == "key" and "\x01" in field.value,
    "Keystrokes": lambda field: (
        field.name == "data" and not ("ctrl-" not in field.value and field.value.isascii())
    ),
    "Modes without a type": lambda field: (field.their_value or "").startswith("000,"),
    "Octal flags": lambda field: field.type == "OPENAT2" and field.name == "oflag",
    "Seccomp's answers": lambda field: field.type == "SECCOMP" and field.name == "code",
    "Socket addresses": _is_address_of_more,
    "Personalities": lambda field: field.value.startswith("PER_LINUX|"),
    "Titles' ends": lambda field: (
        field.name == "proctitle" and field.value == (field.their_value or "").rstrip(" ")
    ),
    "Errors beyond 133": lambda field: field.name == "exit" and "(null)" in str(field.their_value),
    "Sockets": lambda field: (
        str(field.their_value).startswith("SOCK_")
        or field.value.startswith("SOL_")
        or field.their_value in ("igp", "ip")
    ),
    "Exit statuses": lambda field: field.their_value in ("EXIT_SUCCESS", "EXIT_FAILURE", "UNKNOWN"),
    "Permissions of SELinux": _in("seperms"),
    "Architectures": _is_of_architecture,
    "Names of system calls": lambda field: (
        field.name == "syscall" and field.value in ("pread64", "getdents64", "timerfd_create")
    ),
    "Calls of one pointer": lambda field: (
        field.their_value in ("PROT_NONE", "MAP_FILE") and field.value == "0"
    ),
    "Ethernet": _in("macproto"),
}
"""Why a field may differ; docs/audit.md explains each under the same words."""


def _theirs(log: Path) -> list[dict[str, Any]]:
    program = ROOT / "support/dump_auparse.py"
    done = subprocess.run([DEBIAN_PYTHON, program, log], capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _user(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _group(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def _fields(log: Path) -> Iterator[Field]:
    """Yield all fields of a log as both read them; fields of one name once a record."""
    theirs: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for record in _theirs(log):
        theirs[record["serial"], record["type"]].append(record)
    encoder = RecordEncoder(Decoder(Names(_user, _group)))
    reader = LineReader()
    for record in reader.feed(log.read_bytes()) + reader.finish():
        known = theirs[record.serial, record.type if record.type != "DM_CTRL" else "UNKNOWN[-1]"]
        their_fields: dict[str, list[Any]] = {}
        for name, raw, value in known.pop(0)["fields"]:
            their_fields.setdefault(name, [raw, value])
        encoded = json.loads(encoder.encode([record]))[0]["fields"]
        ours = {name: entry for name, entry in encoded.items() if not name.isupper()}
        assert set(ours) == set(their_fields) | ({"saddr"} & set(ours))
        for name, entry in ours.items():
            value = entry.get("value", entry["raw"])
            yield Field(record.type, name, entry["raw"], value, *their_fields.get(name, (None, "")))
    assert not any(theirs.values()), "auparse has more records"
    assert reader.take_damage() == []


def test_values_agree_with_auparse_but_for_what_is_explained() -> None:
    """Each field of each log says what auparse says, or differs for a documented reason."""
    used: Counter[str] = Counter()
    unexplained = []
    for log in LOGS:
        for field in _fields(log):
            if _is_same(field):
                used["same"] += 1
                continue
            reason = next((name for name, is_so in DIFFERENCES.items() if is_so(field)), None)
            used[reason or ""] += 1
            if reason is None:
                unexplained.append(field)
    assert unexplained == []
    assert set(DIFFERENCES) - set(used) == set(), "differences that there are none of"
    assert used["same"] > 20_000


def test_each_difference_is_explained_in_the_docs() -> None:
    """The page on the audit trail lists the same differences as this test, in the same words."""
    section = DOCS.read_text().split("## What differs from ausearch -i")[1].split("\n## ")[0]
    listed = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert listed[1:] == [*DIFFERENCES, *_SHAPES]


_SHAPES = ("Logins", "Landlock")


def test_auparse_splits_logins_from_their_system_calls() -> None:
    """A LOGIN record is of its SYSCALL's event here, and an event of its own in auparse."""
    log = LOGS[0]
    reader, coalescer = LineReader(), Coalescer()
    groups = coalescer.feed(reader.feed(log.read_bytes())) + coalescer.finish()
    logins = [group for group in groups if any(r.type == "LOGIN" for r in group.records)]
    assert logins
    assert all({r.type for r in group.records} > {"SYSCALL", "LOGIN"} for group in logins)
    theirs: dict[int, set[int]] = defaultdict(set)
    for record in _theirs(log):
        theirs[record["serial"]].add(record["event"])
    serials = {group.records[0].serial for group in logins}
    assert {serial for serial, events in theirs.items() if len(events) > 1} == serials


def test_landlock_records_have_their_names() -> None:
    """Types that auditd 3.0.9 wrote as numbers are known by name."""
    types = {record["type"] for record in _theirs(LOGS[1])}
    assert {"UNKNOWN[1423]", "UNKNOWN[1424]"} <= types
    assert NAMES[1423] == "LANDLOCK_ACCESS"
    assert NAMES[1424] == "LANDLOCK_DOMAIN"
