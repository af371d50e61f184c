"""`steno-shell` built for tests, and what it is driven with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import Driven
from shell_builds import HASTY_ANSWER_MS, Build, Serve, Start, build_shell
from shell_server import Behaviour, ShellServer


@pytest.fixture(scope="session")
def patient() -> Iterator[Build]:
    """The program with more patience than a test: it goes on for what the agent says or does."""
    patience = dict.fromkeys(("ANSWER", "RETRY", "RESTORED", "TAKEN"), 600_000)
    times_ms = {f"STENO_{name}_MS": time_ms for name, time_ms in patience.items()}
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_shell(Path(directory), **times_ms)


@pytest.fixture(scope="session")
def hasty_parent() -> Iterator[Build]:
    """The program that waits for an answer, but not for long till its terminal is given back."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_shell(Path(directory), STENO_ANSWER_MS=600_000, STENO_RESTORED_MS=700)


@pytest.fixture(scope="session")
def hasty() -> Iterator[Build]:
    """The program with little patience, for agents that never answer."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_shell(
            Path(directory),
            STENO_ANSWER_MS=HASTY_ANSWER_MS,
            STENO_RETRY_MS=300,
            STENO_RESTORED_MS=700,
        )


@pytest.fixture
def serve(patient: Build) -> Iterator[Serve]:
    """Start a server that behaves so, where the patient build looks for the agent."""
    servers: list[ShellServer] = []

    def start(behaviour: Behaviour) -> ShellServer:
        servers.append(ShellServer(patient.socket, behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def start(patient: Build) -> Iterator[Start]:
    """Start a command on a terminal of its own: `steno-shell`, unless `executable` is given."""
    running: list[Driven] = []

    def begin(*command: str, **more: object) -> Driven:
        more.setdefault("executable", patient.name)
        running.append(Driven(command, **more))  # type: ignore[arg-type]  # handed through
        return running[-1]

    yield begin
    for driven in running:
        driven.close()
