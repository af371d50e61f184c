"""The laboratory itself: guests boot, networks break and mend, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from guest import Guest, Lab
from guest_tree import Tree
from waiting import wait_for

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def guests(lab: Lab, guest_tree: Tree) -> tuple[Guest, Guest]:
    """Two guests on networks of their own."""
    lab.add_bridge("far")
    return lab.boot("near1", guest_tree), lab.boot("far1", guest_tree, bridge="far")


def test_a_guest_is_a_whole_debian(guests: tuple[Guest, Guest]) -> None:
    """A guest runs systemd, logind, journald and sshd, each with identities of its own."""
    one, other = guests
    assert one.text("systemctl", "is-system-running") == "running"
    active = one.text("systemctl", "is-active", "systemd-logind", "systemd-journald", "ssh")
    assert active.split() == ["active"] * 3
    assert one.text("hostname") == "near1"
    for path in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert one.read(path) != other.read(path)


def test_people_log_in_over_the_network(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    """A user logs in by password through real sshd and PAM, in a session that logind knows."""
    one, _ = guests
    one.add_user("pat", password="secret")
    words = ["sshpass", "-p", "secret", "ssh", "-o", "StrictHostKeyChecking=no"]
    command = (
        'loginctl show-session "$XDG_SESSION_ID" -P Service; cat /proc/self/loginuid; echo; id -u'
    )
    said = one.text(*words, f"pat@{one.address}", command).split()
    assert said[0] == "sshd"
    assert said[1] == said[2]
    # journald may be behind; and in which unit sshd was when it said so is looked up only then.
    accepted = "Accepted password for pat"
    wait_for(lambda: accepted in one.journal("-t", "sshd"), "sshd's word in the journal")


def test_a_cable_can_be_cut_slowed_and_mended(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    """What a cable connects is reached through it only, and not while it is cut."""
    one, other = guests

    def reaches() -> bool:
        banner = f'exec 3<>/dev/tcp/{other.address}/22 && read -r line <&3 && echo "$line"'
        done = one.attempt("timeout", "5", "bash", "-c", banner)
        return done.stdout.startswith(b"SSH-2.0")

    assert not reaches()
    wire = lab.connect("lan", "far")
    wait_for(reaches, "the cable")
    wire.mend(delay_ms=100, loss_percent=5, bytes_per_s=50_000)
    wait_for(reaches, "the slow cable")
    wire.cut()
    assert not reaches()
    wire.mend()
    wait_for(reaches, "the mended cable")


def test_a_guest_survives_a_power_cut(guests: tuple[Guest, Guest]) -> None:
    """What was written is there after a power cut, and the guest boots again."""
    _, other = guests
    other.write("/var/tmp/kept", "kept")
    before = other.read("/proc/sys/kernel/random/boot_id"), other.read("/etc/machine-id")
    other.run("sh", "-c", "flock /var/tmp/kept sleep 600 >/dev/null 2>&1 &")
    other.cut_power()
    other.start()
    other.run("flock", "--nonblock", "/var/tmp/kept", "true")
    assert other.read("/var/tmp/kept") == b"kept"
    assert other.read("/etc/machine-id") == before[1]


KILLED = """
import sys, time
from pathlib import Path
from guest import Lab
from guest_tree import base_tree
with Lab(Path(sys.argv[1])) as lab:
    guest = lab.boot("doomed", base_tree())
    print(lab.place, guest.enter()[2], flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_of_a_killed_test(guest_tree: Tree, tmp_path: Path) -> None:
    """Guests, mounts, groups and directories vanish when the test's process is killed."""
    support = Path(__file__).parents[1] / "support"
    test = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(support)},
    )
    assert test.stdout is not None
    place, leader = test.stdout.readline().decode().split()
    assert Path(f"/proc/{leader}/comm").read_text() == "systemd\n"
    test.send_signal(signal.SIGKILL)
    test.wait()
    test.stdout.close()
    wait_for(lambda: not Path(f"/proc/{leader}").exists(), "the guest's end")
    wait_for(lambda: not Path(place).exists(), "the laboratory's end")
    assert Path(place).name not in Path("/proc/mounts").read_text()
    groups = subprocess.run(
        ["find", "/sys/fs/cgroup", "-maxdepth", "4", "-name", f"{Path(place).name}*"],
        capture_output=True,
        check=False,
    )
    assert groups.stdout == b""
