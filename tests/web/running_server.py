"""A real server on loopback, with people and recordings in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
from waiting import wait_for

from steno.cli.serving import Server, run_server
from steno.config import ServerConfig, load_config
from steno.errors import NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start, Window
from steno.store.accounts import Accounts, Role
from steno.store.accounts_file import AccountsFile
from steno.store.opening import open_store
from steno.store.protocol import Summary

PASSWORD = "correct horse battery"
STARTED_UNIX_US = 1_760_000_000_000_000
TEXTS = [
    "$ make release",
    "compiling the hedgehog",
    "error: no quills",
    "<script>alert(1)</script>",
]
"""What the first recording of alice shows, a line a second."""
PEOPLE: dict[str, Role] = {"ada": "admin", "audrey": "auditor", "alice": "user", "bob": "user"}


def make_lines(
    rec: str, user: str, texts: list[str], *, started_unix_us: int = STARTED_UNIX_US
) -> list[bytes]:
    """Return the chained lines of a recording in which each text is printed at its second."""
    start = Start(
        user=user,
        login_user=user,
        host="web1",
        started_unix_us=started_unix_us,
        recorder="steno test",
        service="sshd",
        columns=80,
        rows=24,
        records=["output", "window"],
        number=1,
    )
    identity = Identity(host="web1", rec=rec, user=user, term="xterm", session=1, start=start)
    cutter = Cutter(identity)
    lines = list(cutter.add(Window(0, 80, 24)))
    for second, text in enumerate(texts):
        lines += cutter.add(Output(second * 1_000_000, f"{text}\r\n".encode()))
        if (line := cutter.cut()) is not None:
            lines.append(line)
    lines += cutter.end(End("exit", exit_status=0, output_bytes=1), len(texts) * 1_000_000)
    return lines


class Running:
    """A running server and what a test needs to talk to it."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.url = ""
        self.server: Server | None = None
        self.error: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        def tell(url: str, server: Server) -> None:
            self.url, self.server = url, server
            self._ready.set()

        try:
            run_server(self.config, on_ready=tell)
        except BaseException as error:  # noqa: BLE001  # shown by start()
            self.error = error
            self._ready.set()

    def start(self) -> None:
        """Start it and wait until it accepts requests."""
        self._thread.start()
        assert self._ready.wait(60)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Stop it and wait until everything is closed."""
        if self.server is not None:
            self.server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def client(self, headers: dict[str, str] | None = None) -> httpx2.Client:
        """Return a client that knows the server's address and is signed in as nobody."""
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)

    def sign_in(self, name: str) -> httpx2.Client:
        """Return a client with a session of `name`, which also sends its CSRF token.

        By a one-time link: checking passwords is slow on purpose.
        """
        client = self.client()
        secret = self.accounts().add_link(name, 60_000_000)
        assert client.get(f"/once/{secret}").status_code == 303
        client.headers["X-CSRF-Token"] = client.get("/api/v1/session").json()["csrf_token"]
        return client

    def accounts(self) -> Accounts:
        """Return the accounts, as another process would open them."""
        return Accounts(AccountsFile(self.config.accounts_path))

    def deliver(self, rec: str, lines: list[bytes]) -> None:
        """Add lines to a recording, as another process would."""
        store = open_store(self.config.store_directory)
        try:
            store.append(rec, store.durable_bytes(rec), b"".join(lines), sender="web1")
        finally:
            store.close()

    def wait_for(self, rec: str, is_there: Callable[[Summary], bool]) -> Summary:
        """Wait until the index says of a recording what it should; return its summary."""
        store = open_store(self.config.store_directory)

        def look() -> Summary | None:
            with suppress(NotFoundError):
                summary = store.find(rec)
                return summary if is_there(summary) else None
            return None

        try:
            return wait_for(look, f"{rec} is not indexed")
        finally:
            store.close()


@contextmanager
def running_server(
    directory: Path, password_hash: str, flags: dict[str, Any] | None = None
) -> Iterator[Running]:
    """Run a server with four people and three recordings: two of alice's, one of bob's."""
    config = load_config(directory=directory, flags={"listen": "127.0.0.1:0", **(flags or {})})
    file = AccountsFile(config.accounts_path)
    accounts = Accounts(file)
    for name, role in PEOPLE.items():
        accounts.add_user(name, role, password_hash)
    file.close()
    running = Running(config)
    running.deliver("a1ice-0001", make_lines("a1ice-0001", "alice", TEXTS))
    running.deliver("a1ice-0002", make_lines("a1ice-0002", "alice", ["secret plans"]))
    running.deliver("b0b-0001", make_lines("b0b-0001", "bob", ["hello from bob"]))
    running.start()
    for rec in ("a1ice-0001", "a1ice-0002", "b0b-0001"):
        running.wait_for(rec, lambda summary: not summary.is_live)
    try:
        yield running
    finally:
        running.stop()
