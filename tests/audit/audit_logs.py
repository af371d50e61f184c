"""Real audit logs, read into events, for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.values.names import Names

DATA = Path(__file__).parents[1] / "data" / "audit"
F1 = DATA / "f1" / "audit-enriched.log"
F2 = DATA / "f2" / "audit-enriched-zoo.log"
F5 = DATA / "f5" / "audit-immutable-kernel6.1.log"


def read_events(data: bytes, names: Names | None = None) -> list[Event]:
    """Return the events of a log, in the order of their numbers; all of it can be read."""
    reader = EventReader(EventBuilder(names=names))
    events = reader.feed(data) + reader.finish()
    assert reader.take_damage() == []
    return sorted(events, key=lambda event: (event.at_unix_us, event.serial))


def read_raw(data: bytes) -> bytes:
    """Return an ENRICHED log as auditd writes it in RAW: without what it knew about the fields."""
    return b"\n".join(line.partition(b"\x1d")[0] for line in data.split(b"\n"))
