"""Where alerts are sent: a webhook, mail, syslog."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx2
import msgspec

from steno import __version__
from steno.config import AlertSettings
from steno.delivery.mail.sending import send
from steno.delivery.mail.settings import MailSettings, load_mail_settings
from steno.errors import ConfigError, UnreachableError
from steno.server.alert_messages import Digest, compose_mail, sign, syslog_messages

_TIMEOUT_S = 15.0
_LISTENING = range(200, 300)


class Target(Protocol):
    """Somewhere that digests can be sent to.

    Attributes:
        name: `webhook`, `mail` or `syslog`.
    """

    name: str

    def send(self, digest: Digest) -> None:
        """Send it.

        Raises:
            StenoError: It was not taken.
        """


class Webhook:
    """POSTs the digest as JSON; header Steno-Signature has its HMAC, Steno-Delivery its id."""

    name = "webhook"

    def __init__(self, url: str, secret: bytes | None, client: httpx2.Client) -> None:
        """Send to `url`, signed with `secret`; the client is the caller's to close."""
        self._url = url
        self._secret = secret
        self._client = client

    def send(self, digest: Digest) -> None:
        """Send it; anything but 2xx counts as not taken. Redirections are not followed."""
        body = msgspec.json.encode(digest)
        headers = {"Content-Type": "application/json", "Steno-Delivery": digest.id}
        if self._secret is not None:
            headers["Steno-Signature"] = sign(self._secret, body)
        where = urlsplit(self._url).netloc
        try:
            # Its answer's body is not read: it may be of any length.
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status = answer.status_code
        except httpx2.HTTPError as error:
            raise UnreachableError(f"webhook {where}: {type(error).__name__}: {error}") from error
        if status not in _LISTENING:
            raise UnreachableError(f"webhook {where}: HTTP status {status}")


class Mail:
    """Sends mails, as recordings are mailed."""

    name = "mail"

    def __init__(self, settings: MailSettings, to: Sequence[str]) -> None:
        self._settings = settings
        self._to = list(to)

    def send(self, digest: Digest) -> None:
        """Send it to all; who is refused does not keep it from the others."""
        send(self._settings, compose_mail(digest, self._settings.sender, self._to), self._to)


class Syslog:
    """Sends messages of RFC 5424 to a daemon: a local socket, UDP, or TCP (octets counted).

    Source: RFC 6587, section 3.4.1.
    """

    name = "syslog"

    def __init__(self, where: str) -> None:
        """Send to `where`: `/dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`."""
        self._where = where

    def send(self, digest: Digest) -> None:
        """Send one message for each group."""
        messages = syslog_messages(digest, socket.gethostname(), os.getpid())
        try:
            with self._connect() as connection:
                for message in messages:
                    if connection.type == socket.SOCK_STREAM:
                        message = b"%d %b" % (len(message), message)
                    connection.sendall(message)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UnreachableError(f"syslog {self._where}: {reason}") from error

    def _connect(self) -> socket.socket:
        if self._where.startswith("/"):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                connection.settimeout(_TIMEOUT_S)
                connection.connect(self._where)
            except OSError:
                connection.close()
                raise
            return connection
        place = urlsplit(self._where)
        host, port = place.hostname or "", place.port or 514
        if place.scheme == "tcp":
            return socket.create_connection((host, port), timeout=_TIMEOUT_S)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
        connection.connect(address)
        return connection


def make_client(settings: AlertSettings) -> httpx2.Client:
    """Return the client with which a webhook is called; the caller closes it.

    Raises:
        ConfigError: The CA's file is unusable.
    """
    try:
        context = ssl.create_default_context(cafile=settings.webhook_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"no certificates there: {error}", file=settings.webhook_ca, key="alerts.webhook_ca"
        ) from error
    return httpx2.Client(
        verify=context,
        timeout=_TIMEOUT_S,
        follow_redirects=False,
        headers={"User-Agent": f"steno/{__version__}"},
    )


def make_targets(settings: AlertSettings, client: httpx2.Client) -> list[Target]:
    """Return where alerts go.

    Raises:
        ConfigError: A file that is named is missing or wrong.
    """
    targets: list[Target] = []
    if settings.webhook is not None:
        secret = _read_secret(settings.webhook_secret_file)
        targets.append(Webhook(settings.webhook, secret, client))
    if settings.mail_to:
        mail = load_mail_settings(Path(settings.mail_settings))
        if mail is None:
            reason = "no such file: it says how mail is sent (docs/mail.md)"
            raise ConfigError(reason, file=settings.mail_settings)
        targets.append(Mail(mail, settings.mail_to))
    if settings.syslog is not None:
        targets.append(Syslog(settings.syslog))
    return targets


def _read_secret(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        secret = Path(file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(str(error.strerror), file=file) from error
    if not secret:
        raise ConfigError("it is empty", file=file)
    return secret
