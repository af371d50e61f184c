"""Where a host keeps what decides about recording, on this machine or in an image of one."""

from __future__ import annotations

from pathlib import Path

import msgspec

LOGIN_SHELL, WAITER = "/usr/bin/steno-shell", "/usr/bin/steno-wait"


class HostPlaces(msgspec.Struct, frozen=True):
    """The files of a host.

    Attributes:
        root: `/`, or the directory that holds an image of a host.
    """

    root: Path = Path("/")

    @property
    def is_image(self) -> bool:
        """Whether this is not the running system."""
        return self.root.resolve() != Path("/")

    def at(self, path: str) -> Path:
        """Return where the file `path` of the host is."""
        return self.root / path.lstrip("/")

    @property
    def passwd(self) -> Path:
        """Local accounts."""
        return self.at("/etc/passwd")

    @property
    def group(self) -> Path:
        """Local groups."""
        return self.at("/etc/group")

    @property
    def listed(self) -> Path:
        """The shells that people may choose: shells(5)."""
        return self.at("/etc/shells")

    @property
    def configuration(self) -> Path:
        """The directory of Steno's configuration."""
        return self.at("/etc/steno")

    @property
    def table(self) -> Path:
        """The real shells of recorded users."""
        return self.configuration / "shells"

    @property
    def policy(self) -> Path:
        """The policy file."""
        return self.configuration / "policy.toml"

    @property
    def login_shell(self) -> Path:
        """The program that is the login shell of recorded users."""
        return self.at(LOGIN_SHELL)

    @property
    def agent_socket(self) -> Path:
        """Where the agent takes sessions."""
        return self.at("/run/steno/agent.sock")
