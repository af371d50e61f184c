"""Compare `ssh host cat bigfile` with and without a recorder, in every way of recording commands.

    python bench/commands.py [--megabytes 300] [--repeats 5] [--commands 20]

As root: it starts real sshd and an agent in namespaces of their own (tests/agent/commands_host.sh).
Accounts take turns in each round, so that what else the machine does meets them all. Prints
Markdown; put it into docs/performance.md with the machine and the date. Needs Debian's
openssh-server and iproute2.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

MEGA = 1_000_000
WAYS = {
    "plain": "bash as login shell",
    "off": "steno-shell, policy `off`",
    "command": "steno-shell, policy `command` (default)",
    "capture": "steno-shell, policy `capture`",
}
HOST = Path(__file__).parent.parent / "tests" / "agent" / "commands_host.sh"


def time_command(user: str, command: str) -> tuple[float, float]:
    """Return how many seconds a command takes, and how many from its first byte to its last."""
    began_s = first_s = time.perf_counter()
    with subprocess.Popen(
        ["ssh", "-F", os.environ["SSH_CONFIG"], user, command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdout is not None
        if process.stdout.read(1):
            first_s = time.perf_counter()
        while process.stdout.read(MEGA):
            pass
    ended_s = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"{command} as {user}: exit status {process.returncode}")
    return ended_s - began_s, ended_s - first_s


def measure(megabytes: int, repeats: int, commands: int) -> dict[str, dict[str, list[float]]]:
    """Return the seconds that each way took: for `cat` of a file, and for `true`."""
    big = Path(os.environ["HOST_DIRECTORY"]) / "big"
    with big.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(MEGA))
    big.chmod(0o644)
    taken: dict[str, dict[str, list[float]]] = {way: {"cat": [], "true": []} for way in WAYS}
    for way in WAYS:
        time_command(way, f"cat {big}")
    for _ in range(repeats):
        for way in WAYS:
            taken[way]["cat"].append(time_command(way, f"cat {big}")[1])
    for _ in range(commands):
        for way in WAYS:
            taken[way]["true"].append(time_command(way, "true")[0])
    return taken


def show(taken: dict[str, dict[str, list[float]]], megabytes: int) -> None:
    """Print the table."""
    print(f"{megabytes} MB of random bytes through OpenSSH on loopback; medians.\n")
    print("| login shell | MB/s | of plain's | `ssh host true`, ms |")
    print("|---|---:|---:|---:|")
    for way, text in WAYS.items():
        cat_s = statistics.median(taken[way]["cat"])
        true_ms = statistics.median(taken[way]["true"]) * 1000
        # Of each round by itself: what else the machine does changes from one to the next.
        pairs = zip(taken["plain"]["cat"], taken[way]["cat"], strict=True)
        ratio = statistics.median(plain_s / way_s for plain_s, way_s in pairs)
        print(f"| {text} | {megabytes / cat_s:.0f} | {ratio:.2f} | {true_ms:.0f} |")
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    print(f"\n{platform.platform()}, {os.cpu_count()} CPUs, {today}")


def main() -> None:
    """Start the host, measure in it, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--inside", metavar="FILE", help="(used by the program itself)")
    options = parser.parse_args()
    if options.inside:
        taken = measure(options.megabytes, options.repeats, options.commands)
        Path(options.inside).write_text(json.dumps(taken))
        return
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as directory:
        Path(directory).chmod(0o755)
        numbers = {
            name: str(getattr(options, name)) for name in ("megabytes", "repeats", "commands")
        }
        words = [
            *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(str(HOST), directory, sysconfig.get_path("scripts"), sys.executable),
            *(sys.executable, __file__, "--inside", f"{directory}/taken"),
            *(word for name, value in numbers.items() for word in (f"--{name}", value)),
        ]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        show(json.loads((Path(directory) / "taken").read_text()), options.megabytes)


main()
