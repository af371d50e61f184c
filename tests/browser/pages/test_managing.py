"""Hosts, users and API tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from visiting import PASSWORD, Server, Visitor

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser


def test_an_administrator_makes_an_enrolment_code(visit: Visit) -> None:
    """The whole command to run on the host is shown, until when, and can be copied."""
    visitor = visit()
    page = visitor.enter("olga", "/hosts")
    expect(page.get_by_role("heading", name="No hosts yet")).to_be_visible()
    page.get_by_role("button", name="Enrol a host").click()
    expect(page.locator("steno-secret code")).to_contain_text(f"steno host enrol {visitor.origin} ")


def test_a_token_is_shown_once_works_and_can_be_revoked(visit: Visit, server: Server) -> None:
    """Its secret is gone after the page is left; after revoking it is refused."""
    visitor = visit()
    page = visitor.enter("kim", "/account")
    page.get_by_label("What it is for").fill("nightly <b>report</b>")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("steno-secret code").inner_text()
    assert secret.startswith("steno_")
    api = f"{server.origin}/api/v1/recordings"
    bearer = {"Authorization": f"Bearer {secret}"}
    page.context.clear_cookies()
    assert page.request.get(api, headers=bearer).status == 200
    visitor.enter("kim", "/account")
    expect(page.get_by_role("row", name="nightly <b>report</b>")).to_contain_text("works")
    expect(page.locator("steno-secret")).to_have_count(0)
    page.get_by_role("button", name="Revoke nightly").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be undone")
    page.keyboard.press("Escape")
    expect(page.get_by_role("row", name="nightly")).to_contain_text("works")
    page.get_by_role("button", name="Revoke nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="nightly")).to_contain_text("revoked")
    page.context.clear_cookies()
    assert page.request.get(api, headers=bearer).status == 401


def test_users_are_added_changed_and_removed(visit: Visit) -> None:
    """A new user without a password gets a link that signs in; roles change; removing asks."""
    visitor = visit()
    page = visitor.enter("olga", "/users")
    page.get_by_label("Name").fill("newcomer")
    page.get_by_role("button", name="Add", exact=True).click()
    link = page.locator("steno-secret code").inner_text()
    row = page.get_by_role("row", name="newcomer")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        page.get_by_label("Role of newcomer").select_option("auditor")
    expect(page.get_by_label("Role of newcomer")).to_be_enabled()
    other = visit().page
    other.goto(link)
    expect(other.get_by_role("link", name="Your account: newcomer, auditor")).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    row.get_by_role("button", name="Enable").click()
    row.get_by_role("button", name="New password").click()
    page.get_by_label("New password, at least").fill(PASSWORD)
    page.get_by_role("button", name="Set it").click()
    expect(row).to_contain_text("password or link")
    other.get_by_label("Name").fill("newcomer")
    other.get_by_label("Password").fill(PASSWORD)
    other.keyboard.press("Enter")
    expect(other.get_by_role("heading", name="Recordings")).to_be_visible()
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_name_that_is_taken_is_said(visit: Visit) -> None:
    """What the server refuses is one line, and what was typed stays."""
    page = visit().enter("olga", "/users")
    page.get_by_label("Name").fill("kim")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("User kim exists already.")
    expect(page.get_by_label("Name")).to_have_value("kim")
    expect(page.get_by_label("Role of olga")).to_be_disabled()
