"""Make the goldens beside this file with the real programs, each on a pseudo-terminal of 80x24.

Usage: unshare --mount --uts python3 make.py [--asciinema3 PATH]   (as root; see README.md)

In the private mount namespace /mnt becomes a file system of its own and /etc/sudoers the golden's,
so that nothing of it reaches the system; in the private UTS namespace the host is called "vm".
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import shutil
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SESSION = ["sh", "session.sh"]
LIMIT_S = 15
ENVIRONMENT = {
    "TERM": "xterm-256color",
    "SHELL": "/bin/sh",
    "LC_ALL": "C.UTF-8",
    "HOME": "/mnt",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
}
SUDOERS = """Defaults log_input, log_output, iolog_dir=/mnt/log, iolog_file=%{seq}, maxseq=100
Defaults:games !compress_io
Defaults passwd_tries=1, !pam_session
ALL ALL=(ALL:ALL) NOPASSWD: ALL
"""


def drive(command: list[str], *, directory: str | Path = HERE, wait_s: float = 0.0) -> None:
    """Run `command` on a terminal; type a name after 0.7 s, make the window 90x30 after 1 s.

    Both come `wait_s` later for a program that first asks the terminal questions (asciinema 3).
    """
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(directory)
        time.sleep(0.1)
        os.execvpe(command[0], command, ENVIRONMENT)
    set_window(master, 24, 80)
    started = time.monotonic()
    actions = [
        (wait_s + 0.7, lambda: os.write(master, b"Avery\r")),
        (wait_s + 1.0, lambda: set_window(master, 30, 90)),
    ]
    while time.monotonic() - started < LIMIT_S:
        ready, _, _ = select.select([master], [], [], 0.02)
        if ready:
            try:
                if not os.read(master, 65536):
                    break
            except OSError:
                break
        if actions and time.monotonic() - started > actions[0][0]:
            actions.pop(0)[1]()
    os.close(master)
    os.waitpid(pid, 0)


def set_window(master: int, rows: int, columns: int) -> None:
    """Set the window of the terminal whose master is given."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def make_typescripts() -> None:
    """Record with util-linux's script: classic, advanced with input, and both in one file."""
    session = " ".join(SESSION)
    drive(["script", "-q", "-c", session, "-T", "classic.timing", "-O", "classic"])
    advanced = ["script", "-q", "-c", session, "-m", "advanced", "-T", "advanced.timing"]
    drive([*advanced, "-O", "advanced", "-I", "advanced.in"])
    drive(["script", "-q", "-c", session, "-T", "both.timing", "-B", "both"])


def make_casts(asciinema3: str | None) -> None:
    """Record with asciinema 2 and, where there is one, asciinema 3."""
    session = " ".join(SESSION)
    drive(["asciinema", "rec", "--overwrite", "--stdin", "-q", "-c", session, "v2.cast"])
    if asciinema3:
        drive([asciinema3, "rec", "--overwrite", "-I", "-q", "-c", session, "v3.cast"], wait_s=3.0)


def make_sudo_logs() -> None:
    """Record with sudo's I/O log plug-in: compressed and plain, on a terminal and through pipes."""
    shutil.copy("session.sh", "/mnt")
    sudoers = Path("/mnt/sudoers")
    sudoers.write_text(SUDOERS)
    sudoers.chmod(0o440)
    Path("/mnt/session.sh").chmod(0o444)
    subprocess.run(["mount", "--bind", str(sudoers), "/etc/sudoers"], check=True)
    runs = {"sudo-gzip": "root", "sudo-plain": "games", "sudo-pipes": "games"}
    for number, (name, user) in enumerate(runs.items(), start=1):
        command = ["setpriv", "--reuid", user, "--clear-groups", "sudo", "-u", "nobody", "sh"]
        if name == "sudo-pipes":
            command += ["-c", "cat; echo problem >&2; exit 4"]
            subprocess.run(
                command, input=b"one\ntwo\n", capture_output=True, cwd="/mnt", env=ENVIRONMENT
            )
        else:
            drive([*command, "session.sh"], directory="/mnt")
        made = Path("/mnt/log/00/00", f"{number:02X}")
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree(made, name)
        Path(name).chmod(0o755)
        for path in Path(name).iterdir():
            path.chmod(0o644)


def main() -> None:
    """Make all goldens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--asciinema3", help="asciinema 3's program, for v3.cast")
    arguments = parser.parse_args()
    os.chdir(HERE)
    socket.sethostname("vm")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/mnt"], check=True)
    make_typescripts()
    drive(["ttyrec", "-e", " ".join(SESSION), "session.ttyrec"])
    make_casts(arguments.asciinema3)
    make_sudo_logs()


if __name__ == "__main__":
    main()
