"""The embedded store passes the suite that all stores pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from places import Stores
from suite import StoreSuite

from steno.store.opening import open_store


class TestSqliteStore(StoreSuite):
    """The suite, with stores in a directory."""

    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[Stores]:
        """Open stores in one directory."""
        stores = Stores(lambda: open_store(tmp_path / "store"))
        yield stores
        stores.close()
