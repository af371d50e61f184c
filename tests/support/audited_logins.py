"""People who log in by real sshd to a host with a real auditd, and are recorded by a real agent.

sshd, PAM, sudo and su see accounts and files of a private mount namespace; processes have the
machine's own process ids, as auditd and the kernel know no others. What runs ends with the test.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from audit_host import STENO
from ports import HeldPort
from waiting import wait_for

PEOPLE = {"avery": 1501, "blake": 1502}
PASSWORD = "Wooden-spoon-9"
HOST = "web1"
_SET_UP = """\
set -eu
mount --make-rprivate /
mkdir -p {base}/layers
mount -t tmpfs -o mode=755 layers {base}/layers
for directory in /etc /home /usr/bin; do
    upper={base}/layers/${{directory//\\//_}}
    mkdir -p $upper/up $upper/work
    mount -t overlay layer -o lowerdir=$directory,upperdir=$upper/up,workdir=$upper/work $directory
done
mount -t tmpfs -o mode=755 layer /run
mkdir -p /run/sshd /run/steno; : >/run/utmp
mount --bind {base}/run /run/steno
hostname {host}; echo "127.0.1.1 {host}" >>/etc/hosts
rm -f /etc/nologin
install -m 755 {programs}/steno-shell {programs}/steno-wait {programs}/steno-note-login /usr/bin/
for one in {people}; do
    useradd --create-home --shell /bin/bash --uid ${{one#*:}} ${{one%:*}}
    echo "${{one%:*}}:{password}" | chpasswd
    install -d -m 700 -o ${{one%:*}} /home/${{one%:*}}/.ssh
    install -m 600 -o ${{one%:*}} {base}/key.pub /home/${{one%:*}}/.ssh/authorized_keys
    touch /home/${{one%:*}}/.hushlogin
done
usermod -aG sudo avery
mkdir -p /etc/steno
cp {base}/agent.toml {base}/policy.toml /etc/steno/
echo "session optional pam_exec.so quiet /usr/bin/steno-note-login" >>/etc/pam.d/sshd
for one in {people}; do {steno} host enable ${{one%:*}} --without-agent; done
{steno} agent >>{base}/agent.log 2>&1 &
for _ in $(seq 600); do [ -S /run/steno/agent.sock ] && break; sleep 0.1; done
echo $$ >{base}/inside.pid
/usr/sbin/sshd -D -f {base}/sshd_config -E {base}/sshd.log &
wait
"""
_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {base}/host_key
UsePAM yes
PidFile none
PrintLastLog no
Subsystem sftp internal-sftp
"""
_AGENT = """\
user = "root"
spool = "{base}/spool"
numbers = "{base}"
[log]
style = "text"
"""


def missing_for_logins() -> str | None:
    """Return why nobody can log in here for a test; None: they can."""
    needed = {
        "sshd": "openssh-server", "ssh": "openssh-client", "sudo": "sudo", "vim": "vim",
        "curl": "curl", "unshare": "util-linux",
    }  # fmt: skip
    for program, package in needed.items():
        if shutil.which(program) is None:
            return f"{program} is missing (Debian package {package})"
    return None


class AuditedLogins:
    """A host's accounts, sshd and agent, for as long as the `with` block lasts.

    Args:
        directory: Where its files go; an `AuditHost` of the same directory shares the spool.
        policy: The policy file's text.

    Attributes:
        directory: Where its files are.
        port: sshd's.
    """

    def __init__(self, directory: Path, policy: str = "") -> None:
        self.directory = directory
        self._policy = policy
        self._minder: subprocess.Popen[bytes] | None = None
        self._held_port = HeldPort()
        self.port = self._held_port.number

    def __enter__(self) -> AuditedLogins:
        base = self.directory
        for parent in [base, *base.parents][:3]:
            parent.chmod(0o755)
        for key in ("key", "host_key", "other_key"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / key)]
            subprocess.run(words, check=True)
        (base / "run").mkdir(exist_ok=True)
        (base / "sshd_config").write_text(_SSHD.format(port=self.port, base=base))
        (base / "agent.toml").write_text(_AGENT.format(base=base))
        (base / "policy.toml").write_text(self._policy)
        script = _SET_UP.format(
            base=shlex.quote(str(base)),
            host=HOST,
            password=PASSWORD,
            programs=shlex.quote(sysconfig.get_path("scripts")),
            people=" ".join(f"{name}:{uid}" for name, uid in PEOPLE.items()),
            steno=shlex.join(STENO),
        )
        minding = [sys.executable, str(Path(__file__).with_name("minding.py"))]
        with (base / "logins.log").open("ab") as log:
            self._minder = subprocess.Popen(
                [*minding, "unshare", "--mount", "--uts", "bash", "-c", script],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for(self._answers, lambda: self.explain("sshd does not answer"))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End sshd, the agent and all that they started."""
        if self._minder is not None:
            assert self._minder.stdin is not None
            self._minder.stdin.close()
            self._minder.wait(60)
            self._minder = None
        self._held_port.close()

    def _answers(self) -> bool:
        assert self._minder is not None
        assert self._minder.poll() is None, self.explain("sshd did not start")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(8).startswith(b"SSH-")
        except OSError:
            return False

    def explain(self, what: str) -> str:
        """Return a text for a failed test."""
        logs = [self.directory / name for name in ("logins.log", "sshd.log", "agent.log")]
        return "\n".join([what, *[log.read_text() for log in logs if log.exists()]])

    def ssh(self, user: str, *words: str, with_key: bool = True) -> list[str]:
        """Return the words of an ssh to the host."""
        return ["ssh", *self._options("-p", with_key=with_key), f"{user}@127.0.0.1", *words]

    def scp(self, *words: str) -> list[str]:
        """Return the words of an scp to `avery@127.0.0.1:`; from 127.0.0.2, with two keys."""
        first = ["-o", "BindAddress=127.0.0.2", "-i", str(self.directory / "other_key")]
        return ["scp", *first, *self._options("-P"), *words]

    def _options(self, port: str, *, with_key: bool = True) -> list[str]:
        options = ["IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += ["LogLevel=ERROR", "NumberOfPasswordPrompts=1"]
        if not with_key:
            options += ["PubkeyAuthentication=no"]
        parts = [part for option in options for part in ("-o", option)]
        return [port, str(self.port), "-F", "none", "-i", str(self.directory / "key"), *parts]

    def inside(self) -> tuple[str, ...]:
        """Return the words that run a program where these accounts and files are."""
        pid = (self.directory / "inside.pid").read_text().strip()
        return ("nsenter", "-t", pid, "--mount", "--uts", "--wd=/")


def who_is_left(directory: Path) -> list[str]:
    """Return what still runs of a host in `directory`."""
    mark = os.fsencode(directory)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            if mark in words and int(entry.name) != os.getpid():
                found.append(os.fsdecode(words).replace("\0", " "))
        except OSError:
            continue
    return found
