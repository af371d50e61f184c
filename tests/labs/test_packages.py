"""The Debian packages on a real Debian: put in, taken out, and nothing left or broken."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from driven import Driven
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install, with_version
from steno_guests import PASSWORD, name, ssh
from waiting import wait_for

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
    # Private directories of services that ended are removed in the background.
    script = "find / -ignore_readdir_race -xdev ! -type s ! -path '*/__pycache__/*'"
    found = guest.shell(script).splitlines()
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
    # The server runs: files come and go.
    owned = "find /var/lib/steno-server -ignore_readdir_race ! -user steno-server"
    assert debian.shell(owned) == ""
    score = debian.shell("systemd-analyze security --no-pager steno-server | tail -1")
    assert float(re.search(r"level for [^:]*: ([0-9.]+)", score)[1]) <= 3.0  # type: ignore[index]
    said = debian.shell("apt-get purge -y steno-server steno 2>&1")
    assert "kept, since it holds recordings: /var/lib/steno-server" in said
    assert debian.attempt("test", "-e", "/var/lib/steno-server/accounts.sqlite").returncode == 0


def test_sessions_live_through_an_upgrade_and_are_not_cut_by_removal(
    debian: Guest, packages: Packages, tmp_path: Path
) -> None:
    """An upgrade leaves sessions open and recorded; while there are any, removal is refused."""
    install(debian, packages["steno"])
    debian.add_user("pat", password=PASSWORD)
    name([debian])
    debian.run("steno", "host", "enable", "pat")
    terminal = Driven(ssh(debian, "pat", debian, "-tt"))
    terminal.expect(b"This session is recorded.", b"$ ", timeout_s=60)
    terminal.send(b"echo be''fore\n")
    terminal.expect(b"before\r\n", timeout_s=60)
    install(debian, with_version(packages["steno"], "99.0", tmp_path))
    assert debian.text("dpkg-query", "-W", "-f", "${Version}", "steno") == "99.0"
    terminal.send(b"echo af''ter\n")
    terminal.expect(b"after\r\n", timeout_s=60)

    refused = debian.attempt("apt-get", "remove", "-y", "steno")
    assert refused.returncode != 0
    assert b"sessions are being recorded that would end with the agent" in refused.stdout
    assert debian.text("systemctl", "is-active", "steno-agent") == "active"
    terminal.send(b"exit\n")
    assert terminal.finish(60) == 0
    seen = bytes(terminal.seen)
    terminal.close()
    spool = "/var/lib/steno/spool"
    wait_for(lambda: b"[]" in debian.run("steno", "agent", "sessions", "--json").stdout, "its end")
    # The session is over before its recording has its last name.
    file = wait_for(lambda: debian.shell(f"find {spool} -name '*.done'"), "its recording")
    assert file == debian.shell(f"ls {spool}/*")
    recorded = debian.run("steno", "cat", "--raw", file).stdout
    assert recorded in seen
    assert b"before" in recorded.partition(b"after\r\n")[0]
    debian.run("steno", "verify", file)

    said = debian.shell("apt-get purge -y steno 2>&1")
    assert f"kept, since it holds recordings: {spool}" in said
    assert debian.text("getent", "passwd", "pat").endswith(":/bin/bash")
    said_by_shell = subprocess.run(
        ssh(debian, "pat", debian, "echo $SHELL"), capture_output=True, check=False
    )
    assert said_by_shell.stdout == b"/bin/bash\n"
    debian.run("rm", "-r", "/var/lib/steno")


def test_removal_locks_nobody_out(debian: Guest, packages: Packages) -> None:
    """Who was given the login shell by other means is named, and removal refused."""
    install(debian, packages["steno"])
    debian.add_user("lou", shell="/usr/bin/steno-shell")
    refused = debian.attempt("apt-get", "remove", "-y", "steno")
    assert refused.returncode != 0
    assert b"would have no login shell any more" in refused.stdout
    assert b": lou\r\n" in refused.stdout
    debian.run("usermod", "-s", "/bin/bash", "lou")
    debian.run("apt-get", "purge", "-y", "steno")


def test_lintian_finds_nothing(packages: Packages) -> None:
    """Debian's checker has nothing to say that the packages do not explain."""
    if shutil.which("lintian") is None:
        pytest.skip("Debian's lintian is missing")
    words = ["lintian", "--allow-root", "--tag-display-limit=0", *packages.values()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
