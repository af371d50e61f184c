"""Derive the index of one recording from its original bytes, however they come. Does no I/O.

The state between two calls can be saved and restored, so that an index is never begun anew only
because a server was restarted.
"""

from __future__ import annotations

import msgspec
import zstandard

from steno.errors import FormatError
from steno.formats.sequence import Gap, Sequencer
from steno.formats.tlog import decode_message
from steno.formats.tlog_track import describe_gap
from steno.integrity.chain import ChainState
from steno.model import Message
from steno.screen.deriver import Deriver
from steno.screen.native import NativeError, ScreenStateError
from steno.server.line_intake import LineIntake
from steno.server.summaries import SummaryState
from steno.store.protocol import Derived
from steno.structs import msgpack_decoder

STATE_VERSION = 4
"""Grows whenever the rules or the saved state change: indexes of older states are built anew."""
MAX_STATE_BYTES = 256 * 1024 * 1024


class StateError(ScreenStateError):
    """A saved state is of another version or unreadable; the index must be built anew."""


class _State(msgspec.Struct):
    version: int
    upto_bytes: int
    lines: int
    last_id: int | None
    gaps: list[Gap]
    chain: ChainState
    summary: SummaryState
    deriver: bytes | None
    is_torn: bool
    has_lost_lines: bool


_encode = msgspec.msgpack.encode
_decode = msgpack_decoder(_State)
_decode_version = msgpack_decoder(tuple[int, bytes])


class Derivation:
    """One recording on its way into the index.

    Attributes:
        is_text_stopped: The screen text could not be followed any further; lines are still counted
            and verified.
    """

    def __init__(self, rec: str) -> None:
        self._intake = LineIntake()
        self._sequencer = Sequencer()
        self._summary = SummaryState(rec)
        self._deriver: Deriver | None = None
        self.is_text_stopped = False
        self._has_lost_lines = False

    # Keeping.

    def save(self) -> bytes:
        """Return the state at `upto_bytes`; what was found must be taken before."""
        if self.is_text_stopped:
            deriver = None
        else:
            deriver = b"" if self._deriver is None else self._deriver.save()
        state = _State(
            version=STATE_VERSION,
            upto_bytes=self.upto_bytes,
            lines=self._intake.lines,
            last_id=self._sequencer.last_id,
            gaps=self._sequencer.gaps,
            chain=self._intake.chain.state(),
            summary=self._summary,
            deriver=deriver,
            is_torn=self.is_torn,
            has_lost_lines=self._has_lost_lines,
        )
        packed = zstandard.ZstdCompressor(level=1).compress(_encode(state))
        return _encode((STATE_VERSION, packed))

    @classmethod
    def restore(cls, rec: str, data: bytes) -> Derivation:
        """Return the derivation that `save` saved.

        Raises:
            StateError: It is unreadable, or another version's.
        """
        derivation = cls(rec)
        try:
            version, packed = _decode_version(data)
            if version != STATE_VERSION:
                raise StateError(f"the index of {rec} is of version {version}")
            raw = zstandard.ZstdDecompressor().decompress(packed, MAX_STATE_BYTES)
            derivation._adopt(_decode(raw))
        except (msgspec.MsgspecError, zstandard.ZstdError, ScreenStateError) as error:
            raise StateError(f"the index of {rec} cannot go on: {error}") from error
        return derivation

    def _adopt(self, state: _State) -> None:
        self._intake = LineIntake(
            lines=state.lines,
            upto_bytes=state.upto_bytes,
            is_torn=state.is_torn,
            chain=state.chain,
        )
        self._sequencer = Sequencer(last_id=state.last_id, gaps=state.gaps)
        self._summary = state.summary
        self.is_text_stopped = state.deriver is None
        self._has_lost_lines = state.has_lost_lines
        if state.deriver:
            self._deriver = Deriver.restore(state.deriver)

    def close(self) -> None:
        """Free the terminal's memory now; the derivation cannot be used afterwards."""
        if self._deriver is not None:
            self._deriver.close()

    # Following.

    @property
    def upto_bytes(self) -> int:
        """All lines that end here or before are accounted for."""
        return self._intake.upto_bytes

    @property
    def next_bytes(self) -> int:
        """Where the bytes for the next `feed` begin."""
        return self._intake.next_bytes

    @property
    def is_torn(self) -> bool:
        """Whether a last line without its newline was accounted for: see `LineIntake`."""
        return self._intake.is_torn

    @property
    def has_ended(self) -> bool:
        """Whether the end facts have come."""
        return self._summary.end is not None

    @property
    def last_unix_us(self) -> int:
        """The last piece's instant on the calendar; 0 when the messages bear no time."""
        return self._summary.last_unix_us()

    def feed(self, data: bytes) -> None:
        """Take the recording's next bytes, from `next_bytes` on."""
        for line in self._intake.feed(data):
            self._take_line(line)

    def finish_torn(self) -> None:
        """Account for a last line without its newline: no more bytes are to be expected."""
        for line in self._intake.finish():
            self._take_line(line)

    def settle(self, waited_us: int) -> None:
        """Take note that nothing more came for so long after the last piece."""
        if self._deriver is not None and not self.is_text_stopped:
            self._deriver.settle(self._summary.duration_us + waited_us)

    def stop_text(self, reason: str, length_bytes: int = 0) -> None:
        """Derive no more screen text from here on, a line of that length, and say why."""
        if not self.is_text_stopped:
            self.is_text_stopped = True
            self._intake.add_damage(length_bytes, f"screen text stops here: {reason}")

    def take(
        self,
        *,
        is_live: bool,
        sender: str | None,
        from_bytes: int,
        from_serial: int,
    ) -> Derived:
        """Return what was found since the last call, for the store.

        `is_live` says that more is expected; once the end facts have come, that counts no more.
        """
        found = None if self._deriver is None else self._deriver.take()
        if found is not None and found.lost_lines and not self._has_lost_lines:
            self._has_lost_lines = True
            self._intake.add_damage(0, "more screen text than is indexed for so little output")
        damages = self._intake.take_damages()
        self._summary.damages += len(damages)
        summary = self._summary.render(
            size_bytes=self.upto_bytes,
            is_live=is_live and not self.has_ended,
            chain=self._intake.chain.verification(),
            sender=sender,
        )
        derived = Derived(
            upto_bytes=self.upto_bytes,
            summary=summary,
            from_bytes=from_bytes,
            from_serial=from_serial,
            state=self.save(),
            damages=damages,
        )
        if found is None:
            return derived
        return msgspec.structs.replace(
            derived,
            lines=found.lines,
            keyframes=found.keyframes,
            commands=found.commands,
            activity=sorted(found.activity.items()),
        )

    def _take_line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = decode_message(line)
        except FormatError as error:
            self._intake.add_unreadable(line, error)
            return
        if message.rec and message.rec != self._summary.rec:
            self._intake.add_damage(len(line), f"the line belongs to recording {message.rec}")
            return
        self._take_message(message, len(line))

    def _take_message(self, message: Message, length_bytes: int) -> None:
        last_id = self._sequencer.last_id or 0
        pieces = self._sequencer.feed(message)
        if self._sequencer.disorder is not None:
            self._intake.add_damage(length_bytes, self._sequencer.disorder)
        if self._sequencer.is_left_out:
            return
        if message.id > last_id + 1:
            facts: dict[str, object] = {"first_id": last_id + 1, "last_id": message.id - 1}
            self._intake.add_damage(0, f"{describe_gap(facts)} before this line")
        self._summary.add(message, pieces)
        if self.is_text_stopped:
            return
        try:
            if self._deriver is None:
                self._deriver = Deriver(message.user, message.host)
            self._deriver.feed(message, self.upto_bytes)
            if message.end is not None:
                self._deriver.finish()
        except NativeError as error:
            self.stop_text(str(error), length_bytes)
