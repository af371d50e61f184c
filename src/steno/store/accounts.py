"""People who may sign in: their roles, sessions, API tokens and one-time links.

Secrets are random and leave here once, when they are made; only their SHA-256 digests are
kept. Passwords come in hashed (argon2, see `steno.web.passwords`); this room never sees them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Literal

import apsw
import msgspec

from steno.errors import NotFoundError, UsageError
from steno.store.accounts_file import AccountsFile

Role = Literal["admin", "auditor", "user"]

RANKS: dict[Role, int] = {"user": 0, "auditor": 1, "admin": 2}
"""A role may do whatever a lower one may."""

TOKEN_PREFIX = "steno_"  # noqa: S105  # the public prefix of every token, so that scanners find leaked ones

_NAME = re.compile(r"[^\s/\x00-\x1f\x7f-]([^\s/\x00-\x1f\x7f]{0,127})\Z")
_SECONDS = 1_000_000


class User(msgspec.Struct, frozen=True):
    """Somebody who may sign in; sees only own recordings as `user`, all as `auditor` or `admin`.

    `disabled_unix_us` says since when they are kept out, with all their tokens; None: they are not.
    """

    name: str
    role: Role
    has_password: bool
    created_unix_us: int
    disabled_unix_us: int | None = None


class Token(msgspec.Struct, frozen=True):
    """An API token's facts, without its secret; `role` never exceeds its user's."""

    id: str
    user: str
    role: Role
    label: str
    created_unix_us: int
    expires_unix_us: int | None = None
    used_unix_us: int | None = None
    revoked_unix_us: int | None = None


class Signed(msgspec.Struct, frozen=True):
    """Who a session or a token stands for.

    Attributes:
        name: The user.
        role: What they may do through this session or token.
        through: `session` or `token ID`: what the viewing log says.
        key: Names the session or token in this process; not secret, not stored.
    """

    name: str
    role: Role
    through: str
    key: str


class SessionLimits(msgspec.Struct, frozen=True):
    """How long a session lasts without a request, and at all."""

    idle_us: int = 3600 * _SECONDS
    absolute_us: int = 12 * 3600 * _SECONDS


def read_unix_us() -> int:
    """Return the calendar's instant, in microseconds since 1970."""
    return time.time_ns() // 1000


def digest_of_secret(secret: str) -> bytes:
    """Return what is kept of a random secret; it has 256 bits, so that no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def lesser_role(one: Role, other: Role) -> Role:
    """Return the role that may do less."""
    return min(one, other, key=RANKS.__getitem__)


class Accounts:
    """The people's side of accounts.sqlite.

    `now_unix_us` is the clock. All calls may come from any thread and block.
    """

    def __init__(
        self,
        file: AccountsFile,
        *,
        limits: SessionLimits | None = None,
        now_unix_us: Callable[[], int] = read_unix_us,
    ) -> None:
        self._file = file
        self._limits = limits or SessionLimits()
        self._now_unix_us = now_unix_us

    # Users.

    def add_user(self, name: str, role: Role, password_hash: str | None) -> User:
        """Add a user; without a password they come in by one-time links and tokens only.

        Raises:
            UsageError: The name is taken or cannot be one; nothing was written.
        """
        if not _NAME.match(name):
            raise UsageError(
                f"{name!r}: a user's name has 1 to 128 characters, no blanks or slashes,"
                " and does not begin with a dash"
            )
        now_unix_us = self._now_unix_us()
        try:
            with self._file.writing() as db:
                db.execute(
                    "INSERT INTO users (name, role, password, created_unix_us) VALUES (?, ?, ?, ?)",
                    (name, role, password_hash, now_unix_us),
                )
        except apsw.ConstraintError as error:
            raise UsageError(f"user {name} exists already") from error
        return User(name, role, password_hash is not None, now_unix_us)

    def users(self) -> list[User]:
        """Return all users by name."""
        with self._file.reading() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                "SELECT name, role, password IS NOT NULL, created_unix_us, disabled_unix_us"
                " FROM users ORDER BY name"
            ).fetchall()
        return [User(name, role, bool(has), *instants) for name, role, has, *instants in rows]

    def user(self, name: str) -> User:
        """Return one user.

        Raises:
            NotFoundError: Nobody goes by that name.
        """
        for user in self.users():
            if user.name == name:
                return user
        raise NotFoundError(f"no user {name}")

    def password_hash(self, name: str) -> str | None:
        """Return the hash to check a password against; None when no password can be right."""
        with self._file.reading() as db:
            return db.execute(  # type: ignore[no-any-return]  # apsw types no columns
                "SELECT password FROM users WHERE name = ? AND disabled_unix_us IS NULL", (name,)
            ).get

    def set_password(self, name: str, password_hash: str | None) -> None:
        """Replace a user's password and end all their sessions and links.

        Raises:
            NotFoundError: Nobody goes by that name; nothing was written.
        """
        with self._file.writing() as db:
            db.execute("UPDATE users SET password = ? WHERE name = ?", (password_hash, name))
            self._require_change(db, name)
            db.execute("DELETE FROM sessions WHERE user = ?", (name,))
            db.execute("DELETE FROM links WHERE user = ?", (name,))

    def refresh_hash(self, name: str, old_hash: str, new_hash: str) -> None:
        """Replace a hash made with weaker parameters, unless the password changed meanwhile."""
        with self._file.writing() as db:
            db.execute(
                "UPDATE users SET password = ? WHERE name = ? AND password = ?",
                (new_hash, name, old_hash),
            )

    def set_role(self, name: str, role: Role) -> None:
        """Change what a user may do, at once also in open sessions.

        Raises:
            NotFoundError: Nobody goes by that name; nothing was written.
        """
        with self._file.writing() as db:
            db.execute("UPDATE users SET role = ? WHERE name = ?", (role, name))
            self._require_change(db, name)

    def set_disabled(self, name: str, *, is_disabled: bool) -> None:
        """Keep a user out, at once and by whatever way; or let them in again, tokens and all.

        Raises:
            NotFoundError: Nobody goes by that name; nothing was written.
        """
        since_unix_us = self._now_unix_us() if is_disabled else None
        with self._file.writing() as db:
            db.execute(
                "UPDATE users SET disabled_unix_us = ? WHERE name = ?", (since_unix_us, name)
            )
            self._require_change(db, name)
            if is_disabled:
                db.execute("DELETE FROM sessions WHERE user = ?", (name,))
                db.execute("DELETE FROM links WHERE user = ?", (name,))

    def remove_user(self, name: str) -> None:
        """Remove a user with all sessions, tokens and links; what they viewed stays logged.

        Raises:
            NotFoundError: Nobody goes by that name.
        """
        with self._file.writing() as db:
            db.execute("DELETE FROM users WHERE name = ?", (name,))
            self._require_change(db, name)

    @staticmethod
    def _require_change(db: apsw.Connection, name: str, more: str = "") -> None:
        if not db.changes():
            raise NotFoundError(f"no user {name} {more}".rstrip())

    # Sessions.

    def begin_session(self, user: str, address: str) -> str:
        """Begin a session and return its secret, the cookie's value.

        Raises:
            NotFoundError: The user was removed or disabled meanwhile.
        """
        secret = secrets.token_urlsafe(32)
        now_unix_us = self._now_unix_us()
        oldest_unix_us = now_unix_us - self._limits.absolute_us
        with self._file.writing() as db:
            db.execute("DELETE FROM sessions WHERE created_unix_us < ?", (oldest_unix_us,))
            db.execute(
                "INSERT INTO sessions (digest, user, created_unix_us, seen_unix_us, address)"
                " SELECT ?, name, ?, ?, ? FROM users WHERE name = ? AND disabled_unix_us IS NULL",
                (digest_of_secret(secret), now_unix_us, now_unix_us, address, user),
            )
            self._require_change(db, user, "who is not disabled")
        return secret

    def find_session(self, secret: str, *, touch: bool = True) -> Signed | None:
        """Return whose session this is; None when it has ended.

        With `touch` it is noted that the session is in use, so that it goes on.
        """
        digest = digest_of_secret(secret)
        now_unix_us = self._now_unix_us()
        with self._file.reading() as db:
            row = db.execute(
                "SELECT name, role, sessions.created_unix_us, seen_unix_us"
                " FROM sessions JOIN users ON user = name WHERE digest = ?",
                (digest,),
            ).fetchone()
        if row is None:
            return None
        name, role, created_unix_us, seen_unix_us = row
        if (
            now_unix_us - created_unix_us > self._limits.absolute_us
            or now_unix_us - seen_unix_us > self._limits.idle_us
        ):
            self.end_session(secret)
            return None
        # Once in a sixtieth of the idle time is exact enough, and spares a disk write a request.
        if touch and now_unix_us - seen_unix_us > self._limits.idle_us // 60:
            with self._file.writing() as db:
                db.execute(
                    "UPDATE sessions SET seen_unix_us = ? WHERE digest = ?", (now_unix_us, digest)
                )
        return Signed(name, role, "session", digest.hex())

    def end_session(self, secret: str) -> None:
        """End a session; one that is unknown has ended already."""
        with self._file.writing() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest_of_secret(secret),))

    # API tokens.

    def add_token(
        self, user: str, *, role: Role, label: str = "", lifetime_us: int | None = None
    ) -> tuple[Token, str]:
        """Make an API token for `user`, limited to `role`; return its facts and its secret.

        Raises:
            NotFoundError: Nobody goes by that name.
        """
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now_unix_us = self._now_unix_us()
        token = Token(
            id=secrets.token_hex(6),
            user=user,
            role=role,
            label=label,
            created_unix_us=now_unix_us,
            expires_unix_us=None if lifetime_us is None else now_unix_us + lifetime_us,
        )
        try:
            with self._file.writing() as db:
                db.execute(
                    "INSERT INTO tokens (id, digest, user, role, label, created_unix_us,"
                    " expires_unix_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        token.id,
                        digest_of_secret(secret),
                        user,
                        role,
                        label,
                        now_unix_us,
                        token.expires_unix_us,
                    ),
                )
        except apsw.ConstraintError as error:
            raise NotFoundError(f"no user {user}") from error
        return token, secret

    def tokens(self) -> list[Token]:
        """Return all tokens, revoked and expired ones too, oldest first."""
        with self._file.reading() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                "SELECT id, user, role, label, created_unix_us, expires_unix_us, used_unix_us,"
                " revoked_unix_us FROM tokens ORDER BY created_unix_us, id"
            ).fetchall()
        return [Token(*row) for row in rows]

    def find_token(self, secret: str) -> Signed | None:
        """Return whose token this is, and note its use; None when unknown, expired or revoked."""
        now_unix_us = self._now_unix_us()
        with self._file.reading() as db:
            row = db.execute(
                "SELECT id, name, users.role, tokens.role, expires_unix_us, used_unix_us"
                " FROM tokens JOIN users ON user = name"
                " WHERE digest = ? AND revoked_unix_us IS NULL AND disabled_unix_us IS NULL",
                (digest_of_secret(secret),),
            ).fetchone()
        if row is None:
            return None
        id_, name, user_role, token_role, expires_unix_us, used_unix_us = row
        if expires_unix_us is not None and expires_unix_us <= now_unix_us:
            return None
        if used_unix_us is None or now_unix_us - used_unix_us > 60 * _SECONDS:
            with self._file.writing() as db:
                db.execute("UPDATE tokens SET used_unix_us = ? WHERE id = ?", (now_unix_us, id_))
        return Signed(name, lesser_role(user_role, token_role), f"token {id_}", f"token {id_}")

    def revoke_token(self, id_: str, *, user: str | None = None) -> None:
        """Make a token useless at once; with `user`, only if it is theirs.

        Raises:
            NotFoundError: There is no such token.
        """
        with self._file.writing() as db:
            db.execute(
                "UPDATE tokens SET revoked_unix_us = coalesce(revoked_unix_us, ?)"
                " WHERE id = ? AND user = coalesce(?, user)",
                (self._now_unix_us(), id_, user),
            )
            if not db.changes():
                raise NotFoundError(f"no token {id_}")

    # One-time links.

    def add_link(self, user: str, lifetime_us: int) -> str:
        """Make a secret that signs `user` in once; return it.

        Raises:
            NotFoundError: Nobody goes by that name, or they are disabled.
        """
        secret = secrets.token_urlsafe(32)
        now_unix_us = self._now_unix_us()
        with self._file.writing() as db:
            db.execute("DELETE FROM links WHERE expires_unix_us <= ?", (now_unix_us,))
            db.execute(
                "INSERT INTO links (digest, user, expires_unix_us)"
                " SELECT ?, name, ? FROM users WHERE name = ? AND disabled_unix_us IS NULL",
                (digest_of_secret(secret), now_unix_us + lifetime_us, user),
            )
            self._require_change(db, user, "who is not disabled")
        return secret

    def use_link(self, secret: str) -> str | None:
        """Use a link up and return its user; None when it is unknown, used or expired."""
        with self._file.writing() as db:
            row = db.execute(
                "DELETE FROM links WHERE digest = ? RETURNING user, expires_unix_us",
                (digest_of_secret(secret),),
            ).fetchone()
        if row is None or row[1] <= self._now_unix_us():
            return None
        return str(row[0])
