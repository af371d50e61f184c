"""Opening the store that a directory holds."""

from __future__ import annotations

from pathlib import Path

from steno.errors import NotFoundError
from steno.store.protocol import Store
from steno.store.sqlite import SqliteStore


def open_store(directory: Path, *, must_exist: bool = False) -> Store:
    """Return the store in `directory`, which is made unless it `must_exist`.

    Raises:
        NotFoundError: It must exist, and does not.
        StoreError: It is of a newer version, damaged, or cannot be used.
    """
    if must_exist and not (directory / "recordings").is_dir():
        raise NotFoundError(f"no store in {directory}")
    return SqliteStore(directory)
