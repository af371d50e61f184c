"""What a recorded login costs: from the start of the login shell until the real shell runs.

    python bench/login.py [--rounds 30]

On a pseudo-terminal, as session leader, in turns: bash by itself; steno-shell with a real agent;
and tlog-rec-session writing to a file, where it is installed. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from shell_builds import SOURCES

from agent import ask, read_pss_bytes, start_agent

COMMAND = 'echo "$EPOCHREALTIME"'
Run = Callable[[], tuple[float, float]]


def build(directory: Path) -> Path:
    """Compile the program as it is shipped, with this agent's address."""
    program = directory / "steno-shell"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-D_FORTIFY_SOURCE=3", "-fPIE", "-static-pie"]
    flags += [f'-DSTENO_SOCKET="{directory}/agent.sock"', "-Wl,-z,relro,-z,now"]
    subprocess.run(["cc", *flags, *map(str, SOURCES), "-o", str(program)], check=True)
    shutil.copy(Path(sys.executable).with_name("steno-wait"), directory)
    return program


def run(program: str, name: str, environ: dict[str, str]) -> tuple[float, float]:
    """Return ms until the shell ran its first command, and until all had ended."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    begun_s = time.time()
    pid = os.fork()
    if not pid:
        os.login_tty(slave)
        os.execve(program, [name, "-c", COMMAND], os.environ | environ)
    os.close(slave)
    said = bytearray()
    try:
        while select.select([master], [], [], 20)[0]:
            said += os.read(master, 65536)
    except OSError:
        pass
    status = os.waitpid(pid, 0)[1]
    ended_s = time.time()
    os.close(master)
    if status:
        sys.exit(f"{program} ended with {status}: {said.decode(errors='replace')}")
    started_s = float(said.split()[-1])
    return (started_s - begun_s) * 1000, (ended_s - begun_s) * 1000


def measure_parent(program: Path) -> tuple[int, int]:
    """Return the PSS of a waiting parent alone, and of one among twenty, in bytes."""
    sizes = []
    waiting: list[tuple[int, int]] = []
    for count in (1, 20):
        while len(waiting) < count:
            pid, master = os.forkpty()
            if not pid:
                os.execv(program, ["steno-shell", "-c", "echo up; read word"])
            said = b""
            while b"up" not in said:
                said += os.read(master, 4096)
            waiting.append((pid, master))
        sizes.append(read_pss_bytes(waiting[0][0]))
    for pid, master in waiting:
        os.write(master, b"\r")
        os.waitpid(pid, 0)
        os.close(master)
    return sizes[0], sizes[1]


def main() -> None:
    """Run it all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as name:
        directory = Path(name)
        (directory / "shells").write_text(f"{os.environ.get('USER', 'root')}:/bin/bash\n")
        agent = start_agent(directory)
        try:
            _compare(directory, build(directory), rounds)
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait()


def _compare(directory: Path, program: Path, rounds: int) -> None:
    runs: dict[str, Run] = {
        "bash": lambda: run("/bin/bash", "bash", {}),
        "steno-shell": lambda: run(str(program), "steno-shell", {}),
    }
    tlog = shutil.which("tlog-rec-session")
    if tlog is not None:
        configuration = '{"writer":"file","file":{"path":"%s/tlog.log"},"shell":"/bin/bash",'
        text = configuration % directory + '"notice":""}'
        runs["tlog-rec-session"] = lambda: run(
            tlog, "tlog-rec-session", {"TLOG_REC_SESSION_CONF_TEXT": text}
        )
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for each in runs.values():
        each()
    for _ in range(rounds):
        for name, each in runs.items():
            times[name].append(each())
    bare, bare_end = (statistics.median(column) for column in zip(*times["bash"], strict=True))
    status = ask(directory, "status")
    if status["sessions_total"] != rounds + 1 or not status["passed_bytes"]:
        sys.exit(f"not all of them were recorded: {status}")
    print(f"{rounds} logins each, median; {platform.platform()}\n")
    print("| login shell | shell runs after, ms | more than bash | all ended after, ms | more |")
    print("|---|---|---|---|---|")
    for name, pairs in times.items():
        start, end = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"| {name} | {start:.2f} | {start - bare:+.2f} | {end:.2f} | {end - bare_end:+.2f} |")
    alone, among = measure_parent(program)
    print(f"\nThe parent that waits: {alone // 1024} KiB PSS alone, {among // 1024} among 20.")


if __name__ == "__main__":
    main()
