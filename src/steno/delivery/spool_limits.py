"""How much a spool may take, as its `limits.toml` says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from steno.settings import convert_settings, read_toml

LIMITS = "limits.toml"

Policy = Literal["refuse", "drop-oldest-delivered"]


class SpoolLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a spool may take, and what happens when that is reached.

    They belong to the spool, in its `limits.toml`, so that all its recorders and uploaders agree.

    Attributes:
        total_bytes: All its files together; may be exceeded by what other processes write
            between two counts (1 MiB or a second each).
        free_bytes: What must stay free on its disk.
        trails_bytes: Audit trails that are not delivered may take so much of `total_bytes`, so that
            they never leave no room for recordings.
        policy: `refuse`: a delivered, finished recording is removed at once; when the spool is
            full, new lines are refused. `drop-oldest-delivered`: they are kept as a local copy, and
            the oldest make room when it is needed; only then are new lines refused.
            Nothing undelivered is ever dropped.
    """

    total_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 1 << 30
    free_bytes: Annotated[int, msgspec.Meta(ge=0)] = 64 << 20
    trails_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 256 << 20
    policy: Policy = "refuse"


def load_limits(directory: Path) -> SpoolLimits:
    """Read `limits.toml` in a spool; the defaults where there is none.

    Raises:
        ConfigError: It is unreadable or no TOML, or has an unknown key or a wrong value.
    """
    path = directory / LIMITS
    try:
        values = read_toml(path)
    except FileNotFoundError:
        return SpoolLimits()
    return convert_settings(values, SpoolLimits, str(path))
