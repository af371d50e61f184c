#!/usr/bin/env python3
"""Measure what opening a long recording's commands and timeline costs, against ausearch --session.

usage: bench/joins.py [--events N]... [--directory DIR]

Prints markdown. Commands of a real SSH session (f1) are typed again and again in one audit session,
until it has so many events; its recording is as long. Steno reads them from its store, joins them
with the recording (the tree of commands) and lays them out in lanes; ausearch (Debian: auditd) only
picks the session's records from the log with the same events and interprets them. Processor time,
the least of three runs.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from audited_session import BOOT_ID, F1, HOST, SHELL_PID, make_trail, read_truth

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start
from steno.server.indexer import Indexer
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.web.lanes import lay_out
from steno.web.trail_joining import TrailJoiner

SESSION = 4
REC = "bench"
_STAMP = re.compile(rb"audit\((\d+)\.(\d+):(\d+)\)")


def read_session() -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Return the lines of the session's events: how it began, and what was done in it."""
    lines: dict[int, list[bytes]] = {}
    for line in (F1 / "audit-enriched.log").read_bytes().splitlines(keepends=True):
        if match := _STAMP.search(line):
            lines.setdefault(int(match[3]), []).append(line)
    begun: list[list[bytes]] = []
    done: list[list[bytes]] = []
    for event in parse(b"".join(line for group in lines.values() for line in group)):
        if event.audit_session != SESSION:
            continue
        is_shell = event.process.pid == SHELL_PID
        if is_shell and event.action == "ran":
            begun.append(lines[event.serial])
        elif begun and not (is_shell and event.action not in ("started", "typed")):
            done.append(lines[event.serial])
    return begun[:1], done


def parse(log: bytes) -> list[Event]:
    """Return a log's events."""
    reader = EventReader()
    return reader.feed(log) + reader.finish()


def make_log(count: int) -> bytes:
    """Return a log with about so many events of one session."""
    begun, done = read_session()
    first_s, last_s = (int(_STAMP.search(done[place][0])[1]) for place in (0, -1))  # type: ignore[index]
    pieces = [line for group in begun for line in group]
    for number in range(-(-count // len(done))):
        shift_s, shift = number * (last_s - first_s + 1), number * 100_000

        def move(match: re.Match[bytes], shift_s: int = shift_s, shift: int = shift) -> bytes:
            return b"audit(%d.%b:%d)" % (int(match[1]) + shift_s, match[2], int(match[3]) + shift)

        pieces += [_STAMP.sub(move, line) for group in done for line in group]
    return b"".join(pieces)


def fill(store: Store, log: bytes) -> int:
    """Put the session's trail and recording into a store; return how many events it has."""
    events = parse(log)
    store.append("trail-bench", 0, b"".join(make_trail("trail-bench", events)), sender=HOST)
    start_us = round(float(str(read_truth()[0]["t"])) * 1_000_000)
    start = Start(
        user="avery", login_user="avery", host=HOST, started_unix_us=start_us, recorder="bench",
        service="sshd", boot_id=BOOT_ID, audit_session=SESSION, pid=SHELL_PID,
        inner_terminal="/dev/pts/2", columns=80, rows=24, records=["output"],
    )  # fmt: skip
    cutter = Cutter(Identity(HOST, REC, "avery", "xterm", SESSION, start))
    last_us = events[-1].at_unix_us - start_us + 1_000_000
    lines = [cutter.begin(0), *cutter.add(Output(last_us, b"logout"))]
    lines += cutter.end(End("exit", exit_status=0, output_bytes=6), last_us)
    store.append(REC, 0, b"".join(lines), sender=HOST)
    indexer = Indexer(store)
    indexer.drain(["trail-bench", REC])
    return len(events)


def cpu_s(work: Callable[[], object]) -> float:
    """Return the least processor time of three runs, that of their children with it."""
    times = []
    for _ in range(3):
        begun_s = _used_s()
        work()
        times.append(_used_s() - begun_s)
    return min(times)


def _used_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def ausearch(log: Path) -> None:
    """Pick the session from the log, interpreted."""
    command = ["ausearch", "-if", str(log), "--session", str(SESSION), "-i"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def measure(directory: Path, count: int) -> str:
    """Return a row of the table."""
    log = directory / f"{count}.log"
    log.write_bytes(make_log(count))
    store = open_store(directory / f"store-{count}")
    events = fill(store, log.read_bytes())
    summary = store.find(REC)
    joined = TrailJoiner(store).find(summary)
    join_s = cpu_s(lambda: TrailJoiner(store).find(summary))
    lanes_s = cpu_s(lambda: lay_out(joined, summary.duration_us))
    store.close()
    peer, ratio = "", ""
    if shutil.which("ausearch"):
        peer_s = cpu_s(lambda: ausearch(log))
        peer, ratio = f"{peer_s * 1e3:.0f}", f"{(join_s + lanes_s) / peer_s:.2f}"
    return (
        f"| {events} | {len(joined)} | {len(joined.commands.items)} | {join_s * 1e3:.0f} |"
        f" {lanes_s * 1e3:.0f} | {join_s / events * 1e6:.0f} | {peer} | {ratio} |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", help="1000, 10000 and 100000")
    parser.add_argument("--directory", type=Path, help="where the stores are made (/tmp)")
    options = parser.parse_args()
    print(
        "| events | the recording's | commands | tree ms | lanes ms | tree µs an event |"
        " ausearch ms | times ausearch |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        for count in options.events or [1_000, 10_000, 100_000]:
            print(measure(Path(directory), count), flush=True)


if __name__ == "__main__":
    main()
