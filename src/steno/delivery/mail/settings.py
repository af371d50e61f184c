"""How a host sends mail: /etc/steno/mail.toml, which docs/mail.md describes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from steno.errors import ConfigError
from steno.settings import convert_settings, read_toml

MAIL_FILE = Path("/etc/steno/mail.toml")

Way = Literal["starttls", "smtps", "smtp", "sendmail"]
Attachment = Literal["typescript", "text"]

_ADDRESS = re.compile(
    r"[^\s@<>,;:\"\x00-\x1f\x7f-][^\s@<>,;:\"\x00-\x1f\x7f]*@[^\s@<>,;:\"\x00-\x1f\x7f]+"
)
_PORTS = {"starttls": 587, "smtps": 465, "smtp": 25}


class MailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail is sent, and what is in it.

    Attributes:
        sender: The address it comes from (`from` in the file).
        by: `starttls`, `smtps`, `smtp` (in the clear), or `sendmail`, a program.
        server: The mail server, for all but `sendmail`.
        port: Its port; None: 587, 465 or 25.
        user: Who to sign in as; None for nobody.
        password_file: Where that one's password is, on one line.
        ca: The file of certificates that vouch for the server; None: the system's.
        sendmail: The program.
        attach: What is attached.
        with_input: Whether typed text is attached, where it was recorded.
        limit_bytes: How large all attachments together may be, before they are encoded.
        give_up_s: How long after its end a recording is still tried.
        timeout_s: How long to wait for a server or program at any one point.
        counts_as_delivered: Whether a mailed recording may leave a spool that has no server.
    """

    sender: str = msgspec.field(name="from")
    by: Way = "starttls"
    server: str = "localhost"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    user: str | None = None
    password_file: str | None = None
    ca: str | None = None
    sendmail: str = "/usr/sbin/sendmail"
    attach: tuple[Attachment, ...] = ("typescript", "text")
    with_input: bool = False
    limit_bytes: Annotated[int, msgspec.Meta(ge=0)] = 10 << 20
    give_up_s: Annotated[int, msgspec.Meta(ge=0)] = 3 * 86400
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    counts_as_delivered: bool = False

    @property
    def port_number(self) -> int:
        """The port to connect to."""
        return self.port or _PORTS.get(self.by, 0)


def is_address(text: str) -> bool:
    """Return whether `text` is one plain address, with nothing that could slip into a mail."""
    return _ADDRESS.fullmatch(text) is not None


def load_mail_settings(path: Path) -> MailSettings | None:
    """Return what the file says; None when there is none.

    Raises:
        ConfigError: It is unreadable or no TOML, or has an unknown key or a wrong value.
    """
    try:
        values = read_toml(path)
    except FileNotFoundError:
        return None
    settings = convert_settings(values, MailSettings, str(path))
    _check(settings, str(path))
    return settings


def read_password(settings: MailSettings) -> str | None:
    """Return the password to sign in with; None when nobody signs in.

    Raises:
        ConfigError: Its file cannot be read.
    """
    if settings.password_file is None:
        return None
    try:
        return Path(settings.password_file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigError(str(why), file=settings.password_file) from error


def _check(settings: MailSettings, file: str) -> None:
    if not is_address(settings.sender):
        raise ConfigError(f"{settings.sender!r} is no plain mail address", file=file, key="from")
    if (settings.user is None) != (settings.password_file is None):
        raise ConfigError("user and password_file go together", file=file, key="user")
    if settings.user is not None and settings.by not in ("starttls", "smtps"):
        reason = "a password is not sent in the clear: use starttls or smtps"
        raise ConfigError(reason, file=file, key="by")
    for key in ("sendmail", "password_file", "ca"):
        value = getattr(settings, key)
        if value is not None and not value.startswith("/"):
            raise ConfigError(f"{value!r} is no absolute path", file=file, key=key)
