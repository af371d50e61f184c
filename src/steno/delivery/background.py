"""Delivery beside a recorder: everything in a thread, the loading of the HTTP client included."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from steno.errors import StenoError

if TYPE_CHECKING:
    from steno.delivery.spool import Spool
    from steno.delivery.transport import HttpTransport
    from steno.delivery.uploader import Uploader


class Background:
    """Delivers a spool from `start` on, without ever holding up who starts it.

    Args:
        spool: What to deliver: all of it, not only this process's recording.
        host_directory: Where the host's credentials are.
    """

    def __init__(self, spool: Spool, host_directory: Path) -> None:
        self._spool = spool
        self._host_directory = host_directory
        self._uploader: Uploader | None = None
        self._transports: list[HttpTransport] = []
        self._latest: StenoError | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._open, name="steno-deliver", daemon=True)

    def start(self) -> None:
        """Begin. Start it after the last fork: it has threads."""
        self._thread.start()

    def notify(self) -> None:
        """Have the spool looked at soon: lines were appended."""
        if self._uploader is not None:
            self._uploader.notify()

    @property
    def error(self) -> StenoError | None:
        """What went wrong last, to be told where a recording is not delivered in time."""
        return self._latest

    def finish(self, rec: str, timeout_s: float) -> bool:
        """Wait until a server has all of the finished recording `rec`, then end.

        False: not in time; it stays in the spool, `error` may say why, and the next recorder or
        `steno deliver` will deliver it.
        """
        until_s = time.monotonic() + timeout_s
        self._is_ready.wait(timeout_s)
        is_delivered = False
        if self._uploader is not None:
            is_delivered = self._uploader.wait_for(rec, max(0.0, until_s - time.monotonic()))
            self._uploader.stop(timeout_s=0.5)
        for transport in self._transports:
            transport.close()
        return is_delivered

    def _open(self) -> None:
        # Loading the HTTP client takes longer than a shell's start; nobody shall wait for it.
        from steno.delivery.opening import open_transports
        from steno.delivery.uploader import Events, Uploader

        background = self

        class Kept(Events):
            def failed(self, server: str, error: StenoError) -> None:
                background._latest = error

        try:
            self._transports = open_transports(self._host_directory)
            uploader = Uploader(self._spool, self._transports, events=Kept())
            uploader.start()
            self._uploader = uploader
        except StenoError as error:
            self._latest = error
        finally:
            self._is_ready.set()
