"""Signing in and out, and what each role sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sessions import rec_of
from visiting import PASSWORD, Server, Visitor, hold_polling

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser


def test_who_is_signed_out_comes_back_to_where_they_wanted(visit: Visit) -> None:
    """Every page asks for a sign-in first and leads on to the page that was asked for."""
    visitor = visit()
    page = visitor.sign_in("kim", "/search?q=needle")
    expect(page).to_have_url(visitor.origin + "/search?q=needle")
    expect(page.get_by_role("heading", name="Search")).to_be_visible()


def test_a_wrong_password_is_one_line(visit: Visit) -> None:
    """The line does not say whether name or password was wrong, and the form stays usable."""
    page = visit().go("/login")
    page.get_by_label("Name").fill("kim")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Recordings")).to_be_visible()


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_sign_in_never_leads_elsewhere(visit: Visit, target: str) -> None:
    """`next` is followed on this server only."""
    visitor = visit()
    page = visitor.sign_in("kim", f"/login?next={target}")
    expect(page).to_have_url(visitor.origin + "/")


def test_signing_out_ends_the_session(visit: Visit) -> None:
    """Afterwards the pages ask for a sign-in again, also with the browser's Back."""
    visitor = visit()
    page = visitor.sign_in("kim", "/hosts")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(visitor.origin + "/hosts")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page).to_have_url(visitor.origin + "/login?next=%2Fhosts")


def test_a_session_that_ended_meanwhile_is_said(visit: Visit) -> None:
    """The next thing that is asked for leads to the sign-in, with the reason, and then on."""
    visitor = visit()
    hold_polling(visitor.page)  # it would notice before anything is asked for
    page = visitor.sign_in("kim")
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Search screens and audit events").fill("needle")
    page.context.clear_cookies()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_label("Name").fill("kim")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(visitor.origin + "/search?q=needle")
    expect(page.get_by_role("link", name="the needle is here")).to_be_visible()


def test_a_one_time_link_signs_in(visit: Visit, server: Server) -> None:
    """`steno user link` gives an address that opens the page it names, once."""
    visitor = visit()
    link = server.run("user", "link", "kim", "--next", "/hosts", "--url", server.origin)
    page = visitor.page
    page.goto(link.strip())
    expect(page.get_by_role("heading", name="Hosts", exact=True)).to_be_visible()
    answer = page.request.get(link.strip(), max_redirects=0)
    assert answer.status == 410


def test_a_user_sees_only_their_own(visit: Visit) -> None:
    """In the list, in a search and by address: what is not theirs is not there."""
    visitor = visit()
    page = visitor.enter("avery")
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_be_visible()
    for text in rows.all_inner_texts()[1:]:
        assert "avery" in text, text
    expect(page.get_by_role("link", name="root")).to_be_visible()
    for name in ("Hosts", "Users"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)
    visitor.go("/search?q=uptime")
    expect(page.get_by_role("heading", name="avery on web1").first).to_be_visible()
    expect(page.get_by_role("heading", name="blake")).to_have_count(0)
    visitor.go(f"/recordings/{rec_of('ordinary 1')}")
    expect(page.get_by_role("alert")).to_contain_text("ecording")
    visitor.go(f"/recordings/{rec_of('telling')}")
    expect(page.get_by_role("heading", name="root on db1")).to_be_visible()
    expect(page.get_by_text("Viewed by")).to_have_count(0)


def test_a_user_without_recordings_is_told_how_to_make_one(visit: Visit) -> None:
    """An empty list says whose recordings would be there."""
    page = visit().enter("nobody")
    expect(page.get_by_role("heading", name="No recording of yours yet")).to_be_visible()


def test_an_auditor_sees_all_but_manages_nothing(visit: Visit) -> None:
    """Hosts are shown without the means to enrol one; users are not shown."""
    visitor = visit()
    page = visitor.enter("kim", "/hosts")
    expect(page.get_by_role("heading", name="Hosts", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Enrol a host")).to_have_count(0)
    visitor.go("/users")
    expect(page.get_by_text("Only for administrators")).to_be_visible()
