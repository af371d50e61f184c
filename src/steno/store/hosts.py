"""Hosts that may deliver recordings, and the one-time codes by which they enrol.

Secrets are random and leave here once, when they are made; only their SHA-256 digests are kept.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from steno.errors import NotFoundError, RefusedError, UsageError
from steno.store.accounts_file import AccountsFile

TOKEN_PREFIX = "steno_host_"  # noqa: S105  # the public prefix of every token, so that scanners find leaked ones
CODE_VALID_US = 3600 * 1_000_000
SEEN_EVERY_US = 15 * 1_000_000
"""`last_seen_unix_us` is written at most this often per host: uploads need not wait for it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_COLUMNS = (
    "name, enrolled_unix_us, last_seen_unix_us, revoked_unix_us,"
    " coalesce(next_certificate_serial, certificate_serial),"
    " lower(hex(coalesce(next_certificate_digest, certificate_digest))),"
    " next_certificate_digest IS NOT NULL AND NOT is_next_certificate_used"
)


class Host(msgspec.Struct, frozen=True):
    """An enrolled host, without its secrets.

    Attributes:
        name: Under which its recordings are kept (`sender`).
        enrolled_unix_us: When it enrolled, last.
        last_seen_unix_us: When it last delivered or asked, to about 15 s, or sent a heartbeat, to
            about 5 minutes (the store knows better); None: never.
        revoked_unix_us: Since when it is refused; None: it is not.
        certificate_serial: Its newest client certificate's serial number, hex; None without one.
        certificate_sha256: The SHA-256 of that certificate's DER, hex; "" without one.
        is_renewing: Whether it was given a new certificate that it has not shown yet.
    """

    name: str
    enrolled_unix_us: int
    last_seen_unix_us: int | None = None
    revoked_unix_us: int | None = None
    certificate_serial: str | None = None
    certificate_sha256: str = ""
    is_renewing: bool = False


class HostCode(msgspec.Struct, frozen=True):
    """A one-time enrolment code, to be carried to the host by hand."""

    code: str
    expires_unix_us: int


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A client certificate that was made for a host: its DER and its serial number, hex."""

    der: bytes
    serial: str


def _read_unix_us() -> int:
    return time.time_ns() // 1000


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _plain(code: str) -> str:
    """Return a code's secret as it is digested: what follows a dot names the CA, not the code."""
    return code.partition(".")[0].replace("-", "").replace(" ", "").upper()


def _host(row: tuple[Any, ...]) -> Host:
    return msgspec.structs.replace(Host(*row), is_renewing=bool(row[-1]))


def check_host_name(name: str) -> str:
    """Return `name`, if a host may be called so.

    Raises:
        UsageError: It may not: 1 to 253 letters, digits, `.`, `_` and `-`.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot be a host's name: letters, digits, dots, '_', '-' only")
    return name


class HostRegistry:
    """The hosts in an accounts.sqlite. Any thread may use it; every change is on disk at return.

    Args:
        file: The open accounts.sqlite.
        ca_fingerprint: Stands in every code after a dot, so that a host knows the server by it; ""
            where the server's certificate is publicly trusted.
        clock: Reads the calendar, in microseconds since 1970.
    """

    def __init__(
        self,
        file: AccountsFile,
        *,
        ca_fingerprint: str = "",
        clock: Callable[[], int] = _read_unix_us,
    ) -> None:
        self._file = file
        self._ca_fingerprint = ca_fingerprint
        self._clock = clock
        self._seen: dict[str, int] = {}
        self._seen_lock = threading.Lock()

    def make_code(self, host: str | None = None, *, valid_us: int = CODE_VALID_US) -> HostCode:
        """Make a code for enrolling once, as `host`, or as any name that is not taken.

        Only a code made for a host that is enrolled already lets it enrol again.

        Raises:
            UsageError: `host` cannot be a host's name.
        """
        if host is not None:
            check_host_name(host)
        secret = base64.b32encode(secrets.token_bytes(10)).decode("ascii")
        now_us = self._clock()
        expires_us = now_us + valid_us
        with self._file.writing() as connection:
            connection.execute("DELETE FROM host_codes WHERE expires_unix_us <= ?", (now_us,))
            connection.execute(
                "INSERT INTO host_codes VALUES (?, ?, ?)", (_digest(secret), host, expires_us)
            )
        grouped = "-".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        suffix = f".{self._ca_fingerprint}" if self._ca_fingerprint else ""
        return HostCode(grouped + suffix, expires_us)

    def check_code(self, code: str, host: str) -> None:
        """Return if `code` lets `host` enrol now.

        Raises:
            UsageError: `host` cannot be a host's name.
            RefusedError: It does not: it is unknown, used, expired or for another host, or the
                name is taken.
        """
        with self._file.reading() as connection:
            self._check_code(connection, code, host)

    def _check_code(self, connection: apsw.Connection, code: str, host: str) -> None:
        check_host_name(host)
        row = connection.execute(
            "SELECT host FROM host_codes WHERE digest = ? AND expires_unix_us > ?",
            (_digest(_plain(code)), self._clock()),
        ).fetchone()
        if row is None:
            raise RefusedError("the code is unknown, used or expired")
        if row[0] not in (None, host):
            raise RefusedError(f"the code is for host {row[0]}, not for {host}")
        taken = connection.execute("SELECT 1 FROM hosts WHERE name = ?", (host,)).fetchone()
        if taken and row[0] is None:
            raise RefusedError(
                f"a host {host} is enrolled already; a code made for it lets it enrol again"
            )

    def enrol(self, code: str, host: str, certificate: IssuedCertificate | None) -> str:
        """Use `code` up, enter the host, replacing its former secrets; return its token.

        Raises:
            UsageError: `host` cannot be a host's name; nothing changed.
            RefusedError: See `check_code`; nothing changed.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._file.writing() as connection:
            self._check_code(connection, code, host)
            connection.execute("DELETE FROM host_codes WHERE digest = ?", (_digest(_plain(code)),))
            connection.execute(
                "INSERT OR REPLACE INTO hosts (name, token_digest, certificate_digest,"
                " certificate_serial, enrolled_unix_us) VALUES (?, ?, ?, ?, ?)",
                (
                    host,
                    _digest(token),
                    hashlib.sha256(certificate.der).digest() if certificate else None,
                    certificate.serial if certificate else None,
                    self._clock(),
                ),
            )
        return token

    def renew(self, name: str, certificate: IssuedCertificate) -> None:
        """Let the host show this certificate too.

        The one that it shows now stays good, so that nothing is lost when the answer is; it is
        forgotten at the first renewal after this certificate's first use.

        Raises:
            NotFoundError: There is no host of this name.
        """
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE hosts SET certificate_digest = next_certificate_digest,"
                " certificate_serial = next_certificate_serial"
                " WHERE name = ? AND is_next_certificate_used",
                (name,),
            )
            connection.execute(
                "UPDATE hosts SET next_certificate_digest = ?, next_certificate_serial = ?,"
                " is_next_certificate_used = 0 WHERE name = ?",
                (hashlib.sha256(certificate.der).digest(), certificate.serial, name),
            )
            if not connection.changes():
                raise NotFoundError(f"no host {name} is enrolled")

    def by_token(self, token: str) -> Host | None:
        """Return the host, revoked or not, that was given this token."""
        return self._one("token_digest = ?", _digest(token))

    def by_certificate(self, der: bytes) -> Host | None:
        """Return the host, revoked or not, that was given this certificate."""
        digest = hashlib.sha256(der).digest()
        host = self._one("certificate_digest = ?1 OR next_certificate_digest = ?1", digest)
        is_new = host is not None and digest.hex() == host.certificate_sha256
        if host is not None and host.is_renewing and is_new:
            with self._file.writing() as connection:
                connection.execute(
                    "UPDATE hosts SET is_next_certificate_used = 1"
                    " WHERE next_certificate_digest = ?",
                    (digest,),
                )
        return host

    def find(self, name: str) -> Host:
        """Return the host of this name.

        Raises:
            NotFoundError: There is none.
        """
        host = self._one("name = ?", name)
        if host is None:
            raise NotFoundError(f"no host {name} is enrolled")
        return host

    def hosts(self) -> list[Host]:
        """Return all hosts, revoked ones included, by name."""
        with self._file.reading() as connection:
            rows: Any = connection.execute(f"SELECT {_COLUMNS} FROM hosts ORDER BY name").fetchall()  # noqa: S608  # our own columns
        return [_host(row) for row in rows]

    def revoke(self, name: str) -> Host:
        """Refuse this host from now on; its recordings stay.

        Raises:
            NotFoundError: There is none of this name.
        """
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE hosts SET revoked_unix_us = ? WHERE name = ? AND revoked_unix_us IS NULL",
                (self._clock(), name),
            )
        return self.find(name)

    def saw(self, name: str, every_us: int = SEEN_EVERY_US) -> None:
        """Note that the host delivers or asks now; not more often than `every_us`."""
        now_us = self._clock()
        with self._seen_lock:
            if now_us - self._seen.get(name, -every_us) < every_us:
                return
            self._seen[name] = now_us
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE hosts SET last_seen_unix_us = max(?, coalesce(last_seen_unix_us, 0))"
                " WHERE name = ?",
                (now_us, name),
            )

    def _one(self, condition: str, value: str | bytes) -> Host | None:
        with self._file.reading() as connection:
            row: Any = connection.execute(
                f"SELECT {_COLUMNS} FROM hosts WHERE {condition}",  # noqa: S608  # our own texts
                (value,),
            ).fetchone()
        return _host(row) if row else None
