"""What the recording of a session is still to get after its agent has died.

Does no I/O. The ring says how the recording's logic stood at some line, and what happened since.
That is done again, and compared with the lines that are in the spool: by what they hold and
not by how they were cut, for another version of Steno may cut them differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from steno import __version__
from steno.agent.ring_layout import Kind
from steno.agent.ring_memory import Entry
from steno.errors import StoreError
from steno.formats.charset import Charset, find_charset
from steno.formats.cutter import CutterState, Identity
from steno.formats.tlog import decode_message
from steno.model import Input, Message, Note, Output, Piece, Window, digest_of_line
from steno.recorder.session import Session, Settings, read_state
from steno.structs import decode_msgpack

RESTART = "restart"


class KeptState(msgspec.Struct, frozen=True, array_like=True):
    """What the ring keeps as the recording's state.

    Attributes:
        session: What Session.state gave.
        held: Lines before that state that the spool had no room for, in order.
    """

    session: bytes
    held: list[bytes] = []


_ENCODER = msgspec.msgpack.Encoder()


def encode_kept(session: bytes, held: Sequence[bytes] = ()) -> bytes:
    """Return what `Ring.checkpoint` is to keep."""
    return _ENCODER.encode((session, held))


def decode_kept(data: bytes) -> KeptState:
    """Return what `encode_kept` was given.

    Raises:
        StoreError: It is damaged.
    """
    try:
        return decode_msgpack(data, KeptState)
    except msgspec.DecodeError as error:
        raise StoreError(f"the state kept of a recording cannot be read: {error}") from error


def first_unsure_id(kept: KeptState) -> int:
    """Return from which message on the spool must be looked at."""
    return read_state(kept.session).cutter.next_id - len(kept.held)


def charset_of(identity: Identity) -> Charset | None:
    """Return the charset that a recording's messages are to be decoded with; None for UTF-8."""
    return find_charset(identity.start.charset or "UTF-8")


class Resumed(msgspec.Struct, frozen=True):
    """A session that can go on.

    Attributes:
        session: Its logic; nothing is pending.
        lines: What the spool lacks, the note of the restart included.
    """

    session: Session
    lines: list[bytes]


def resume(
    identity: Identity,
    settings: Settings,
    kept: KeptState,
    entries: Sequence[Entry],
    spooled: Sequence[Message],
    last: tuple[int, str] | int,
    at_us: int,
) -> Resumed:
    """Return the session as it was, and the lines that are to be appended now.

    Args:
        identity: What the recording is about.
        settings: How it is recorded.
        kept: What the ring kept as the state.
        entries: What happened since.
        spooled: The spool's messages from `first_unsure_id` on, decoded with `charset_of`.
        last: The number and the digest of the spool's last message; where there is no spool,
            the number of the last one that was handed to other places.
        at_us: The present instant, in the recording.

    Raises:
        StoreError: The state is of a newer version, or damaged.
    """
    state = read_state(kept.session)
    before = Session.resume(identity, settings, state)
    made_lines = [*kept.held, *_replay(before, entries)]
    after = read_state(before.state())
    charset = charset_of(identity)
    if isinstance(last, int):
        # As this version would have cut them: another one may have to repeat a little.
        count = max(0, min(last - state.cutter.next_id + 1, len(made_lines)))
        spooled = [decode_message(line, charset) for line in made_lines[:count]]
        prev = digest_of_line(made_lines[count - 1]) if count else state.cutter.prev or ""
        last = state.cutter.next_id + count - 1, prev
    missing = state.cutter.next_id - len(kept.held) - 1 - last[0]
    made = _pieces([decode_message(line, charset) for line in made_lines])
    window = _last_window(spooled) if spooled else state.cutter.window
    cutter = CutterState(last[0] + 1, last[1], window)
    session = Session.resume(identity, settings, msgspec.structs.replace(after, cutter=cutter))
    lines = session.take_pieces(subtract(made, _pieces(spooled)))
    # The beginnings of characters wait on for their ends, also behind the note.
    lines += session.take_pieces(_unfinished(after.cutter, at_us))
    facts: dict[str, object] = {"recorder": f"steno {__version__}"}
    if missing > 0:
        facts["missing_messages"] = missing
    lines += session.take_note(Note(at_us, RESTART, facts))
    return Resumed(session, lines + session.cut(at_us))


def _replay(session: Session, entries: Iterable[Entry]) -> list[bytes]:
    """Do again what happened; return all of it as lines."""
    lines: list[bytes] = []
    at_us = 0
    for entry in entries:
        at_us = entry.at_us
        if entry.kind is Kind.INPUT:
            lines += session.take_input(at_us, entry.data, entry.echo)
        elif entry.kind is Kind.WINDOW:
            lines += session.take_window(at_us, *entry.size)
        elif entry.kind is Kind.TICK:
            lines += session.tick(at_us)
        else:
            is_stderr = entry.kind is Kind.ERROR
            lines += session.take_output(at_us, entry.data, is_stderr=is_stderr)
    return lines + session.cut(at_us)


def subtract(made: Iterable[Piece], had: Sequence[Piece]) -> list[Piece]:
    """Return what of `made` comes after `had`, which is a beginning of it, cut differently.

    Bytes are counted; notes are compared; windows count as had when bytes after them were.
    """
    counts = {Output: 0, Input: 0}
    for piece in had:
        if isinstance(piece, Output | Input):
            counts[type(piece)] += len(piece.data)
    notes = [(piece.kind, piece.facts) for piece in had if isinstance(piece, Note)]
    rest: list[Piece] = []
    for piece in made:
        if isinstance(piece, Output | Input):
            cut_bytes = min(len(piece.data), counts[type(piece)])
            counts[type(piece)] -= cut_bytes
            if cut_bytes:
                rest = [one for one in rest if not isinstance(one, Window)]
            if cut_bytes < len(piece.data):
                rest.append(msgspec.structs.replace(piece, data=piece.data[cut_bytes:]))
        elif isinstance(piece, Note) and (piece.kind, piece.facts) in notes:
            notes.remove((piece.kind, piece.facts))
        else:
            rest.append(piece)
    return rest


def _pieces(messages: Iterable[Message]) -> list[Piece]:
    return [piece for message in messages for piece in message.pieces]


def _last_window(messages: Sequence[Message]) -> tuple[int, int] | None:
    windows = [piece for piece in _pieces(messages) if isinstance(piece, Window)]
    return (windows[-1].columns, windows[-1].rows) if windows else None


def _unfinished(state: CutterState, at_us: int) -> list[Piece]:
    beginnings = state.unfinished
    pieces: list[Piece] = []
    if "in" in beginnings:
        pieces.append(Input(at_us, beginnings["in"]))
    if "out" in beginnings:
        pieces.append(Output(at_us, beginnings["out"]))
    if "err" in beginnings:
        pieces.append(Output(at_us, beginnings["err"], is_stderr=True))
    return pieces
