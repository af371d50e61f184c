"""Logins and audit events on the pages: from who came in, and what was done, to the moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from avery import F1, deliver_avery, import_trail
from playwright.sync_api import expect
from visiting import Server, Visitor
from waiting import wait_for

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser

NARROW = 390


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own: they count what hosts tell."""
    server = Server(tmp_path_factory.mktemp("logins"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def avery(server: Server) -> str:
    """The id of avery's recording, which the host's audit trail tells of, beside blake's two."""
    rec = deliver_avery(server.store)
    import_trail(server, F1 / "audit-enriched.log")
    server.wait_indexed([rec])
    wait_for(lambda: not server.store.find(rec).is_live, "it is still live")
    return rec


@pytest.mark.parametrize("width", [1280, NARROW])
def test_logins_lead_to_recordings(visit: Visit, avery: str, width: int) -> None:
    """Who came in when, what was not recorded, and a link to what was."""
    page = visit(width=width).enter("kim", "/logins")
    rows = page.get_by_role("table", name="Logins").get_by_role("row")
    expect(rows.filter(has_text="not recorded")).to_have_count(2)
    of_avery = rows.filter(has_text="avery").filter(has_text="127.0.0.1")
    expect(of_avery).to_have_count(1)
    of_avery.get_by_role("link", name="watch").click()
    expect(page).to_have_url(re.compile(f"/recordings/{avery}$"))


def test_filters_of_logins_are_in_the_address(visit: Visit, avery: str) -> None:
    """What is chosen can be bookmarked, and going back takes it away again."""
    page = visit().enter("kim", "/logins")
    rows = page.get_by_role("table", name="Logins").get_by_role("row")
    expect(rows).to_have_count(4)
    page.get_by_label("Recorded").select_option("yes")
    expect(page).to_have_url(re.compile(r"/logins\?recorded=yes$"))
    expect(rows).to_have_count(2)
    page.get_by_label("Who").fill("bl*")
    page.get_by_label("Who").press("Enter")
    expect(page).to_have_url(re.compile(r"user=bl\*&recorded=yes$"))
    expect(page.get_by_text("No logins")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Failed attempts").click()
    failed = page.get_by_role("table", name="Failed attempts").get_by_role("row")
    expect(failed.filter(has_text="blake")).to_have_count(1)


def test_an_event_opens_the_player_at_its_instant(visit: Visit, avery: str) -> None:
    """A search for what was done and shown lists both; an event's click leads to its moment."""
    page = visit().enter("kim", "/search?q=action:wrote+file:/etc/passwd+temp9")
    hits = page.get_by_role("link", name="wrote /etc/passwd with useradd")
    expect(hits).to_have_count(1)
    expect(page.locator("mark", has_text="temp9").first).to_be_visible()
    hits.click()
    expect(page).to_have_url(re.compile(rf"/recordings/{avery}\?t=3\.\d+&event=\d+$"))
    expect(page.locator("steno-event")).to_contain_text("steno verify trail-")
    expect(page.locator("steno-trail [aria-expanded=true]")).to_contain_text(
        "wrote /etc/passwd with useradd"
    )


def test_events_of_all_hosts(visit: Visit, avery: str) -> None:
    """Events outside of recordings are shown too, without a link; a wrong query says where."""
    page = visit().enter("kim", "/search?q=result:failure")
    page.get_by_role("link", name="All audit events").click()
    expect(page).to_have_url(re.compile("in=events$"))
    refused = page.get_by_text("blake could not authenticate")
    expect(refused).to_be_visible()
    expect(page.get_by_role("link", name="blake could not authenticate")).to_have_count(0)
    refused.click()
    page.get_by_text("The kernel's records (1)").click()
    expect(page.get_by_text("PAM:authentication")).to_be_visible()
    expect(page.get_by_role("link", name="could not run /usr/sbin/nscd").first).to_be_visible()
    box = page.get_by_label("Search the audit events of all hosts")
    box.fill("result:failure is:live")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("says something of recordings")


def test_a_plain_user_has_no_logins_page(visit: Visit, avery: str) -> None:
    """Whoever sees only their own recordings finds events of these, and no page of logins."""
    page = visit().enter("avery", "/search?q=file:/etc/passwd&in=events")
    expect(page.get_by_role("link", name="wrote /etc/passwd with useradd")).to_have_count(1)
    expect(page.get_by_role("link", name="Logins")).to_have_count(0)
    other = visit().enter("nobody", "/search?q=file:/etc/passwd&in=events")
    expect(other.get_by_text("Nothing found")).to_be_visible()
