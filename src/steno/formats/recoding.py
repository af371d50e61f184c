"""Recordings whose bytes are in another charset than their format says. Does no I/O."""

from __future__ import annotations

import msgspec

from steno.formats.charset import Charset
from steno.formats.track import Finish, Header, Item
from steno.model import Input, Output


class Marker:
    """Says in the header what charset the pieces are in; the tlog writer converts them then."""

    def __init__(self, charset: Charset) -> None:
        self._charset = charset

    def feed(self, item: Item) -> list[Item]:
        """Return what `item` becomes."""
        if not isinstance(item, Header):
            return [item]
        start = msgspec.structs.replace(item.start, charset=self._charset.name)
        return [msgspec.structs.replace(item, start=start)]


class Recoder:
    """Converts pieces to UTF-8; bytes that mean nothing in the charset stay as they are.

    A character whose bytes come apart stands where its last byte does.
    """

    def __init__(self, charset: Charset) -> None:
        self._charset = charset
        self._rest: dict[str, bytes] = {}

    def feed(self, item: Item) -> list[Item]:
        """Return what `item` becomes."""
        if isinstance(item, (Input, Output)):
            return self._convert(item)
        return [*self._flush(item.at_us), item] if isinstance(item, Finish) else [item]

    def _convert(self, piece: Input | Output) -> list[Item]:
        name = _name(piece)
        data = self._rest.pop(name, b"") + piece.data
        converted, rest = self._charset.to_utf8(data, is_final=False)
        if rest:
            self._rest[name] = rest
        return [msgspec.structs.replace(piece, data=converted)] if converted else []

    def _flush(self, at_us: int) -> list[Item]:
        items: list[Item] = []
        for name, rest in self._rest.items():
            is_stderr = name == "err"
            piece = Input(at_us, rest) if name == "in" else Output(at_us, rest, is_stderr)
            items.append(piece)
        self._rest.clear()
        return items


def _name(piece: Input | Output) -> str:
    if isinstance(piece, Input):
        return "in"
    return "err" if piece.is_stderr else "out"
