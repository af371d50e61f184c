"""Agents that tests start, in directories of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_host import AgentHost
from kept_host import KeptHost
from shell_builds import Build, build_plain_shell, build_shell


@pytest.fixture(scope="session")
def plain_shell() -> Iterator[Build]:
    """`steno-shell` that looks for an agent where these tests start theirs."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_plain_shell(Path(directory))


@pytest.fixture(scope="session")
def checked_shell() -> Iterator[Build]:
    """The same with sanitizers."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_shell(Path(directory))


@pytest.fixture
def kept_host(tmp_path: Path, checked_shell: Build) -> Iterator[KeptHost]:
    """A host with a kept agent."""
    with KeptHost(tmp_path, checked_shell) as kept:
        yield kept


@pytest.fixture
def host(plain_shell: Build) -> Iterator[AgentHost]:
    """A host whose agent is not started yet."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        made = AgentHost(Path(directory), plain_shell)
        yield made
        made.close()


@pytest.fixture(scope="module")
def module_host(plain_shell: Build) -> Iterator[AgentHost]:
    """A host whose agent runs through a module's tests."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        made = AgentHost(Path(directory), plain_shell)
        made.start()
        yield made
        made.close()


@pytest.fixture
def common_host(module_host: AgentHost) -> Iterator[AgentHost]:
    """A host whose agent the tests of a module share, without each other's sessions."""
    yield module_host
    module_host.settle()
