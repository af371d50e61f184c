"""What people do by ssh without a terminal, on the host of commands_host.sh.

Writes results.json: for every user and thing, what came of it. Checks nothing itself.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SSH_CONFIG = os.environ["SSH_CONFIG"]
SSH = ["ssh", "-F", SSH_CONFIG]
BASE = Path(os.environ["HOST_DIRECTORY"])
DATA = random.Random(3).randbytes(3_000_000)
BIG = BASE / "big"
LONG_S = 200.0
"""For one command, on a busy machine."""


def run(
    words: list[str], data: bytes | None = None, environment: dict[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Run a program; return its status and what it wrote."""
    where: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    ran = subprocess.run(
        words, capture_output=True, check=False, timeout=LONG_S, env=environment, **where
    )
    return ran.returncode, ran.stdout, ran.stderr


def ssh(user: str, command: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
    """Run a command there."""
    return run([*SSH, user, command], data)


def streams(user: str) -> object:
    """Both streams, their bytes and the status."""
    status, output, error = ssh(user, "echo out; echo err >&2; exit 3")
    return [status, output.decode(), error.decode()]


def killed(user: str) -> object:
    """A command that a signal ends."""
    return ssh(user, "kill -9 $$")[0]


def download(user: str) -> object:
    """`ssh host cat file`."""
    status, output, _ = ssh(user, f"cat {BIG}")
    return [status, output == DATA]


def upload(user: str) -> object:
    """`ssh host cat < bigfile`, all the way and back."""
    with BIG.open("rb") as file:
        ran = subprocess.run(
            [*SSH, user, "cat"], stdin=file, capture_output=True, check=False, timeout=LONG_S
        )
    return [ran.returncode, ran.stdout == DATA]


def no_input(user: str) -> object:
    """`ssh -n`, and standard input from /dev/null."""
    status, output, _ = run([*SSH, "-n", user, "cat; echo end"])
    return [status, output.decode(), ssh(user, "cat; echo end")[1].decode()]


def early_end(user: str) -> object:
    """A reader that stops."""
    shell = f"ssh -F {SSH_CONFIG} {user} 'yes; echo $? >&2' | head -n 1"
    return run(["/bin/sh", "-c", shell])[1].decode()


def unread_input(user: str) -> object:
    """A command that does not read what it is sent."""
    return ssh(user, "exec true", DATA)[0]


def half_closed(user: str) -> object:
    """A command that answers when its input has ended."""
    return ssh(user, "wc -c", DATA)[1].decode().strip()


def background(user: str) -> object:
    """A background process that holds the output, and one that does not."""
    began_s = time.monotonic()
    output = ssh(user, "(sleep 1; echo late) & echo early")[1].decode()
    waited_s = time.monotonic() - began_s
    left = int(ssh(user, "sleep 3000 >/dev/null 2>&1 </dev/null & echo $!")[1])
    # The shell tells the number as soon as it has forked, maybe before there is a sleep.
    deadline_s = time.monotonic() + LONG_S
    while (words := Path(f"/proc/{left}/cmdline").read_text()) != "sleep\x003000\0":
        if time.monotonic() >= deadline_s:
            break
        time.sleep(0.05)
    return [output, waited_s >= 1.0, words]


def copies(user: str) -> object:
    """`scp` in both protocols, sftp, rsync: there and back."""
    results: dict[str, object] = {}
    for name, words in {
        "scp": ["scp", "-q", "-F", SSH_CONFIG],
        "scp -O": ["scp", "-q", "-O", "-F", SSH_CONFIG],
        "rsync": ["rsync", "-q", "-e", f"ssh -F {SSH_CONFIG}"],
    }.items():
        there, back = f"{user}:a{name}".replace(" ", ""), BASE / f"back-{user}"
        back.unlink(missing_ok=True)
        one, other = run([*words, str(BIG), there]), run([*words, there, str(back)])
        results[name] = [one[0], other[0], back.exists() and back.read_bytes() == DATA]
    batch = f"put {BIG} s\nget s {BASE}/sftp-{user}\n".encode()
    status = run(["sftp", "-q", "-b", "-", "-F", SSH_CONFIG, user], batch)[0]
    results["sftp"] = [status, (BASE / f"sftp-{user}").read_bytes() == DATA]
    return results


def git(user: str) -> object:
    """Pushing and cloning."""
    work = BASE / f"git-{user}"
    environment = {**os.environ, "GIT_SSH_COMMAND": f"ssh -F {SSH_CONFIG}", "HOME": str(BASE)}
    ssh(user, "git init -q --bare r.git")
    script = f"""
        set -e
        git init -q {work}; cd {work}; cp {BIG} big; git add big
        git -c user.name=n -c user.email=n@example.com commit -q -m m
        git push -q {user}:r.git HEAD:refs/heads/main
        git clone -q --branch main {user}:r.git {work}-back
    """
    status, _, error = run(["/bin/sh", "-c", script], None, environment)
    cloned = Path(f"{work}-back/big")
    return [status, cloned.exists() and cloned.read_bytes() == DATA, error.decode()]


def ansible(user: str) -> object:
    """A module of ansible's, where it is installed."""
    if shutil.which("ansible") is None:
        return None
    environment = {
        **os.environ,
        "ANSIBLE_SSH_ARGS": f"-F {SSH_CONFIG}",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "HOME": str(BASE),
        "LC_ALL": "C.UTF-8",
    }
    words = ["ansible", "-i", f"{user},", "all", "-m", "ping", "-o"]
    status, output, error = run(words, None, environment)
    return [status, b'"ping": "pong"' in output, (output + error).decode() if status else ""]


def terminals(user: str) -> object:
    """Commands with a terminal (`ssh -tt`): what they write last arrives, every time."""
    words = [*SSH, "-tt", user, "echo first; echo last; exit 5"]
    ran = [run(words) for _ in range(8)]
    return [[status, output.endswith(b"first\r\nlast\r\n")] for status, output, _ in ran]


def windows(user: str) -> None:
    """A terminal's window opened in a login, and a shell in the login's own terminal."""
    if shutil.which("Xvfb") is None or shutil.which("xterm") is None:
        return
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-ac", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as file:
        display = file.readline().strip()
    try:
        shell = f"{BASE}/layers/steno-shell"
        inside = f"{shell} -c 'echo in the same terminal'"
        window = f"DISPLAY=:{display} xterm -e {shell} -c 'echo in a window'"
        run([*SSH, "-tt", user, f"{inside}; {window}"])
    finally:
        server.terminate()
        server.wait()


THINGS: list[Callable[[str], object]] = [
    streams,
    killed,
    download,
    upload,
    no_input,
    early_end,
    unread_input,
    half_closed,
    background,
    copies,
    git,
    terminals,
    ansible,
]


def main() -> None:
    """Do everything as every user."""
    BIG.write_bytes(DATA)
    BIG.chmod(0o644)
    results = {user: {thing.__name__: thing(user) for thing in THINGS} for user in sys.argv[1:]}
    windows("command")
    (BASE / "results.json").write_text(json.dumps(results))


main()
