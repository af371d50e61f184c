"""`steno host check` on images of a Debian host: each fault is found, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from host_image import DEBIAN, RECORDING, Break, HostImage

from steno.policy.checks.host import ORDER, examine


@pytest.fixture
def image(tmp_path: Path) -> HostImage:
    """Return a host at which nothing is to be found, but that its files are not root's."""
    made = HostImage(tmp_path / "image")
    if os.geteuid() != 0:
        pytest.skip("the files of a well set up host are root's; only root can make them so")
    return made


def pam_sss(image: HostImage) -> None:
    """Let SSSD record and tell the real shell."""
    image.write("etc/sssd/sssd.conf", RECORDING, 0o600)
    image.append("etc/pam.d/common-session", "session optional pam_sss.so\n")
    (image.root / "usr/bin/tlog-rec-session").symlink_to("steno-shell")


def sssd_without_recorder(image: HostImage) -> None:
    """Let SSSD record, without a recorder."""
    pam_sss(image)
    (image.root / "usr/bin/tlog-rec-session").unlink()


def sssd_with_tlog(image: HostImage) -> None:
    """Let SSSD record with another recorder."""
    sssd_without_recorder(image)
    image.program("usr/bin/tlog-rec-session")


def sssd_without_pam(image: HostImage) -> None:
    """Let SSSD record in a snippet, without its PAM module in any session."""
    pam_sss(image)
    image.change("etc/pam.d/common-session", "session optional pam_sss.so\n", "")
    image.write("etc/sssd/sssd.conf", "[sssd]\n", 0o600)
    image.write("etc/sssd/conf.d/recording.conf", RECORDING, 0o600)


def sssd_for_local(image: HostImage) -> None:
    """Let SSSD record a local user, whom the system finds in the files first."""
    pam_sss(image)
    image.append("etc/passwd", "zoe:x:1005:1005::/home/zoe:/bin/bash\n")
    image.write("etc/nsswitch.conf", "passwd: files sss # comment\n")


def sssd_for_local_in_order(image: HostImage) -> None:
    """Let SSSD record a local user, whom the system asks SSSD for first."""
    sssd_for_local(image)
    image.write("etc/nsswitch.conf", "passwd: sss files\n")


def sssd_with_one_sudo(image: HostImage) -> None:
    """Let SSSD record where `sudo -i` has no service of its own."""
    pam_sss(image)
    (image.root / "etc/pam.d/sudo-i").unlink()


FAULTS: list[tuple[str, Break, set[tuple[str, str]]]] = [
    ("nothing", lambda image: None, set()),
    ("sssd is well", pam_sss, set()),
    ("sssd, local user in order", sssd_for_local_in_order, set()),
    ("sssd without recorder", sssd_without_recorder, {("sssd-recorder", "lockout")}),
    ("sssd with tlog", sssd_with_tlog, {("sssd-recorder", "hint")}),
    ("sssd without pam", sssd_without_pam, {("pam-sss", "lockout")}),
    ("sssd, sudo -i by sudo", sssd_with_one_sudo, {("pam-sss", "lockout")}),
    ("sssd after files", sssd_for_local, {("sssd-order", "escape")}),
    (
        "no login shell",
        lambda image: (image.root / "usr/bin/steno-shell").unlink(),
        {("login-shell", "lockout")},
    ),
    (
        "login shell that not all may execute",
        lambda image: (image.root / "usr/bin/steno-shell").chmod(0o750),
        {("login-shell", "lockout")},
    ),
    (
        "login shell of everybody",
        lambda image: (image.root / "usr/bin/steno-shell").chmod(0o777),
        {("login-shell", "escape")},
    ),
    (
        "no waiting parent",
        lambda image: (image.root / "usr/bin/steno-wait").unlink(),
        {("login-shell", "lockout")},
    ),
    (
        "login shell that its users can trace",
        lambda image: (image.root / "usr/bin/steno-shell").chmod(0o755),
        {("login-shell", "gap")},
    ),
    (
        "login shell not listed",
        lambda image: image.write("etc/shells", "/bin/bash\n"),
        {("shells-list", "lockout")},
    ),
    (
        "real shell missing",
        lambda image: image.write("etc/steno/shells", "ann:/bin/zsh\n"),
        {("shells-table", "lockout")},
    ),
    (
        "real shell not known",
        lambda image: image.write("etc/steno/shells", ""),
        {("shells-table", "lockout")},
    ),
    (
        "damaged table",
        lambda image: image.write("etc/steno/shells", "rubbish\n"),
        {("shells-table", "lockout")},
    ),
    (
        "user gone",
        lambda image: image.append("etc/steno/shells", "gone:/bin/bash\n"),
        {("shells-table", "hint")},
    ),
    (
        "shell changed back",
        lambda image: image.change("etc/passwd", "/usr/bin/steno-shell", "/bin/bash"),
        {("accounts", "escape")},
    ),
    (
        "second name",
        lambda image: image.append("etc/passwd", "ann2:x:1000:1000::/home/ann:/bin/bash\n"),
        {("accounts", "escape")},
    ),
    (
        "second name that cannot log in",
        lambda image: image.append("etc/passwd", "ann2:x:1000:1000::/:/usr/sbin/nologin\n"),
        set(),
    ),
    (
        "chsh",
        lambda image: image.change("etc/pam.d/chsh", "pam_succeed_if.so quiet", "pam_permit.so"),
        {("chsh", "escape")},
    ),
    (
        "chsh that nobody may use",
        lambda image: (
            image.change("etc/pam.d/chsh", "pam_succeed_if.so quiet", "pam_permit.so"),
            (image.root / "usr/bin/chsh").chmod(0o755),
        )[0],
        set(),
    ),
    (
        "key with internal-sftp",
        lambda image: image.write(
            "home/ann/.ssh/authorized_keys",
            '# command="internal-sftp" no\nrestrict,command="internal-sftp -R" ssh-rsa AAAA\n',
        ),
        {("authorized-keys", "escape")},
    ),
    (
        "key with another command",
        lambda image: image.write(
            "home/ann/.ssh/authorized_keys", 'command="/usr/bin/rsync" ssh-ed25519 AAAA x\n'
        ),
        set(),
    ),
    (
        "key in another file",
        lambda image: (
            image.append("etc/ssh/sshd_config", "AuthorizedKeysFile .none /etc/ssh/keys/%u\n"),
            image.write("etc/ssh/keys/ann", 'command="internal-sftp" ssh-rsa AAAA\n'),
        )[0],
        {("authorized-keys", "escape")},
    ),
    (
        "no auditd",
        lambda image: (image.root / "usr/sbin/auditd").unlink(),
        {("audit", "hint")},
    ),
    (
        "no auditd, and nothing to be kept",
        lambda image: (
            (image.root / "usr/sbin/auditd").unlink(),
            image.write("etc/steno/policy.toml", '[defaults]\naudit = "none"\n'),
        )[1],
        set(),
    ),
    (
        "auditd's plugin not active",
        lambda image: image.change("etc/audit/plugins.d/steno.conf", "= yes", "= no"),
        {("audit", "gap")},
    ),
    (
        "auditd's plugin missing",
        lambda image: (image.root / "etc/audit/plugins.d/steno.conf").unlink(),
        {("audit", "gap")},
    ),
    (
        "shell.conf",
        lambda image: image.write(
            "etc/steno/shell.conf", "# x\non_failure = allow\ncontact = a = b\nrescue = all\n"
        ),
        {("shell-configuration", "lockout")},
    ),
    (
        "shell.conf that is well",
        lambda image: image.write("etc/steno/shell.conf", "on_failure=deny\n\nrescue = none\n"),
        set(),
    ),
    (
        "key that chooses the shell",
        lambda image: image.write(
            "home/ann/.ssh/authorized_keys",
            'environment="TLOG_REC_SESSION_SHELL=/bin/zsh" ssh-ed25519 AAAA x\n',
        ),
        {("authorized-keys", "gap")},
    ),
    (
        "no loginuid",
        lambda image: image.change("etc/pam.d/login", "pam_loginuid.so", "pam_permit.so"),
        {("pam-loginuid", "gap")},
    ),
    (
        "no hook",
        lambda image: image.change("etc/pam.d/sshd", "session optional pam_exec.so", "# "),
        {("pam-note-login", "hint")},
    ),
    (
        "hook that is required",
        lambda image: image.change(
            "etc/pam.d/sshd", "optional pam_exec.so", "required pam_exec.so"
        ),
        {("pam-note-login", "lockout")},
    ),
    (
        "user_readenv",
        lambda image: image.append("etc/pam.d/su", "session required pam_env.so user_readenv=1\n"),
        {("pam-env", "gap")},
    ),
    (
        "log_passwd, over two lines",
        lambda image: image.append(
            "etc/pam.d/sudo", "session required \\\n pam_tty_audit.so enable=* log_passwd\n"
        ),
        {("pam-tty-audit", "secret")},
    ),
    (
        "internal-sftp",
        lambda image: image.change("etc/ssh/sshd_config", "/usr/lib/sftp-server", "internal-sftp"),
        {("sshd-sftp", "gap")},
    ),
    (
        "internal-sftp for a group, in an included file",
        lambda image: image.write(
            "etc/ssh/sshd_config.d/sftp.conf",
            "Match Group sftponly\n  ForceCommand internal-sftp -d /data\n  ChrootDirectory /srv\n",
        ),
        {("sshd-forcecommand", "gap"), ("sshd-chroot", "lockout")},
    ),
    (
        "forwarding",
        lambda image: image.change("etc/ssh/sshd_config", "DisableForwarding yes", ""),
        {("sshd-forwarding", "hint"), ("sshd-x11", "gap")},
    ),
    (
        "forwarding of nothing but windows, for a group",
        lambda image: image.write(
            "etc/ssh/sshd_config.d/x11.conf",
            "X11Forwarding no\nAllowTcpForwarding no\nAllowStreamLocalForwarding no\n"
            "DisableForwarding no\nMatch Group artists\n  X11Forwarding yes\n",
        ),
        {("sshd-x11", "gap")},
    ),
    (
        "programs of users before the shell",
        lambda image: image.change(
            "etc/ssh/sshd_config", "PermitUserRC no", "PermitUserRC yes\nForceCommand none"
        ),
        {("sshd-userrc", "gap")},
    ),
    (
        "programs of users before the shell, but for a group",
        lambda image: image.change(
            "etc/ssh/sshd_config", "PermitUserRC no", "Match Group jump\n  PermitUserRC no"
        ),
        {("sshd-userrc", "hint")},
    ),
    (
        "programs of some users before the shell",
        lambda image: image.append(
            "etc/ssh/sshd_config",
            "Match User ann\n  PermitUserRC yes\nMatch Group jump\n  PermitUserRC yes\n"
            "  ForceCommand exec /usr/bin/steno-shell -l\n",
        ),
        {("sshd-userrc", "gap")},
    ),
    (
        "forwarding without the hook",
        lambda image: (
            image.change("etc/ssh/sshd_config", "DisableForwarding yes", ""),
            image.change("etc/pam.d/sshd", "session optional pam_exec.so", "# "),
        )[0],
        {("sshd-forwarding", "escape"), ("sshd-x11", "gap"), ("pam-note-login", "hint")},
    ),
    (
        "forwarding closed for some, without the hook",
        lambda image: (
            image.change("etc/ssh/sshd_config", "DisableForwarding yes", ""),
            image.write(
                "etc/ssh/sshd_config.d/jump.conf",
                "Match Group *,!admins\n    DisableForwarding yes\n",
            ),
            image.change("etc/pam.d/sshd", "session optional pam_exec.so", "# "),
        )[0],
        {("sshd-forwarding", "gap"), ("sshd-x11", "hint"), ("pam-note-login", "hint")},
    ),
    (
        "user environment",
        lambda image: image.append("etc/ssh/sshd_config", "PermitUserEnvironment yes\n"),
        {("sshd-environment", "gap")},
    ),
    (
        "variables of clients",
        lambda image: image.append("etc/ssh/sshd_config", "AcceptEnv XY TLOG_* LC_*\n"),
        {("sshd-environment", "gap")},
    ),
    (
        "sshd without pam",
        lambda image: image.change("etc/ssh/sshd_config", "UsePAM yes", "UsePAM no"),
        {("sshd-pam", "lockout")},
    ),
    (
        "policy of everybody",
        lambda image: (image.root / "etc/steno/policy.toml").chmod(0o666),
        {("steno-files", "escape")},
    ),
    (
        "table that nobody may read",
        lambda image: (image.root / "etc/steno/shells").chmod(0o600),
        {("steno-files", "lockout")},
    ),
    (
        "open credentials",
        lambda image: (image.root / "var/lib/steno/host").chmod(0o755),
        {("steno-files", "secret")},
    ),
    (
        "bad policy",
        lambda image: image.write("etc/steno/policy.toml", "x = 1\n"),
        {("policy", "escape")},
    ),
    (
        "bad agent.toml",
        lambda image: image.write("etc/steno/agent.toml", "x = \n"),
        {("agent-configuration", "lockout")},
    ),
]


@pytest.mark.parametrize(
    ("fault", "expected"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_each_fault_is_found_and_nothing_else(
    image: HostImage, fault: Break, expected: set[tuple[str, str]]
) -> None:
    """One fault of an otherwise good host gives its finding, with a remedy."""
    fault(image)
    findings = image.findings()
    assert {(finding.check, finding.effect) for finding in findings} == expected
    assert all(finding.remedy for finding in findings)


def test_debian_as_it_comes(tmp_path: Path) -> None:
    """A fresh Debian 12: what is said of it before anybody is recorded."""
    found = {(finding.check, finding.effect) for finding in examine(DEBIAN)}
    assert found == {
        ("sshd-forwarding", "escape"),
        ("sshd-x11", "gap"),
        ("sshd-userrc", "gap"),
        ("login-shell", "gap"),
        ("pam-env", "gap"),
        ("pam-note-login", "hint"),
        ("audit", "hint"),
    }
    env = next(finding for finding in examine(DEBIAN) if finding.check == "pam-env")
    text = (DEBIAN / "etc/pam.d/sshd").read_text().splitlines()
    assert "user_readenv=1" in text[int(env.place.rpartition(":")[2]) - 1]


def test_the_worst_comes_first(image: HostImage) -> None:
    """What locks people out stands before what lets them escape, and hints last."""
    image.change("etc/pam.d/sshd", "session optional pam_exec.so", "# ")
    image.change("etc/passwd", "/usr/bin/steno-shell", "/bin/bash")
    image.write("etc/steno/shells", "ann:/bin/none\n")
    effects = [finding.effect for finding in image.findings()]
    assert effects == sorted(effects, key=ORDER.index)
    assert len(set(effects)) == 3


def check(image: HostImage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `steno host check`."""
    return subprocess.run(
        [sys.executable, "-m", "steno.cli", "host", "check", "--root", str(image.root), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_command_says_it_by_text_json_and_exit_code(image: HostImage) -> None:
    """16 when something was found, 0 when nothing or hints alone; --json for programs."""
    done = check(image)
    assert (done.returncode, done.stdout) == (0, "nothing found\n")
    image.change("etc/pam.d/sshd", "session optional pam_exec.so", "# ")
    assert check(image).returncode == 0
    (image.root / "usr/bin/steno-shell").unlink()
    done = check(image)
    assert done.returncode == 16
    assert "ann cannot log in" in done.stdout
    found = json.loads(check(image, "--json").stdout)
    assert [finding["check"] for finding in found] == ["login-shell", "pam-note-login"]
    assert set(found[0]) == {"check", "effect", "text", "remedy", "place"}


def test_every_check_is_documented() -> None:
    """docs/host.md lists each check that a fault gives, with its effect."""
    text = (DEBIAN.parents[2] / "docs/host.md").read_text()
    names = {check for fault in FAULTS for check, _ in fault[2]} | {"agent", "clock"}
    assert [name for name in names if f"`{name}`" not in text] == []
