"""The Ansible role: real ansible-core makes recorded hosts, over ssh, and changes nothing twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from guest import Guest, Lab
from guest_tree import Tree, UnavailableError, ansible_tree
from packages import ROOT, Packages
from steno_guests import PASSWORD, boot_server, name, output, ssh, wait_for_delivery

pytestmark = pytest.mark.lab

ANSIBLE = ROOT / ".cache" / "ansible"

INVENTORY = """
all:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: {key}
    ansible_ssh_common_args: -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
    ansible_python_interpreter: /usr/bin/python3
  hosts:
    steno1: {{ansible_host: {server}}}
  children:
    recorded:
      hosts:
        web1: {{ansible_host: {host}}}
      vars:
        steno_packages: ["{{{{ inventory_dir }}}}/dist/{package.name}"]
        steno_server: steno1
        steno_server_url: https://{server}:8443
        steno_users: [pat]
        steno_groups: [staff]
        steno_policy: "{{{{ inventory_dir }}}}/policy.toml.j2"
"""

POLICY = """
[defaults]
notice = "Recorded for {{ inventory_hostname }}."
"""


@dataclass
class Fleet:
    """A server, a host that the role is applied to, and the words that do so."""

    server: Guest
    host: Guest
    lab: Lab
    directory: Path

    def apply(self, *options: str) -> str:
        """Run the playbook; return its recap of the host. It has to succeed."""
        playbook = ROOT / "packaging" / "ansible" / "site.yml"
        inventory = str(self.directory / "inventory.yml")
        words = [str(ANSIBLE / "bin" / "ansible-playbook"), "-i", inventory, str(playbook)]
        done = subprocess.run(
            self.lab.enter(*words, *options),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "LANG": "C.UTF-8",
                "ANSIBLE_ROLES_PATH": str(playbook.parent / "roles"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        recap = re.search(r"^web1 +: (.*)$", done.stdout, re.M)
        assert recap, done.stdout
        return recap[1]


def make_ansible() -> None:
    """Install ansible-core of the locked version into .cache/ansible."""
    lock = ROOT / "requirements" / "ansible.txt"
    stamp = ANSIBLE / "steno"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    uv = [str(ROOT / ".venv" / "bin" / "uv")]
    python = str(ROOT / ".venv" / "bin" / "python")
    subprocess.run([*uv, "venv", "-q", "--clear", "--python", python, ANSIBLE], check=True)
    into = ["--python", str(ANSIBLE / "bin" / "python")]
    done = subprocess.run(
        [*uv, "pip", "install", "-q", *into, "--require-hashes", "-r", lock],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"ansible-core cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    stamp.write_text(lock.read_text())


@pytest.fixture(scope="module")
def fleet(
    lab: Lab, guest_tree: Tree, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> Fleet:
    """A server that runs, and a bare Debian that root can be reached at with a key."""
    make_ansible()
    try:
        tree = ansible_tree()
    except UnavailableError as error:
        pytest.skip(str(error))
    directory = tmp_path_factory.mktemp("ansible")
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server = boot_server(lab, guest_tree, packages)
    host = lab.boot("web1", tree)
    name([server, host])
    for guest in (server, host):
        guest.write("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_bytes(), 0o600)
    host.shell("groupadd -f staff")
    for user in ("pat", "ann", "opal"):
        host.add_user(user, password=PASSWORD)
    host.run("usermod", "-aG", "staff", "ann")
    (directory / "policy.toml.j2").write_text(POLICY)
    (directory / "dist").symlink_to(packages["steno"].parent)
    inventory = INVENTORY.format(
        key=key, server=server.address, host=host.address, package=packages["steno"]
    )
    (directory / "inventory.yml").write_text(inventory)
    return Fleet(server, host, lab, directory)


def counts(recap: str) -> dict[str, int]:
    """Return the numbers of a recap."""
    return {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", recap)}


def test_the_role_makes_a_recorded_host(fleet: Fleet) -> None:
    """From a bare Debian to a login that is on the server, by the role alone."""
    first = counts(fleet.apply())
    assert first["failed"] == first["unreachable"] == 0
    assert first["changed"] > 3
    for user in ("pat", "ann"):
        said = subprocess.run(
            ssh(fleet.server, user, fleet.host, "-tt", f"echo made-by-{user}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        assert b"Recorded for web1." in said.stdout
    assert fleet.host.text("getent", "passwd", "opal").endswith(":/bin/bash")
    found = wait_for_delivery(fleet.host, fleet.server, 2)
    shown = [output(fleet.server, one["rec"]) for one in found]
    assert b"made-by-pat" in shown[0]
    assert b"made-by-ann" in shown[1]


def test_applied_again_it_changes_nothing(fleet: Fleet) -> None:
    """The second time nothing is changed, and the host keeps its credentials."""
    before = fleet.host.read("/var/lib/steno/host/token")
    again = counts(fleet.apply())
    assert again["failed"] == again["changed"] == 0
    assert fleet.host.read("/var/lib/steno/host/token") == before


def test_a_bad_policy_is_refused_before_it_is_in_force(fleet: Fleet) -> None:
    """A template with a mistake fails the play, and the host's policy stays."""
    (fleet.directory / "policy.toml.j2").write_text("[defaults]\ncolour = 1\n")
    with pytest.raises(AssertionError, match="colour"):
        fleet.apply()
    assert b"colour" not in fleet.host.read("/etc/steno/policy.toml")
    (fleet.directory / "policy.toml.j2").write_text(POLICY)


def test_users_are_recorded_no_longer(fleet: Fleet) -> None:
    """steno_users_disabled gives users their own shell back."""
    extra = {"steno_users": [], "steno_groups": [], "steno_users_disabled": ["pat"]}
    assert counts(fleet.apply("-e", json.dumps(extra)))["changed"] == 1
    assert fleet.host.text("getent", "passwd", "pat").endswith(":/bin/bash")
    assert fleet.host.text("getent", "passwd", "ann").endswith(":/usr/bin/steno-shell")
