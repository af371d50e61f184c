"""What every store must do: subclass `StoreSuite`, give it the fixture `stores`."""

from __future__ import annotations

import pytest
from places import Stores
from suite_events import EventSuite
from suite_fleet import FleetSuite
from suite_index import IndexSuite
from suite_list import ListSuite
from suite_logins import LoginSuite
from suite_search import SearchSuite
from suite_truth import TruthSuite

from steno.store.protocol import Store


class StoreSuite(
    TruthSuite, IndexSuite, ListSuite, SearchSuite, FleetSuite, EventSuite, LoginSuite
):
    """The promises of the `Store` protocol."""

    @pytest.fixture
    def store(self, stores: Stores) -> Store:
        """Open one empty store."""
        return stores.open()
