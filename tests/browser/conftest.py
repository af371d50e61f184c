"""What the browser's tests share: Debian's Chromium, and a site that serves what was built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_site import CHROMIUM, PATIENCE_MS, QUIET, STATIC, Site, open_context
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here drives the browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, started once."""
    if not shutil.which(CHROMIUM):
        pytest.skip("needs the Debian package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=QUIET, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """A site of one's own."""
    if not (STATIC / "player.js").is_file():
        pytest.fail("the front end is not built: npm --prefix frontend run build")
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of 1280 by 800 whose errors fail the test."""
    size = {"width": 1280, "height": 800}
    context = open_context(chromium, viewport=size, color_scheme="dark")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    page.on("console", note)
    yield page
    context.close()
    assert faults == []
