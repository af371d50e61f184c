"""Audit trails for tests: real logs as the lines that a host's courier delivers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.trail import TrailEncoder, TrailEnd, TrailHead, TrailItem

LOGS = Path(__file__).parents[1] / "data" / "audit"
F1 = LOGS / "f1" / "audit-enriched.log"
BOOT_ID = "f1" * 16


def read_events(data: bytes, host: str = "vm") -> list[Event]:
    """Return the events of a log."""
    reader = EventReader(EventBuilder(host=host))
    return reader.feed(data) + reader.finish()


def f1_events() -> list[Event]:
    """Return the events of three real SSH sessions; avery's is `ses=4`."""
    return read_events(F1.read_bytes())


def in_order(events: list[Event]) -> list[Event]:
    """Return events as a store lists them: by their instants, then by their serials."""
    return sorted(events, key=lambda event: (event.at_unix_us // 1000, event.serial))


def trail_id(name: str = "1", boot_id: str = BOOT_ID) -> str:
    """Return a trail's id."""
    return f"trail-{boot_id}-{name}"


def make_trail(
    *items: TrailItem,
    name: str = "1",
    boot_id: str = BOOT_ID,
    host: str = "vm",
    has_end: bool = True,
) -> tuple[str, list[bytes]]:
    """Return a trail's id and its chained lines."""
    trail = trail_id(name, boot_id)
    encoder = TrailEncoder()
    started = next((item.at_unix_us for item in items if isinstance(item, Event)), 1)
    lines = [encoder.encode(TrailHead(trail, host, boot_id, started, "steno 0", "session"))]
    lines += [encoder.encode(item) for item in items]
    if has_end:
        lines.append(encoder.encode(TrailEnd(started, "stopped")))
    return trail, lines


def repeated(events: list[Event], times: int) -> list[Event]:
    """Return the events several times over, a minute apart, with serials of their own."""
    return [
        msgspec.structs.replace(
            event,
            serial=event.serial + 10_000 * number,
            at_unix_us=event.at_unix_us + 60_000_000 * number,
        )
        for number in range(times)
        for event in events
    ]
