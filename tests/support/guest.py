"""Debian guests that tests boot: systemd, logind, journald and sshd as on a real host.

    with Lab(tmp_path) as lab:
        web = lab.boot("web1", base_tree())
        assert web.text("systemctl", "is-system-running") == "running"

Everything lives in mount, network, process and cgroup namespaces of its own, below one process
that ends when the test ends, however it ends; what guests write goes to memory. Needs root, and
systemd-nspawn, debootstrap and iproute2 of Debian; no running systemd, no registered machines.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from guest_tree import Tree
from waiting import wait_for

T = TypeVar("T")

SUPPORT = Path(__file__).parent
# The system's own Python: guests and laboratories don't see virtual environments' settings.
PYTHON = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
}

PROGRAMS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}


def why_not() -> str | None:
    """Return why no guest can be booted here, or None if one can."""
    if os.geteuid() != 0:
        return "guests are booted by root only"
    missing = sorted({PROGRAMS[name] for name in PROGRAMS if shutil.which(name) is None})
    if missing:
        return f"missing from Debian: {' '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "--mount-proc", "true"],
        capture_output=True,
        check=False,
    )
    return f"no namespaces here: {tried.stderr.decode().strip()}" if tried.returncode else None


class Lab:
    """Namespaces for guests, with a network `lan` (10.77.0.0/24) on which this side has .1."""

    def __init__(self, directory: Path) -> None:
        """Take a directory for logs; nothing is started yet."""
        self.directory = directory
        self.place = Path(tempfile.mkdtemp(prefix="steno-lab-"))
        self.guests: list[Guest] = []
        self._init: subprocess.Popen[bytes] | None = None
        self._wires: list[Wire] = []

    def __enter__(self) -> Lab:
        namespaces = ["--mount", "--pid", "--net", "--uts", "--cgroup", "--mount-proc"]
        first = [PYTHON, "-I", str(SUPPORT / "guest_init.py"), str(self.place)]
        self._init = subprocess.Popen(
            ["unshare", *namespaces, "--fork", "--kill-child", *first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == b"ready\n", "no laboratory could be made"
        self.add_bridge("lan")
        self.run("ip", "address", "add", "10.77.0.1/24", "dev", "lan")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._init is not None
        assert self._init.stdin is not None
        assert self._init.stdout is not None
        self._init.stdin.close()
        self._init.wait(120)
        self._init.stdout.close()
        for ended in [*self.guests, *self._wires]:
            ended.forget()

    def enter(self, *command: str) -> list[str]:
        """Return what runs `command` in the laboratory's namespaces, with this machine's files."""
        assert self._init is not None
        first = children(self._init.pid)[0]
        return ["nsenter", "-t", str(first), "-m", "-p", "-n", "-u", "-C", "--", *command]

    def run(self, *command: str, timeout_s: float = 300) -> bytes:
        """Run a command in the laboratory; return its output. It has to succeed."""
        return run_checked(self.enter(*command), b"", timeout_s).stdout

    def add_bridge(self, name: str) -> None:
        """Make a network."""
        self.run("ip", "link", "add", name, "type", "bridge")
        self.run("ip", "link", "set", name, "up")

    def connect(self, one: str, other: str) -> Wire:
        """Lay a cable between two networks, which then are one, and can be cut again."""
        number = len(self._wires)
        taps = [f"wire{number}a", f"wire{number}b"]
        wire = Wire(self.enter(PYTHON, "-I", str(SUPPORT / "wire.py"), *taps))
        self._wires.append(wire)
        for tap, bridge in zip(taps, (one, other), strict=True):
            self.run("ip", "link", "set", tap, "master", bridge, "up")
        return wire

    def boot(self, name: str, tree: Tree, *, bridge: str = "lan") -> Guest:
        """Boot a guest and return it when systemd has started all."""
        guest = Guest(self, name, tree, bridge, f"10.77.0.{10 + len(self.guests)}")
        self.guests.append(guest)
        guest.start()
        return guest


class Wire:
    """The handle of a cable (`wire.py`)."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._confirm()

    def cut(self) -> None:
        """Let nothing through from now on; what is on its way is lost."""
        self._order("cut")

    def mend(self, *, delay_ms: float = 0, loss_percent: float = 0, bytes_per_s: float = 0) -> None:
        """Let frames through, as fast as the numbers say."""
        self._order(f"{delay_ms} {loss_percent} {bytes_per_s}")

    def forget(self) -> None:
        """Release what this process holds of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        self._confirm()

    def _confirm(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ok\n", "the cable between the networks broke"


class Guest:
    """One booted Debian; made by `Lab.boot`."""

    def __init__(self, lab: Lab, name: str, tree: Tree, bridge: str, address: str) -> None:
        """Prepare its file system."""
        self.name = name
        self.address = address
        self.log = lab.directory / f"{name}.console"
        self.root = lab.place / name / "root"
        self._lab = lab
        self._bridge = bridge
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        lower = ":".join(map(str, reversed(tree)))
        lab.run(
            *("sh", "-ec", 'cd "$1" && mkdir "$2" && cd "$2" && mkdir upper work root'),
            *("sh", str(lab.place), name),
        )
        options = (
            f"lowerdir={lower},upperdir={self.root.parent}/upper,workdir={self.root.parent}/work"
        )
        lab.run("mount", "-t", "overlay", "-o", options, "steno", str(self.root))
        hosts = f"127.0.0.1 localhost\n127.0.1.1 {name}"
        script = 'echo "$2" >"$1/etc/hostname"; echo "$3" >"$1/etc/hosts"'
        lab.run("sh", "-ec", script, "sh", str(self.root), name, hosts)

    def start(self) -> None:
        """Boot it and wait until its services run; also after `cut_power` or `shut_down`."""
        group = f"/sys/fs/cgroup/{self._lab.place.name}-{self.name}"
        # The cable of an earlier boot may outlive it for a moment.
        boot = (
            f"ip link delete vb-{self.name} 2>/dev/null || true; mkdir -p {group};"
            f' echo $$ >{group}/cgroup.procs; exec systemd-nspawn "$@"'
        )
        options = ["--boot", "--register=no", "--keep-unit", "--console=read-only", "--quiet"]
        options += ["--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        options += [f"--machine={self.name}", f"--network-bridge={self._bridge}"]
        with self.log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                self._lab.enter("sh", "-ec", boot, "sh", *options, "-D", str(self.root)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=ENVIRONMENT,
            )
        self._leader = wait_for(self._find_leader, f"{self.name} to start")
        self.wait_until("systemctl", "is-system-running", "--wait", what="its services")
        self.run("ip", "address", "replace", f"{self.address}/24", "dev", "host0")
        self.run("ip", "link", "set", "host0", "up")

    def cut_power(self) -> None:
        """End it at once, as a power cut does; what it wrote stays."""
        assert self._nspawn is not None
        # Its process 1: the kernel ends all others with it. Without nspawn they would live on.
        os.kill(self._leader, signal.SIGKILL)
        self._nspawn.wait(60)

    def shut_down(self) -> None:
        """Stop its services and end it."""
        assert self._nspawn is not None
        os.kill(children(self._nspawn.pid)[0], signal.SIGTERM)
        self._nspawn.wait(180)

    def enter(self, *command: str) -> list[str]:
        """Return what runs `command` in the guest as root, for a subprocess or a `Driven`."""
        namespaces = ["-m", "-u", "-i", "-n", "-p", "-C"]
        environ = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        target = ["nsenter", "-t", str(self._leader), *namespaces, "--root"]
        return [*target, "/usr/bin/env", "-i", *environ, *command]

    def run(
        self, *command: str, stdin: bytes = b"", timeout_s: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as root that has to succeed."""
        return run_checked(self.enter(*command), stdin, timeout_s)

    def attempt(
        self, *command: str, stdin: bytes = b"", timeout_s: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as root, however it ends."""
        words = self.enter(*command)
        return subprocess.run(
            words, input=stdin, capture_output=True, timeout=timeout_s, check=False
        )

    def text(self, *command: str) -> str:
        """Return what a command that has to succeed writes, without white space at the ends."""
        return self.run(*command).stdout.decode().strip()

    def shell(self, script: str) -> str:
        """Run lines of shell that all have to succeed; return what they write."""
        return self.text("sh", "-euc", script)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return self.run("cat", "--", path).stdout

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Make a file, and the directories above it."""
        content = data.encode() if isinstance(data, str) else data
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        self.run("sh", "-euc", script, "sh", path, f"{mode:o}", stdin=content)

    def wait_until(self, *command: str, what: str = "", timeout_s: float = 300) -> None:
        """Run a command again and again until it succeeds."""
        last: list[subprocess.CompletedProcess[bytes]] = []

        def succeeds() -> bool:
            assert self._nspawn is not None
            assert self._nspawn.poll() is None, self.log.read_text(errors="replace")
            last[:] = [self.attempt(*command, timeout_s=timeout_s)]
            return last[0].returncode == 0

        try:
            wait_for(succeeds, f"{what or command} in {self.name}", timeout_s)
        except AssertionError as error:
            said = b"".join(done.stdout + done.stderr for done in last).decode(errors="replace")
            raise AssertionError(f"{error}\n{said}") from error

    def add_user(self, name: str, *, shell: str = "/bin/bash", password: str = "") -> None:
        """Make an account with a home directory."""
        self.run("useradd", "--create-home", "--shell", shell, name)
        if password:
            self.run("chpasswd", stdin=f"{name}:{password}\n".encode())

    def journal(self, *arguments: str) -> str:
        """Return the journal's messages, one a line."""
        return self.text("journalctl", "--no-pager", "--output=short-iso", *arguments)

    def forget(self) -> None:
        """Release what this process holds of it."""
        if self._nspawn is not None:
            self._nspawn.wait(60)

    def _find_leader(self) -> int:
        """Return systemd's process id, as this side sees it, once nspawn has started it."""
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self.log.read_text(errors="replace")
        for nspawn in children(self._nspawn.pid):
            for first in children(nspawn):
                # Processes that nspawn needs before may end in between.
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{first}/comm").read_text() == "systemd\n":
                        return first
        return 0


def children(process: int) -> list[int]:
    """Return the ids of a process's children."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name stands in parentheses and may hold anything.
            parent = int(status.read_bytes().rpartition(b")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process:
            found.append(int(status.parent.name))
    return found


def run_checked(
    command: Sequence[str], stdin: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that has to succeed; say what it said if it does not."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {said}"
    return done
