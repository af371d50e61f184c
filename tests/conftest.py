"""What tests of several rooms share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests promise behaviour, not speed; a busy machine is no failure.
settings.register_profile(
    "steno", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steno")


def pytest_configure() -> None:
    """Give programs that tests start their usual signals, also where ./test runs in background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tlog_recordings() -> Path:
    """The folder of real recordings made with tlog 12.1; its README says what each is."""
    return Path(__file__).parent / "data" / "tlog"
