"""Agents that tests start, in directories of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_host import AgentHost, build_plain_shell
from shell_builds import Build


@pytest.fixture(scope="session")
def plain_shell() -> Iterator[Build]:
    """`steno-shell` that looks for an agent where these tests start theirs."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_plain_shell(Path(directory))


@pytest.fixture
def host(plain_shell: Build) -> Iterator[AgentHost]:
    """A host whose agent is not started yet."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        made = AgentHost(Path(directory), plain_shell)
        yield made
        made.close()


@pytest.fixture(scope="module")
def common_host(plain_shell: Build) -> Iterator[AgentHost]:
    """A host whose agent all tests of a module share: they leave it as it was."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        made = AgentHost(Path(directory), plain_shell)
        made.start()
        yield made
        made.close()
