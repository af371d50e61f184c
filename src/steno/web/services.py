"""What the server's parts are; handed to every handler."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from steno.config import ServerConfig
from steno.metrics import Metrics
from steno.store.accounts import Accounts
from steno.store.alerts import Alerts
from steno.store.fleet import Rules
from steno.store.hosts import HostRegistry
from steno.store.orders import Orders
from steno.store.protocol import Store
from steno.store.viewings import Attempts, Viewings
from steno.web.changes import ChangeHub
from steno.web.passwords import PasswordChecker
from steno.web.streams import Streams
from steno.web.trail_joining import TrailJoiner


@dataclass(frozen=True)
class Services:
    """Everything that answers a request.

    Attributes:
        config: How the server is set up.
        store: Where the recordings are.
        accounts: Who may sign in.
        hosts: Which hosts deliver.
        orders: What was asked of sessions that are being recorded.
        alerts: What rules found.
        rules: When a host is warned of.
        viewings: Who looked at what.
        attempts: Who tried to sign in.
        passwords: Checks passwords.
        streams: The open event streams.
        trails: Joins recordings with their audit events.
        changes: Tells the streams what changed in the store.
        metrics: What is counted.
        static: The built front end.
        heavy_limiter: Lets few of those requests run at once that read whole recordings.
    """

    config: ServerConfig
    store: Store
    accounts: Accounts
    hosts: HostRegistry
    orders: Orders
    alerts: Alerts
    rules: Rules
    viewings: Viewings
    attempts: Attempts
    passwords: PasswordChecker
    streams: Streams
    trails: TrailJoiner
    changes: ChangeHub
    metrics: Metrics
    static: Path
    heavy_limiter: anyio.CapacityLimiter

    def now_unix_us(self) -> int:
        """Read the calendar."""
        return time.time_ns() // 1000
