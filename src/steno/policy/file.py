"""Files of the host's administrator, read anew when they change.

A bad one leaves what was read last in force.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from steno.errors import ConfigError
from steno.policy.parsing import parse_policy
from steno.policy.rules import Policy
from steno.policy.shells import parse_listed, parse_table

T = TypeVar("T")

LIMIT_BYTES = 4 << 20
"""A larger file is refused: it is no policy, and reading it would hold up sessions."""


class WatchedFile(Generic[T]):
    """A file that is parsed, and the last good outcome.

    Attributes:
        path: The file.
        value: What the last good content means; until there was one, what no file means.
        error: Why the content as it is now is not in force; None when it is.
    """

    def __init__(self, path: Path, parse: Callable[[bytes, str], T]) -> None:
        """Read nothing yet; `reload` does.

        Args:
            path: The file.
            parse: Turns content and name into what it means, b"" for no file; may raise
                ConfigError.
        """
        self.path = path
        self.value = parse(b"", str(path))
        self.error: ConfigError | None = None
        self._parse = parse
        self._seen: tuple[int, ...] | None = None

    def reload(self) -> T:
        """Read the file whether it changed or not; return what is in force.

        Raises:
            ConfigError: The file is unreadable or wrong; it is kept as `error`, and `value` stays.
        """
        self._seen = self._look()
        try:
            self.value = self._parse(self._read(), str(self.path))
        except ConfigError as error:
            self.error = error
            raise
        self.error = None
        return self.value

    def refresh(self) -> bool:
        """Reload if the file is another than when it was read last; return whether it was read.

        Raises:
            ConfigError: As `reload` does, once per change of the file.
        """
        if self._look() == self._seen:
            return False
        self.reload()
        return True

    def _look(self) -> tuple[int, ...]:
        """Return what tells one state of the file from another; nothing when there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size

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


class PolicyFile(WatchedFile[Policy]):
    """The policy that is in force: /etc/steno/policy.toml, or without one what is built in."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, parse_policy)

    @property
    def policy(self) -> Policy:
        """The last good policy."""
        return self.value


class ShellFiles:
    """The files that choosing a shell needs: /etc/steno/shells and /etc/shells.

    Attributes:
        table: The first, `value` being the real shell of each user that is listed in it.
        listed: The second, `value` being the shells in it, in its order.
    """

    def __init__(self, table: Path, listed: Path) -> None:
        """Read nothing yet; `refresh` does."""
        self.table = WatchedFile(table, parse_table)
        self.listed = WatchedFile(listed, lambda data, _: parse_listed(data))

    def refresh(self) -> None:
        """Read what changed.

        Raises:
            ConfigError: One is unreadable or wrong, said once per change; what it held last stays.
        """
        try:
            self.listed.refresh()
        finally:
            self.table.refresh()
