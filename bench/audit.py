#!/usr/bin/env python3
"""Measure `steno audit convert` against auparse on the same large logs, in turns; print markdown.

usage: bench/audit.py [--megabytes N] [--repeats N] [--directory DIR]

The logs are real ones (tests/data/audit/f1), repeated with times and serials that go on and with
varied process ids and inodes: ENRICHED; RAW, with user ids that the host has names for; RAW with
ids that it has none for; and ENRICHED with names, arguments and titles that never come again, so
that little can be told from memory. The peer is Debian's python3-audit under /usr/bin/python3,
which walks all records and interprets every field, and writes nothing; Steno writes all events with
all their records as JSON lines into a file. Times are those of the whole programs; the bytecode of
both is there already, as after an installation.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

LOG = Path(__file__).parents[1] / "tests" / "data" / "audit" / "f1" / "audit-enriched.log"
STENO = Path(sysconfig.get_path("scripts")) / "steno"

WALK = """
import auparse, sys
parser = auparse.AuParser(auparse.AUSOURCE_FILE, sys.argv[1])
records = fields = 0
while parser.parse_next_event():
    parser.first_record()
    while True:
        records += 1
        parser.first_field()
        while True:
            fields += 1
            parser.get_field_name()
            parser.interpret_field()
            if not parser.next_field():
                break
        if not parser.next_record():
            break
print(records, fields)
"""

_HEAD = re.compile(rb"audit\((\d+)\.(\d+):(\d+)\)")
_VARIED = re.compile(rb"(?<= )(ppid|pid|inode)=(\d+)")
_NAMED = re.compile(rb'(?<= )(name|proctitle|a\d+|acct|cmd)="([^"]*)"')
_TITLED = re.compile(rb"(?<= )(name|proctitle|a\d+)=((?:[0-9A-F]{2}){8,})(?=[ \n\x1d])")


def vary(turn: int, match: re.Match[bytes]) -> bytes:
    """Return another process id or inode."""
    return b"%s=%d" % (match[1], (int(match[2]) + turn * 37) % 4_000_000 + 1)


def keep(turn: int, line: bytes) -> bytes:
    """Return the line as it is."""
    return line


def rename(turn: int, line: bytes) -> bytes:
    """Return a line with names, arguments and titles of this turn alone."""
    line = _NAMED.sub(rb'\g<1>="\g<2>%d"' % turn, line)
    return _TITLED.sub(rb"\g<1>=\g<2>%s" % (b"%d" % turn).hex().encode(), line)


def multiply(
    lines: list[bytes], target: Path, size: int, change: Callable[[int, bytes], bytes]
) -> int:
    """Write the lines again and again, each time as if later; return how many were written."""
    kept = [line for line in lines if b"type=DAEMON" not in line]
    heads = [match for line in kept if (match := _HEAD.search(line)) is not None]
    serials, seconds = [int(head[3]) for head in heads], [int(head[1]) for head in heads]
    span_s, span = max(seconds) - min(seconds) + 2, max(serials) - min(serials) + 1
    written = turn = count = 0
    with target.open("wb") as file:
        while written < size:
            for line, head in zip(kept, heads, strict=True):
                at_s = 1_700_000_000 + turn * span_s + int(head[1]) - min(seconds)
                serial = 1000 + turn * span + int(head[3]) - min(serials)
                rest = change(turn, _VARIED.sub(partial(vary, turn), line[head.end() :]))
                new = b"%saudit(%d.%s:%d)%s" % (line[: head.start()], at_s, head[2], serial, rest)
                written += file.write(new)
                count += 1
            turn += 1
    return count


def make_logs(directory: Path, size: int) -> dict[str, tuple[Path, int]]:
    """Write the logs; return each with the number of its records."""
    enriched = LOG.read_bytes().splitlines(keepends=True)
    raw = [re.sub(rb"\x1d[^\n]*", b"", line) for line in enriched]
    known = [re.sub(rb"(?<=id=)150[12]\b", b"1", line) for line in raw]
    unknown = [re.sub(rb"(?<=id=)(150[12])\b", rb"4\1", line) for line in raw]
    kinds: dict[str, tuple[list[bytes], Callable[[int, bytes], bytes]]] = {
        "ENRICHED": (enriched, keep),
        "RAW": (known, keep),
        "RAW, ids without names": (unknown, keep),
        "ENRICHED, all names new": (enriched, rename),
    }
    logs: dict[str, tuple[Path, int]] = {}
    for name, (lines, change) in kinds.items():
        path = directory / f"{len(logs)}.log"
        logs[name] = path, multiply(lines, path, size, change)
    return logs


def memory_of(pid: int) -> int:
    """Return what a process and its children hold, in KiB of their own share."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return total
    return total + sum(memory_of(int(child)) for child in children)


def run(command: list[str], output: Path) -> tuple[float, float]:
    """Run a program; return how long it took, in seconds, and its peak memory in MiB."""
    peak = 0
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(output.parent / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with output.open("wb") as file:
        begun_s = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, env=environment)
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - begun_s
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return seconds, peak / 1024


def check(output: Path, records: int) -> None:
    """Hold what auparse counted to what is there, so that nobody is fast by doing less."""
    walked = int(output.read_text().split()[0])
    if walked < records * 0.99:
        sys.exit(f"auparse walked {walked} of {records} records")


def measure(path: Path, count: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return records per second and peak memory of both, medians of runs in turns."""
    output = path.with_suffix(".out")
    commands: dict[str, tuple[list[str], Callable[[], None]]] = {
        "auparse": (["/usr/bin/python3", "-c", WALK], lambda: check(output, count)),
        "steno": ([str(STENO), "audit", "convert"], lambda: None),
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for command, _ in commands.values():
        run([*command, str(LOG)], output)  # writes the bytecode
    for _ in range(repeats):
        for name, (command, after) in commands.items():
            results[name].append(run([*command, str(path)], output))
            after()
            output.unlink()
    return {
        name: (
            count / statistics.median(seconds for seconds, _ in runs),
            max(memory for _, memory in runs),
        )
        for name, runs in results.items()
    }


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=200, help="size of each log (200)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each program (3)")
    parser.add_argument("--directory", type=Path, help="where the logs are written")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}\n")
    print("| log | records | auparse records/s | MiB | steno records/s | MiB | times auparse |")
    print("|---|---|---|---|---|---|---|", flush=True)
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        logs = make_logs(Path(directory), int(arguments.megabytes * 1e6))
        for name, (path, count) in logs.items():
            found = measure(path, count, arguments.repeats)
            (peer, peer_mib), (own, own_mib) = found["auparse"], found["steno"]
            speeds[name] = own
            print(
                f"| {name} | {count} | {peer:.0f} | {peer_mib:.0f} | {own:.0f} | {own_mib:.0f} | "
                f"{own / peer:.2f} |",
                flush=True,
            )
    share = speeds["RAW, ids without names"] / speeds["RAW"]
    print(f"\nWithout names for ids, steno has {share:.2f} of its own speed with them.")


if __name__ == "__main__":
    main()
