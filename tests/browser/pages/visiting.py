"""A real server, and somebody at a browser who visits it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect
from waiting import wait_for

from steno.store.accounts import Accounts, Role
from steno.store.accounts_file import AccountsFile
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.web.passwords import hash_password

PASSWORD = "correct horse battery"
PEOPLE: dict[str, Role] = {"olga": "admin", "kim": "auditor", "avery": "user", "nobody": "user"}


class Server:
    """`steno serve` on loopback, in a process of its own, with a directory of its own.

    Attributes:
        origin: "http://127.0.0.1:PORT".
        store: Its store, opened by this process too.
        directory: Where it keeps everything.
        sessions: The cookies of who entered before, by name.
    """

    def __init__(self, directory: Path) -> None:
        self.sessions: dict[str, list[Any]] = {}
        self.directory = directory
        self._steno = [sys.executable, "-m", "steno.cli"]
        self._directory = ["--directory", str(directory)]
        accounts = AccountsFile(directory / "accounts.sqlite")
        password_hash = hash_password(PASSWORD)
        for name, role in PEOPLE.items():
            Accounts(accounts).add_user(name, role, password_hash)
        accounts.close()
        self.store: Store = open_store(directory / "store")
        command = [*self._steno, "serve", *self._directory, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("serving on "), said
        self.origin = said.split()[-1]

    def run(self, *arguments: str) -> str:
        """Run a command on the server's directory; return what it printed."""
        done = subprocess.run(
            [*self._steno, *arguments, *self._directory],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def wait_indexed(self, recs: list[str]) -> None:
        """Wait until the server's indexer has everything that was appended."""
        store = self.store
        wait_for(
            lambda: all(store.derived_bytes(rec) >= store.durable_bytes(rec) for rec in recs),
            "the indexer does not catch up",
        )

    def close(self) -> None:
        """Stop it in good order."""
        self.process.terminate()
        self.process.wait(60)
        self.store.close()


def settle(page: Page) -> None:
    """Wait until a page shows what it will; also one with a player."""
    expect(page.locator("steno-app h1").first).to_be_visible()
    for words in ("Loading…", "Searching…"):
        expect(page.get_by_text(words)).to_have_count(0)


def settle_recording(page: Page) -> None:
    """Wait until a recording's page, as auditors see it, shows all that it will."""
    settle(page)
    expect(page.locator("steno-player .badge")).to_be_visible()
    expect(page.get_by_role("table", name="Viewings")).to_be_visible()
    expect(page.get_by_role("button", name="Check again now")).to_be_visible()


def expect_viewing(page: Page, name: str) -> None:
    """Wait until a recording's page tells of a viewer: the log is written beside the playing."""
    row = page.get_by_role("table", name="Viewings").get_by_role("row", name=name)

    def is_told() -> bool:
        page.get_by_role("button", name="Look again").click()
        with contextlib.suppress(AssertionError):
            expect(row.first).to_be_visible(timeout=1000)
            return True
        return False

    wait_for(is_told, f"{name} is not among the viewers")


def hold_polling(page: Page) -> None:
    """Leave what a page asks for by itself without an answer: only what a test does changes it."""

    def decide(route: Route) -> None:
        if "x-steno-unattended" not in route.request.headers:
            route.continue_()

    page.route(re.compile(r"/api/v1/(alerts|warnings)(\?|$)"), decide)


_HOLD = """(part) => {
  const fetch = window.fetch;
  const released = new Promise((done) => { window.release = done; });
  window.held = 0;
  window.fetch = async (...asked) => {
    const answer = await fetch(...asked);
    if (String(asked[0]).includes(part)) {
      window.held += 1;
      await released;
    }
    return answer;
  };
}"""


def hold_answers(page: Page, part: str) -> None:
    """Let answers of addresses with this part come to a page only when it calls `release()`.

    How many have come from the server until then is `held`.
    """
    page.evaluate(_HOLD, part)


def player_time(page: Page) -> float:
    """Return the instant that the player shows, in seconds."""
    seconds: float = page.locator("steno-player").evaluate("p => p.currentTime")
    return seconds


class Visitor:
    """Somebody at a browser.

    Attributes:
        page: What they look at.
        origin: The server's address.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.origin = server.origin
        self._sessions = server.sessions

    def go(self, path: str) -> Page:
        """Open an address of the server."""
        self.page.goto(self.origin + path)
        return self.page

    def enter(self, name: str, path: str = "/") -> Page:
        """Open `path`, signed in already: all who enter under one name share a session."""
        context = self.page.context
        if name not in self._sessions:
            self.sign_in(name, path)
            self._sessions[name] = context.cookies()
            return self.page
        context.add_cookies(self._sessions[name])
        return self.go(path)

    def sign_in(self, name: str, path: str = "/") -> Page:
        """Sign in, which leads on to `path`."""
        page = self.go(path)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out").first).to_be_visible()
        return page
