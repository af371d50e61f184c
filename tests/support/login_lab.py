"""The system's own su, sudo, login and sshd, with accounts of a laboratory's.

A private mount and pid namespace in which files of a temporary directory lie over the system's
passwd, shadow, group, shells, sudoers and /run. What runs outside is not touched.
"""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import sysconfig
import threading
from pathlib import Path

from processes import wait_for_end
from waiting import wait_for

PASSWORD = "lab-word"
USER, UID = "stenotester", 29997
STRANGER, STRANGER_UID = "stenostranger", 29998

SET_UP = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/steno /run/sshd /run/user /run/etc /run/work /run/dev/pts
mount --bind {lab}/steno /run/steno
cd /dev
cp -a ptmx null zero full random urandom tty fd stdin stdout stderr /run/dev
cd /
touch /run/dev/log
mount --bind /dev/pts /run/dev/pts
mount --bind {lab}/log /run/dev/log
mount --rbind /run/dev /dev
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
mkdir -p /etc/steno
rm -rf /etc/pam.d /etc/sudoers.d /etc/update-motd.d /etc/nologin
cp -r {lab}/etc/. /etc
echo ready
sleep 100000 &
wait
"""


class LoginLab:
    """The namespace, kept alive by a sleeping process until `close`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.socket = directory / "steno/agent.sock"
        self.program = directory / "steno-shell"
        directory.chmod(0o755)
        for name in ("steno-shell", "steno-wait"):
            shutil.copy(Path(sysconfig.get_path("scripts")) / name, directory / name)
            (directory / name).chmod(0o711)  # as the package has them: nobody may trace them
        self._make_files()
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(str(directory / "log"))
        (directory / "log").chmod(0o666)
        self._lines: list[str] = []
        self._logging = threading.Thread(target=self._read_log, daemon=True)
        self._logging.start()
        inside = ["sh", "-c", SET_UP.format(lab=shlex.quote(str(directory)))]
        dying_with_us = ["setpriv", "--pdeathsig", "KILL"]
        self._holder = subprocess.Popen(
            [*dying_with_us, "unshare", "--mount", "--pid", "--fork", "--kill-child", *inside],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", "the namespace could not be made"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self.pid = int(children.read_text().split()[0])
        self._make_keys()
        self.set_shell(str(self.program))

    def command(self, *words: str) -> list[str]:
        """Return the words that run a program inside, as root."""
        return ["nsenter", "-t", str(self.pid), "-m", "-p", *words]

    def ssh(self, *words: str, configuration: str = "") -> list[str]:
        """Return the words of an ssh to an sshd inside, which serves just this connection."""
        config = self.directory / f"sshd-{len(configuration)}-{abs(hash(configuration))}"
        usual = f"HostKey {self.directory}/host_key\nUsePAM yes\nAuthorizedKeysFile "
        usual += f"{self.directory}/user_key.pub\nStrictModes no\nPermitRootLogin yes\n"
        usual += "PrintMotd no\nPrintLastLog no\nSubsystem sftp /usr/lib/openssh/sftp-server\n"
        config.write_text(usual + configuration)
        proxy = shlex.join(self.command("/usr/sbin/sshd", "-i", "-f", str(config)))
        options = ["IdentitiesOnly=yes", "StrictHostKeyChecking=no", "LogLevel=ERROR"]
        options += ["UserKnownHostsFile=/dev/null", f"ProxyCommand={proxy}", "BatchMode=yes"]
        flags = [part for option in options for part in ("-o", option)]
        return ["-F", "none", "-i", str(self.directory / "user_key"), *flags, *words]

    def set_shell(self, shell: str) -> None:
        """Give root and the user this shell; the stranger keeps bash."""
        rows = [f"root:x:0:0:root:{self.home}:{shell}"]
        rows.append("sshd:x:29996:29996::/run/sshd:/usr/sbin/nologin")
        rows.append(f"{USER}:x:{UID}:{UID}::{self.home}:{shell}")
        rows.append(f"{STRANGER}:x:{STRANGER_UID}:{STRANGER_UID}::{self.home}:/bin/bash")
        self.write("passwd", "\n".join(rows) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file in the namespace's /etc."""
        path = f"/etc/{name}"
        done = subprocess.run(self.command("tee", path), input=text.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr

    def wait_logged(self, text: str) -> None:
        """Wait until a line with `text` was written to syslog."""
        wait_for(
            lambda: any(text in line for line in self._lines),
            lambda: f"no line with {text!r} in {self._lines}",
        )

    def _read_log(self) -> None:
        # A socket that nobody reads would soon hold up everybody who logs.
        while line := self.log.recv(65536):
            self._lines.append(line.decode("utf-8", "replace"))

    def close(self) -> None:
        """End all that runs inside; the mounts go with it."""
        self._holder.kill()
        self._holder.wait()
        wait_for_end(self.pid)
        if self._holder.stdout:
            self._holder.stdout.close()
        self.log.shutdown(socket.SHUT_RD)
        self._logging.join()
        self.log.close()

    def _make_files(self) -> None:
        etc = self.directory / "etc"
        for made in (etc / "pam.d", self.home, self.directory / "steno"):
            made.mkdir(parents=True)
        self.home.chmod(0o777)
        done = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        )
        names = ("root", USER, STRANGER)
        word = done.stdout.strip()
        (etc / "shadow").write_text("".join(f"{name}:{word}:19000::::::\n" for name in names))
        (etc / "shadow").chmod(0o600)
        groups = f"root:x:0:\ntty:x:5:\nsudo:x:27:\n{USER}:x:{UID}:\n{STRANGER}:x:{STRANGER_UID}:\n"
        (etc / "group").write_text(groups)
        (etc / "shells").write_text(f"/bin/sh\n/bin/dash\n/bin/bash\n{self.program}\n")
        (etc / "sudoers").write_text("Defaults use_pty\nALL ALL=(ALL:ALL) NOPASSWD: ALL\n")
        (etc / "sudoers").chmod(0o440)
        rules = "auth sufficient pam_rootok.so\nauth required pam_unix.so\n"
        rules += "account required pam_unix.so\nsession required pam_unix.so\n"
        for service in ("su", "su-l", "sudo", "sudo-i", "sshd", "login", "other"):
            loginuid = "session required pam_loginuid.so\n" if service in ("sshd", "login") else ""
            (etc / "pam.d" / service).write_text(rules + loginuid)

    def _make_keys(self) -> None:
        for name in ("host_key", "user_key"):
            path = self.directory / name
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
            subprocess.run(words, check=True)
