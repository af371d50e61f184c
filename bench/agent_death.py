"""How long sessions stand still when the agent is killed.

    python bench/agent_death.py [--sessions 200] [--kills 5]

Starts an agent with its keeper, gives it that many sessions with a program that echoes in each,
kills it, types a key into every session, and measures when the echoes come back. Prints Markdown.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import resource
import select
import signal
import statistics
import tempfile
import termios
import time
from pathlib import Path

from agent import Session, ask, open_session, read_pss_bytes, start_agent


def lead(session: Session) -> int:
    """Start a process that leads the session inside and echoes; return its id."""
    pid = os.fork()
    if pid:
        os.close(session.inner)
        return pid
    os.setsid()
    fcntl.ioctl(session.inner, termios.TIOCSCTTY, 0)
    while data := os.read(session.inner, 4096):
        os.write(session.inner, data)
    os._exit(0)


def find_agent(keeper: int) -> int:
    """Return the keeper's only child."""
    return int(Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0])


def kill_and_type(directory: Path, keeper: int, sessions: list[Session]) -> tuple[float, ...]:
    """Kill the agent; return after how many ms the next one answers, and each echo came."""
    for session in sessions:
        read_all(session)
    agent = find_agent(keeper)
    begun = time.perf_counter()
    os.kill(agent, signal.SIGKILL)
    waiting = select.poll()
    for session in sessions:
        os.write(session.outer, b"x")
        waiting.register(session.outer, select.POLLIN)
    times: list[float] = []
    while len(times) < len(sessions):
        for fd, _ in waiting.poll(60_000):
            waiting.unregister(fd)
            times.append((time.perf_counter() - begun) * 1000)
    return tuple(sorted(times))


def read_all(session: Session) -> None:
    """Take what has come."""
    try:
        while os.read(session.outer, 65536):
            pass
    except BlockingIOError:
        return


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pids: list[int] = []
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as name:
        directory = Path(name)
        keeper = start_agent(directory, "--keeper")
        try:
            sessions = [open_session(directory) for _ in range(given.sessions)]
            pids += [lead(session) for session in sessions]
            time.sleep(2)
            rounds = []
            for _ in range(given.kills):
                rounds.append(kill_and_type(directory, keeper.pid, sessions))
                time.sleep(1)
            pss = read_pss_bytes(keeper.pid)
            left = ask(directory, "status")["sessions"]
        finally:
            keeper.terminate()
            keeper.wait()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    firsts = statistics.median(times[0] for times in rounds)
    lasts = statistics.median(times[-1] for times in rounds)
    print(f"{given.sessions} sessions, {given.kills} kills, {os.cpu_count()} processors, ", end="")
    print(f"Linux {platform.release()}, {time.strftime('%Y-%m-%d')}\n")
    print("| what | measured |\n|---|---|")
    print(f"| from the kill to the first session's echo, median | {firsts:.0f} ms |")
    print(f"| to the last session's echo, median | {lasts:.0f} ms |")
    print(f"| sessions afterwards | {left} of {given.sessions} |")
    print(f"| memory (PSS) of the keeper | {pss / 1e6:.1f} MB |")


if __name__ == "__main__":
    main()
