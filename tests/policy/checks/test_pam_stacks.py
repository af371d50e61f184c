"""Reading PAM's and sshd's configuration as they do."""

from __future__ import annotations

from fnmatch import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from steno.policy.checks.pam import read_stack
from steno.policy.checks.sshd import parse_config, parse_effective
from steno.policy.checks.sssd import parse_recording

FEDORA = {
    "/etc/pam.d/sshd": """\
#%PAM-1.0
auth       substack     password-auth
auth       include      postlogin
account    required     pam_sepermit.so
session    required     pam_loginuid.so # comment
session    optional     pam_keyinit.so force revoke
session    include      password-auth
-session   optional     pam_systemd.so
session    [success=1 default=ignore] /lib/security/pam_succeed_if.so service in [a b\\]c] quiet
""",
    "/etc/pam.d/password-auth": """\
auth        required      pam_env.so
session     required      pam_unix.so
session     optional      \\
            pam_sss.so
""",
    "/etc/pam.d/postlogin": "session include postlogin\nauth optional pam_umask.so silent\n",
}


def test_includes_of_other_systems_are_followed() -> None:
    """`include` and `substack` bring the lines of their own group, controls in brackets too."""
    stack = read_stack("sshd", FEDORA.get)
    assert stack is not None
    assert [(line.group, line.module) for line in stack] == [
        ("auth", "pam_env.so"),
        ("auth", "pam_umask.so"),
        ("account", "pam_sepermit.so"),
        ("session", "pam_loginuid.so"),
        ("session", "pam_keyinit.so"),
        ("session", "pam_unix.so"),
        ("session", "pam_sss.so"),
        ("session", "pam_systemd.so"),
        ("session", "pam_succeed_if.so"),
    ]
    assert stack[-1].control == "[success=1 default=ignore]"
    assert stack[-1].arguments == ("service", "in", "a b]c", "quiet")
    assert stack[-3].place == "/etc/pam.d/password-auth:3"


def test_a_service_without_a_file_has_no_stack() -> None:
    """What is not installed is not judged."""
    assert read_stack("gdm-password", FEDORA.get) is None


def test_circles_end() -> None:
    """A file that includes itself is read, not for ever."""
    files = {"/etc/pam.d/a": "@include a\nsession required pam_unix.so\n"}
    stack = read_stack("a", files.get)
    assert stack
    assert {line.module for line in stack} == {"pam_unix.so"}


@given(st.text(), st.text())
def test_any_text_is_read(first: str, second: str) -> None:
    """Whatever stands in configuration files, reading them fails with no exception."""
    files = {
        "/etc/pam.d/sshd": first + "\n@include x\n",
        "/etc/pam.d/x": second,
        "/etc/ssh/sshd_config": f"Include /x\n{first}\n",
        "/x": second,
    }
    read_stack("sshd", files.get)
    parse_config(files.get, lambda pattern: [name for name in files if fnmatch(name, pattern)])
    parse_effective(first)
    parse_recording([("a", first), ("b", second)])


def test_sshd_takes_first_values_and_keeps_matches_apart() -> None:
    """The first value counts; a Match in an included file ends with the file; `all` ends one."""
    files = {
        "/etc/ssh/sshd_config": """\
Include conf.d/*.conf
PermitTunnel no
permittunnel yes
X = "y z"  # comment
Match User ann
    PermitTunnel yes
Match all
    UsePAM yes
""",
        "/etc/ssh/conf.d/a.conf": "Match Group b\nUsePAM no\n",
        "/etc/ssh/conf.d/b.conf": "Banner none\n",
    }
    blocks = parse_config(
        files.get, lambda pattern: sorted(name for name in files if fnmatch(name, pattern))
    )
    assert blocks is not None
    assert [block.condition for block in blocks] == ["", "Group b", "User ann", "all"]
    general = blocks[0]
    tunnel = general.first("permittunnel")
    assert tunnel is not None
    assert (tunnel.text, tunnel.place) == ("no", "/etc/ssh/sshd_config:2")
    assert [value.text for value in general.values["x"]] == ["y z"]
    assert general.first("banner") is not None
    assert general.first("usepam") is None


def test_snippets_of_sssd_win_over_its_file() -> None:
    """Later files change single options of the section; other sections do not count."""
    recording = parse_recording(
        [
            ("sssd.conf", "[session_recording]\nscope = all\nusers = ann\n[nss]\nscope=x\n"),
            ("a.conf", "# c\n[Session_Recording]\nSCOPE = some\ngroups= a b , c\n"),
        ]
    )
    assert (recording.scope, recording.users, recording.groups) == ("some", ("ann",), ("a b", "c"))
    assert recording.place == "a.conf"
    assert recording.is_on
    assert not parse_recording([("x", "[session_recording]\nscope = some\n")]).is_on
