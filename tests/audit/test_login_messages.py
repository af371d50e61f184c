"""A name in a login program's message is its owner's choice: it cannot forge the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.witness.program_messages import read_login, read_pam, read_su, read_sudo
from steno.audit.witness.said import Said
from steno.audit.witness.sshd_messages import read_sshd

FINGERPRINT = "SHA256:" + "A" * 43
PIECES = st.sampled_from([
    " ", "root", " from ", "10.0.0.1", " port 22", " ssh2", ": ", f"ED25519 {FINGERPRINT}",
    " for ", "invalid user ", "Accepted password", " [preauth]", "') ", "', ", " FOR '", ")",
    "(uid=0)",
    " by ", " on pts/9", " ; ", "USER=root", "COMMAND=/bin/sh", "TTY=pts/9", "PWD=/",
    "\n", "ä", "x",
])  # fmt: skip
OFFERED = st.lists(PIECES | st.text(max_size=3), max_size=9).map("".join)
"""What a person may type for a name: above all, pieces of the messages themselves."""

ACCOUNTS = st.sampled_from(["pat", "root", "svc-web", "x.y", "admin@example.org", "u_1$"])
ADDRESSES = st.ip_addresses().map(str) | st.just("fe80::1%eth0")
PORTS = st.integers(1, 65535)
INVALID = st.sampled_from(["", "invalid user "])
METHODS = st.sampled_from(["password", "keyboard-interactive/pam", "none", "hostbased"])


def place(said: Said | None) -> tuple[str, int | None]:
    """Return where a message says that somebody was."""
    assert said is not None
    return said.address, said.port


@given(OFFERED, INVALID, METHODS, ADDRESSES, PORTS, st.booleans())
def test_a_refused_name_forges_nothing(
    name: str, invalid: str, method: str, address: str, port: int, has_key: bool
) -> None:
    """Whatever is offered as a name: refused, by that method, from where it really came."""
    key = f": ED25519 {FINGERPRINT}" if has_key else ""
    said = read_sshd(f"Failed {method} for {invalid}{name} from {address} port {port} ssh2{key}")
    assert said is not None
    assert (said.deed, said.address, said.port) == ("refused", address, port)
    assert said.account in (name, name.removeprefix("invalid user "))
    assert said.method.split(" ")[0] == method


@given(OFFERED, INVALID, ADDRESSES, PORTS)
def test_a_name_of_one_who_gives_up_forges_nothing(
    name: str, invalid: str, address: str, port: int
) -> None:
    """The messages at a connection's end, and those that tell nothing new."""
    state = "invalid" if invalid else "authenticating"
    end = f"{address} port {port}"
    for message in (
        f"error: maximum authentication attempts exceeded for {invalid}{name} from {end} ssh2"
        " [preauth]",
        f"Connection closed by {state} user {name} {end} [preauth]",
        f"Connection reset by {state} user {name} {end} [preauth]",
        f"Disconnecting {state} user {name} {end}: Too many authentication failures [preauth]",
    ):
        said = read_sshd(message)
        assert said is not None
        assert (said.deed, *place(said)) == ("refused", address, port), message
        assert said.account in (name, name.removeprefix("invalid user "))
    told = read_sshd(f"Invalid user {name} from {end}")
    assert told is not None
    assert told.deed == "nothing"


@given(OFFERED, OFFERED, ADDRESSES, PORTS)
def test_what_reads_two_ways_names_nobody(name: str, other: str, address: str, port: int) -> None:
    """A certificate's own name stands at the end: a refusal is told, never from a forged place."""
    certificate = f"ED25519-CERT {FINGERPRINT} ID {other} (serial 7) CA ED25519 {FINGERPRINT}"
    said = read_sshd(f"Failed publickey for {name} from {address} port {port} ssh2: {certificate}")
    assert said is not None
    assert said.deed == "refused"
    assert (said.account, said.address) == ("", "") or said.address == address
    reason = f"Change of username or service not allowed: ({name},x) -> ({other},y)"
    said = read_sshd(f"Disconnecting invalid user {name} {address} port {port}: {reason} [preauth]")
    assert said is not None
    assert said.deed == "refused"
    assert said.address in ("", address)


@given(ACCOUNTS, OFFERED, ADDRESSES, PORTS, METHODS)
def test_who_was_let_in_came_from_there(
    account: str, other: str, address: str, port: int, method: str
) -> None:
    """What a certificate, a principal or a client's host is called does not matter."""
    head = f"from {address} port {port} ssh2"
    certificate = f"ED25519-CERT {FINGERPRINT} ID {other} (serial 7) CA ED25519 {FINGERPRINT}"
    for message, told in (
        (f"Accepted {method} for {account} {head}", method),
        (f"Accepted publickey for {account} {head}: RSA {FINGERPRINT}",
         f"publickey RSA {FINGERPRINT}"),
        (f"Accepted publickey for {account} {head}: {certificate}",
         f"publickey ED25519-CERT {FINGERPRINT}"),
        (f"Accepted gssapi-with-mic for {account} {head}: {other}", "gssapi-with-mic"),
    ):  # fmt: skip
        said = read_sshd(message)
        assert said is not None
        assert (said.deed, said.account, *place(said)) == ("let in", account, address, port)
        assert said.method == told


@given(OFFERED)
def test_nobody_lets_themselves_in(name: str) -> None:
    """No name makes a message of failure one of success."""
    for message in (
        f"Failed password for {name} from 192.0.2.7 port 4711 ssh2",
        f"Failed password for invalid user {name} from 192.0.2.7 port 4711 ssh2",
        f"Invalid user {name} from 192.0.2.7 port 4711",
        f"error: PAM: Authentication failure for illegal user {name} from 192.0.2.7",
        f"Connection closed by invalid user {name} 192.0.2.7 port 4711 [preauth]",
        f"User {name} from 192.0.2.7 not allowed because not listed in AllowUsers",
    ):
        said = read_sshd(message)
        assert said is None or said.deed in ("refused", "nothing")
        assert said is None or said.address in ("", "192.0.2.7")


@given(OFFERED)
def test_pam_s_answer_is_from_there(name: str) -> None:
    """What sshd says of PAM's answer ends with the place."""
    said = read_sshd(f"error: PAM: Authentication failure for illegal user {name} from 192.0.2.7")
    assert said is not None
    assert (said.deed, said.account, said.address) == ("refused", name, "192.0.2.7")
    retries = "Have exhausted maximum number of retries for service"
    said = read_sshd(f"error: PAM: {retries} for pat from gate.example.org")
    assert said is not None
    assert (said.account, said.address) == ("pat", "gate.example.org")


@given(OFFERED, ACCOUNTS)
def test_su_and_login_are_told_names_too(name: str, account: str) -> None:
    """What was typed at login's prompt, or behind su, is the account that was tried, no more."""
    said = read_su(f"FAILED SU (to {name}) {account} on pts/2")
    assert said is not None
    assert (said.deed, said.account, said.terminal) == ("refused", name, "pts/2")
    said = read_login(f"FAILED LOGIN (1) on '/dev/tty1' FOR '{name}', Authentication failure")
    assert said is not None
    assert (said.deed, said.account, said.terminal) == ("refused", name, "tty1")
    said = read_login(f"FAILED LOGIN 2 FROM tty1 FOR {name}, Authentication failure")
    assert said is not None
    assert (said.deed, said.account, said.terminal) == ("refused", name, "tty1")


@given(OFFERED, OFFERED)
def test_sudo_s_directories_and_arguments_forge_nothing(directory: str, argument: str) -> None:
    """Either command and account are those of the order, or neither is told."""
    command = f"/usr/bin/id {argument}"
    said = read_sudo(f"    opal : TTY=pts/2 ; PWD=/{directory} ; USER=pat ; COMMAND={command}")
    assert said is not None
    assert (said.deed, said.terminal, said.reason) == ("told", "pts/2", "")
    assert (said.account, said.command) in (("pat", command), ("", ""))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("    opal : 3 incorrect password attempts ; TTY=pts/2 ; PWD=/home/opal ; USER=root ;"
         " COMMAND=/usr/bin/id",
         Said("refused", "opal", terminal="pts/2", reason="3 incorrect password attempts",
              command="/usr/bin/id")),
        ("opal : command not allowed ; HOST=web1 ; TTY=pts/2 ; PWD=/ ; USER=root ; GROUP=adm ;"
         " TSID=000001 ; ENV=A=b ; COMMAND=/usr/bin/id -u",
         Said("told", "root", terminal="pts/2", reason="command not allowed",
              command="/usr/bin/id -u")),
        ("opal : TTY=unknown ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
         Said("told", "root", command="/usr/bin/id")),
    ],
)  # fmt: skip
def test_sudo_s_forms(message: str, said: Said) -> None:
    """Passwords that were wrong, orders that were refused, and one without a terminal."""
    assert read_sudo(message) == said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("pam_unix(sshd:session): session opened for user pat(uid=1000) by (uid=0)",
         Said("opened", "pat")),
        ("pam_unix(sshd:session): session opened for user pat by root(uid=0)",
         Said("opened", "pat")),
        ("pam_unix(su-l:session): session closed for user pat", Said("closed", "pat")),
        ("pam_unix(gdm-password:auth): authentication failure; logname= uid=0 euid=0"
         " tty=/dev/tty1 ruser= rhost=  user=pat",
         Said("refused", "pat", terminal="tty1", reason="authentication failure")),
        ("pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x"
         " rhost=10.9.9.9  user=root rhost=192.0.2.7  user=pat",
         Said("refused", "pat", "192.0.2.7", terminal="ftp", reason="authentication failure")),
    ],
)  # fmt: skip
def test_pam_s_forms(message: str, said: Said) -> None:
    """Sessions of any program, and refusals of programs that do not tell of them themselves."""
    assert read_pam(message, tells_refusals=True) == said


def test_what_is_cut_off_is_still_a_refusal() -> None:
    """Syslog's limit takes the end of long names: who and where is not known then."""
    said = read_sshd("Failed password for invalid user " + "\\303\\244" * 60)
    assert said == Said("refused", method="password")


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    """No message ends a reader, and places are addresses or names."""
    for read in (read_sshd, read_su, read_sudo, read_login):
        said = read(text)
        assert said is None or said.port is None or 0 < said.port < 65536
    read_pam(text, tells_refusals=True)
