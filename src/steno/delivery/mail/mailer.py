"""Mails the recordings in a spool that are to be mailed, when they have ended: a thread.

Which they are their start facts say (`mail_to`). A mark in the spool, REC.mail, keeps a recording
there until its mail is handed over, also when a server has it; then REC.mailed takes its place.
So each is mailed once, however often the program is started. Only a crash between handing over
and marking can send a mail twice; its Message-ID is the same then.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from steno.delivery.mail.attaching import TextRenderer, make_contents
from steno.delivery.mail.composing import Contents, compose
from steno.delivery.mail.sending import send
from steno.delivery.mail.settings import MailSettings, is_address
from steno.delivery.spool import MAIL, MAILED, Spool, SpoolEntry
from steno.errors import FormatError, NotFoundError, RefusedError, StenoError
from steno.files import replace_file
from steno.formats.tlog import decode_message
from steno.model import Start, is_trail
from steno.structs import decode_json

_LOOK_S = 2.0
_FIRST_RETRY_S = 15.0
_LAST_RETRY_S = 3600.0
_FIRST_LINE_BYTES = 1 << 18
_PIECE_BYTES = 1 << 18


class MailEvents:
    """What a mailer tells; override what is of interest. Called from the mailer's thread."""

    def mailed(self, rec: str, to: Sequence[str]) -> None:
        """Tell that a recording was handed over."""

    def failed(self, rec: str, error: StenoError) -> None:
        """Tell that it was not, and will be tried again."""

    def gave_up(self, rec: str, to: Sequence[str], why: str) -> None:
        """Tell that some will not get a recording."""


class _Mark(msgspec.Struct, frozen=True):
    """What REC.mail holds: who is still to get it."""

    to: list[str]


class _Retry(msgspec.Struct):
    """When a recording is tried again."""

    at_s: float
    delay_s: float


class Mailer:
    """Mails what has ended.

    Args:
        spool: Where recordings are.
        settings: How mail is sent.
        events: Whom to tell.
        make_renderer: Makes what renders text; None where that is not installed.
        is_alone: Whether nobody delivers the spool to a server.
    """

    def __init__(
        self,
        spool: Spool,
        settings: MailSettings,
        *,
        events: MailEvents | None = None,
        make_renderer: Callable[[], TextRenderer] | None = None,
        is_alone: bool = False,
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._events = events or MailEvents()
        self._make_renderer = make_renderer
        self._is_alone = is_alone
        self._noticed: set[str] = set()
        self._retries: dict[str, _Retry] = {}
        self._lock = threading.Lock()
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Mail from now on, in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="steno-mail", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Mail no more; what is being sent is given up after `timeout_s` and sent again later."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def notice(self, entry: SpoolEntry) -> None:
        """Mark a recording that is to be mailed, before anybody can remove it.

        May be called from any thread.

        Raises:
            StoreError, NoSpaceError: The mark cannot be written.
        """
        with self._lock:
            if entry.rec in self._noticed or is_trail(entry.rec):
                return
            mark, done = self._spool.path(entry.rec, MAIL), self._spool.path(entry.rec, MAILED)
            if not mark.exists() and not done.exists():
                start = self._read_start(entry.rec)
                if start is None and not entry.is_finished:
                    return  # its first line is still to come
                to = [address for address in start.mail_to if is_address(address)] if start else []
                if to:
                    self._write_mark(entry.rec, to)
            self._noticed.add(entry.rec)

    def look(self) -> None:
        """Mail what has ended and is due."""
        entries = [entry for entry in self._spool.entries() if not is_trail(entry.rec)]
        here = {entry.rec for entry in entries}
        with self._lock:
            self._noticed &= here
        for entry in entries:
            if self._is_stopped.is_set():
                return
            try:
                self._look_at(entry)
            except NotFoundError:
                continue  # delivered and removed meanwhile
            except (StenoError, OSError) as error:
                why = self._spool.explained(error) if isinstance(error, OSError) else error
                self._put_off(entry, why)

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            with contextlib.suppress(OSError):  # the spool's disk failed: look again later
                self.look()
            self._is_stopped.wait(_LOOK_S)

    def _look_at(self, entry: SpoolEntry) -> None:
        self.notice(entry)
        retry = self._retries.get(entry.rec)
        if not entry.is_finished or (retry is not None and time.monotonic() < retry.at_s):
            return
        to = self._read_mark(entry.rec)
        if to:
            self._mail(entry, to)
        elif to is not None:
            self._finish(entry)

    def _mail(self, entry: SpoolEntry, to: list[str]) -> None:
        try:
            refused = self._send(entry.rec, to)
        except (RefusedError, FormatError) as error:
            self._events.gave_up(entry.rec, to, str(error))
            self._finish(entry)
            return
        lost = [address for address, is_lasting in refused.items() if is_lasting]
        if lost:
            self._events.gave_up(entry.rec, lost, "refused by the mail server")
        later = [address for address, is_lasting in refused.items() if not is_lasting]
        reached = [address for address in to if address not in refused]
        if reached:
            self._events.mailed(entry.rec, reached)
        if later:
            self._write_mark(entry.rec, later)
            reason = f"the mail server does not take it for {', '.join(later)} yet"
            self._put_off(entry, StenoError(reason))
        else:
            self._finish(entry)

    def _send(self, rec: str, to: list[str]) -> dict[str, bool]:
        contents = make_contents(rec, self._read(rec), self._settings, self._make_renderer)
        try:
            return send(self._settings, compose(contents, self._settings.sender, to), to)
        except RefusedError as error:
            if not contents.files:
                raise
            # Too large for this server, or not to its filter's taste: then without the files.
            reason = f"what else there is; it was refused: {error}"
            bare = Contents(
                rec, contents.header, contents.finish, (), [*contents.omissions, reason]
            )
            return send(self._settings, compose(bare, self._settings.sender, to), to)

    def _put_off(self, entry: SpoolEntry, error: StenoError) -> None:
        age_s = time.time() - entry.changed_unix_us / 1_000_000
        if age_s > self._settings.give_up_s:
            self._events.gave_up(entry.rec, self._read_mark(entry.rec) or [], str(error))
            self._finish(entry)
            return
        self._events.failed(entry.rec, error)
        before = self._retries.get(entry.rec)
        delay_s = _FIRST_RETRY_S if before is None else min(before.delay_s * 2, _LAST_RETRY_S)
        self._retries[entry.rec] = _Retry(time.monotonic() + delay_s, delay_s)

    def _finish(self, entry: SpoolEntry) -> None:
        """Remember that nothing of this recording is to be mailed any more."""
        self._retries.pop(entry.rec, None)
        mark = self._spool.path(entry.rec, MAIL)
        try:
            mark.rename(self._spool.path(entry.rec, MAILED))
            self._spool.sync_directory()
        except OSError as error:
            raise self._spool.explained(error) from error
        now = self._spool.entry(entry.rec)
        may_go = self._is_alone and self._settings.counts_as_delivered
        if now is not None and (now.is_delivered or may_go):
            self._spool.complete(entry.rec)

    # The spool's files.

    def _read_start(self, rec: str) -> Start | None:
        """Return the start's facts; None while there is no first line, or no facts in it."""
        reader = self._spool.open(rec)
        try:
            line, newline, _ = reader.read(0, _FIRST_LINE_BYTES).partition(b"\n")
        finally:
            reader.close()
        try:
            return decode_message(line).start if newline else None
        except FormatError:
            return None

    def _read(self, rec: str) -> Iterator[bytes]:
        reader = self._spool.open(rec)
        try:
            offset_bytes = 0
            while data := reader.read(offset_bytes, offset_bytes + _PIECE_BYTES):
                offset_bytes += len(data)
                yield data
        finally:
            reader.close()

    def _write_mark(self, rec: str, to: list[str]) -> None:
        try:
            replace_file(self._spool.path(rec, MAIL), msgspec.json.encode(_Mark(to)) + b"\n")
        except OSError as error:
            raise self._spool.explained(error) from error

    def _read_mark(self, rec: str) -> list[str] | None:
        """Return who is still to get a recording; None when it is not to be mailed."""
        try:
            data = self._spool.path(rec, MAIL).read_bytes()
        except FileNotFoundError:
            return None
        try:
            to = decode_json(data, _Mark).to
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Somebody else's writing: what the recording itself says counts.
            start = self._read_start(rec)
            to = start.mail_to if start is not None else []
        return [address for address in to if is_address(address)]
