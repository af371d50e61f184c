"""Process 1 of a laboratory: holds its namespaces, and takes everything down with it.

Run by `guest.Lab` with the system's Python inside new mount, network, process and cgroup
namespaces; needs nothing but the standard library. It says `ready`, then waits until its
standard input ends: that happens however the test ends, also when it is killed. The kernel
ends all other processes of the namespace with process 1; mounts and networks go with the
last process that saw them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def main() -> None:
    """Prepare the namespaces, wait for the end of standard input, and clean up."""
    place = Path(sys.argv[1])
    signal.signal(signal.SIGCHLD, reap)
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "cgroup2", "steno", str(CGROUPS))
    for private in (str(place), "/run"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "steno", private)
    run("ip", "link", "set", "lo", "up")
    print("ready", flush=True)
    while os.read(0, 4096):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    wait_for_groups(place.name)
    run("umount", "-l", str(place))
    place.rmdir()


def wait_for_groups(prefix: str) -> None:
    """Remove the guests' control groups, once the last killed process has left them."""
    deadline = time.monotonic() + 30
    while (groups := [*CGROUPS.glob(f"{prefix}-*")]) and time.monotonic() < deadline:
        for group in groups:
            for inner, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(inner)
        time.sleep(0.05)


def run(*command: str) -> None:
    """Run a program that has to succeed, while others' ends are collected too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    subprocess.run(command, check=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def reap(_number: int, _frame: object) -> None:
    """Collect processes whose parents are gone."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


main()
