"""What an agent does with the sessions that one before it has left."""

from __future__ import annotations

import contextlib
import logging

import msgspec

from steno.agent import outer
from steno.agent.capture import CaptureSession, resume_capture
from steno.agent.command import CommandSession
from steno.agent.configuration import SPOOL, AgentConfig
from steno.agent.hosting import Hosting
from steno.agent.keep import Descriptors as Kept
from steno.agent.keep import Keep
from steno.agent.opening import open_other_writer
from steno.agent.parts import Parts
from steno.agent.ring import Ring
from steno.agent.session import Descriptors, SessionFacts
from steno.agent.spooling import HostSpoolWriter
from steno.agent.strangers import let_go
from steno.agent.survivors import Survivor, take_up
from steno.agent.terminal import TerminalSession
from steno.delivery.spool import Spool
from steno.delivery.syncing import SyncThread
from steno.delivery.writers.protocol import Writer
from steno.errors import NotFoundError, StenoError
from steno.structs import decode_json

Session = TerminalSession | CommandSession | CaptureSession
Survived = tuple[Session, list[bytes]]

log = logging.getLogger("steno.agent")


class Succession:
    """Takes up kept sessions, and lets go of what cannot be taken up."""

    def __init__(
        self,
        hosting: Hosting,
        config: AgentConfig,
        keep: Keep,
        spool: Spool,
        sync_thread: SyncThread,
    ) -> None:
        self._host = hosting
        self._config = config
        self._keep = keep
        self._spool = spool
        self._sync_thread = sync_thread

    def recover(self) -> list[Survived]:
        """Return the sessions that go on, each with the lines that its recording lacks."""
        survived = []
        for number, descriptors in sorted(self._keep.recover().items()):
            try:
                survivor = take_up(self._spool, descriptors)
                survived.append((self._build(survivor), survivor.lines))
            except NotFoundError as error:
                log.info("what was kept of a session is void", extra={"why": str(error)})
                self._give_up(number, descriptors)
            except (StenoError, OSError, ValueError) as error:
                # Kept on, for a version that knows it: the next agent is asked again.
                log.error("a kept session cannot be taken up and waits", extra={"why": str(error)})
                _close(descriptors)
            except Exception:
                # Whatever is wrong with one must not keep the others waiting, start after start.
                log.exception("a kept session cannot be taken up and waits")
                _close(descriptors)
            else:
                self._keep.adopt(number, survivor.facts.rec)
        return survived

    def _build(self, survivor: Survivor) -> Session:
        facts = survivor.facts
        log.info("session goes on", extra={"rec": facts.rec, "user": facts.identity.user})
        writers = self._open_writers(survivor)
        kept = survivor.descriptors
        descriptors = Descriptors(
            outer=kept.get("outer"),
            master=kept.get("master"),
            leader=kept.get("leader"),
            connection=kept.get("connection"),
        )
        parts = Parts(
            self._host, facts, descriptors, survivor.session, survivor.clock, writers, survivor.ring
        )
        if facts.kind == "capture":
            return resume_capture(parts, kept)
        return TerminalSession(parts) if facts.kind == "terminal" else CommandSession(parts)

    def _open_writers(self, survivor: Survivor) -> list[Writer]:
        writers: list[Writer] = []
        if survivor.file is not None:
            directory = str(self._spool.directory)
            writers.append(HostSpoolWriter(survivor.file, self._sync_thread, directory))
        for place in survivor.facts.places:
            if place == SPOOL:
                continue
            try:
                writers.append(open_other_writer(self._config, place, survivor.facts.identity))
            except StenoError as error:
                extra = {"rec": survivor.facts.rec, "why": str(error)}
                log.error("a session goes on without a destination", extra=extra)
        return writers

    def _give_up(self, number: int, descriptors: Kept) -> None:
        """Let go of a session that has ended, its terminal given back if it wasn't yet."""
        facts = _read_facts(descriptors)
        terminal = descriptors.get("outer")
        is_ours = facts is not None and facts.ending is None and facts.attributes is not None
        if facts is not None and is_ours and terminal is not None:
            with contextlib.suppress(OSError):
                outer.give_back(terminal, facts.attributes or b"")
        _close(descriptors)
        try:
            self._keep.discard(number)
        except StenoError as error:
            log.warning("what was kept of a session stays", extra={"why": str(error)})


def _read_facts(descriptors: Kept) -> SessionFacts | None:
    ours = {name: fd for name, fd in descriptors.items() if name in ("ring", "ring-input")}
    if "ring" not in ours:
        return None
    try:
        ring = Ring.open(ours)
    except StenoError:
        return None
    try:
        return decode_json(ring.facts, SessionFacts)
    except (msgspec.DecodeError, ValueError):
        return None
    finally:
        ring.release()


def _close(descriptors: Kept) -> None:
    for fd in descriptors.values():
        with contextlib.suppress(OSError):  # closed by who had begun to take it over
            let_go([fd])
