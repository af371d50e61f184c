"""Driving `<steno-player>` from tests."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect
from waiting import wait_for


def open_player(page: Page, address: str) -> None:
    """Load a page and wait until its player shows the first instant."""
    page.goto(address)
    ask(page, "await p.whenReady()")


def ask(page: Page, expression: str) -> Any:  # noqa: ANN401  # whatever JavaScript has
    """Evaluate `expression` with the player as `p`; promises are waited for."""
    return page.locator("steno-player").evaluate(f"async (p) => {expression}")


def drawn_rows(page: Page) -> list[str]:
    """Return the rows' text as the page draws it, without blank ones at the end."""
    rows: list[str] = ask(
        page, "[...p.shadowRoot.querySelectorAll('.row')].map((row) => row.textContent)"
    )
    rows = [row.rstrip() for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def wait_for_rows(page: Page, rows: list[str]) -> None:
    """Wait until the page has drawn these rows."""
    try:
        wait_for(lambda: drawn_rows(page) == rows, "other rows are drawn")
    except AssertionError:
        assert drawn_rows(page) == rows
        raise


def wait_for_details(page: Page) -> None:
    """Wait until the player has all that it asks a server for beside what it plays."""
    expect(page.locator("steno-player .badge")).to_be_visible()


def settle(page: Page) -> None:
    """Wait for two frames: what was drawn soon is drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
