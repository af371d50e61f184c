"""Mailing recordings beside their delivery, or instead of it: a part of `steno deliver`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from steno.cli.messages import escape_controls
from steno.delivery.mail.attaching import TextRenderer
from steno.delivery.mail.mailer import Mailer, MailEvents
from steno.delivery.mail.settings import MAIL_FILE, MailSettings, load_mail_settings
from steno.delivery.recovery import recover
from steno.delivery.spool import Spool
from steno.errors import ConfigError, StenoError, StoreError

_RECOVER_S = 30.0


class _Logged(MailEvents):
    """Says what became of mails: for a journal."""

    def mailed(self, rec: str, to: Sequence[str]) -> None:
        _say(f"recording {rec} was mailed to {', '.join(to)}")

    def failed(self, rec: str, error: StenoError) -> None:
        _say(f"recording {rec} could not be mailed yet: {error}")

    def gave_up(self, rec: str, to: Sequence[str], why: str) -> None:
        _say(f"recording {rec} is not mailed to {', '.join(to)}: {why}")


def load_mail(path: Path | None) -> MailSettings | None:
    """Return how mail is sent; None when nothing is said about it.

    Raises:
        ConfigError: The file is wrong, or was named and is not there.
    """
    settings = load_mail_settings(path or MAIL_FILE)
    if settings is None and path is not None:
        raise ConfigError("no such file", file=str(path))
    return settings


def make_mailer(spool: Spool, settings: MailSettings, *, is_alone: bool = False) -> Mailer:
    """Return what mails a spool's recordings, and says so on standard error."""
    return Mailer(
        spool,
        settings,
        events=_Logged(),
        make_renderer=_find_renderer(),
        is_alone=is_alone,
    )


def follow_mail(spool: Spool, settings: MailSettings) -> None:
    """Mail what ends, until told to end; for a host that delivers to no server.

    Raises:
        StoreError: Another process delivers this spool.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    lock = spool.lock_delivery()
    if lock is None:
        raise StoreError(f"spool {spool.directory}: another process delivers it")
    mailer = make_mailer(spool, settings, is_alone=True)
    mailer.start()
    while True:
        try:
            for recovery in recover(spool):
                _say(f"closed {recovery.rec}, {recovery.cut_bytes} bytes cut off")
        except StenoError as error:
            _say(str(error))
        if ended.wait(_RECOVER_S):
            break
    mailer.stop()


def _find_renderer() -> Callable[[], TextRenderer] | None:
    """Return what makes renderers of text; None where the server's package is not installed."""
    if find_spec("pyghostty") is None:
        return None

    def make() -> TextRenderer:
        from steno.cli.mail_text import make_renderer

        return make_renderer()

    return make


def _say(text: str) -> None:
    click.echo(escape_controls(f"steno: {text}"), err=True)
