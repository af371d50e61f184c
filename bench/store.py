#!/usr/bin/env python3
"""Measure the embedded store against plain ways to do the same, in one run; print markdown.

usage: bench/store.py [--lines N] [--directory DIR]

The directory should be on the disk that is to be measured; all that is made there is removed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from steno.model import TextLine, Verification
from steno.store.opening import open_store
from steno.store.protocol import Derived, Store, Summary
from steno.store.query import parse

START_US = 1_760_000_000_000_000
LINES_PER_RECORDING = 2000
WORDS = [
    "root",
    "sshd",
    "nginx",
    "systemd",
    "kernel",
    "session",
    "opened",
    "closed",
    "error",
    "failed",
    "password",
    "accepted",
    "port",
    "from",
    "for",
    "user",
    "pam_unix",
    "sudo",
    "COMMAND",
    "apt",
    "install",
    "update",
    "python3",
    "node",
    "docker",
    "container",
    "volume",
    "bridge",
    "eth0",
    "link",
    "up",
    "down",
    "address",
    "route",
    "GET",
    "POST",
    "200",
    "404",
    "500",
    "/var/log/syslog",
    "/etc/ssh/sshd_config",
    "/usr/bin",
    "total",
    "drwxr-xr-x",
    "rw-r--r--",
    "Nov",
    "Oct",
    "localhost",
    "web1",
    "web2",
    "db1",
    "backup",
    "restore",
    "mount",
    "xfs",
]


def make_lines(count: int, choose: random.Random) -> Iterator[str]:
    """Yield lines like a terminal's; one in 20,000 holds a needle."""
    for number in range(count):
        words = choose.choices(WORDS, k=choose.randint(3, 14))
        words.insert(choose.randrange(len(words)), f"{choose.getrandbits(32):08x}")
        if number % 20_000 == 12_345:
            words.append(f"acme/secret_{number}_xyzzy")
        yield f"{number % 24:02}:{number % 60:02} {' '.join(words)}"


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_ms(action: Callable[[], object], repeats: int = 5) -> float:
    """Return the median of several runs, in milliseconds; the first run warms up."""
    action()
    return statistics.median(timed(action) for _ in range(repeats)) * 1000


# Appending.


def append_to_store(store: Store, name: str, count: int, data: bytes) -> None:
    """Append `count` times, each acknowledged."""
    for number in range(count):
        store.append(name, number * len(data), data, sender=None)


def append_to_file(path: Path, count: int, data: bytes) -> None:
    """Append `count` times, each synced: the least that safety costs."""
    with path.open("ab", buffering=0) as file:
        for _ in range(count):
            file.write(data)
            os.fdatasync(file.fileno())


def bench_append(directory: Path) -> None:
    """Print the table of appends."""
    print("| appends, each on disk when acknowledged | store | plain file, fdatasync | ratio |")
    print("|---|---|---|---|")
    store = open_store(directory / "append")
    for title, threads, count, size in (
        ("4 KiB, one recording", 1, 300, 4096),
        ("4 KiB, 16 recordings at once", 16, 60, 4096),
        ("256 KiB, one recording", 1, 60, 262_144),
    ):
        data = "\n".join(make_lines(size // 20, random.Random(1))).encode()[:size]
        names = [f"{title} {number}" for number in range(threads)]

        def to_files(name: str, count: int = count, data: bytes = data) -> None:
            append_to_file(directory / name, count, data)

        def to_store(name: str, count: int = count, data: bytes = data) -> None:
            append_to_store(store, name, count, data)

        rates = []
        for action in (to_store, to_files):
            start = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(action, names))
            rates.append(threads * count / (time.perf_counter() - start))
        cells = [f"{rate:,.0f}/s, {rate * size / 1e6:.1f} MB/s" for rate in rates]
        print(f"| {title} | {' | '.join(cells)} | {rates[0] / rates[1]:.2f} |", flush=True)
    store.close()


# Indexing and searching.


def fill_store(store: Store, lines: list[str], step: int) -> None:
    """Index lines in recordings of 2,000, `step` at a time."""
    for number, start in enumerate(range(0, len(lines), LINES_PER_RECORDING)):
        piece = lines[start : start + LINES_PER_RECORDING]
        for serial, first in enumerate(range(0, len(piece), step)):
            upto = min(first + step, len(piece))
            summary = Summary(
                rec=f"r{number:06}",
                host=f"web{number % 7}",
                user=("avery", "blake")[number % 2],
                started_unix_us=START_US + number * 600_000_000,
                duration_us=590_000_000,
                is_live=upto < len(piece),
                messages=1,
                size_bytes=upto,
                chain=Verification("so_far", 1),
            )
            texts = [TextLine(at * 1000, piece[at]) for at in range(first, upto)]
            derived = Derived(upto, summary, from_bytes=first, from_serial=serial, lines=texts)
            store.put_derived(summary.rec, derived)


def fill_table(path: Path, lines: list[str]) -> None:
    """Put lines into a plain table, one row each."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE lines(rec INTEGER, number INTEGER, text TEXT)")
    for start in range(0, len(lines), LINES_PER_RECORDING):
        with connection:
            connection.executemany(
                "INSERT INTO lines VALUES(?, ?, ?)",
                [
                    (start // LINES_PER_RECORDING, number, text)
                    for number, text in enumerate(lines[start : start + LINES_PER_RECORDING])
                ],
            )
    connection.close()


def fill_texts(directory: Path, lines: list[str]) -> None:
    """Write each recording's text to a file of its own, plain and packed by gzip."""
    for name in ("plain", "packed"):
        (directory / name).mkdir()
        for start in range(0, len(lines), LINES_PER_RECORDING):
            text = "\n".join(lines[start : start + LINES_PER_RECORDING])
            (directory / name / f"r{start:09}").write_text(text + "\n")
    subprocess.run(["gzip", "-r", str(directory / "packed")], check=True)


def size_mb(path: Path) -> float:
    """Return the size of a file, or of all files in a directory."""
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(item.stat().st_size for item in files) / 1e6


SEARCHES = (
    ("word, rare", "acme/secret_12345_xyzzy", "acme/secret_12345_xyzzy"),
    ("word, common", "nginx", "nginx"),
    ("phrase", '"session opened for"', "session opened for"),
    ("substring, rare", "*cme/secr*", "cme/secr"),
    ("substring, nowhere", "*cme/sucr*", "cme/sucr"),
    ("regular expression with literals", "/secret_[0-9]+_xy+z/", "secret_[0-9]+_xy+z"),
    ("regular expression without", "/[0-9a-f]{8}q[0-9a-f]{8}/", "[0-9a-f]{8}q[0-9a-f]{8}"),
    ("two words and a field", "nginx xyzzy user:avery", None),
)


def search_store(store: Store, query: str) -> int:
    """Return how many hits the first page with any has; 0 when there are none at all."""
    cursor = None
    while True:
        page = store.search(parse(query), limit=50, cursor=cursor)
        cursor = page.cursor
        if page.items or cursor is None:
            return len(page.items)


def run_grep(*arguments: str) -> int:
    """Return how many lines grep or a kin of it finds."""
    return subprocess.run(arguments, capture_output=True, check=False).stdout.count(b"\n")


def search_table(table: apsw.Connection, pattern: str) -> int:
    """Return how many of the newest 50 rows match."""
    sql = "SELECT * FROM lines WHERE text LIKE ? ORDER BY rec DESC, number DESC LIMIT 50"
    return len(table.execute(sql, (f"%{pattern}%",)).fetchall())


def bench_searches(directory: Path) -> None:
    """Print the table of searches."""
    store = open_store(directory / "store")
    table = apsw.Connection(str(directory / "table"))
    packed = [str(path) for path in sorted((directory / "packed").iterdir())]
    print("\n| first 50 hits, ms | store | grep -r | zgrep | LIKE on a table |")
    print("|---|---|---|---|---|")
    for title, query, pattern in SEARCHES:
        cells = [f"{median_ms(lambda query=query: search_store(store, query)):,.1f}"]
        if pattern is not None:
            is_regex = title.startswith("regular")
            flags = ("-E" if is_regex else "-iF", "--", pattern)
            plain = str(directory / "plain")
            plain_ms = median_ms(
                lambda flags=flags, plain=plain: run_grep("grep", "-r", *flags, plain)
            )
            packed_ms = median_ms(lambda flags=flags: run_grep("zgrep", *flags, *packed), 1)
            cells += [f"{plain_ms:,.1f}", f"{packed_ms:,.0f}"]
            if not is_regex:
                like_ms = median_ms(lambda pattern=pattern: search_table(table, pattern), 3)
                cells.append(f"{like_ms:,.1f}")
        print(f"| {title} | {' | '.join(cells + [''] * (4 - len(cells)))} |", flush=True)
    list_ms = median_ms(lambda: store.recordings(parse("user:avery host:web3")))
    print(f"| list of recordings by two fields | {list_ms:.1f} | | | |")
    clear_ms = timed(lambda: store.clear_derived("r000003")) * 1000
    print(f"| forgetting what is derived from one recording | {clear_ms:.1f} | | | |")
    table.close()
    store.close()


def bench_index(directory: Path, count: int) -> None:
    """Print the table of indexing and sizes; leaves the filled stores behind."""
    lines = list(make_lines(count, random.Random(7)))
    few = lines[: count // 10]
    rates = []
    for name, some, step in (("store", lines, LINES_PER_RECORDING), ("live", few, 8)):
        store = open_store(directory / name)
        rates.append(len(some) / timed(lambda s=store, t=some, n=step: fill_store(s, t, n)))
        store.close()
    rates.append(count / timed(lambda: fill_table(directory / "table", lines)))
    fill_texts(directory, lines)
    print(f"\n{count:,} lines of screen text, {sum(map(len, lines)) / 1e6:.0f} MB\n")
    print("| | lines/s | MB on disk |\n|---|---|---|")
    index_mb = size_mb(directory / "store" / "index.sqlite")
    print(f"| store, whole recordings | {rates[0]:,.0f} | {index_mb:.0f} |")
    print(f"| store, live recordings, 8 lines at a time | {rates[1]:,.0f} | |")
    print(f"| SQLite table, no index | {rates[2]:,.0f} | {size_mb(directory / 'table'):.0f} |")
    print(f"| files packed by gzip | | {size_mb(directory / 'packed'):.0f} |", flush=True)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--directory", type=Path, default=None)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="steno-bench-", dir=options.directory))
    try:
        bench_append(directory)
        bench_index(directory, options.lines)
        bench_searches(directory)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
