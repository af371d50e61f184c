"""The recordings that one file holds, told apart."""

from __future__ import annotations

from steno.cli.playing.sources import refuse_empty
from steno.formats.tlog import Decoder, Placed
from steno.model import Damage


def split_recordings(source: str, data: bytes) -> dict[str, list[bytes]]:
    """Return the lines of each of the recordings in `data`, by their ids, newlines included.

    Damage belongs to the recording before it; at the beginning, to the one that follows.

    Raises:
        FormatError: There is no recording in it; the error names `source`.
    """
    decoder = Decoder()
    items = decoder.feed(data) + decoder.finish()
    rec = next((item.message.rec for item in items if isinstance(item, Placed)), None)
    if rec is None:
        damage = next((item for item in items if isinstance(item, Damage)), None)
        raise refuse_empty(source, damage, data)
    lines: dict[str, list[bytes]] = {}
    for item in items:
        if isinstance(item, Placed):
            rec = item.message.rec
        end = item.offset_bytes + item.length_bytes
        lines.setdefault(rec, []).append(data[item.offset_bytes : end])
    return lines
