"""The page of alerts: what happened, where to see it, and who has seen to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from sessions import Session
from visiting import Server, Visitor, hold_polling
from waiting import wait_for

from steno.audit.event import Event, Thing, Who
from steno.audit.trail import TrailEncoder, TrailHead, make_trail_id

Visit = Callable[..., Visitor]

NOW_US = time.time_ns() // 1000 - 3_600_000_000
BOOT_ID = "fedcba9876543210fedcba9876543210"
HOSTILE = "<img src=x onerror=document.title='owned'>\u202e"


def deliver_trail(server: Server) -> None:
    """Deliver a trail with events that rules find, in sessions that nobody recorded."""
    trail = make_trail_id(BOOT_ID, "alerts")
    encoder = TrailEncoder()
    lines = [encoder.encode(TrailHead(trail, "web1", BOOT_ID, NOW_US, "steno test"))]
    for number, (action, name, text) in enumerate(
        [
            ("wrote", "/etc/sudoers", "avery as root wrote /etc/sudoers with visudo"),
            ("loaded module", "dummy", "avery as root loaded module dummy"),
            ("changed audit rules", HOSTILE, f"avery as root changed audit rules {HOSTILE}"),
            *[("deleted", f"/var/log/x{n}", f"avery deleted /var/log/x{n}") for n in range(40)],
        ]
    ):
        event = Event(
            number + 1,
            NOW_US + number * 1_000_000,
            action,
            "success",
            audit_session=900,
            who=Who(login_uid=1501, login_user="avery", uid=0, user="root"),
            objects=[Thing("file", name)],
            text=text,
        )
        lines.append(encoder.encode(event))
    server.store.append(trail, 0, b"".join(lines), sender="web1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own with five alerts: four of events, one of a line on a screen."""
    server = Server(tmp_path_factory.mktemp("alerts"))
    try:
        session = Session("secretive", host="web2", remote="192.0.2.7", started_unix_us=NOW_US)
        session.show(1.0, "blake@web2:~$ ls\r\nnotes\r\n")
        session.show(4.0, "blake@web2:~$ history -c\r\n")
        session.show(9.0, "blake@web2:~$ ")
        server.wait_indexed([session.deliver(server.store)])
        deliver_trail(server)
        yield server
    finally:
        server.close()


@pytest.fixture
def visit_site(visit: Visit, site: Server) -> Callable[..., Page]:
    """Open the page of alerts as somebody; wait until there are as many as there will be."""

    def go(name: str = "kim", path: str = "/alerts", **given: object) -> Page:
        visitor = visit(**given)
        visitor.origin = site.origin
        visitor._sessions = site.sessions
        return visitor.enter(name, path)

    return go


def wait_for_alerts(page: Page, number: int) -> None:
    """Load the page until that many alerts are there."""

    def are_there() -> bool:
        expect(page.locator("p[aria-live]")).to_contain_text("cknowledged")
        if page.locator("li h2").count() >= number:
            return True
        page.wait_for_timeout(200)
        page.reload()
        return False

    wait_for(are_there, f"there are no {number} alerts")


def test_alerts_say_what_happened_and_lead_there(visit_site: Callable[..., Page]) -> None:
    """Newest first; what was recorded has a link to its moment, the rest says that it was not."""
    page = visit_site()
    wait_for_alerts(page, 5)
    expect(page.get_by_text("Not acknowledged: 1 critical, 3 high and 1 medium.")).to_be_visible()
    logs = page.locator("li").filter(has_text="log-deleted")
    expect(logs).to_contain_text("40 times, the last at")
    expect(logs).to_contain_text("no recording")
    expect(logs).to_contain_text("avery as root on")
    typed = page.locator("li").filter(has_text="history-cleared-by-hand")
    typed.get_by_role("link", name="show at").click()
    expect(page).to_have_url(re.compile("/recordings/[^?]+[?]t="))


def test_foreign_text_disturbs_nothing(visit_site: Callable[..., Page]) -> None:
    """Markup in an event's text is shown as text."""
    page = visit_site()
    wait_for_alerts(page, 5)
    expect(page.locator("li").filter(has_text="<img src=x")).to_have_count(1)
    expect(page).to_have_title("Alerts \u00b7 Steno")


def test_the_list_is_narrowed_by_severity(visit_site: Callable[..., Page]) -> None:
    """And the address says so."""
    page = visit_site()
    wait_for_alerts(page, 5)
    page.get_by_label("Severity").select_option("critical")
    expect(page.locator("li h2")).to_have_text(["audit-rules-changed"])
    expect(page).to_have_url(re.compile("/alerts[?]least=critical$"))
    page.get_by_label("State").select_option("acknowledged")
    expect(page.get_by_role("heading", name="No alerts")).to_be_visible()


def test_people_do_not_see_alerts_about_themselves(visit_site: Callable[..., Page]) -> None:
    """The page is for auditors; others have no link, and are refused."""
    page = visit_site("avery")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("link", name="Alerts")).to_have_count(0)


def test_an_acknowledgement_is_kept_with_its_comment(visit_site: Callable[..., Page]) -> None:
    """It says who did so; then the alert is no longer among those that are open."""
    page = visit_site("kim", width=390)
    hold_polling(page)  # it would take away what has just been acknowledged
    page.reload()
    wait_for_alerts(page, 5)
    item = page.locator("li").filter(has_text="kernel-module")
    item.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Comment").fill("planned: change 4711")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(item).to_contain_text("acknowledged by kim")
    expect(item).to_contain_text("planned: change 4711")
    expect(page.get_by_text("1 critical, 2 high and 1 medium")).to_be_visible()
    page.reload()
    expect(page.locator("li h2")).to_have_count(4)
    admins = visit_site("olga", width=390)  # with the longest navigation
    wait_for_alerts(admins, 4)
    for one in (page, admins):
        assert one.evaluate("document.documentElement.scrollWidth") <= 390
