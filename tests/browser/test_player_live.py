"""The player against the real server: a finished recording, and one that is being made."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_site import open_context
from player_driving import ask, drawn_rows, open_player, wait_for_rows
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from running_server import TEXTS, Running, make_lines, running_server

from steno.formats.cutter import Cutter, Identity
from steno.model import End, Note, Output, Start, Window

LIVE = "1ive-0001"
NOTED_AT_S = 4
"""When the live recording says that output was dropped."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running server whose people sign in by links only."""
    with running_server(tmp_path_factory.mktemp("server"), "no password") as running:
        yield running


@pytest.fixture
def page(chromium: Browser, server: Running) -> Iterator[Page]:
    """A page of the auditor's, with the server's own policy; what goes wrong on it fails."""
    context = open_context(chromium)
    secret = server.accounts().add_link("audrey", 60_000_000)
    page = context.new_page()
    page.goto(f"{server.url}/once/{secret}")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def note(message: ConsoleMessage) -> None:
        # Chromium logs every refusal; what the player does about it is what is tested.
        is_refusal = message.text.startswith("Failed to load resource") and " 4" in message.text
        if message.type == "error" and not is_refusal:
            faults.append(message.text)

    page.on("console", note)
    yield page
    context.close()
    assert faults == []


def show(page: Page, state: str) -> None:
    """Let the page be seen or not, as when the tab in front changes."""
    page.evaluate(
        """(state) => {
            const property = { get: () => state, configurable: true };
            Object.defineProperty(document, "visibilityState", property);
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def lines_made_now(texts: list[str], rec: str = LIVE) -> list[bytes]:
    """Return the chained lines of a recording that began just now, one for each text."""
    start = Start(
        user="alice",
        host="web1",
        started_unix_us=time.time_ns() // 1000 - len(texts) * 1_000_000,
        recorder="steno test",
        columns=80,
        rows=24,
    )
    identity = Identity(host="web1", rec=rec, user="alice", term="xterm", session=1, start=start)
    cutter = Cutter(identity)
    lines = list(cutter.add(Window(0, 80, 24)))
    for second, text in enumerate(texts):
        lines += cutter.add(Output(second * 1_000_000, f"{text}\r\n".encode()))
        if second == NOTED_AT_S:
            lines += cutter.add(Note(second * 1_000_000, "drop", {"output_bytes": 512}))
        line = cutter.cut()
        assert line is not None
        lines.append(line)
    return lines + cutter.end(End("exit", exit_status=0), len(texts) * 1_000_000)


def test_plays_what_the_server_keeps(page: Page, server: Running) -> None:
    """Segments, text, search, verification and downloads of a real recording."""
    open_player(page, f"{server.url}/recordings/a1ice-0001")
    ask(page, "await p.seek(2.5)")
    assert drawn_rows(page) == TEXTS[:3]
    assert ask(page, "await p.find('quills')") == 1
    assert ask(page, "p.currentTime") >= 2
    ask(page, "await p.seek(p.duration)")
    assert drawn_rows(page) == TEXTS
    badge = page.locator("steno-player .badge")
    expect(badge).to_have_text("verified: complete")
    links = ask(page, "[...p.shadowRoot.querySelectorAll('.menu a')].map((a) => a.href)")
    assert len(links) >= 5
    for link in links:
        answer = page.request.get(link)
        assert answer.status == 200, link
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_bad_query_is_explained(page: Page, server: Running) -> None:
    """The server's words about a query stand beside it."""
    open_player(page, f"{server.url}/recordings/a1ice-0001")
    with page.expect_response(lambda answer: "/search?" in answer.url):
        assert ask(page, "await p.find('\"open')") == 0
    count = page.locator("steno-player .searchbar .count.is-error")
    expect(count).to_contain_text("at")


def test_follows_a_recording_while_it_is_made(page: Page, server: Running) -> None:
    """What is recorded appears; looking back stays there; the way back to live is one key."""
    texts = [f"live line {number}" for number in range(12)]
    lines = lines_made_now(texts)
    server.deliver(LIVE, lines[:3])
    server.wait_for(LIVE, lambda summary: summary.messages == 3)
    open_player(page, f"{server.url}/recordings/{LIVE}")
    expect(page.locator("steno-player .on-air")).to_have_text("live")
    rows = page.locator("steno-player .layer")
    expect(rows).to_contain_text(texts[2])
    server.deliver(LIVE, lines[3:5])
    expect(rows).to_contain_text(texts[4])
    assert ask(page, "p.live") is True
    expect(page.locator("steno-player .mark.note")).to_have_count(1)
    wait_for_rows(page, texts[:5])

    ask(page, "p.seek(1.2).then(() => p.pause())")  # else it plays on from there
    server.deliver(LIVE, lines[5:8])
    expect(page.get_by_role("slider", name="Instant")).to_have_attribute("aria-valuemax", "7.0")
    assert drawn_rows(page) == texts[:2]
    page.get_by_role("button", name="Back to live").click()
    wait_for_rows(page, texts[:8])

    server.deliver(LIVE, lines[8:])
    expect(page.locator("steno-player .badge")).to_have_text("verified: complete")
    expect(page.locator("steno-player .on-air")).to_be_hidden()
    wait_for_rows(page, texts)
    assert ask(page, "p.live") is False


def test_many_tabs_leave_the_server_reachable(page: Page, server: Running) -> None:
    """Tabs that nobody looks at hold no connection, of the few that a browser opens to a server."""
    rec = "1ive-0002"
    texts = [f"tab line {number}" for number in range(6)]
    lines = lines_made_now(texts, rec)
    server.deliver(rec, lines[:3])
    server.wait_for(rec, lambda summary: summary.messages == 3)
    tabs = []
    for _ in range(7):
        tab = page.context.new_page()
        open_player(tab, f"{server.url}/recordings/{rec}")
        expect(tab.locator("steno-player .on-air")).to_have_text("live")
        show(tab, "hidden")
        tabs.append(tab)
    page.goto(f"{server.url}/")
    expect(page.locator(f'tr[data-rec="{rec}"]')).to_contain_text("live")

    server.deliver(rec, lines[3:5])
    server.wait_for(rec, lambda summary: summary.messages == 5)
    show(tabs[0], "visible")
    expect(tabs[0].locator("steno-player .layer")).to_contain_text(texts[4])
    server.deliver(rec, lines[5:])
    expect(tabs[0].locator("steno-player .badge")).to_have_text("verified: complete")
    wait_for_rows(tabs[0], texts)
    expect(tabs[0].locator("h1 + p .badge").first).to_have_text("exit 0")


def test_a_list_that_was_not_seen_catches_up(page: Page, server: Running) -> None:
    """What changed while nobody saw the list is in it when somebody does."""
    rec = "1ive-0003"
    lines = lines_made_now(["one", "two"], rec)
    server.deliver(rec, lines[:2])
    server.wait_for(rec, lambda summary: summary.messages == 2)
    page.goto(f"{server.url}/?q=rec:{rec}")
    row = page.locator(f'tr[data-rec="{rec}"]')
    expect(row).to_contain_text("live")
    show(page, "hidden")
    server.deliver(rec, lines[2:])
    server.wait_for(rec, lambda summary: summary.end is not None)
    show(page, "visible")
    expect(row).to_contain_text("exit 0")


def test_a_converted_page_plays_alone(chromium: Browser, tmp_path: Path) -> None:
    """A page made by `steno convert` plays from a file, without a server, by its own policy."""
    recording = tmp_path / "recording.tlog"
    recording.write_bytes(b"".join(make_lines("a10ne-0001", "alice", TEXTS)))
    file = tmp_path / "recording.html"
    subprocess.run(
        [sys.executable, "-m", "steno.cli", "convert", str(recording), str(file)], check=True
    )
    context = open_context(chromium, offline=True)
    alone = context.new_page()
    faults: list[str] = []
    alone.on("console", lambda message: faults.append(message.text))
    alone.on("pageerror", lambda error: faults.append(str(error)))
    open_player(alone, file.as_uri())
    ask(alone, "await p.seek(p.duration)")
    assert drawn_rows(alone) == TEXTS
    assert ask(alone, "await p.find('hedgehog')") == 1
    context.close()
    assert faults == []
