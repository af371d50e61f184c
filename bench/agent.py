"""What sessions cost the agent, and how quickly it answers while others flood.

    python bench/agent.py [--sessions 1000] [--floods 10] [--seconds 5] [--tlog 5]

Starts a real agent, gives it that many sessions, and measures its memory (PSS) per idle session;
then lets some of them flood and measures how long a typed key takes to come back in the others.
Beside it, in the same run, the memory of a handful of tlog-rec processes. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import termios
import time
import tty
from dataclasses import dataclass
from pathlib import Path

from steno.agent.handshake import Request, decode_answer, encode_request

STENO = [str(Path(sys.executable).with_name("steno"))]
_FLOOD = b"The quick brown fox jumps over the lazy dog, and nobody watches it do so.\r\n" * 50


@dataclass
class Session:
    """A session: the near side of its outer terminal, and the far side of its inner one."""

    outer: int
    inner: int
    connection: socket.socket


def read_pss_bytes(pid: int) -> int:
    """Return the memory of a process, shared pages counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


def read_cpu_s(pid: int) -> float:
    """Return how much processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(directory: Path, do: str) -> dict[str, object]:
    """Ask the agent through its control socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(directory / "control.sock"))
        connection.sendall(json.dumps({"do": do}).encode() + b"\n")
        answer: dict[str, object] = json.loads(connection.makefile("rb").readline())
        return answer


def start_agent(directory: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start an agent whose files are all in `directory`."""
    config = directory / "agent.toml"
    config.write_text(
        f'socket = "{directory}/agent.sock"\ncontrol = "{directory}/control.sock"\n'
        f'policy = "{directory}/policy.toml"\nspool = "{directory}/spool"\n'
        f'shells = "{directory}/shells"\nnumbers = "{directory}"\nuser = "root"\n'
        'nested = "record"\n[limits]\nsessions_per_user = 100000\n[log]\nlevel = "error"\n'
    )
    agent = subprocess.Popen([*STENO, "agent", *options, "--config", str(config)])
    while True:
        with contextlib.suppress(OSError):
            ask(directory, "status")
            return agent
        if agent.poll() is not None:
            sys.exit("the agent did not start")
        time.sleep(0.05)


def open_session(directory: Path) -> Session:
    """Ask the agent for a session on a new terminal."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    tty.setraw(slave)
    attributes = termios.tcgetattr(slave)
    attributes[3] |= termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(directory / "agent.sock"))
    request = encode_request(Request(b"-steno-shell", (), term=b"xterm"))
    socket.send_fds(connection, [request], [slave, slave, slave])
    packet, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
    answer = decode_answer(packet)
    if answer.action != "terminal":
        sys.exit(f"refused: {answer.message.decode()}")
    os.close(slave)
    os.set_blocking(master, False)
    return Session(master, descriptors[0], connection)


def flood(session: Session) -> list[int]:
    """Start a process that writes to a session's inner terminal, and one that reads its outer."""
    pids = []
    for writes in (True, False):
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.set_blocking(session.outer, True)
            with contextlib.suppress(OSError):
                while True:
                    if writes:
                        os.write(session.inner, _FLOOD)
                    else:
                        os.read(session.outer, 65536)
            os._exit(0)
        pids.append(pid)
    return pids


def measure_echoes(sessions: list[Session], seconds: float) -> list[float]:
    """Type keys into sessions, now and then; return how long each took to come back, in ms."""
    times = []
    deadline = time.monotonic() + seconds
    chooser = random.Random(7)  # no secret
    while time.monotonic() < deadline:
        session = chooser.choice(sessions)
        with contextlib.suppress(BlockingIOError):
            os.read(session.outer, 65536)
        begun = time.perf_counter()
        os.write(session.outer, b"x")
        ready = select.poll()
        ready.register(session.outer, select.POLLIN)
        ready.poll(5000)
        times.append((time.perf_counter() - begun) * 1000)
        os.read(session.outer, 65536)
        time.sleep(chooser.uniform(0.002, 0.01))
    return sorted(times)


def measure_tlog(count: int, directory: Path) -> float | None:
    """Return the memory of one of `count` tlog-rec processes; None without that program."""
    program = shutil.which("tlog-rec")
    if program is None or not count:
        return None
    started = []
    for number in range(count):
        master, slave = os.openpty()
        command = [program, "-w", "file", f"--file-path={directory}/tlog{number}", "cat"]
        process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        started.append((process, master, slave))
    time.sleep(1.0)
    sizes = [read_pss_bytes(process.pid) for process, _, _ in started]
    for process, master, slave in started:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
    return statistics.mean(sizes)


Rows = list[tuple[str, str]]


def measure_idle(
    directory: Path, agent: int, count: int, seconds: float
) -> tuple[list[Session], Rows, float]:
    """Open sessions and let them rest; return them, what was measured, and the bytes of each."""
    warm = open_session(directory)
    time.sleep(7)
    before = read_pss_bytes(agent)
    begun = time.perf_counter()
    sessions = [open_session(directory) for _ in range(count)]
    start_ms = (time.perf_counter() - begun) / count * 1000
    time.sleep(8)  # the notice is in lines, and sessions at rest
    each = (read_pss_bytes(agent) - before) / count
    cpu_s = read_cpu_s(agent)
    time.sleep(seconds)
    used = (read_cpu_s(agent) - cpu_s) / seconds * 100
    rows = [
        ("one session's start", f"{start_ms:.1f} ms"),
        ("memory (PSS) of an idle session", f"{each / 1024:.1f} KiB"),
        (f"processor with {count} idle sessions", f"{used:.1f} %"),
    ]
    return [*sessions, warm], rows, each


def measure_floods(directory: Path, sessions: list[Session], count: int, seconds: float) -> Rows:
    """Let `count` sessions flood, and type into the others."""
    others = sessions[count:]
    quiet = measure_echoes(others, seconds)
    pids: list[int] = []
    try:
        for session in sessions[:count]:
            pids += flood(session)
        passed = int(str(ask(directory, "status")["passed_bytes"]))
        echoes = measure_echoes(others, seconds)
        passed = int(str(ask(directory, "status")["passed_bytes"])) - passed
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return [
        ("echo, all else idle: median, p99, worst", describe(quiet)),
        (f"echo, {count} flooding: median, p99, worst", describe(echoes)),
        ("what the floods got through", f"{passed / seconds / 1e6:.1f} MB/s"),
    ]


def describe(times: list[float]) -> str:
    """Return the median, the 99th percentile and the worst of sorted times."""
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return f"{statistics.median(times):.2f}, {p99:.2f}, {times[-1]:.2f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--floods", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--tlog", type=int, default=5)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as name:
        directory = Path(name)
        tlog_bytes = measure_tlog(given.tlog, directory)
        agent = start_agent(directory)
        try:
            count, seconds = given.sessions, given.seconds
            sessions, rows, each = measure_idle(directory, agent.pid, count, seconds)
            if tlog_bytes is not None:
                factor = f"{tlog_bytes / 1024:.0f} KiB, {tlog_bytes / each:.0f} times as much"
                rows.append(("memory (PSS) of a tlog-rec", factor))
            rows += measure_floods(directory, sessions, given.floods, seconds)
        finally:
            agent.kill()
            agent.wait()
    day = time.strftime("%Y-%m-%d")
    print(f"{count} sessions, {os.cpu_count()} processors, Linux {platform.release()}, {day}\n")
    print("| what | measured |\n|---|---|")
    for what, measured in rows:
        print(f"| {what} | {measured} |")


if __name__ == "__main__":
    main()
