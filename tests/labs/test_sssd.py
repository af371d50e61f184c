"""SSSD's session recording with Steno in tlog's place: real sshd, PAM, SSSD and LDAP."""

from __future__ import annotations

import json

import pytest
from directory_host import SHELLS, SSSD_PROXY, record_with_sssd, serve_directory
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install
from waiting import wait_for

from steno.formats.tlog import decode_message
from steno.model import Start

pytestmark = pytest.mark.lab

POLICY = """
[[rule]]
name = "those in outer, by way of inner"
when.groups = ["outer"]
labels = ["nested"]
"""
SOME = "scope = some\nusers = bob\ngroups = contractors, outer\n"


@pytest.fixture(scope="module")
def host(lab: Lab, sssd_tree: Tree, packages: Packages) -> Guest:
    """A guest with Steno, whose accounts SSSD has from LDAP; zoe is a local one."""
    guest = lab.boot("web1", sssd_tree)
    install(guest, packages["steno"], packages["steno-tlog"])
    guest.write("/etc/steno/policy.toml", POLICY)
    guest.add_user("zoe", password="pw-zoe")
    serve_directory(guest)
    record_with_sssd(guest, SOME)
    return guest


def log_in(host: Guest, user: str, command: str, *options: str) -> str:
    """Run a command by ssh, with the user's password; return what it says."""
    words = ["sshpass", "-p", f"pw-{user}", "ssh", "-o", "StrictHostKeyChecking=no"]
    words += ["-o", "LogLevel=ERROR", *options, f"{user}@127.0.0.1", command]
    return host.text(*words).replace("\r", "")


def starts(host: Guest) -> list[Start]:
    """Return what is known of each recording in the spool, all of them being over."""

    def is_quiet() -> bool:
        status = json.loads(host.text("steno", "agent", "status", "--json"))
        return not status["sessions"] and not status["starting"]

    wait_for(is_quiet, "all sessions to end", 120)
    script = "cd /var/lib/steno/spool && find . -type f -exec grep -h '\"start\":' {} +"

    def read() -> list[bytes] | None:
        done = host.attempt("sh", "-c", script)
        # A session is over before its recording has its last name.
        return None if done.stderr else [b"", *done.stdout.splitlines()]

    lines = wait_for(read, "all recordings to stand still")[1:]
    found = [decode_message(line).start for line in lines]
    return [start for start in found if start is not None]


def recorded(host: Guest, user: str) -> list[Start]:
    """Return what is known of a user's recordings, the oldest first."""
    found = [start for start in starts(host) if start.user == user]
    return sorted(found, key=lambda start: start.number or 0)


@pytest.mark.parametrize("user", ["alice", "bob", "dave"])
def test_those_whom_sssd_names_are_recorded(host: Guest, user: str) -> None:
    """By user, group or nested group: recorded, in their own shell, on a terminal and without."""
    before = len(recorded(host, user))
    shell = SHELLS[user]
    assert log_in(host, user, "echo $SHELL; tty", "-tt").splitlines()[-2] == shell
    assert log_in(host, user, "echo $SHELL") == shell
    new = recorded(host, user)[before:]
    assert sorted(start.terminal is None for start in new) == [False, True]
    assert {start.service for start in new} == {"sshd"}
    assert {start.login_user for start in new} == {user}
    assert all(start.labels == (["nested"] if user == "dave" else []) for start in new)


def test_the_others_are_not(host: Guest) -> None:
    """Who is not named gets no recording, and needs no agent."""
    assert log_in(host, "carol", "echo $SHELL") == SHELLS["carol"]
    assert log_in(host, "zoe", "echo $SHELL") == "/bin/bash"
    assert recorded(host, "carol") == []
    assert recorded(host, "zoe") == []


def test_a_key_does_as_well_as_a_password(host: Guest) -> None:
    """Login by public key, where PAM's session alone brings SSSD in, is recorded alike."""
    host.shell(
        "ssh-keygen -q -t ed25519 -N '' -f /root/key; install -d -m 700 -o bob /home/bob/.ssh;"
        " install -m 600 -o bob /root/key.pub /home/bob/.ssh/authorized_keys"
    )
    before = len(recorded(host, "bob"))
    words = ["ssh", "-i", "/root/key", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    assert host.text(*words, "bob@127.0.0.1", "echo $SHELL") == SHELLS["bob"]
    assert len(recorded(host, "bob")) == before + 1


def test_su_to_a_recorded_user_is_recorded(host: Guest) -> None:
    """`su -` by root opens a session of its own."""
    before = len(recorded(host, "dave"))
    assert host.text("su", "-", "dave", "-c", "echo $SHELL") == SHELLS["dave"]
    new = recorded(host, "dave")[before:]
    assert [start.service for start in new] == ["su"]


def test_a_login_without_a_shell_is_noted(host: Guest) -> None:
    """With the PAM hook a copy by sshd's own sftp is a recording, made by the confined agent."""
    host.shell(
        "echo 'session optional pam_exec.so quiet /usr/bin/steno-note-login' >>/etc/pam.d/sshd;"
        " sed -i 's|^Subsystem.*|Subsystem sftp internal-sftp|' /etc/ssh/sshd_config;"
        " systemctl restart ssh"
    )
    words = ["sshpass", "-p", "pw-alice", "sftp", "-o", "StrictHostKeyChecking=no"]
    # The first word counts: sftp's -b alone would forbid to ask for a password.
    words += ["-o", "BatchMode=no", "-b", "-", "alice@127.0.0.1"]
    host.run(*words, stdin=b"pwd\n")
    wait_for(
        lambda: [start for start in recorded(host, "alice") if start.kind == "login"],
        "the login's recording",
    )
    assert findings(host)["sshd-sftp"] == "gap"


def test_groups_are_those_of_sssd(host: Guest) -> None:
    """`steno policy test` sees the nested group, and says that SSSD brings sessions to Steno."""
    said = json.loads(host.text("steno", "policy", "test", "dave", "--json"))
    assert set(said["subject"]["groups"]) == {"ipausers", "inner", "outer"}
    assert said["decision"]["labels"] == ["nested"]
    assert said["reaches_steno"]
    said = json.loads(host.text("steno", "policy", "test", "carol", "--json"))
    assert not said["reaches_steno"]


def findings(host: Guest) -> dict[str, str]:
    """Return what `steno host check` finds: the checks, and to what they lead."""
    said = json.loads(host.attempt("steno", "host", "check", "--json").stdout)
    return {finding["check"]: finding["effect"] for finding in said}


def test_the_check_finds_what_would_lock_people_out(host: Guest) -> None:
    """A host that works has no such finding; without the recorder there is one, and it is true."""
    assert "lockout" not in findings(host).values()
    host.run("mv", "/usr/bin/tlog-rec-session", "/usr/bin/gone")
    try:
        assert findings(host)["sssd-recorder"] == "lockout"
        assert host.attempt("systemctl", "restart", "sssd").returncode != 0
    finally:
        host.run("mv", "/usr/bin/gone", "/usr/bin/tlog-rec-session")
    record_with_sssd(host, SOME)
    pam = "/etc/pam.d/common-session"
    host.run("sed", "-i", "s/^session.*pam_sss.so/#&/", pam)
    try:
        assert findings(host)["pam-sss"] == "lockout"
        said = host.attempt("su", "-", "bob", "-c", "echo in")
        assert b"in" not in said.stdout.split()
        assert said.returncode != 0
    finally:
        host.run("sed", "-i", "s/^#\\(session.*pam_sss.so\\)/\\1/", pam)


def test_the_check_finds_that_sssd_is_down(host: Guest) -> None:
    """While sssd is down its users cannot log in, and the check says so; then nothing is found."""
    record_with_sssd(host, SOME)
    assert "sssd" not in findings(host)
    host.run("systemctl", "stop", "sssd")
    try:
        assert findings(host)["sssd"] == "lockout"
        assert host.attempt("su", "-", "bob", "-c", "true").returncode != 0
    finally:
        host.run("systemctl", "start", "sssd")
    assert "sssd" not in findings(host)


def test_exceptions_from_all(host: Guest) -> None:
    """`scope = all` with exceptions: they are not recorded, the rest are."""
    record_with_sssd(host, "scope = all\nexclude_users = bob\nexclude_groups = contractors\n")
    counts = {user: len(recorded(host, user)) for user in SHELLS}
    for user, shell in SHELLS.items():
        assert log_in(host, user, "echo $SHELL") == shell
    more = {user: len(recorded(host, user)) - counts[user] for user in SHELLS}
    assert more == {"alice": 0, "bob": 0, "carol": 1, "dave": 1}


def test_local_users_through_the_proxy_provider(host: Guest) -> None:
    """A local account is recorded where SSSD reads the files and is asked first."""
    record_with_sssd(host, "scope = some\nusers = zoe\n", domain=SSSD_PROXY)
    assert log_in(host, "zoe", "echo $SHELL") == "/bin/bash"
    assert len(recorded(host, "zoe")) == 1
    assert "sssd-order" not in findings(host)
    host.run("systemctl", "stop", "sssd")
    assert "sssd" in findings(host)
    assert log_in(host, "zoe", "echo $SHELL") == "/bin/bash"
    assert len(recorded(host, "zoe")) == 1  # as the check says: nobody names her
    host.run("systemctl", "start", "sssd")
    host.run("sed", "-i", "s/^passwd: sss files/passwd: files sss/", "/etc/nsswitch.conf")
    assert findings(host)["sssd-order"] == "escape"
    assert log_in(host, "zoe", "echo $SHELL") == "/bin/bash"
    assert len(recorded(host, "zoe")) == 1


def test_the_stand_in_is_not_taken_away_under_sssd(host: Guest) -> None:
    """While SSSD records, removing steno-tlog is refused; without a scope it goes quietly."""
    record_with_sssd(host, SOME)
    refused = host.attempt("apt-get", "remove", "-y", "steno-tlog")
    assert refused.returncode != 0
    assert b"set scope = none in its section [session_recording] first" in refused.stdout
    before = len(recorded(host, "bob"))
    assert log_in(host, "bob", "echo $SHELL") == SHELLS["bob"]
    assert len(recorded(host, "bob")) == before + 1
    record_with_sssd(host, "scope = none\n")
    host.run("apt-get", "remove", "-y", "steno-tlog")
    assert host.attempt("test", "-e", "/usr/bin/tlog-rec-session").returncode != 0
    assert log_in(host, "bob", "echo $SHELL") == SHELLS["bob"]
    assert len(recorded(host, "bob")) == before + 1
