"""Who looked at which recording, and who tried to sign in: the server's own log of access."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from steno.store.accounts import Signed, read_unix_us
from steno.store.accounts_file import AccountsFile
from steno.store.protocol import Page

_PAUSE_US = 600 * 1_000_000
_MAX_DETAIL_CHARACTERS = 1000
_STEP_US = 30 * 1_000_000
_LATEST = 2000
"""So many of the latest viewings are looked through for one that goes on: the log only grows."""


class Viewing(msgspec.Struct, frozen=True):
    """One look at a recording, or at what many of them, or of the hosts' logins, tell.

    Attributes:
        id: Running number, never used twice.
        user: Who looked.
        rec: At which recording; None for a look at many: a search, alerts, logins.
        how: `segments`, `lines`, `text`, `commands`, `events`, `export`, `live`, `search`,
            `event`, `trail`, `alerts`, `logins` or `failures`; or the order that somebody gave.
        detail: The query of a search, the format of an export, the filters of a list of logins
            (`user=ann&service=sshd`); else "".
        address: From where.
        through: `session`, or `token ID`.
        first_unix_us: The first request.
        last_unix_us: The last request, exact to 30 s.
        requests: How many requests up to then; a player fetches a recording in many.
    """

    id: int
    user: str
    rec: str | None
    how: str
    detail: str
    address: str
    through: str
    first_unix_us: int
    last_unix_us: int
    requests: int


class Viewings:
    """The table of viewings. Requests of one kind by one caller within ten minutes are one."""

    def __init__(
        self, file: AccountsFile, *, now_unix_us: Callable[[], int] = read_unix_us
    ) -> None:
        self._file = file
        self._now_unix_us = now_unix_us

    def add(self, who: Signed, how: str, rec: str | None, detail: str, address: str) -> None:
        """Log a look; it is on disk when this returns.

        Raises:
            StoreError: It could not be logged; the caller must not answer with the content.
            NoSpaceError: So too.
        """
        now_unix_us = self._now_unix_us()
        detail = detail[:_MAX_DETAIL_CHARACTERS]
        same = (who.name, rec, how, detail, address, who.through)
        with self._file.reading() as db:
            row = db.execute(
                "SELECT id, last_unix_us FROM viewings"
                " WHERE id > (SELECT max(id) FROM viewings) - ? AND user = ? AND rec IS ?"
                " AND how = ? AND detail = ? AND address = ? AND through = ?"
                " ORDER BY id DESC LIMIT 1",
                (_LATEST, *same),
            ).fetchone()
        if row is not None and 0 <= now_unix_us - row[1] < _STEP_US:
            return
        with self._file.writing() as db:
            if row is not None and 0 <= now_unix_us - row[1] < _PAUSE_US:
                db.execute(
                    "UPDATE viewings SET last_unix_us = ?, requests = requests + 1 WHERE id = ?",
                    (now_unix_us, row[0]),
                )
            else:
                db.execute(
                    "INSERT INTO viewings (user, rec, how, detail, address, through,"
                    " first_unix_us, last_unix_us, requests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                    (*same, now_unix_us, now_unix_us),
                )

    def page(
        self, *, rec: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> Page[Viewing]:
        """Return viewings, newest first; `before_id` (the cursor's number) goes on."""
        with self._file.reading() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                "SELECT id, user, rec, how, detail, address, through, first_unix_us,"
                " last_unix_us, requests FROM viewings"
                " WHERE rec IS coalesce(?, rec) AND id < coalesce(?, id + 1)"
                " ORDER BY id DESC LIMIT ?",
                (rec, before_id, limit + 1),
            ).fetchall()
        items = [Viewing(*row) for row in rows[:limit]]
        return Page(items, str(items[-1].id) if len(rows) > limit else None)


class Attempts:
    """Attempts to sign in, counted per name and per address in a sliding window."""

    def __init__(
        self,
        file: AccountsFile,
        *,
        window_us: int,
        now_unix_us: Callable[[], int] = read_unix_us,
    ) -> None:
        self._file = file
        self._window_us = window_us
        self._now_unix_us = now_unix_us

    def begin(self, limits: Mapping[str, int]) -> int | None:
        """Count one attempt for every subject, unless one of them has used up its limit.

        Counting comes before checking the password, so that attempts side by side cannot
        exceed the limit.

        Args:
            limits: Subject ("name NAME", "address ADDRESS") -> attempts allowed per window.

        Returns:
            None when the attempt may go on, else microseconds to wait; nothing was counted then.
        """
        now_unix_us = self._now_unix_us()
        with self._file.writing() as db:
            db.execute(
                "DELETE FROM login_attempts WHERE at_unix_us <= ?", (now_unix_us - self._window_us,)
            )
            wait_us = 0
            for subject, limit in limits.items():
                row = db.execute(
                    "SELECT at_unix_us FROM login_attempts WHERE subject = ?"
                    " ORDER BY at_unix_us DESC LIMIT 1 OFFSET ?",
                    (subject, limit - 1),
                ).fetchone()
                if row is not None:
                    wait_us = max(wait_us, row[0] + self._window_us - now_unix_us)
            if wait_us > 0:
                return wait_us
            for subject in limits:
                db.execute("INSERT INTO login_attempts VALUES (?, ?)", (subject, now_unix_us))
        return None

    def succeed(self, name: str, address: str) -> None:
        """Forget all attempts of the subject `name`, and the last one of `address`.

        One's own success does not pay for guesses at others' names from the same address.
        """
        with self._file.writing() as db:
            db.execute("DELETE FROM login_attempts WHERE subject = ?", (name,))
            db.execute(
                "DELETE FROM login_attempts WHERE rowid IN (SELECT rowid FROM login_attempts"
                " WHERE subject = ? ORDER BY at_unix_us DESC LIMIT 1)",
                (address,),
            )
