"""The lock files hold what pyproject.toml asks for, with hashes, and name no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def names(requirements: list[str]) -> set[str]:
    """Return the packages' names, as the index spells them."""
    found = [re.match(r"[A-Za-z0-9._-]+", line) for line in requirements]
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def locked(lock: str) -> set[str]:
    """Return the names that a lock file pins."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return names(re.findall(r"^[A-Za-z0-9].*==.*", text, re.M))


@pytest.mark.parametrize("lock", ["host", "server", "dev"])
def test_everything_asked_for_is_locked(lock: str) -> None:
    """A dependency added to pyproject.toml is in the lock files it belongs to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = names(project["project"]["dependencies"])
    if lock != "host":
        wanted |= names(project["project"]["optional-dependencies"]["server"])
    if lock == "dev":
        wanted |= names(project["dependency-groups"]["dev"])
    assert wanted <= locked(lock)


@pytest.mark.parametrize("lock", ["host", "server", "dev", "build", "node"])
def test_lock_files_have_hashes_and_name_no_host(lock: str) -> None:
    """Every pin has its hashes; no address stands in the file."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    pins = re.findall(r"^[A-Za-z0-9].*==(?:.*\\\n)+.*", text, re.M)
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9].*==", text, re.M)) > 0
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text
    assert "--index" not in text


def test_the_front_ends_lock_file_names_no_host() -> None:
    """package-lock.json holds digests, and no download addresses."""
    text = (ROOT / "frontend/package-lock.json").read_text()
    assert '"integrity"' in text
    assert '"resolved"' not in text
