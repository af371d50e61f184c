"""Handing a mail over: to a server by SMTP, or to the host's sendmail program."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP

from steno.delivery.mail.settings import MailSettings, read_password
from steno.errors import ConfigError, RefusedError, UnreachableError

_LASTING_EXITS = frozenset({65, 67, 68})
"""sysexits(3): EX_DATAERR, EX_NOUSER, EX_NOHOST. After the others another time may do."""
_SAID_CHARACTERS = 200


def send(settings: MailSettings, message: EmailMessage, to: Sequence[str]) -> dict[str, bool]:
    """Hand `message` over for `to`; return who was refused, and whether that is for good.

    Raises:
        UnreachableError: It was not taken; another time may do.
        RefusedError: It was refused for good.
        ConfigError: The password or the certificates cannot be read.
    """
    if settings.by == "sendmail":
        _run_sendmail(settings, message, to)
        return {}
    try:
        with contextlib.closing(_connect(settings)) as server:
            try:
                return _submit(server, settings, message, to)
            finally:
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    server.quit()
    except smtplib.SMTPResponseException as error:
        raise _explain(settings, error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise UnreachableError(f"{_name(settings)}: {error}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise UnreachableError(f"{_name(settings)}: {_one_line(str(error))}") from error


def _submit(
    server: smtplib.SMTP, settings: MailSettings, message: EmailMessage, to: Sequence[str]
) -> dict[str, bool]:
    password = read_password(settings)
    if settings.user is not None and password is not None:
        _sign_in(server, settings, settings.user, password)
    try:
        refused = server.send_message(message, settings.sender, list(to))
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
        for code, said in refused.values():
            if not _is_lasting(code):
                raise _explain(settings, code, said) from error
        code, said = next(iter(refused.values()))
        raise _explain(settings, code, said) from error
    return {address: _is_lasting(code) for address, (code, _) in refused.items()}


def _sign_in(server: smtplib.SMTP, settings: MailSettings, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except smtplib.SMTPAuthenticationError as error:
        # The mail is not to blame: it waits until somebody has put the password right.
        said = _one_line(_text(error.smtp_error))
        raise UnreachableError(f"{_name(settings)}: {user} may not sign in: {said}") from error


def _connect(settings: MailSettings) -> smtplib.SMTP:
    host, port, timeout_s = settings.server, settings.port_number, settings.timeout_s
    if settings.by == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=_context(settings))
    server = smtplib.SMTP(host, port, timeout=timeout_s)
    if settings.by == "starttls":
        try:
            server.starttls(context=_context(settings))
        except BaseException:
            server.close()
            raise
    return server


def _context(settings: MailSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(str(why), file=settings.ca) from error


def _run_sendmail(settings: MailSettings, message: EmailMessage, to: Sequence[str]) -> None:
    # Whoever is addressed stands behind `--`: no address is taken for an option.
    command = [settings.sendmail, "-i", "-f", settings.sender, "--", *to]
    data = message.as_bytes(policy=SMTP.clone(linesep="\n"))
    try:
        ran = subprocess.run(  # noqa: S603  # what root has written into mail.toml
            command, input=data, capture_output=True, timeout=settings.timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(
            f"{settings.sendmail}: not done after {settings.timeout_s} s"
        ) from error
    except OSError as error:
        raise UnreachableError(f"{settings.sendmail}: {error.strerror}") from error
    if ran.returncode:
        said = _one_line(_text(ran.stderr)) or f"exit status {ran.returncode}"
        kind = RefusedError if ran.returncode in _LASTING_EXITS else UnreachableError
        raise kind(f"{settings.sendmail}: {said}")


def _explain(
    settings: MailSettings, code: int, said: bytes | str
) -> UnreachableError | RefusedError:
    kind = RefusedError if _is_lasting(code) else UnreachableError
    return kind(f"{_name(settings)}: {code} {_one_line(_text(said))}")


def _is_lasting(code: int) -> bool:
    return 500 <= code < 600


def _name(settings: MailSettings) -> str:
    return f"mail server {settings.server}:{settings.port_number}"


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _one_line(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:_SAID_CHARACTERS]
