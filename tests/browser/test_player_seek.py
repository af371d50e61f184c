"""Seeking in a recording of ten hours."""

from __future__ import annotations

import random

import pytest
from made_recordings import Recording, ten_hours
from made_site import Site
from player_driving import ask, drawn_rows, open_player
from playwright.sync_api import Page


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Ten hours with 6 MB of output in about a hundred segments."""
    return ten_hours(6_000_000)


def test_shows_what_an_independent_emulation_shows(
    page: Page, site: Site, recording: Recording
) -> None:
    """Wherever one seeks in ten hours, the screen is what emulating all from the start gives."""
    base = site.put_recording("long", recording.answers())
    open_player(page, site.put_player("/p", f'src="{base}"'))
    assert ask(page, "p.duration") == pytest.approx(recording.duration)
    chance = random.Random(3)
    instants = sorted(chance.uniform(0, recording.duration) for _ in range(40))
    expected = dict(zip(instants, recording.screens_at(instants), strict=True))
    chance.shuffle(instants)
    for instant in instants:
        ask(page, f"await p.seek({instant!r})")
        shown = [row.replace("\u00a0", " ") for row in drawn_rows(page)]
        assert shown == expected[instant].split("\n"), f"at {instant} s"
        assert ask(page, "p.currentTime") == instant


def test_fetches_only_the_segments_it_needs(page: Page, site: Site, recording: Recording) -> None:
    """A seek loads the segment that holds the instant and the one after it, nothing else."""
    base = site.put_recording("long", recording.answers())
    open_player(page, site.put_player("/p", f'src="{base}"'))
    page.wait_for_load_state("networkidle")
    site.asked.clear()
    ask(page, "await p.seek(20000)")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    fetched = [path for path in site.asked if "/segments/" in path]
    assert len(fetched) == 2
    ask(page, "await p.seek(20001)")
    assert [path for path in site.asked if "/segments/" in path] == fetched
