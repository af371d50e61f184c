#!/usr/bin/env python3
"""Measure what looking with alert rules costs: events and lines, against only reading them.

usage: bench/alerts.py [--times N] [--rules N]

Prints markdown. The real log f1 (409 events of three SSH sessions) stands N times in one trail;
the lines are its commands. All in one thread, processor time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from steno.audit.reading import EventReader
from steno.audit.trail import TrailDecoder, TrailEncoder, TrailHead, make_trail_id
from steno.model import Verification
from steno.server.alert_rules import Rule, parse_rules
from steno.server.alert_watch import read_own_rules
from steno.server.alerting import Alerting
from steno.store.accounts_file import AccountsFile
from steno.store.alerts import Alerts
from steno.store.opening import open_store
from steno.store.protocol import Store, Summary

F1 = Path(__file__).parents[1] / "tests" / "data" / "audit" / "f1" / "audit-enriched.log"
BOOT_ID = "0" * 32
SUMMARY = Summary("r", "web1", "avery", 0, 0, False, 0, 0, Verification("complete", 0, None))


def rules_of(count: int) -> tuple[Rule, ...]:
    """Return so many rules, half of them for events, that find nothing."""
    texts = []
    for number in range(count):
        query = (
            f"ran:nothing{number} OR file:/nowhere/{number}" if number % 2 else f"nothing{number}"
        )
        texts.append(f'[[rule]]\nname = "r{number}"\nseverity = "low"\nquery = "{query}"\n')
    return parse_rules("".join(texts).encode(), "bench", datetime.now(UTC))


def cpu_s(work: Callable[[], object]) -> float:
    """Return the least processor time of three runs."""
    times = []
    for _ in range(3):
        begun_s = time.process_time()
        work()
        times.append(time.process_time() - begun_s)
    return min(times)


def look(directory: Path, store: Store, rules: tuple[Rule, ...]) -> float:
    """Return the processor time for looking at all of a store for the first time."""

    def once() -> None:
        path = directory / f"accounts-{time.monotonic_ns()}.sqlite"
        file = AccountsFile(path)
        alerts = Alerts(file)
        alerts.begin([])
        Alerting(store, alerts, rules).look_at_all()
        file.close()

    return cpu_s(once)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rules", type=int, default=100)
    options = parser.parse_args()
    reader = EventReader()
    events = reader.feed(F1.read_bytes()) + reader.finish()
    trail, encoder = make_trail_id(BOOT_ID, "bench"), TrailEncoder()
    lines = [encoder.encode(TrailHead(trail, "web1", BOOT_ID, events[0].at_unix_us, "bench"))]
    for number in range(options.times):
        moved = [
            msgspec.structs.replace(event, serial=event.serial + 1000 * number) for event in events
        ]
        lines += map(encoder.encode, moved)
    data = b"".join(lines)
    count = len(events) * options.times
    own = parse_rules(read_own_rules(), "own", datetime.now(UTC))
    many = rules_of(options.rules)
    texts = [event.text for event in events]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = open_store(directory / "store")
        store.append(trail, 0, data, sender="web1")
        read_s = cpu_s(lambda: TrailDecoder().feed(data))
        rows = [("only read", read_s)]
        rows += [
            (f"{len(rules)} rules", look(directory, store, rules)) for rules in (own, own + many)
        ]
        store.close()
    print(f"| {count} events, {len(data) // count} bytes each | µs each | of only reading |")
    print("|---|---|---|")
    for what, seconds in rows:
        print(f"| {what} | {seconds / count * 1e6:.1f} | {seconds / read_s:.2f} |")
    print(f"\n| {len(texts)} lines | µs each |\n|---|---|")
    for rules in (own, own + many):
        of_lines = [rule for rule in rules if rule.is_for_lines]
        seconds = cpu_s(lambda: [r.finds_line(text, SUMMARY) for text in texts for r in of_lines])  # noqa: B023
        print(f"| {len(of_lines)} rules for lines | {seconds / len(texts) * 1e6:.1f} |")


if __name__ == "__main__":
    main()
