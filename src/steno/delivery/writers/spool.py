"""A recording in the spool, from where it is delivered to a server."""

from __future__ import annotations

from collections.abc import Sequence

from steno.delivery.spool import Spool
from steno.delivery.syncing import SyncThread
from steno.errors import StenoError


class SpoolWriter:
    """Appends lines to a recording's spool file, and has them synced while it goes on."""

    def __init__(self, spool: Spool, rec: str) -> None:
        """Begin the recording `rec` in `spool`.

        Raises:
            StoreError, NoSpaceError: It cannot be kept there; nothing was made.
        """
        self.name = f"spool {spool.directory}"
        self._file = spool.begin(rec)
        self._sync_thread = SyncThread(spool.clock)
        self._sync_thread.watch(self._file)
        self._is_sound = True
        self._is_closed = False

    @property
    def pending_bytes(self) -> int:
        """Nothing: the spool takes all, or fails."""
        return 0

    @property
    def handed_bytes(self) -> int:
        """How much was written."""
        return self._file.size_bytes

    def fileno(self) -> None:
        """Return nothing to wait for."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines; see Writer. They are synced within a second."""
        try:
            for line in lines:
                self._file.append(line)
        except StenoError:
            self._is_sound = False
            raise

    def flush(self) -> None:
        """Do nothing: nothing is ever pending."""

    def close(self) -> None:
        """Sync and finish the recording; after an error leave it to the spool's recovery."""
        if self._is_closed:
            return
        self._is_closed = True
        self._sync_thread.forget(self._file)
        self._sync_thread.close()
        if self._is_sound:
            self._file.finish()
        else:
            self._file.close()
