"""A real server, and somebody at a browser who visits it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

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
        until_s = time.monotonic() + 60
        while any(self.store.derived_bytes(rec) < self.store.durable_bytes(rec) for rec in recs):
            assert time.monotonic() < until_s, "the indexer does not catch up"
            time.sleep(0.05)

    def close(self) -> None:
        """Stop it in good order."""
        self.process.terminate()
        self.process.wait(20)
        self.store.close()


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
