"""Compare recorders in one run: bare terminal, steno rec, tlog-rec, script, asciinema.

Beside them, as `passing`, a relay in C that records nothing: what is left for recorders to reach.

    python bench/recorder.py [--megabytes 80] [--repeats 5] [--echoes 1000] [--only steno,script]

All are driven by the same loop on the outer terminal. Prints Markdown; put it into
docs/performance.md with the machine and the date. Programs that are missing are left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import os
import platform
import random
import select
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MEGA = 1_000_000
STENO = [str(Path(sys.executable).with_name("steno")), "rec", "-q"]


@dataclass(frozen=True)
class Recorder:
    """A way to run a command on a terminal; `command(directory, inner)` is its command line."""

    name: str
    program: str
    package: str
    command: Callable[[Path, list[str]], list[str]]


def script_command(directory: Path, inner: list[str]) -> list[str]:
    """Return script's command line, with output and timing recorded."""
    files = ["--log-out", f"{directory}/out", "--log-timing", f"{directory}/timing"]
    return ["script", "-q", "-e", *files, "-c", shlex.join(inner)]


def passing_command(directory: Path, inner: list[str]) -> list[str]:
    """Return the command line of what records nothing, compiled now."""
    program = directory / "passing"
    source = Path(__file__).with_name("passing.c")
    subprocess.run(["cc", "-O2", "-o", program, source, "-lutil"], check=True)
    return [str(program), *inner]


RECORDERS = [
    Recorder("bare", "true", "coreutils", lambda _, inner: inner),
    Recorder("passing", "cc", "gcc", passing_command),
    Recorder(
        "steno",
        STENO[0],
        "this project",
        lambda d, inner: [*STENO, "--spool", f"{d}/s/spool", "--file", f"{d}/out", "--", *inner],
    ),
    Recorder(
        "tlog",
        "tlog-rec",
        "tlog",
        lambda d, inner: ["tlog-rec", "--writer=file", f"--file-path={d}/out", "--", *inner],
    ),
    Recorder("script", "script", "bsdutils", script_command),
    Recorder(
        "asciinema",
        "asciinema",
        "asciinema",
        lambda d, inner: ["asciinema", "rec", "-q", "-c", shlex.join(inner), f"{d}/out"],
    ),
]


@dataclass
class Result:
    """What was measured of one recorder; lists hold one value a run."""

    speed: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    echoes_us: list[float] = field(default_factory=list)
    startup_ms: list[float] = field(default_factory=list)
    pss_kb: int = 0
    rss_kb: int = 0
    size_bytes: int = 0


def start(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start `command` on a new terminal; return it and the terminal's other side."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "SHELL": "/bin/sh"},
    )
    os.close(slave)
    return process, master


def drain(master: int) -> tuple[int, float, float]:
    """Read until the end; return how much came, and when the first and the last of it."""
    count, first, last = 0, 0.0, 0.0
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            last = time.perf_counter()
            first = first or last
            count += len(data)
    return count, first, last


def measure_bulk(recorder: Recorder, text: Path, result: Result) -> None:
    """Time `cat` of the text through the recorder, from the first byte to the last."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        process, master = start(recorder.command(directory, ["cat", str(text)]))
        count, first, last = drain(master)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        os.close(master)
        if process.returncode or count < text.stat().st_size:
            raise SystemExit(f"{recorder.name}: status {process.returncode}, {count} bytes came")
        result.speed.append(count / (last - first) / MEGA)
        result.cpu_s.append(usage.ru_utime + usage.ru_stime)
        files = [directory / "out", directory / "timing"]
        result.size_bytes = sum(path.stat().st_size for path in files if path.exists())


def wait_for(master: int, text: bytes) -> None:
    """Read until `text` came."""
    seen = b""
    while text not in seen:
        if not select.select([master], [], [], 20)[0]:
            raise SystemExit(f"nothing came; {seen!r}")
        seen += os.read(master, 4096)


def measure_echo(recorder: Recorder, count: int, result: Result) -> None:
    """Time single keys through the recorder to a program that sends them back; then its memory."""
    with tempfile.TemporaryDirectory() as name:
        inner = ["sh", "-c", "stty raw -echo; echo ready; exec cat"]
        process, master = start(recorder.command(Path(name), inner))
        wait_for(master, b"ready")
        time.sleep(0.3)
        while select.select([master], [], [], 0)[0]:
            os.read(master, 4096)
        pauses = random.Random(1)
        for _ in range(count):
            began = time.perf_counter()
            os.write(master, b"x")
            if os.read(master, 16) != b"x":
                raise SystemExit(f"{recorder.name}: a key came back changed")
            result.echoes_us.append((time.perf_counter() - began) * 1e6)
            time.sleep(pauses.uniform(0.001, 0.008))
        result.pss_kb, result.rss_kb = measure_memory(process.pid, recorder)
        os.close(master)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def measure_memory(pid: int, recorder: Recorder) -> tuple[int, int]:
    """Return PSS and RSS in KB of the recorder's processes, the recorded program left out."""
    pss = rss = 0
    if recorder.name == "bare":
        return 0, 0
    for one in descendants(pid):
        if Path(f"/proc/{one}/comm").read_text().strip() == "cat":
            continue
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("Pss", "Rss"):
                kilobytes = int(value.split()[0])
                pss, rss = pss + kilobytes * (name == "Pss"), rss + kilobytes * (name == "Rss")
    return pss, rss


def descendants(pid: int) -> list[int]:
    """Return a process and all that came from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def measure_startup(recorder: Recorder, result: Result) -> None:
    """Time `true` through the recorder, from start to end."""
    with tempfile.TemporaryDirectory() as name:
        command = recorder.command(Path(name), ["true"])
        began = time.perf_counter()
        process, master = start(command)
        drain(master)
        process.wait()
        result.startup_ms.append((time.perf_counter() - began) * 1e3)
        os.close(master)


def write_text(path: Path, megabytes: int) -> None:
    """Write text as logs and listings are: words, numbers, some colours, some umlauts."""
    maker = random.Random(7)
    words = [
        "error",
        "warning",
        "größe",
        "/usr/lib/x86_64",
        "0x7f3a",
        "kernel:",
        "\x1b[32mok\x1b[0m",
    ]
    lines = [
        f"{n:06d} {' '.join(maker.choice(words) for _ in range(8))} {maker.random()}"
        for n in range(5000)
    ]
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        while file.tell() < megabytes * MEGA:
            file.write(block)
        file.truncate(megabytes * MEGA)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def versions(recorders: Sequence[Recorder]) -> str:
    """Return what the programs call themselves."""
    found = []
    for recorder in recorders:
        if recorder.name not in ("bare", "passing"):
            run = subprocess.run(
                [recorder.program, "--version"], capture_output=True, text=True, check=False
            )
            found.append((run.stdout or run.stderr).splitlines()[0])
    return "; ".join(found)


def report(results: dict[str, Result], size_bytes: int) -> None:
    """Print the table."""
    print(
        "| recorder | bulk MB/s | of bare | of tlog | CPU s | echo median µs | p99 µs |"
        " start-up ms | PSS MB | RSS MB | disk / text |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    bare = statistics.median(results["bare"].speed) if "bare" in results else None
    tlog = statistics.median(results["tlog"].speed) if "tlog" in results else None
    for name, result in results.items():
        speed = statistics.median(result.speed)
        cells = [
            name,
            f"{speed:.1f}",
            f"{speed / bare:.2f}" if bare else "",
            f"{speed / tlog:.2f}" if tlog else "",
            f"{statistics.median(result.cpu_s):.2f}",
            f"{statistics.median(result.echoes_us):.0f}",
            f"{percentile(result.echoes_us, 0.99):.0f}",
            f"{statistics.median(result.startup_ms):.0f}",
            f"{result.pss_kb / 1024:.1f}",
            f"{result.rss_kb / 1024:.1f}",
            f"{result.size_bytes / size_bytes:.2f}",
        ]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--megabytes", type=int, default=80)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--echoes", type=int, default=1000)
    options.add_argument("--only", help="names, separated by commas")
    chosen = options.parse_args()
    names = chosen.only.split(",") if chosen.only else [one.name for one in RECORDERS]
    wanted = [one for one in RECORDERS if one.name in names]
    missing = [one for one in wanted if shutil.which(one.program) is None]
    recorders = [one for one in wanted if one not in missing]
    results = {one.name: Result() for one in recorders}
    with tempfile.TemporaryDirectory() as name:
        text = Path(name) / "text"
        write_text(text, chosen.megabytes)
        # In turns, so that what else the machine does meets all of them.
        for _ in range(chosen.repeats):
            for recorder in recorders:
                measure_bulk(recorder, text, results[recorder.name])
                measure_startup(recorder, results[recorder.name])
                each = max(1, chosen.echoes // chosen.repeats)
                measure_echo(recorder, each, results[recorder.name])
        size_bytes = text.stat().st_size
    today = datetime.datetime.now(datetime.UTC).date()
    print(
        f"{today}, Linux {platform.release()}, {os.cpu_count()} CPUs,"
        f" Python {platform.python_version()}; {versions(recorders)}"
    )
    print(
        f"\n`bench/recorder.py --megabytes {chosen.megabytes} --repeats {chosen.repeats}"
        f" --echoes {chosen.echoes}`; medians of {chosen.repeats} runs in turns\n"
    )
    report(results, size_bytes)
    for recorder in missing:
        print(f"\n{recorder.name} was left out: {recorder.package} is not installed")


if __name__ == "__main__":
    main()
