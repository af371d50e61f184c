"""A real server with recordings in its store, and pages of it in the browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from made_site import open_context
from playwright.sync_api import Browser, ConsoleMessage
from sessions import altered, hostile, ordinary, telling
from visiting import Server, Visitor

ORDINARY = 60


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with some 60 recordings, shared by all tests of the pages."""
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        now_unix_us = time.time_ns() // 1000
        sessions = [ordinary(number, now_unix_us) for number in range(ORDINARY)]
        sessions += [telling(now_unix_us), hostile(now_unix_us), altered(now_unix_us)]
        server.wait_indexed([session.deliver(server.store) for session in sessions])
        yield server
    finally:
        server.close()


def _is_expected(message: ConsoleMessage) -> bool:
    """Chromium logs every refusal; what the pages do about it is what the tests look at."""
    refused = r"Failed to load resource: (.* status of 4\d\d |net::ERR_INTERNET_DISCONNECTED)"
    return re.match(refused, message.text) is not None


@pytest.fixture
def visit(chromium: Browser, server: Server) -> Iterator[Callable[..., Visitor]]:
    """Make visitors; afterwards nothing may have gone wrong in any of their pages."""
    faults: list[str] = []
    contexts: list[Any] = []

    def make(width: int = 1280, height: int = 850, scheme: str = "light") -> Visitor:
        context = open_context(
            chromium,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            timezone_id="Europe/Berlin",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not _is_expected(message):
                faults.append(f"{message.type}: {message.text}")

        page.on("console", note)
        return Visitor(page, server)

    yield make
    for context in contexts:
        context.close()
    assert faults == []
