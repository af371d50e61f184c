#!/usr/bin/env python3
"""Measure audit events in the store: indexing, size, questions; against ausearch. Prints markdown.

usage: bench/events.py [--hosts N] [--times N] [--directory DIR]

Each host delivers the real log f1 (three SSH sessions, 409 events) so many times, a minute apart.
ausearch (Debian: auditd) is asked the same of one file with the log of all hosts; without it its
column stays empty. Times are medians of five; ausearch's are of one run.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.trail import TrailEncoder, TrailHead
from steno.model import Verification
from steno.server.indexer import Indexer
from steno.store.events import EventQuery
from steno.store.opening import open_store
from steno.store.protocol import Derived, Store, Summary
from steno.store.query import parse

F1 = Path(__file__).parents[1] / "tests" / "data" / "audit" / "f1" / "audit-enriched.log"
STEP_US = 60_000_000

QUERIES: tuple[tuple[str, list[str] | None], ...] = (
    ("file:/etc/passwd action:wrote", ["-f", "/etc/passwd"]),
    ("file:/no/such/file", ["-f", "/no/such/file"]),
    ("ran:curl", ["-c", "curl"]),
    ("result:failure", ["-sv", "no"]),
    ("addr:127.0.0.0/8", ["-hn", "127.0.0.1"]),
    ("file:*passwd*", None),
    ("-result:success", None),
)


def read_f1() -> list[Event]:
    """Return the events of f1."""
    reader = EventReader(EventBuilder())
    return reader.feed(F1.read_bytes()) + reader.finish()


def make_trail(events: list[Event], host: int, times: int) -> tuple[str, bytes]:
    """Return a host's trail."""
    boot_id = f"{host:032x}"
    trail = f"trail-{boot_id}-bench"
    encoder = TrailEncoder()
    name = f"host{host}"
    lines = [encoder.encode(TrailHead(trail, name, boot_id, events[0].at_unix_us, "bench"))]
    for number in range(times):
        for event in events:
            session = event.audit_session
            lines.append(
                encoder.encode(
                    msgspec.structs.replace(
                        event,
                        host=name,
                        serial=event.serial + 1000 * number,
                        at_unix_us=event.at_unix_us + STEP_US * number + host * 1000,
                        audit_session=None if session is None else session + 10 * number,
                    )
                )
            )
    return trail, b"".join(lines)


def put_recordings(store: Store, started_unix_us: int, host: int, times: int) -> None:
    """Give every interactive session of a host a recording, without any text."""
    for number in range(times):
        rec = f"r{host}-{number}"
        summary = Summary(
            rec, f"host{host}", "avery", started_unix_us + STEP_US * number, 7_000_000, False, 1,
            10,
            Verification("complete", 1), sender=f"host{host}", boot_id=f"{host:032x}",
            audit_session=4 + 10 * number,
        )  # fmt: skip
        store.put_derived(rec, Derived(10, summary))


def median_ms(work: Callable[[], int]) -> tuple[float, int]:
    """Return the median of five runs, and what the last one returned."""
    times = []
    for _ in range(5):
        begun_s = time.perf_counter()
        result = work()
        times.append((time.perf_counter() - begun_s) * 1000)
    return statistics.median(times), result


def run_ausearch(log: Path, options: list[str]) -> str:
    """Return how long ausearch took, in milliseconds."""
    if shutil.which("ausearch") is None:
        return ""
    begun_s = time.perf_counter()
    command = ["ausearch", "-if", str(log), "--raw", *options]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return f"{(time.perf_counter() - begun_s) * 1000:.0f}"


def measure_indexing(store: Store, directory: Path, hosts: int, times: int) -> None:
    """Fill the store; print what that took."""
    events = read_f1()
    cpu_s, count, size = 0.0, 0, 0
    for host in range(hosts):
        trail, data = make_trail(events, host, times)
        store.append(trail, 0, data, sender=f"host{host}")
        begun_s = time.process_time()
        Indexer(store).drain([trail])
        cpu_s += time.process_time() - begun_s
        count += len(events) * times
        size += len(data)
        put_recordings(store, events[0].at_unix_us - 200_000, host, times)
    index = sum(path.stat().st_size for path in directory.glob("index.sqlite*"))
    print("| events | hosts | events/s of CPU time | us an event | trail B/event | index B/event |")
    print("|---|---|---|---|---|---|")
    print(f"| {count} | {hosts} | {count / cpu_s:.0f} | {cpu_s / count * 1e6:.0f} |", end="")
    print(f" {size / count:.0f} | {index / count:.0f} |\n", flush=True)


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=20, help="how many hosts (20)")
    parser.add_argument("--times", type=int, default=25, help="how often each one's log (25)")
    parser.add_argument("--directory", type=Path, help="where the store is made (/tmp)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as made:
        directory = Path(made) / "store"
        store = open_store(directory)
        measure_indexing(store, directory, arguments.hosts, arguments.times)
        log = Path(made) / "audit.log"
        log.write_bytes(F1.read_bytes() * (arguments.hosts * arguments.times))
        print("| query | 50 events, ms | 50 recordings, ms | ausearch of the log, ms |")
        print("|---|---|---|---|")
        for query, options in QUERIES:
            tree = parse(query)
            alone_ms, _ = median_ms(lambda tree=tree: len(store.events(EventQuery(tree)).items))
            listed_ms, _ = median_ms(lambda tree=tree: len(store.recordings(tree).items))
            peer = "" if options is None else run_ausearch(log, options)
            print(f"| `{query}` | {alone_ms:.1f} | {listed_ms:.1f} | {peer} |", flush=True)
        store.close()


if __name__ == "__main__":
    main()
