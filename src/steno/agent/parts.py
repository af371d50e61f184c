"""What every kind of session is made of, handed over in one piece."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steno.agent.hosting import Hosting
from steno.agent.ring import Ring
from steno.agent.session import Descriptors, SessionFacts
from steno.delivery.writers.protocol import Writer
from steno.recorder.clock import RecordingClock
from steno.recorder.session import Session


class Parts(msgspec.Struct, frozen=True):
    """A session that is open and not yet relayed. Who gets it owns all of it but the agent.

    Attributes:
        hosting: The agent.
        facts: What does not change.
        descriptors: The session's.
        session: The recording's logic, which has begun.
        clock: The recording's.
        writers: Where its lines go.
        ring: The session's memory.
    """

    hosting: Hosting
    facts: SessionFacts
    descriptors: Descriptors
    session: Session
    clock: RecordingClock
    writers: Sequence[Writer]
    ring: Ring
