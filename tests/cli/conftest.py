"""A server directory with recordings in it, and the command line as a person calls it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_recordings import Steno, make_recording
from opensearch_node import run_node

from steno.server.indexer import Indexer
from steno.store.opening import open_store


@pytest.fixture(scope="session")
def library_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's directory that holds three recordings, one of them broken."""
    directory = tmp_path_factory.mktemp("library")
    store = open_store(directory / "store")
    first = make_recording("aa-1", ["[avery@web01 ~]$ ls", "hello world", "permission denied"])
    store.append("aa-1", 0, first, sender=None)
    store.append("ab-2", 0, make_recording("ab-2", ["other text"], user="blake"), sender=None)
    broken = make_recording("b-3", ["one", "two", "three"]).replace(b"two", b"owt")
    store.append("b-3", 0, broken, sender=None)
    Indexer(store).drain()
    store.close()
    return directory


@pytest.fixture
def steno(tmp_path: Path) -> Steno:
    """Run `steno` with a home of its own; returns what subprocess.run does."""

    def run(
        *arguments: str | Path, stdin: str = "", zone: str = "UTC"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "steno.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": zone},
        )

    return run


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real OpenSearch node's address."""
    yield from run_node(tmp_path_factory.mktemp("opensearch"))
