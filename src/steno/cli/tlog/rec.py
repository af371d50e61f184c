"""tlog-rec: record a program or a shell, for anyone."""

from __future__ import annotations

import os
from functools import partial

from steno.cli.tlog.configuration import Configuration
from steno.cli.tlog.recording import record_as_configured
from steno.errors import StoreError
from steno.recorder.facts import choose_command


def run(configuration: Configuration) -> int:
    """Record what the command line names, or the person's shell; return the exit status.

    Raises:
        StenoError: It could not be started, or not be recorded.
    """
    semaphore = configuration.text("semaphore")
    return record_as_configured(
        configuration,
        choose_command(configuration.arguments, os.environ),
        on_ready=None if semaphore is None else partial(_write_semaphore, semaphore),
    )


def _write_semaphore(path: str) -> None:
    """Write that the recording is set up.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, b"READY")
        finally:
            os.close(fd)
    except OSError as error:
        raise StoreError(f"semaphore {path}: {error.strerror}") from error
