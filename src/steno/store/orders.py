"""What people ask of sessions that are being recorded: to end, or to show a message.

An order is kept before its host is told, and stays with what came of it: it is also the log of who
did what, when and why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from steno.errors import NotFoundError
from steno.heartbeat import Do, HostOrder, OrderResult, OrderState
from steno.store.accounts import Signed, read_unix_us
from steno.store.accounts_file import AccountsFile

_COLUMNS = (
    "id, host, rec, do, user, text, reason, address, through, made_unix_us, expires_unix_us,"
    " told_unix_us, finished_unix_us, state, failure"
)
_MOST_WAITING = 5
"""So many orders a host is told at a time."""


class Order(msgspec.Struct, frozen=True):
    """One order.

    Attributes:
        id: Running number, never used twice.
        host: Whose courier carries it out.
        rec: Which session's recording.
        do: `kill` or `message`.
        user: Who gave it.
        text: The message; "" for kill.
        reason: Why, as they said.
        address: From where.
        through: `session`, or `token ID`.
        made_unix_us: When.
        expires_unix_us: It is not carried out after this.
        told_unix_us: When the host was told first; None: not yet.
        finished_unix_us: When the host said what came of it; None: it has not.
        state: `waiting`, `done`, `failed` or `expired`.
        failure: Why it failed, as the host says.
    """

    id: int
    host: str
    rec: str
    do: Do
    user: str
    text: str
    reason: str
    address: str
    through: str
    made_unix_us: int
    expires_unix_us: int
    told_unix_us: int | None
    finished_unix_us: int | None
    state: OrderState
    failure: str


class NewOrder(msgspec.Struct, frozen=True):
    """What somebody asks: see `Order`."""

    host: str
    rec: str
    do: Do
    text: str = ""
    reason: str = ""


class Orders:
    """The orders in an accounts.sqlite. Any thread may use it; changes are on disk at return."""

    def __init__(
        self,
        file: AccountsFile,
        *,
        expire_us: int = 30_000_000,
        now_unix_us: Callable[[], int] = read_unix_us,
    ) -> None:
        self._file = file
        self._expire_us = expire_us
        self._now_unix_us = now_unix_us
        self._lock = threading.Lock()
        self._listeners: list[Callable[[str], None]] = []

    def subscribe(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the host, in any thread, when an order is given in this process."""
        with self._lock:
            self._listeners.append(listener)

    def add(self, who: Signed, new: NewOrder, address: str) -> Order:
        """Give an order."""
        now_us = self._now_unix_us()
        with self._file.writing() as db:
            asked = (new.host, new.rec, new.do, who.name, new.text, new.reason)
            db.execute(
                "INSERT INTO orders (host, rec, do, user, text, reason, address, through,"
                " made_unix_us, expires_unix_us, state, failure)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', '')",
                (*asked, address, who.through, now_us, now_us + self._expire_us),
            )
            id_ = db.last_insert_rowid()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(new.host)
        return self.find(id_)

    def find(self, id_: int) -> Order:
        """Return one order.

        Raises:
            NotFoundError: There is none of this number.
        """
        found = self._read("id = ?", (id_,))
        if not found:
            raise NotFoundError(f"no order {id_}")
        return found[0]

    def of_recording(self, rec: str, limit: int = 100) -> list[Order]:
        """Return the orders about one recording, newest first."""
        return self._read("rec = ? ORDER BY id DESC LIMIT ?", (rec, limit))

    def waiting_hosts(self) -> set[str]:
        """Return the hosts for which there are orders; takes no time to speak of."""
        with self._file.reading() as db:
            rows: Any = db.execute(
                "SELECT DISTINCT host FROM orders WHERE state = 'waiting' AND expires_unix_us > ?",
                (self._now_unix_us(),),
            ).fetchall()
        return {row[0] for row in rows}

    def tell(self, host: str) -> tuple[HostOrder, ...]:
        """Return what `host` is to do, and note that it was told."""
        now_us = self._now_unix_us()
        found = self._read(
            "host = ? AND state = 'waiting' AND expires_unix_us > ? ORDER BY id LIMIT ?",
            (host, now_us, _MOST_WAITING),
        )
        if any(order.told_unix_us is None for order in found):
            with self._file.writing() as db:
                db.executemany(
                    "UPDATE orders SET told_unix_us = coalesce(told_unix_us, ?) WHERE id = ?",
                    [(now_us, order.id) for order in found],
                )
        return tuple(
            HostOrder(
                id=str(order.id),
                do=order.do,
                rec=order.rec,
                by=order.user,
                text=order.text,
                reason=order.reason,
                left_s=(order.expires_unix_us - now_us) / 1_000_000,
            )
            for order in found
        )

    def finish(self, host: str, results: Iterable[OrderResult]) -> list[Order]:
        """Note what came of orders; return those that this settled.

        Only the host that was told is believed, and only once.
        """
        now_us = self._now_unix_us()
        settled = []
        with self._file.writing() as db:
            for result in results:
                if not (result.id.isascii() and result.id.isdigit() and len(result.id) < 19):
                    continue
                db.execute(
                    "UPDATE orders SET state = ?, failure = ?, finished_unix_us = ? WHERE id = ?"
                    " AND host = ? AND finished_unix_us IS NULL AND told_unix_us IS NOT NULL",
                    (result.state, result.reason, now_us, int(result.id), host),
                )
                if db.changes():
                    settled.append(int(result.id))
        return [self.find(id_) for id_ in settled]

    def _read(self, condition: str, values: tuple[Any, ...]) -> list[Order]:
        now_us = self._now_unix_us()
        with self._file.reading() as db:
            rows: Any = db.execute(
                f"SELECT {_COLUMNS} FROM orders WHERE {condition}",  # noqa: S608  # our own texts
                values,
            ).fetchall()
        found = [Order(*row) for row in rows]
        return [
            msgspec.structs.replace(order, state="expired")
            if order.state == "waiting" and order.expires_unix_us <= now_us
            else order
            for order in found
        ]
