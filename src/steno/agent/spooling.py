"""The agent's way into the spool: one thread syncs all files, a full one is waited for."""

from __future__ import annotations

from collections.abc import Sequence

from steno.delivery.spool_file import SpoolFile
from steno.delivery.syncing import SyncThread
from steno.errors import NoSpaceError, StenoError


class HostSpoolWriter:
    """Appends lines to a recording's spool file; see steno.delivery.writers.protocol.Writer.

    When there is no room, whole lines are held and tried again: `is_full` asks its owner to hand
    over no more recorded bytes meanwhile. So the chain in the file never breaks.

    Attributes:
        is_full: Whether lines are held because there is no room for them.
    """

    def __init__(self, file: SpoolFile, sync_thread: SyncThread, directory: str) -> None:
        """Take over `file`."""
        self.name = f"spool {directory}"
        self.is_full = False
        self._file = file
        self._sync_thread = sync_thread
        self._held: list[bytes] = []
        self._is_sound = True
        self._stays_open = False
        self._is_closed = False
        sync_thread.watch(file)

    @property
    def descriptor(self) -> int:
        """The file's descriptor, whose lock says that the recording is not over."""
        return self._file.fileno()

    @property
    def held(self) -> list[bytes]:
        """The lines that there is no room for yet."""
        return [*self._held]

    @property
    def pending_bytes(self) -> int:
        """Nothing that its reader's slowness would explain: what is held waits for room."""
        return 0

    @property
    def handed_bytes(self) -> int:
        """How long the file is."""
        return self._file.size_bytes

    def fileno(self) -> None:
        """Return nothing to wait for."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines, those first that are held.

        Raises:
            StoreError: The disk failed; recovery closes the file.
        """
        self._write(lines)

    def _write(self, lines: Sequence[bytes], *, is_ending: bool = False) -> None:
        waiting = [*self._held, *lines]
        try:
            while waiting:
                self._file.append(waiting[0], is_ending=is_ending)
                waiting.pop(0)
        except NoSpaceError:
            pass
        except StenoError:
            self._is_sound = False
            raise
        finally:
            self._held = waiting
            self.is_full = bool(waiting)

    def flush(self) -> None:
        """Do nothing: `write` has tried all."""

    def leave(self) -> None:
        """Let `close` leave the recording open, for who takes it up."""
        self._stays_open = True

    def close(self) -> None:
        """Sync and finish the recording; where its end could not be written, leave it to recovery.

        Raises:
            StoreError: The disk failed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._sync_thread.forget(self._file)
        if self._held and self._is_sound:
            self._write([], is_ending=not self._stays_open)
        if self._is_sound and not self._held and not self._stays_open:
            self._file.finish()
        else:
            self._file.close()
