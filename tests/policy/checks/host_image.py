"""The image of a Debian host that is set up well, for tests that break one thing of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from steno.policy.checks.finding import Finding
from steno.policy.checks.host import NOTE_PROGRAM, examine

DEBIAN = Path(__file__).parents[2] / "data/debian12"
RECORDING = "[session_recording]\nscope = some\nusers = zoe\ngroups = staff\n"


class HostImage:
    """A host's files below `root`. As made, nothing is to be found."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(DEBIAN / "etc", root / "etc")
        for name in ("usr/bin", "bin", "home/ann/.ssh", "var/lib/steno/host", "etc/steno"):
            (root / name).mkdir(parents=True)
        (root / "var/lib/steno/host").chmod(0o700)
        self.program("usr/bin/steno-shell", 0o711)
        self.program("usr/bin/steno-wait", 0o711)
        self.program("usr/bin/chsh", 0o4755)
        self.program("bin/bash")
        self.program("usr/sbin/auditd")
        self.write("etc/audit/plugins.d/steno.conf", "# Steno\n\nactive = yes\ntype = always\n")
        self.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/usr/bin/steno-shell\n"
            "www:x:33:33::/var/www:/usr/sbin/nologin\n",
        )
        self.write("etc/shells", "/bin/bash\n/usr/bin/steno-shell\n")
        self.write("etc/steno/shells", "ann:/bin/bash\n")
        self.write("etc/steno/policy.toml", "[defaults]\n")
        self.change("etc/pam.d/sshd", "user_readenv=1 ", "")
        self.append("etc/pam.d/sshd", f"session optional pam_exec.so quiet {NOTE_PROGRAM}\n")
        self.change(
            "etc/pam.d/chsh",
            "@include common-auth",
            "auth requisite pam_succeed_if.so quiet shell != /usr/bin/steno-shell\n"
            "@include common-auth",
        )
        self.change("etc/ssh/sshd_config", "/usr/lib/openssh/sftp-server", "/usr/lib/sftp-server")
        self.append("etc/ssh/sshd_config", "DisableForwarding yes\nPermitUserRC no\n")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Make a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def program(self, name: str, mode: int = 0o755) -> None:
        """Make a program."""
        self.write(name, "#!/bin/sh\n", mode)

    def append(self, name: str, text: str) -> None:
        """Add lines to a file."""
        path = self.root / name
        path.write_text(path.read_text() + text)

    def change(self, name: str, old: str, new: str) -> None:
        """Change a file's text, which must be there."""
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def findings(self) -> list[Finding]:
        """Return what is found."""
        return examine(self.root)


Break = Callable[[HostImage], None]
