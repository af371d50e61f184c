"""Taking up the sessions that an agent before this one has left, or that survived it."""

from __future__ import annotations

import msgspec

from steno.agent.configuration import SPOOL
from steno.agent.keep import WORDS, Descriptors
from steno.agent.resume import charset_of, decode_kept, first_unsure_id, resume
from steno.agent.ring import Ring
from steno.agent.session import SessionFacts
from steno.delivery.resuming import read_tail, resume_file
from steno.delivery.spool import Spool
from steno.delivery.spool_file import SpoolFile
from steno.errors import NotFoundError, StenoError, StoreError
from steno.recorder.clock import RecordingClock
from steno.recorder.facts import read_line
from steno.recorder.session import Session
from steno.structs import decode_json

_OURS = ("ring", "ring-input", "spool")
_KINDS = ("terminal", "command", "capture")


class Survivor(msgspec.Struct):
    """A session that goes on.

    Attributes:
        facts: What does not change about it.
        descriptors: All that were kept but the ring's and the spool file's.
        ring: What it has read and not passed on, and what is in no line.
        session: Its recording's logic.
        clock: Its recording's clock.
        file: Its file in the spool; None where it has none.
        lines: What the file lacks. When it has them, the ring is to keep the session's state.
    """

    facts: SessionFacts
    descriptors: Descriptors
    ring: Ring
    session: Session
    clock: RecordingClock
    file: SpoolFile | None
    lines: list[bytes]


def take_up(spool: Spool, descriptors: Descriptors) -> Survivor:
    """Return the session whose descriptors were kept; takes them over.

    Raises:
        NotFoundError: It has ended, or was of another boot: what is kept of it is void.
        StoreError: It cannot be taken up by this agent; another version perhaps can.
            In both cases the descriptors stay open and the recording is as it was.
    """
    if "ring" not in descriptors:
        raise NotFoundError("not all of the session was kept")
    if unknown := descriptors.keys() - WORDS:
        raise StoreError(f"of a kept session it is not known what {sorted(unknown)} are for")
    ring = Ring.open({name: descriptors[name] for name in _OURS[:2] if name in descriptors})
    try:
        facts = decode_json(ring.facts, SessionFacts)
        return _take_up(spool, facts, descriptors, ring)
    except msgspec.DecodeError as error:
        ring.release()
        raise StoreError(f"the session's facts cannot be read: {error}") from error
    except StenoError:
        ring.release()
        raise


def _take_up(spool: Spool, facts: SessionFacts, descriptors: Descriptors, ring: Ring) -> Survivor:
    rec, start = facts.rec, facts.identity.start
    boot_id = (read_line("/proc/sys/kernel/random/boot_id") or "").replace("-", "")
    if facts.kind not in _KINDS:
        raise StoreError(f"session {rec}: its kind {facts.kind!r} is not known")
    if SPOOL in facts.places and "spool" not in descriptors:
        raise NotFoundError(f"session {rec}: not all of it was kept")
    terminals = {"outer", "master"} if facts.kind == "terminal" and facts.ending is None else set()
    if not terminals <= descriptors.keys():
        raise NotFoundError(f"session {rec}: its terminals were not kept")
    if start.boot_id != boot_id:
        raise NotFoundError(f"session {rec}: it was of another boot of this host")
    clock = RecordingClock.resume(
        facts.base_ns, start.started_unix_us, start.coarse_unix_us or start.started_unix_us
    )
    at_us = clock.at_us()
    kept = decode_kept(ring.state)
    spooled, last, tail = [], None, None
    if "spool" in descriptors:
        tail = read_tail(spool, rec, first_unsure_id(kept), charset_of(facts.identity))
        if tail.last.end is not None:
            raise NotFoundError(f"session {rec}: its recording has ended")
        spooled, last = tail.messages, (tail.last.id, tail.head)
    ring.salvage(at_us)
    resumed = resume(
        facts.identity, facts.settings, kept, ring.entries(), spooled, last or ring.handed, at_us
    )
    file = None if tail is None else resume_file(spool, rec, descriptors["spool"], tail)
    others = {name: fd for name, fd in descriptors.items() if name not in _OURS}
    return Survivor(facts, others, ring, resumed.session, clock, file, resumed.lines)
