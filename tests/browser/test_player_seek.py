"""Seeking in a recording of ten hours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from made_recordings import Recording, ten_hours
from made_site import Site
from player_driving import ask, drawn_rows, open_player
from playwright.sync_api import Page
from waiting import wait_for

from steno.formats.tlog import Decoder, Placed
from steno.store.segments import EventBuilder


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


def real_recording(file: Path) -> Recording:
    """Return a recording of tlog's as the server would send it, in one segment.

    Keyframes do not tell which rows were wrapped, so that a resize after one of them lays such
    rows out in another way than emulating from the start; no terminal agrees with another there.
    """
    decoder = Decoder()
    builder = EventBuilder(80, 24, is_plain="pipe" in file.name)
    events = []
    for found in decoder.feed(file.read_bytes()) + decoder.finish():
        if isinstance(found, Placed):
            events += [event for piece in found.message.pieces if (event := builder.add(piece))]
    return Recording(events, segment_bytes=10**9)


def test_shows_real_recordings_as_the_server_sees_them(
    page: Page, site: Site, tlog_recordings: Path
) -> None:
    """Shell, vim, resizes, bulk output, wide characters, pipes: both emulators show the same.

    The recording of random bytes is left out: no two terminals agree on those.
    """
    for file in sorted(set(tlog_recordings.glob("*.log")) - set(tlog_recordings.glob("04-*"))):
        recording = real_recording(file)
        base = site.put_recording(file.stem, recording.answers())
        open_player(page, site.put_player(f"/{file.stem}", f'src="{base}"'))
        instants = [recording.duration * share for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
        for instant, text in zip(instants, recording.screens_at(instants), strict=True):
            ask(page, f"await p.seek({instant!r})")
            # What hides or reorders text is not drawn.
            expected = text.replace("\u200b", "")
            assert "\n".join(drawn_rows(page)) == expected, f"{file.name} at {instant} s"


def test_fetches_only_the_segments_it_needs(page: Page, site: Site, recording: Recording) -> None:
    """A seek loads the segment that holds the instant and the one after it, nothing else."""
    base = site.put_recording("long", recording.answers())
    open_player(page, site.put_player("/p", f'src="{base}"'))

    def fetched() -> list[str]:
        return [path for path in site.asked if "/segments/" in path]

    wait_for(lambda: len(fetched()) == 2, "the first segments are not fetched")
    site.asked.clear()
    ask(page, "await p.seek(20000)")
    wait_for(lambda: len(fetched()) == 2, "the segments are not fetched")
    page.wait_for_timeout(200)
    assert len(before := fetched()) == 2
    ask(page, "await p.seek(20001)")
    assert fetched() == before
