"""What the system did, beside the player: commands, their trail, and the timeline's lanes."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from avery import (
    F1,
    STARTED_UNIX_US,
    avery_lines,
    deliver_avery,
    import_trail,
    log_later,
)
from playwright.sync_api import Locator, Page, Request, expect
from refused_sessions import read_events, read_lines
from sessions import Session
from trails import make_trail
from visiting import Server, Visitor, hold_answers, player_time
from waiting import wait_for

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def avery(server: Server) -> str:
    """Avery's recording in the server's store, with the audit events of its host."""
    rec = deliver_avery(server.store)
    import_trail(server, F1 / "audit-enriched.log")
    server.wait_indexed([rec])
    return rec


def command(page: Page, text: str) -> Locator:
    """Return the first command of the list with this text."""
    return page.get_by_role("treeitem", name=text).first


def events(page: Page) -> Locator:
    """Return the trail's events."""
    return page.locator("steno-trail li > a")


def screen(page: Page) -> str:
    """Return what the player's screen shows."""
    text: str = page.locator("steno-player").evaluate("p => p.screenText()")
    return text


def seek(page: Page, seconds: float) -> None:
    """Move the player, as a hand on the timeline does."""
    page.locator("steno-player").evaluate(f"p => p.whenReady().then(() => p.seek({seconds}))")


def press_until_said(page: Page, at_s: float, key: str, text: str) -> None:
    """Press a key at an instant until the player says `text`, which does not stay for long."""
    said = page.locator("steno-player .message")

    def is_said() -> bool:
        seek(page, at_s)
        page.locator("steno-player .screen").focus()
        page.keyboard.press(key)
        with contextlib.suppress(AssertionError):
            expect(said).to_contain_text(text, timeout=3000)
            return True
        return False

    wait_for(is_said, text)


def place_in(lane: Locator, at_s: float) -> Any:  # noqa: ANN401  # Playwright's Position
    """Return the place of an instant in a lane, once that is drawn."""
    player = lane.page.locator("steno-player")
    duration = player.evaluate("async (p) => { await p.whenReady(); return p.duration; }")
    box = lane.bounding_box()
    assert box is not None
    return {"x": box["width"] * at_s / duration, "y": box["height"] / 2}


def instant_of(page: Page) -> float:
    """Return the instant in the page's address, in seconds."""
    return float(parse_qs(urlsplit(page.url).query)["t"][0])


def test_a_command_shows_exactly_its_trail_and_its_moment(visit: Visit, avery: str) -> None:
    """Choosing a command goes to its instant and shows what it did, and nothing of others."""
    page = visit().enter("kim", f"/recordings/{avery}?t=0")
    command(page, "cp notes.txt").click()
    expect(page).to_have_url(re.compile(r"\?t=2\.2"))
    expect(page.get_by_role("heading", name="Trail of cp notes.txt")).to_be_visible()
    expect(events(page)).to_have_count(3)
    texts = events(page).all_inner_texts()
    assert "avery ran cp notes.txt 'name with spaces.txt'" in texts[0]
    assert "avery created '/home/avery/name with spaces.txt'" in texts[1]
    assert "ended with status 0" in texts[2]
    expect(command(page, "cp notes.txt")).to_have_attribute("aria-selected", "true")
    wait_for(lambda: 2.2 <= player_time(page) < 2.4, "the player does not come there")
    shown = screen(page)
    assert "vim -n -u NONE notes.txt" in shown
    assert "mv 'name" not in shown
    page.get_by_role("button", name="Whole session").click()
    expect(page.get_by_role("heading", name="Trail of the whole session")).to_be_visible()
    expect(events(page).filter(has_text="avery renamed")).to_be_visible()


@pytest.fixture(scope="session")
def refused(server: Server) -> str:
    """A real recording in which `ps` was refused the files of every other process."""
    rec, lines = next(iter(read_lines().items()))
    server.store.append(rec, 0, b"".join(lines), sender="web1")
    trail, trail_lines = make_trail(*read_events(), boot_id=rec.rpartition("-")[2], host="web1")
    server.store.append(trail, 0, b"".join(trail_lines), sender="web1")
    server.wait_indexed([rec, trail])
    return rec


def test_denials_that_say_the_same_are_one_row_that_opens(visit: Visit, refused: str) -> None:
    """143 refused files are one row and one mark; opened, it lists each, and each its records."""
    page = visit().enter("kim", f"/recordings/{refused}?t=0")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("button", name="Denied").click()
    row = events(page).filter(has_text="(143 times)")
    expect(row).to_have_count(1)
    expect(events(page)).to_have_count(9)  # one of the login beside it, of which no recording came
    row.click()
    members = page.locator("steno-bunch li > a")
    expect(members).to_have_count(100)
    page.get_by_role("button", name="43 more").click()
    expect(members).to_have_count(143)
    expect(members.first).to_contain_text("/proc/1/environ")
    members.first.click()
    expect(page.locator("steno-bunch steno-event")).to_contain_text("EACCES")
    names = page.locator("steno-player").locator(".lane-names")
    expect(names).to_have_attribute("aria-label", re.compile(r"\b9 denials"))
    page.get_by_role("button", name="Every single one").click()
    expect(events(page).filter(has_text="times)")).to_have_count(0)
    expect(events(page).nth(150)).to_be_attached()


def test_a_hit_within_a_row_of_denials_opens_in_it(visit: Visit, refused: str) -> None:
    """Who searched for one of the 143 gets to that one, in the row that it stands in."""
    page = visit().enter("kim", "/search?q=file:/proc/4/environ")
    hits = page.locator(f"a.hit.event[href*='{refused}']")
    expect(hits).to_have_count(3)
    hits.last.click()
    opened = page.locator("steno-bunch li > a[aria-expanded=true]")
    expect(opened).to_contain_text("/proc/4/environ")
    expect(page.locator("steno-bunch steno-event")).to_contain_text("EACCES")


def test_people_see_the_trail_of_their_own_recordings(visit: Visit, avery: str) -> None:
    """Avery sees what avery's commands did; of alerts, which are for others, nothing is asked."""
    visitor = visit()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.enter("avery", f"/recordings/{avery}?t=0")
    command(page, "cat /etc/hostname").click()
    expect(events(page)).to_have_count(2)
    assert not [url for url in asked if url.endswith("/alerts")]


def test_programs_stand_below_what_ran_them(visit: Visit, avery: str) -> None:
    """A pipeline's programs, and what sudo ran, are deeper; who it ran as is said."""
    page = visit().enter("kim", f"/recordings/{avery}")
    line = command(page, "true | grep -c x | wc -l")
    grep = page.get_by_role("treeitem", name=re.compile(r"grep -c x(?! \|)"))
    expect(line).to_have_attribute("aria-level", "1")
    expect(grep).to_have_attribute("aria-level", "2")
    expect(grep).to_contain_text("exit 1")
    sudo = command(page, "sudo id -u")
    expect(sudo).to_contain_text("as root")
    expect(page.get_by_role("treeitem", name=re.compile(r"\d id -u .*as root"))).to_have_attribute(
        "aria-level", "2"
    )
    busy = command(page, "sudo useradd")
    expect(busy).to_have_attribute("aria-expanded", "false")
    expect(busy).to_contain_text("154 file changes")
    expect(busy).to_contain_text("below")


def test_an_event_shows_the_screen_of_its_moment_and_all_its_records(
    visit: Visit, avery: str
) -> None:
    """The records are fetched for the event that somebody chose, and for no other."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if re.search(r"/events/\d+$", request.url):
            asked.append(request.url)

    visitor = visit()
    visitor.page.on("request", note)
    page = visitor.enter("kim", f"/recordings/{avery}?t=2.2")
    renamed = events(page).filter(has_text="avery renamed")
    expect(renamed).to_be_visible()
    assert asked == []
    renamed.click()
    detail = page.locator("steno-event")
    expect(detail).to_contain_text("it worked")
    expect(detail).to_contain_text('quote"d.txt')
    expect(detail).to_contain_text("steno verify trail-")
    detail.get_by_text("The kernel's records").click()
    for kind in ("SYSCALL", "CWD", "PATH", "PROCTITLE"):
        expect(detail.get_by_role("heading", name=kind, exact=True).first).to_be_visible()
    assert len(asked) == 1
    expect(page).to_have_url(re.compile(r"\?t=2\.4"))
    expect(page.locator("steno-player .row").filter(has_text="cp notes.txt")).to_be_visible()


def test_commands_and_trail_move_with_the_player(visit: Visit, avery: str) -> None:
    """The current command and event are marked and in view, until somebody scrolls away."""
    page = visit().enter("kim", f"/recordings/{avery}")
    now_command = page.locator("steno-commands [aria-current]")
    now_event = page.locator("steno-trail [aria-current]")
    for at, ran, did in (
        (2.30, "cp notes.txt", "cp"),
        (6.36, "rm -", ""),
        (2.05, "vim -n", "ran vim"),
    ):
        seek(page, at)
        expect(now_command).to_contain_text(ran)
        expect(now_command).to_be_in_viewport()
        expect(now_event).to_contain_text(did)
        expect(now_event).to_be_in_viewport()
    page.locator("steno-player").evaluate("p => { p.speed = 4; return p.play(); }")
    expect(now_command).to_contain_text("exit")
    expect(now_event).to_contain_text("0:06.3")
    expect(now_event).to_be_in_viewport()
    listed = page.locator("steno-commands .list")
    listed.hover()
    page.mouse.wheel(0, -5000)
    back = page.locator("steno-commands").get_by_role("button", name="Follow the player again")
    expect(back).to_be_visible()
    seek(page, 6.1)
    expect(now_command).not_to_be_in_viewport()
    back.click()
    expect(now_command).to_contain_text("exit")
    expect(now_command).to_be_in_viewport()


def test_the_trail_comes_to_a_player_that_went_on_meanwhile(visit: Visit, avery: str) -> None:
    """Who goes elsewhere while events are on their way sees those of where they are."""
    page = visit().enter("kim", f"/recordings/{avery}")
    now_event = page.locator("steno-trail [aria-current]")
    seek(page, 2.30)
    expect(now_event).to_contain_text("cp")
    hold_answers(page, "/events?")
    seek(page, 6.36)
    wait_for(lambda: page.evaluate("held") > 0, "no events are asked for")
    seek(page, 2.05)
    page.evaluate("release()")
    expect(now_event).to_contain_text("ran vim")


def test_a_trail_is_filtered_by_kind_result_and_text(visit: Visit, avery: str) -> None:
    """Each narrows what is shown; a query that cannot be understood is pointed at."""
    page = visit().enter("kim", f"/recordings/{avery}")
    trail = page.locator("steno-trail")
    trail.get_by_role("button", name="Filter").click()
    trail.get_by_role("button", name="Network").click()
    expect(events(page).first).to_contain_text("connect to 127.0.0.1:18080")
    assert all("connect" in text for text in events(page).all_inner_texts())
    expect(trail.get_by_role("button", name="Filter (1)")).to_be_visible()
    trail.get_by_role("button", name="Network").click()
    trail.get_by_role("button", name="Only failures").click()
    expect(events(page).first).to_have_class(re.compile("failed"))
    expect(page.locator("steno-trail li > a:not(.failed)")).to_have_count(0)
    trail.get_by_role("button", name="Only failures").click()
    trail.get_by_role("searchbox", name="Find in the trail").fill("file:*/name*spaces.txt")
    expect(events(page)).to_have_count(2)
    trail.get_by_role("searchbox", name="Find in the trail").fill("file:(")
    expect(trail.get_by_role("alert")).to_be_visible()
    expect(trail.locator(".caret")).to_be_visible()
    trail.get_by_role("searchbox", name="Find in the trail").fill("")
    expect(events(page).first).to_be_visible()


def test_lanes_show_what_happened_and_lead_there(visit: Visit, avery: str) -> None:
    """A lane for each kind that happened; a mark tells what it is, leads there and filters."""
    page = visit().enter("kim", f"/recordings/{avery}")
    names = page.locator("steno-player .lane-names")
    expect(names).to_be_visible()
    expect(names).to_contain_text("RunTypedFilesNetRights")
    expect(names).to_have_attribute("aria-label", re.compile(r"\d+ commands, .*4 connections"))
    lane = page.locator("steno-player .lane.of-network")
    place = place_in(lane, 2.884)
    lane.hover(position=place, force=True)
    expect(page.locator("steno-player .tip")).to_contain_text("connect to 127.0.0.1:18080")
    lane.click(position=place, force=True)
    expect(page.locator("steno-trail [aria-current]")).to_contain_text("127.0.0.1:18080")
    expect(page.locator("steno-trail li .kind:not(.network)")).to_have_count(0)
    expect(page.locator("steno-trail li .kind.network").first).to_be_visible()
    wait_for(lambda: abs(player_time(page) - 2.884) < 0.01, "the player does not come there")


def test_a_page_to_take_away_has_the_commands_and_the_lanes(
    visit: Visit, avery: str, tmp_path: Path
) -> None:
    """The self-contained export shows on its timeline what the system did, without a server."""
    page = visit().enter("kim", f"/recordings/{avery}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Web page").click()
    file = tmp_path / "page.html"
    download.value.save_as(file)
    page.goto(file.as_uri())
    names = page.locator("steno-player .lane-names")
    expect(names).to_have_attribute("aria-label", re.compile(r"29 commands, .*4 connections"))
    page.get_by_role("button", name="Commands and notes").click()
    expect(page.locator("steno-player .list")).to_contain_text("cat /etc/shadow  (exit 1)")


def test_a_mark_in_the_lane_of_commands_chooses_the_command(visit: Visit, avery: str) -> None:
    """The trail is that command's, and the player stands at its instant."""
    page = visit().enter("kim", f"/recordings/{avery}")
    lane = page.locator("steno-player .lane.of-commands")
    expect(lane).to_be_visible()
    lane.click(position=place_in(lane, 3.362), force=True)
    expect(page.get_by_role("heading", name="Trail of cat /etc/shadow")).to_be_visible()
    expect(events(page)).to_have_count(2)
    page.get_by_role("button", name="Whole session").click()
    events(page).filter(has_text="avery ran sudo id -u").click()
    page.get_by_role("button", name="Trail of its command").click()
    expect(page.get_by_role("heading", name="Trail of sudo id -u")).to_be_visible()


def test_alerts_are_marked_and_lead_to_their_moments(visit: Visit, avery: str) -> None:
    """What alert rules found stands on the timeline and below it; one key goes there."""
    visitor = visit()
    page = visitor.enter("kim", f"/recordings/{avery}?t=3")
    found = page.locator("steno-recording-alerts")

    def is_there() -> bool:
        if found.get_by_text("user 1599").count():
            return True
        page.wait_for_timeout(500)  # Rules are evaluated after the events came in.
        page.reload()
        expect(events(page).first).to_be_visible()
        return False

    wait_for(is_there, "no alert is shown")
    expect(page.locator("steno-player .lane.of-alerts")).to_be_visible()
    expect(page.locator("h1 + p")).to_contain_text("alerts")
    found.locator("li").filter(has_text="user 1599").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"\?t=4\.0"))
    wait_for(lambda: player_time(page) > 4, "the player does not come there")
    press_until_said(page, 3, "}", "An account was made")
    assert 4 < player_time(page) < 4.1


def test_the_trail_is_used_with_the_keyboard(visit: Visit, avery: str) -> None:
    """Arrows move and unfold, Enter chooses; brackets go from command to command."""
    page = visit().enter("kim", f"/recordings/{avery}?t=3.95")
    busy = command(page, "sudo useradd")
    busy.focus()
    page.keyboard.press("ArrowRight")
    expect(busy).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(busy).not_to_be_focused()
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("heading", name="Trail of sudo useradd -M -u 1599 temp9")
    ).to_be_visible()
    expect(events(page).first).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(busy).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(busy).to_have_attribute("aria-expanded", "false")
    expect(page.locator('steno-trail li > a[tabindex="0"]')).to_have_count(1)
    events(page).first.focus()
    page.keyboard.press("ArrowDown")
    expect(events(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("steno-event")).to_be_visible()
    wait_for(lambda: abs(player_time(page) - instant_of(page)) < 0.1, "it does not come there")
    at = instant_of(page)
    press_until_said(page, at, "]", "/bin/echo")
    assert player_time(page) > at


def test_on_a_narrow_screen_the_trail_is_a_tab(visit: Visit, avery: str) -> None:
    """At 390 pixels commands, trail and text are tabs; choosing a command opens its trail."""
    page = visit(width=390, height=844, scheme="dark").enter("kim", f"/recordings/{avery}")
    expect(page.get_by_role("tab")).to_have_text([re.compile(r"\d+ commands"), "Trail", "Text"])
    expect(page.locator("steno-trail")).to_be_hidden()
    command(page, "cat /etc/hostname").click()
    expect(page.get_by_role("tab", name="Trail")).to_have_attribute("aria-selected", "true")
    expect(events(page)).to_have_count(2)
    events(page).first.click()
    expect(page.locator("steno-event")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_live_recordings_trail_grows_while_somebody_watches(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    """Commands, events and lanes come in by themselves, though the trail is behind the screen."""
    host, boot_id = "live-vm", "ab" * 16
    later_s = int(time.time()) - STARTED_UNIX_US // 1_000_000 - 5
    facts = {"host": host, "boot_id": boot_id, "later_s": later_s}
    rec, begun = avery_lines("avery live", upto_us=3_000_000, **facts)
    _, whole = avery_lines("avery live", **facts)
    server.store.append(rec, 0, begun, sender=None)
    server.wait_indexed([rec])
    page = visit().enter("kim", f"/recordings/{rec}?t=1")
    expect(page.locator("steno-commands")).to_contain_text("there is no audit trail")
    log = tmp_path / "audit.log"
    log.write_bytes(log_later(later_s))
    import_trail(server, log, host=host, boot_id=boot_id)
    expect(page.get_by_role("heading", name="Trail of the whole session")).to_be_visible()
    expect(events(page).filter(has_text="avery ran cat /etc/hostname")).to_be_visible()
    expect(page.locator("steno-player .lane.of-files")).to_be_visible()
    server.store.append(rec, len(begun), whole[len(begun) :], sender=None)
    server.wait_indexed([rec])
    expect(command(page, "rm -rf dir link1 hard1; rm -f quote*")).to_be_attached()


def test_hostile_names_in_the_trail_do_nothing(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    """Markup, escapes and turned-round text in files' names and arguments are shown as text."""
    attack = '<img src=x onerror="document.title=`owned`">\x1b]0;owned\x07\u202egnp.exe'
    log = tmp_path / "audit.log"
    plain = b"name with spaces.txt".hex().upper()
    text = (F1 / "audit-enriched.log").read_bytes()
    assert plain.encode() in text
    log.write_bytes(text.replace(plain.encode(), attack.encode().hex().upper().encode()))
    boot_id = "cd" * 16
    rec, data = avery_lines("avery hostile", host="evil-vm", boot_id=boot_id)
    server.store.append(rec, 0, data, sender=None)
    import_trail(server, log, host="evil-vm", boot_id=boot_id)
    server.wait_indexed([rec])
    page = visit().enter("kim", f"/recordings/{rec}?t=2.2")
    made = events(page).filter(has_text="avery created")
    expect(made.filter(has_text="<img src=x").first).to_contain_text("\\u202egnp.exe")
    made.filter(has_text="<img src=x").first.click()
    page.locator("steno-event").get_by_text("The kernel's records").click()
    expect(page.locator("steno-event .field").first).to_be_visible()
    page.wait_for_timeout(300)
    assert "owned" not in page.title()
    for tag in ("img", "script", "iframe", "[onerror]"):
        assert page.locator(f"steno-app {tag}").count() == 0, tag
    for shown in page.locator("steno-trail, steno-commands").all_inner_texts():
        assert "\u202e" not in shown
        assert "\x1b" not in shown


def test_a_trail_that_cannot_be_had_says_so_and_is_asked_for_again(
    visit: Visit, avery: str
) -> None:
    """The connection goes while somebody filters: the page says it, and recovers when asked."""
    visitor = visit()
    page = visitor.enter("kim", f"/recordings/{avery}")
    trail = page.locator("steno-trail")
    expect(events(page).first).to_be_visible()
    trail.get_by_role("button", name="Filter").click()
    page.context.set_offline(True)
    trail.get_by_role("button", name="Files").click()
    expect(trail.get_by_role("alert")).to_be_visible()
    page.context.set_offline(False)
    trail.get_by_role("button", name="Try again").click()
    expect(events(page).first).to_be_visible()
    expect(trail.get_by_role("alert")).to_have_count(0)


def test_without_an_audit_trail_the_page_says_so(visit: Visit, server: Server) -> None:
    """The commands of the screen stand there, and how to have a trail of the next session."""
    session = Session("no audit", host="plainhost")
    session.show(0.1, "avery@plainhost:~$ tty\r\n/dev/pts/3\r\n")
    session.end(1.0)
    rec = session.deliver(server.store)
    server.wait_indexed([rec])
    page = visit().enter("kim", f"/recordings/{rec}")
    expect(command(page, "tty")).to_be_visible()
    expect(page.locator("steno-commands")).to_contain_text(
        "there is no audit trail of this session"
    )
    expect(page.locator("steno-commands")).to_contain_text("steno audit rules install session")
    expect(page.locator("steno-trail")).to_have_count(0)
    expect(page.locator("steno-player .lane")).to_have_count(0)
