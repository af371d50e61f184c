"""What tlog-rec and tlog-rec-session have in common: recording as the configuration says."""

from __future__ import annotations

import contextlib
import gc
import locale
import os
from collections.abc import Callable
from functools import partial

from steno.cli.messages import escape_controls, say
from steno.cli.rec_ending import die_by
from steno.cli.tlog.configuration import Configuration
from steno.delivery.writers.journal import JournalWriter
from steno.delivery.writers.pipe import open_path
from steno.delivery.writers.protocol import Writer
from steno.delivery.writers.syslog import SyslogWriter
from steno.errors import UsageError
from steno.formats.charset import name_charset
from steno.formats.cutter import MIN_LIMIT_BYTES, Identity
from steno.recorder.destinations import Failure
from steno.recorder.foreground import Outcome, Request, explain, has_terminal, record
from steno.recorder.limit import Action, Limit
from steno.recorder.session import InputMode, Settings

_MAX_LATENCY_S = 3600
_MAX_PAYLOAD_BYTES = 1 << 20
SYSLOG_TAG = "tlog"
"""What tlog's messages are called in syslog."""


def make_settings(configuration: Configuration) -> Settings:
    """Return how the session is recorded.

    Raises:
        UsageError: The limits would stop the session for ever.
    """
    rate = configuration.count("limit.rate")
    action = Action(configuration.word("limit.action"))
    if action is Action.DELAY and not rate:
        raise UsageError("limit.rate is 0 and limit.action delay: the session would stand still")
    return Settings(
        latency_us=min(configuration.count("latency"), _MAX_LATENCY_S) * 1_000_000,
        payload_bytes=min(max(configuration.count("payload"), MIN_LIMIT_BYTES), _MAX_PAYLOAD_BYTES),
        output=configuration.flag("log.output"),
        window=configuration.flag("log.window"),
        charset=find_charset(),
        input=InputMode.ALL if configuration.flag("log.input") else InputMode.NONE,
        # tlog's bucket holds the burst beside what the rate allows in a second.
        limit=Limit(rate, rate + configuration.count("limit.burst"), action, counts_messages=True),
    )


def find_charset() -> str | None:
    """Return what the terminal speaks, by the locale; None for UTF-8, and for what is not known."""
    with contextlib.suppress(locale.Error, UsageError):
        locale.setlocale(locale.LC_CTYPE, "")
        return name_charset(locale.nl_langinfo(locale.CODESET))
    return None


def open_writer(configuration: Configuration, identity: Identity) -> Writer:
    """Open where the recording goes.

    Raises:
        StenoError: It cannot be opened.
    """
    kind = configuration.word("writer")
    if kind == "journal":
        return JournalWriter(
            identity.rec,
            identity.user,
            identity.session,
            priority=configuration.word("journal.priority"),
            identifier=configuration.program.name,
            is_augmented=configuration.flag("journal.augment"),
        )
    if kind == "syslog":
        return SyslogWriter(
            identity.host,
            facility=configuration.word("syslog.facility"),
            priority=configuration.word("syslog.priority"),
            tag=SYSLOG_TAG,
        )
    path = configuration.text("file.path")
    if not path:
        raise UsageError("no file to log to: say file.path in the configuration")
    return open_path(path)


def record_as_configured(
    configuration: Configuration,
    command: list[str],
    *,
    argv0: str | None = None,
    on_opened: Callable[[], None] | None = None,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run `command` and record it; return the exit status.

    `on_opened` is called once it is sure that the recording has a place; `on_ready` once the
    command runs. As with tlog, a session ends when it can't be recorded any more.

    Raises:
        StenoError: It could not be started, or not be recorded.
    """
    gc.freeze()  # what was imported stays; looking at it again and again would delay keys
    name = configuration.program.name

    def open_writers(identity: Identity) -> list[Writer]:
        writers = [open_writer(configuration, identity)]
        if on_opened is not None:
            on_opened()
        return writers

    request = Request(
        command=command,
        argv0=argv0,
        service=name,
        settings=make_settings(configuration),
        stops_without_destination=True,
    )
    is_raw = has_terminal() and os.isatty(2)
    outcome = record(request, open_writers, partial(_tell_failure, name, is_raw), on_ready)
    return _find_status(name, outcome)


def write_text(text: str) -> None:
    """Write `text` to standard error, as far as anybody takes it there."""
    data = memoryview(text.encode("utf-8", "replace"))
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        return


def _tell_failure(program: str, is_raw: bool, failure: Failure) -> None:
    write_text(explain(failure, is_raw=is_raw, program=program))


def _find_status(program: str, outcome: Outcome) -> int:
    """Return the exit status, as tlog's programs do, or end by the signal that ended us.

    That is the command's; 128 and the signal's number when a signal ended it; 1 when something
    could not be recorded or passed on.
    """
    ended = outcome.ended
    if ended.lost_output is not None:
        say(escape_controls(str(ended.lost_output)), program=program)
        return 1
    if outcome.failures:
        return 1
    if ended.ended_by is not None:
        die_by(ended.ended_by)
    if ended.exit is None:
        return 1
    return ended.exit.status if ended.exit.status is not None else 128 + (ended.exit.signal or 0)
