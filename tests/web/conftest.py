"""What the web tests share: a running server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import PASSWORD, Running, running_server

from steno.web.passwords import hash_password


@pytest.fixture(scope="session")
def password_hash() -> str:
    """The hash of everybody's password, made once: hashing is slow on purpose."""
    return hash_password(PASSWORD)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server that a module's tests only read from, more or less."""
    with running_server(tmp_path_factory.mktemp("server"), password_hash) as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path, password_hash: str) -> Iterator[Running]:
    """A server for one test that changes it."""
    with running_server(tmp_path / "server", password_hash) as server:
        yield server
