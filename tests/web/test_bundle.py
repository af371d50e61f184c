"""What browsers get: small files, nothing but the program, with the licences of what is in it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "steno" / "web" / "static"
FRONTEND = ROOT / "frontend"
LIMITS_BYTES = {"app.js": 64 << 10, "player.js": 72 << 10, "app.css": 4 << 10}
LICENCES = {"MIT", "BSD-3-Clause", "Apache-2.0", "ISC"}


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The front end, as `npm run build` wrote it."""
    if not (STATIC / "app.js").is_file():
        pytest.skip("the front end is not built: npm --prefix frontend run build")


@pytest.mark.parametrize("name", list(LIMITS_BYTES))
def test_files_are_small_and_carry_no_sources(name: str) -> None:
    """As they travel, compressed, they stay within docs/performance.md's bar; no source maps."""
    data = (STATIC / name).read_bytes()
    assert len(gzip.compress(data, 9)) <= LIMITS_BYTES[name]
    assert b"sourceMappingURL" not in data
    assert not list(STATIC.glob("*.map"))


def test_the_licences_of_what_is_bundled_travel_with_it() -> None:
    """Every package that the pages depend on is named with a licence that lets it be bundled."""
    text = (STATIC / "THIRD-PARTY.txt").read_text("utf-8")
    named = dict(re.findall(r"^(@?[\w/.-]+) [\d.]+ \(([^)]+)\)$", text, re.M))
    wanted = json.loads((FRONTEND / "package.json").read_text("utf-8"))["dependencies"]
    assert set(wanted) <= set(named)
    assert set(named.values()) <= LICENCES
    parts = text.split("\n" + "-" * 78 + "\n")
    assert len(parts) == len(named)
    for part in parts:
        assert re.search(r"copyright", part, re.I), part[:80]


def test_a_page_asks_for_nothing_from_elsewhere() -> None:
    """The page names its own server's files only; nothing is inline: the policy allows none."""
    page = (STATIC / "index.html").read_text("utf-8")
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith("/static/") for link in links)
    assert all((STATIC / link.removeprefix("/static/")).is_file() for link in links)
    assert not re.search(r"<style|\son\w+=|<script(?![^>]*\ssrc=)", page)
