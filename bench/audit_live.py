"""Measure what following the audit trail costs: processor time, memory, how far it is behind.

    python bench/audit_live.py [--rate 2000] [--seconds 10] [--repeats 1]

Feeds a plugin as auditd's dispatcher does (format `string`, through a socket), at a steady rate,
with the events of a real log (tests/data/audit/f1) under new serial numbers. Beside Steno's plugin,
in turns: `cat` to /dev/null, which is what reading alone costs, and a plugin in Python that feeds
Debian's auparse (python3-audit), asks for each field's value, interpreted, and writes nothing.
Prints Markdown; put it into docs/performance.md with the machine and the date.

The bar: under a quarter of one core at 2,000 events a second, memory flat, two seconds behind at
most.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from steno.delivery.audit_state import read_audit_state

LOG = Path(__file__).parent.parent / "tests" / "data" / "audit" / "f1" / "audit-enriched.log"
_STAMP = re.compile(rb"audit\((\d+)\.(\d+):(\d+)\)")
_TICKS = os.sysconf("SC_CLK_TCK")
_EVERY_S = 0.02
_AUPARSE = """
import sys
import auparse
parser = auparse.AuParser(auparse.AUSOURCE_FEED)

def take(parser, event, _):
    if event != auparse.AUPARSE_CB_EVENT_READY:
        return
    parser.first_record()
    while True:
        parser.first_field()
        while True:
            parser.interpret_field()
            if not parser.next_field():
                break
        if not parser.next_record():
            return

parser.add_callback(take, None)
while data := sys.stdin.buffer.read1(65536):
    parser.feed(data)
parser.flush_feed()
"""


class Run(msgspec.Struct):
    """What one program took.

    Attributes:
        cpu_s: Processor time, its children's included.
        events: How many events it was fed.
        seconds: For how long.
        rss_mib: Its memory, a quarter of the way and at the end.
        behind_s: How long after the last event it had taken all.
    """

    cpu_s: float
    events: int
    seconds: float
    rss_mib: tuple[float, float]
    behind_s: float


def make_events() -> list[list[bytes]]:
    """Return the log's events, each in pieces between which its stamp belongs, EOE included."""
    found: dict[bytes, list[bytes]] = {}
    for line in LOG.read_bytes().splitlines(keepends=True):
        stamp = _STAMP.search(line)
        if stamp is not None:
            found.setdefault(stamp[3], []).append(line)
    events = []
    for lines in found.values():
        if len(lines) > 1:
            lines.append(_STAMP.sub(b"audit(0.000:0)", b"type=EOE msg=audit(1.000:1): \n"))
        events.append(re.split(rb"audit\(\d+\.\d+:\d+\)", b"".join(lines)))
    return events


def render(events: list[list[bytes]]) -> Iterator[bytes]:
    """Yield events for ever, with serials that go up and the present time."""
    serial = 0
    while True:
        for pieces in events:
            serial += 1
            milliseconds = time.time_ns() // 1_000_000
            stamp = b"audit(%d.%03d:%d)" % (*divmod(milliseconds, 1000), serial)
            yield stamp.join(pieces)


def feed(link: socket.socket, rate: int, seconds: float, process: subprocess.Popen[bytes]) -> Run:
    """Write events at a rate; return how many, for how long, and the memory meanwhile."""
    source = render(make_events())
    sent, early_mib = 0, 0.0
    began_s = time.monotonic()
    while (now_s := time.monotonic()) < began_s + seconds:
        due = int((now_s - began_s) * rate)
        link.sendall(b"".join([next(source) for _ in range(due - sent)]))
        sent = due
        if not early_mib and now_s > began_s + seconds / 4:
            early_mib = memory_mib(process.pid)
        time.sleep(_EVERY_S)
    took_s = time.monotonic() - began_s
    return Run(0.0, sent, took_s, (early_mib, memory_mib(process.pid)), 0.0)


def memory_mib(pid: int) -> float:
    """Return a process's proportional memory."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    return int(found[1]) / 1024 if found else 0.0


def cpu_s(pid: int) -> float:
    """Return a living process's processor time so far, ended children's included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def measure(words: list[str], rate: int, seconds: float, state: Path | None = None) -> Run:
    """Run one program on a feed; start-up is not counted."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL) as process:
        theirs.close()
        feed(ours, 50, 1.5, process)  # until it is warm
        before_s = cpu_s(process.pid)
        run = feed(ours, rate, seconds, process)
        run.cpu_s = cpu_s(process.pid) - before_s
        fed_s = time.monotonic()
        ours.close()
        process.wait()
        run.behind_s = time.monotonic() - fed_s
    if state is not None:
        facts = read_audit_state(state)
        if facts is None or facts.lost:
            raise SystemExit(f"the plugin says: {facts}")
    return run


def programs(directory: Path) -> dict[str, tuple[list[str], Path | None]]:
    """Return what is measured, by name."""
    (directory / "agent.toml").write_text('[log]\nlevel = "error"\n')
    follow = [
        *(sys.executable, "-m", "steno.cli", "audit", "follow", "--user", "root"),
        *("--spool", str(directory / "spool"), "--config", str(directory / "agent.toml")),
        *("--control", str(directory / "control.sock")),
    ]
    (directory / "spool").mkdir()
    (directory / "spool" / "limits.toml").write_text(
        "total_bytes = 8589934592\ntrails_bytes = 4294967296\n"
    )
    return {
        "cat": (["cat"], None),
        "auparse in Python, nothing kept": (["/usr/bin/python3", "-c", _AUPARSE], None),
        "steno audit follow": (follow, directory / "audit.json"),
    }


def main() -> None:
    """Measure in turns, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    runs: dict[str, list[Run]] = {}
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as directory:
            for name, (words, state) in programs(Path(directory)).items():
                run = measure(words, arguments.rate, arguments.seconds, state)
                runs.setdefault(name, []).append(run)
    today = datetime.datetime.now(datetime.UTC).date()
    print(
        f"{today}, Linux {platform.release()}, {os.cpu_count()} cores;"
        f" CPython {platform.python_version()}; {arguments.rate} events a second for"
        f" {arguments.seconds:g} s, medians of {arguments.repeats}.\n"
    )
    print(
        "| program | of one core | µs an event | of auparse | memory early, late MiB | behind s |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    peer = statistics.median(
        run.cpu_s / run.events for run in runs["auparse in Python, nothing kept"]
    )
    for name, one in runs.items():
        share = statistics.median(run.cpu_s / run.seconds for run in one)
        each = statistics.median(run.cpu_s / run.events for run in one)
        early = statistics.median(run.rss_mib[0] for run in one)
        late = statistics.median(run.rss_mib[1] for run in one)
        behind = statistics.median(run.behind_s for run in one)
        print(
            f"| {name} | {share:.3f} | {each * 1e6:.0f} | {each / peer:.2f} |"
            f" {early:.1f}, {late:.1f} | {behind:.2f} |"
        )


if __name__ == "__main__":
    main()
