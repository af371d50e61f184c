"""The list of recordings: what it says, finding, sorting, paging, and keeping up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sessions import Session, rec_of
from visiting import Server, Visitor, hold_answers
from waiting import wait_for

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser


def row_of(page: Page, name: str) -> object:
    """Return the locator of a recording's row."""
    return page.locator(f'tr[data-rec="{rec_of(name)}"]')


def cells(page: Page, column: str) -> list[str]:
    """Return a column's texts, top to bottom, once the rows are those that were asked for last."""
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator(".card.table")).to_have_attribute("aria-busy", "false")
    return page.locator(f"tbody td.{column}").all_inner_texts()


def test_a_row_says_who_where_when_how_long_how_it_ended(visit: Visit) -> None:
    """Local time is shown; the exact instant and length are a pointer away."""
    page = visit().enter("kim", "/?q=label:pci")
    row = row_of(page, "telling")
    for text in ("root", "logged in as avery", "db1", "21 s", "exit 3", "verified", "/bin/bash"):
        expect(row).to_contain_text(text)
    when = row.locator("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when.inner_text())
    assert re.fullmatch(r"\S+ \S+\.\d{6} UTC", when.get_attribute("title") or "")
    expect(row.get_by_title("21.000000 s")).to_be_visible()


def test_a_broken_chain_stands_out(visit: Visit) -> None:
    """The list names the line at which the chain broke."""
    page = visit().enter("kim", "/?q=is:broken")
    expect(row_of(page, "altered")).to_contain_text("broken at line 4")


def test_headings_sort_both_ways(visit: Visit) -> None:
    """A heading sorts by its column, and again the other way round; it says so to readers."""
    page = visit().enter("kim", "/?q=service:login")
    heading = page.get_by_role("columnheader", name="Length")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(page).to_have_url(re.compile("sort=-duration"))
    falling = cells(page, "length")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tbody td.length").first).to_have_text(falling[-1])
    assert cells(page, "length") == falling[::-1]


def test_filters_write_the_query(visit: Visit) -> None:
    """A filter adds its field to what stands in the box; emptying it takes the field away."""
    page = visit().enter("kim", "/?q=uptime")
    page.get_by_label("Host", exact=True).fill("web2")
    page.keyboard.press("Enter")
    box = page.get_by_label("Find recordings")
    expect(box).to_have_value("uptime host:web2")
    expect(page.locator("tbody td.where").first).to_contain_text("web2")
    assert all("web2" in text for text in cells(page, "where"))
    page.get_by_label("Through").select_option("sudo")
    expect(box).to_have_value("uptime host:web2 service:sudo")
    page.get_by_label("Host", exact=True).fill("")
    page.keyboard.press("Enter")
    expect(box).to_have_value("uptime service:sudo")
    page.go_back()
    expect(box).to_have_value("uptime host:web2 service:sudo")


def test_pages_go_on_and_back(visit: Visit) -> None:
    """No recording is on two pages, and Previous returns to the same first page."""
    page = visit().enter("kim", "/?q=uptime")
    first = cells(page, "started")
    assert len(first) == 50
    page.get_by_role("button", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    second = cells(page, "started")
    assert not set(first) & set(second)
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    assert cells(page, "started") == first


def test_a_bad_query_is_shown_with_the_place(visit: Visit) -> None:
    """A caret stands below the character, the box's cursor stands there too."""
    page = visit().enter("kim", "/?q=user%3Aavery+(ls")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Bad query: this parenthesis is never closed.")
    query, caret = alert.locator("pre").inner_text().split("\n")
    assert (query, caret) == ("user:avery (ls", "           ^")
    box = page.get_by_label("Find recordings")
    assert box.evaluate("box => box.selectionStart") == 11
    box.fill("user:avery")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(alert).to_have_count(0)


def test_nothing_found_says_what_to_do(visit: Visit) -> None:
    """An empty result leads back to all recordings."""
    page = visit().enter("kim", "/?q=user:zoe")
    expect(page.get_by_role("heading", name="No recording matches")).to_be_visible()
    page.get_by_role("link", name="Show all recordings").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_a_list_that_comes_late_takes_no_news_back(visit: Visit, server: Server) -> None:
    """What happens while a list is on its way, and is older in it, stays shown."""
    one = Session("late one", host="latehost")
    one.show(0.5, "avery@latehost:~$ ")
    server.wait_indexed([one.deliver(server.store)])
    page = visit().enter("kim", "/?q=host:latehost")
    expect(row_of(page, "late one")).to_contain_text("live")
    hold_answers(page, "/api/v1/recordings?")
    two = Session("late two", host="latehost", user="blake")
    two.show(0.5, "blake@latehost:~$ ")
    two.deliver(server.store)
    wait_for(lambda: page.evaluate("held") > 0, "no list is asked for")
    one.end(75.0, status=4)
    one.deliver(server.store)
    expect(row_of(page, "late one")).to_contain_text("exit 4")
    page.evaluate("release()")
    expect(page.get_by_role("button", name="Show 1 new recording")).to_be_visible()
    assert "exit 4" in row_of(page, "late one").inner_text()
    page.get_by_role("button", name="Show 1 new recording").click()
    expect(row_of(page, "late two")).to_be_visible()
    expect(row_of(page, "late one")).to_contain_text("exit 4")


def test_the_list_follows_what_happens(visit: Visit, server: Server) -> None:
    """A new recording is offered, not pushed in; its row grows, and says how it ended."""
    page = visit().enter("kim", "/?q=host:newhost")
    expect(page.get_by_role("heading", name="No recording matches")).to_be_visible()
    one = Session("live one", host="newhost")
    one.show(0.5, "avery@newhost:~$ ")
    one.deliver(server.store)
    expect(row_of(page, "live one")).to_contain_text("live")
    two = Session("live two", host="newhost", user="blake")
    two.show(0.5, "blake@newhost:~$ ")
    two.deliver(server.store)
    page.get_by_role("button", name="Show 1 new recording").click()
    expect(row_of(page, "live two")).to_contain_text("verified so far")
    time.sleep(1.1)
    one.show(75.0, "more\r\n")
    one.end(75.0, status=4)
    one.deliver(server.store)
    expect(row_of(page, "live one")).to_contain_text("1 min 15 s")
    expect(row_of(page, "live one")).to_contain_text("exit 4")
