"""Entries of real journals, and others made as journald makes them."""

from __future__ import annotations

from pathlib import Path

from steno.audit.event import Event
from steno.audit.values.names import Names
from steno.audit.witness.speakers import COMMS, TAGS
from steno.audit.witness.witness import Witness

DEBIAN_12 = Path(__file__).parents[1] / "data" / "audit" / "journal" / "debian12.export"
NAMES = {0: "root", 1000: "pat", 1001: "opal", 1002: "mal"}
AT_UNIX_US = 1_795_161_731_000_000

Entry = dict[bytes, bytes]


def read_entries(path: Path = DEBIAN_12) -> list[Entry]:
    """Return the entries of a file in the export format whose values are all of one line."""
    return [
        dict(line.partition(b"=")[::2] for line in block.split(b"\n"))
        for block in path.read_bytes().strip().split(b"\n\n")
    ]


def render(entries: list[Entry]) -> bytes:
    """Return entries in the export format."""
    return b"".join(
        b"".join(b"%s=%s\n" % item for item in entry.items()) + b"\n" for entry in entries
    )


def entry_of(  # what such entries are made of
    message: str | bytes,
    *,
    exe: str | None = "/usr/sbin/sshd",
    comm: str | None = None,
    uid: int = 0,
    pid: int = 100,
    number: int = 1,
    after_us: int = 0,
    **fields: str,
) -> Entry:
    """Return an entry as journald keeps it of a program that spoke to syslog."""
    made = {
        "__CURSOR": f"s=1;i={number:x};b=1",
        "__REALTIME_TIMESTAMP": str(AT_UNIX_US + after_us),
        "_TRANSPORT": "syslog",
        "_UID": str(uid),
        "_PID": str(pid),
        "_COMM": comm or (exe or "").rpartition("/")[2][:15],
        "_CAP_EFFECTIVE": "1ffffffffff" if uid == 0 else "0",
    }
    if exe is not None:
        made["_EXE"] = exe
    data = {name.encode(): value.encode() for name, value in (made | fields).items()}
    data[b"MESSAGE"] = message if isinstance(message, bytes) else message.encode()
    return data


def hear(entries: list[Entry]) -> list[Event]:
    """Return the events that a witness makes of what journalctl would give it of these."""
    witness = Witness(Names(NAMES.get))
    looked_at = [one for one in entries if is_looked_at(one)]
    return [event for one in looked_at if (event := witness.look(one)) is not None]


def is_looked_at(entry: Entry) -> bool:
    """Return whether journalctl is asked for such an entry."""
    comm, tag = entry.get(b"_COMM", b"").decode(), entry.get(b"SYSLOG_IDENTIFIER", b"").decode()
    return comm in COMMS or tag in TAGS
