"""The policy file, read anew when it changes; a bad one leaves the last good policy in force."""

from __future__ import annotations

from pathlib import Path

from steno.errors import ConfigError
from steno.policy.parsing import parse_policy
from steno.policy.rules import Contents, Policy

LIMIT_BYTES = 4 << 20
"""A larger file is refused: it is no policy, and reading it would hold up sessions."""


class PolicyFile:
    """The policy that is in force.

    Attributes:
        path: The file.
        policy: The last good policy; what is built in until there was one, or with no file.
        error: Why the file as it is now is not in force; None when it is.
    """

    def __init__(self, path: Path) -> None:
        """Read nothing yet; `reload` does."""
        self.path = path
        self.policy = Policy(Contents())
        self.error: ConfigError | None = None
        self._seen: tuple[int, int, int, int] | None = None

    def reload(self) -> Policy:
        """Read the file whether it changed or not; return the policy that is in force.

        Raises:
            ConfigError: The file is unreadable or wrong; it is kept as `error`, and the last good
                policy stays in force.
        """
        self._seen = self._look()
        try:
            self.policy = parse_policy(self._read(), str(self.path))
        except ConfigError as error:
            self.error = error
            raise
        self.error = None
        return self.policy

    def refresh(self) -> bool:
        """Reload if the file is another than when it was read last; return whether it was read.

        Raises:
            ConfigError: As `reload` does, once per change of the file.
        """
        if self._look() == self._seen:
            return False
        self.reload()
        return True

    def _look(self) -> tuple[int, int, int, int]:
        """Return what tells one state of the file from another; zeros when there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0, 0, 0
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                data = file.read(LIMIT_BYTES + 1)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ConfigError(error.strerror or str(error), file=str(self.path)) from error
        if len(data) > LIMIT_BYTES:
            raise ConfigError(f"larger than {LIMIT_BYTES} bytes", file=str(self.path))
        return data
