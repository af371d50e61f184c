"""The Debian packages on a real Debian: put in, taken out, and nothing left or broken."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install

pytestmark = pytest.mark.lab


SERVER = """
directory = "/var/lib/steno-server"
listen = "127.0.0.1:443"
tls.mode = "on"
"""


@pytest.fixture(scope="module")
def debian(lab: Lab, guest_tree: Tree) -> Guest:
    """A guest without Steno."""
    return lab.boot("web1", guest_tree)


def files(guest: Guest) -> set[str]:
    """Return all files of a guest but those that Debian's own programs keep books in."""
    books = r"^/(var/(lib/(dpkg|apt|systemd)|cache|log|tmp)|etc/.*-|tmp|root)(/|$)|^/etc/[^/]*-$"
    found = guest.shell("find / -xdev ! -type s ! -path '*/__pycache__/*'").splitlines()
    return {path for path in found if not re.search(books, path)}


def test_installs_without_network_and_works(debian: Guest, packages: Packages) -> None:
    """One package makes a host: user, directories, services, shell, manual and completion."""
    before = files(debian)
    assert "Traceback" not in install(debian, packages["steno"])
    assert debian.text("steno", "--version").startswith("steno, version ")
    assert "/usr/bin/steno-shell" in debian.read("/etc/shells").decode().split()
    assert debian.text("stat", "-c", "%U %a", "/var/lib/steno/spool") == "steno 700"
    assert debian.text("stat", "-c", "%U %a", "/var/lib/steno/host") == "steno 700"
    units = ["steno-agent.socket", "steno-agent.service"]
    assert debian.text("systemctl", "is-active", *units).split() == ["active"] * 2
    assert debian.text("systemctl", "is-system-running") == "running"
    assert debian.text("dpkg", "--verify", "steno") == ""
    # Modules are compiled once, not at each start of a command.
    compiled = debian.shell("find /usr/lib/steno -name '*.pyc' | wc -l")
    assert int(compiled) > 100
    for path in ("share/man/man1/steno-rec.1.gz", "share/bash-completion/completions/steno"):
        assert f"/usr/{path}" in files(debian) - before
    debian.run("apt-get", "purge", "-y", "steno")
    left = files(debian) - before
    assert left <= {"/etc/.pwd.lock"}
    assert "/usr/bin/steno-shell" not in debian.read("/etc/shells").decode()
    assert debian.text("systemctl", "is-system-running") == "running"


def test_a_server_is_installed_beside_a_host(debian: Guest, packages: Packages) -> None:
    """The server runs as a user of its own, on what root's commands made for it."""
    install(debian, packages["steno"], packages["steno-server"])
    assert debian.attempt("systemctl", "is-enabled", "steno-server").stdout == b"disabled\n"
    debian.run("steno", "server", "init", "web1", "127.0.0.1")
    debian.run("steno", "user", "add", "ada", "--role", "admin", "--no-password")
    debian.write("/etc/steno/server.toml", SERVER)
    debian.run("systemctl", "enable", "--now", "steno-server")
    code = debian.text("steno", "host", "code")
    code = re.search(r"\S{20,}", code)[0]  # type: ignore[index]
    debian.run("steno", "host", "enrol", "https://127.0.0.1:443", code)
    owners = debian.shell("stat -c %U /var/lib/steno/host/* | sort -u")
    assert owners == "steno"
    assert debian.shell("find /var/lib/steno-server ! -user steno-server") == ""
    score = debian.shell("systemd-analyze security --no-pager steno-server | tail -1")
    assert float(re.search(r"level for [^:]*: ([0-9.]+)", score)[1]) <= 3.0  # type: ignore[index]
    said = debian.shell("apt-get purge -y steno-server steno 2>&1")
    assert "kept, since it holds recordings: /var/lib/steno-server" in said
    assert debian.attempt("test", "-e", "/var/lib/steno-server/accounts.sqlite").returncode == 0


def test_lintian_finds_nothing(packages: Packages) -> None:
    """Debian's checker has nothing to say that the packages do not explain."""
    if shutil.which("lintian") is None:
        pytest.skip("Debian's lintian is missing")
    words = ["lintian", "--allow-root", "--tag-display-limit=0", *packages.values()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
