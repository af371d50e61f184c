"""Where a host keeps its spool and its credentials when nothing else is configured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from steno.settings import home_directory


class Places(msgspec.Struct, frozen=True):
    """The directories of the host's side.

    Attributes:
        spool: Recordings that wait for delivery.
        host: The host's name, key, certificate and token, mode 0700.
    """

    spool: Path
    host: Path


def default_places(environ: Mapping[str, str], uid: int) -> Places:
    """Return /var/lib/steno/{spool,host} for root, else $XDG_STATE_HOME/steno/{spool,host}.

    An XDG_STATE_HOME that is unset, empty or relative counts as ~/.local/state, as the XDG
    base directory specification demands.

    Raises:
        ConfigError: It is needed and there is no home directory.
    """
    if uid == 0:
        state = Path("/var/lib")
    else:
        given = Path(environ.get("XDG_STATE_HOME", ""))
        state = given if given.is_absolute() else home_directory() / ".local/state"
    return Places(spool=state / "steno" / "spool", host=state / "steno" / "host")
