"""How `steno rec` ends: what it says, and with which status."""

from __future__ import annotations

import os
import resource
import signal
import sys

from steno.cli.messages import say
from steno.delivery.places import Places
from steno.recorder.destinations import Failure
from steno.recorder.foreground import Outcome, explain


def tell_failure(is_raw: bool, failure: Failure) -> None:
    """Say at once that a destination was given up."""
    os.write(2, explain(failure, is_raw=is_raw).encode())


def tell_delivery(obstacle: str | None, places: Places) -> None:
    """Say what keeps the recording from being delivered, if anything."""
    if obstacle is not None:
        say(f"{obstacle}; the recording waits in {places.spool}")


def tell_losses(outcome: Outcome) -> None:
    """Say what of the session could not be kept or passed on."""
    if outcome.uncounted is not None:
        say(f"{outcome.uncounted}; this recording has no number")
    if outcome.ended.lost_output is not None:
        say(str(outcome.ended.lost_output))


def tell_end(outcome: Outcome) -> None:
    """Say what was recorded."""
    missing = "".join(f"; not complete in {failure.name}" for failure in outcome.failures)
    say(f"recorded {outcome.rec}{missing}")


def leave(outcome: Outcome) -> int:
    """Return the exit status, or end by the signal that ended the session.

    A command that succeeded, but was not recorded whole, counts as failed; so does any whose
    output could not be passed on.
    """
    ended = outcome.ended
    if ended.lost_output is not None:
        return ended.lost_output.exit_code
    number = ended.ended_by if ended.exit is None or ended.ended_by else ended.exit.signal
    if ended.reason == "recorder" and outcome.failures:
        return outcome.failures[0].error.exit_code
    if number is not None:
        die_by(number)
    status = ended.exit.status if ended.exit is not None else None
    if not status and outcome.failures:
        return outcome.failures[0].error.exit_code
    return status or 0


def die_by(number: int) -> None:
    """End this process by the signal, so that who waits for it sees what happened; leave no core.

    Where the signal does not end it, it exits with 128 and the signal's number, as shells say it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)
