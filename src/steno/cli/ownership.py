"""Whose files a command makes when root runs it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from steno.errors import ConfigError


def become_owner(directory: Path) -> None:
    """Go on as the user who owns `directory`, for good, if root runs this and it is another's.

    What root made in there, a service that runs as that user could neither read nor change. A
    directory that is not there yet changes nothing.

    Raises:
        ConfigError: The owner is no user of this system; nothing was changed.
    """
    if os.geteuid() != 0:
        return
    try:
        owner = directory.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return
    if owner == 0:
        return
    try:
        entry = pwd.getpwuid(owner)
    except KeyError as error:
        raise ConfigError(f"{directory} belongs to user {owner}, whom nobody knows") from error
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(owner, owner, owner)
