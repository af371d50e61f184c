"""Search, and one recording's page: from a line on a screen to its moment and its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sessions import Session, rec_of
from visiting import Server, Visitor, expect_viewing

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser

TELLING = f"/recordings/{rec_of('telling')}"


def test_a_hit_opens_the_player_at_its_instant(visit: Visit) -> None:
    """The hit is highlighted, in its context, and a click stands at the moment it was shown."""
    page = visit().enter("kim", "/search?q=needle")
    hit = page.get_by_role("link", name="the needle is here")
    expect(hit.locator("mark")).to_have_text("needle")
    expect(hit).to_contain_text("row 39 of many")
    hit.click()
    expect(page).to_have_url(re.compile(re.escape(TELLING) + r"\?t=12\.5&q=needle"))
    player = page.locator("steno-player")
    expect(player).to_be_visible()
    page.wait_for_function(
        "() => { const app = document.querySelector('steno-app').shadowRoot;"
        " const page = app.querySelector('steno-recording-page').shadowRoot;"
        " const player = page.querySelector('steno-player');"
        " return Math.abs(player.currentTime - 12.5) < 0.01"
        "   && player.screenText().includes('the needle is here'); }"
    )


def test_search_shows_more_on_demand(visit: Visit) -> None:
    """Older hits come below the newer ones, each once."""
    page = visit().enter("kim", "/search?q=uptime")
    hits = page.locator("a.hit")
    expect(hits).to_have_count(20)
    page.get_by_role("button", name="Older hits").click()
    expect(hits).to_have_count(40)
    targets = hits.evaluate_all("links => links.map(link => link.href)")
    assert len(set(targets)) == 40


def test_a_search_for_fields_only_finds_recordings(visit: Visit) -> None:
    """Then the recording itself is the hit."""
    page = visit().enter("kim", "/search?q=label:pci")
    page.get_by_role("link", name="root (logged in as avery) on db1").click()
    expect(page).to_have_url(re.compile(re.escape(TELLING) + "$"))


def test_a_search_without_hits_or_words_says_what_to_do(visit: Visit) -> None:
    """Neither is an empty page."""
    visitor = visit()
    page = visitor.enter("kim", "/search")
    expect(page.get_by_role("heading", name="What are you looking for?")).to_be_visible()
    page.get_by_label("Search screens and audit events").fill("zzznothing")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_label("Search screens and audit events").fill("/un(closed/")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("not a regular expression")


def test_a_recordings_page_says_all_that_is_known(visit: Visit) -> None:
    """Facts in plain words, with exact values beside."""
    page = visit().enter("kim", TELLING)
    expect(page.get_by_role("heading", name="root on db1")).to_be_visible()
    for text in (
        "su (became another user)",
        "The recorded program ended with exit status 3.",
        "21.000000 s",
        "80 columns \N{MULTIPLICATION SIGN} 24 rows",
        "what the screen showed, window sizes; not what was typed",
        "nobody: imported, or brought in by hand",
        "xterm-256color",
        rec_of("telling"),
        "pci",
        "The rate limit threw some bytes away",
        "dropped 1,024 bytes",
    ):
        expect(page.get_by_text(text).first).to_be_visible()


def test_commands_and_text_lead_to_their_moments(visit: Visit) -> None:
    """A command or a line of text is a link with its instant, which the player goes to."""
    page = visit().enter("kim", TELLING)
    page.get_by_role("treeitem", name="cat /etc/shadow").click()
    expect(page).to_have_url(re.compile(r"\?t=3$"))
    page.get_by_role("tab", name="lines of text").click()
    page.get_by_role("link", name="row 10 of many").click()
    expect(page).to_have_url(re.compile(r"\?t=5$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"\?t=3$"))


def test_the_current_command_is_in_view(visit: Visit, server: Server) -> None:
    """Among many commands the one that the player stands in is marked, and seen."""
    session = Session("many commands", host="manyhost")
    for number in range(80):
        session.show(number, f"avery@manyhost:~$ step-{number}\r\n")
    session.end(90.0)
    rec = session.deliver(server.store)
    server.wait_indexed([rec])
    page = visit().enter("kim", f"/recordings/{rec}?t=70.5")
    current = page.locator("steno-commands [aria-current]")
    expect(current).to_contain_text("step-70")
    expect(current).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0
    page.locator("steno-player").evaluate("p => p.seek(3.5)")
    expect(current).to_contain_text("step-3")
    expect(current).to_be_in_viewport()


def test_evidence_is_checked_when_asked(visit: Visit) -> None:
    """The chain is verified anew from the stored lines; a broken one is named by line."""
    visitor = visit()
    page = visitor.enter("kim", TELLING)
    page.get_by_role("button", name="Check again now").click()
    expect(page.get_by_text("Checked now, from the original lines.")).to_be_visible()
    expect(page.get_by_text("Unbroken from the first line to the recorded end")).to_be_visible()
    visitor.go(f"/recordings/{rec_of('altered')}")
    expect(page.get_by_text("Good up to line 3; broken at line 4")).to_be_visible()


def test_a_live_recording_grows_on_its_page(visit: Visit, server: Server) -> None:
    """The player follows it; counts, length and state keep up, and its end is said."""
    session = Session("growing", host="livehost")
    session.show(0.5, "avery@livehost:~$ first words\r\n")
    server.wait_indexed([session.deliver(server.store)])
    page = visit().enter("kim", f"/recordings/{session.rec}")
    state = page.locator("h1 + p")
    expect(state).to_contain_text("live")
    session.show(65.0, "later words\r\n")
    session.deliver(server.store)
    expect(page.locator("steno-player")).to_contain_text("later words")
    session.end(66.0, status=7)
    session.deliver(server.store)
    expect(state).to_contain_text("exit 7")
    expect(state).to_contain_text("1 min 06 s")
    expect(page.get_by_role("tab", name="2 lines of text")).to_be_visible()


def test_every_look_is_listed_for_auditors(visit: Visit) -> None:
    """Who played a recording, and from where, stands on its page."""
    visitor = visit()
    watched = visitor.enter("avery", TELLING)
    expect(watched.locator("steno-player .badge")).to_be_visible()
    page = visit().enter("kim", TELLING)
    expect_viewing(page, "avery")
    table = page.get_by_role("table", name="Viewings")
    expect(table.get_by_role("row", name="avery").first).to_contain_text("127.0.0.1")


def test_a_shortened_or_wrong_id_is_understood_or_named(visit: Visit) -> None:
    """The beginning of an id leads to the whole one; an unknown one gets one line."""
    visitor = visit()
    page = visitor.enter("kim", f"/recordings/{rec_of('telling')[:10]}?t=3")
    expect(page).to_have_url(visitor.origin + TELLING + "?t=3")
    visitor.go("/recordings/zzzz")
    expect(page.get_by_role("alert")).to_contain_text("zzzz")
    page.get_by_role("link", name="All recordings").click()
    expect(page).to_have_url(visitor.origin + "/")


def test_the_original_lines_come_byte_exact(visit: Visit, server: Server) -> None:
    """Downloading the original lines gives what was stored."""
    page = visit().enter("kim", TELLING)
    with page.expect_download() as download:
        page.get_by_role("link", name="Original lines (tlog)").click()
    assert download.value.path().read_bytes() == b"".join(server.store.read(rec_of("telling")))
