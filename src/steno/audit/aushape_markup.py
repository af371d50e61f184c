"""JSON and XML as aushape lays them out: nesting, folding, indentation. Does no I/O.

Source: the output of aushape 1.x, and its options' help. What it writes here can always be
parsed, which aushape's own cannot: docs/audit.md lists the differences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from steno.audit.aushape_pieces import Pieces

Language = Literal["json", "xml"]


@dataclass(frozen=True, slots=True)
class Field:
    """A record's field.

    Attributes:
        name: Its name.
        value: What it means.
        raw: What was logged, where that is not the same.
        is_plain: `raw` only quotes or encodes `value`: shown where `value` does not say all.
    """

    name: str
    value: str
    raw: str | None = None
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string in a list; `tag` is its element's name in XML."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """A named object or list of others; an item of a list has no name.

    Attributes:
        name: Its member's or element's name.
        members: What it holds, in order.
        is_list: It is an array in JSON.
        is_cuttable: Its members can be dropped one by one from the end; else it goes as a whole.
        first_rank: The rank of the first member: 0 keeps it always.
    """

    name: str
    members: tuple[Node, ...]
    is_list: bool = False
    is_cuttable: bool = False
    first_rank: int = 0


Node = Field | Text | Group

ITEM = "item"
"""What an item of a list is called in XML."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML 1.0 document can hold, not even escaped (XML 1.0, section 2.2)."""

_NO_NAME = re.compile("[^A-Za-z0-9_.-]")

_ESCAPES = str.maketrans(
    {
        "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;",
        "\t": "&#x09;", "\n": "&#x0a;", "\r": "&#x0d;", "\x7f": "&#x7f;",
    }
)  # fmt: skip
"""White space too: a parser would make blanks of it in attributes. Written as aushape does."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where lines are broken.

    Attributes:
        fold_level: From this level of nesting on, all stands on one line; None: nothing is folded.
        indent: Blanks for each level.
    """

    fold_level: int | None = 4
    indent: int = 4

    def open(self, level: int) -> str:
        """Return what goes before something that begins at `level`."""
        if self.fold_level is not None and level > self.fold_level:
            return ""
        return ("\n" if level else "") + " " * (self.indent * level)

    def close(self, level: int) -> str:
        """Return what goes before the end of something that began at `level`."""
        if self.fold_level is not None and level + 1 > self.fold_level:
            return ""
        return "\n" + " " * (self.indent * level)


def json_string(text: str) -> str:
    """Return `text` as a JSON string."""
    return msgspec.json.encode(_SURROGATES.sub("\ufffd", text)).decode()


_SURROGATES = re.compile("[\ud800-\udfff]")


def xml_string(text: str) -> str:
    """Return `text` for between tags or quotes; what XML cannot hold becomes U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_ESCAPES)


def xml_name(name: str) -> str:
    """Return an element's name that is as near to `name` as XML allows."""
    safe = _NO_NAME.sub("_", name).rstrip("_") or "_"
    return safe if safe[0].isalpha() or safe[0] == "_" else f"_{safe}"


class JsonMarkup:
    """Nodes to JSON."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def build(self, node: Node, level: int, *, first: bool, in_list: bool = False) -> Pieces:
        """Return `node`; `first` of its siblings."""
        pieces = Pieces()
        comma = "" if first else ","
        before = comma + self._layout.open(level)
        if isinstance(node, Text):
            pieces.add((before + json_string(node.text)).encode())
            return pieces
        if not in_list:
            before += json_string(node.name) + ":"
        if isinstance(node, Field):
            pieces.add((before + self._field(node)).encode())
            return pieces
        pieces.add((before + "[{"[not node.is_list]).encode())
        for at, member in enumerate(node.members):
            inner = self.build(member, level + 1, first=at == 0, in_list=node.is_list)
            rank = node.first_rank + at if node.is_cuttable else 0
            is_soft = isinstance(member, Group) and member.is_cuttable
            pieces.add(inner if is_soft else inner.render(), rank)
        end = self._layout.close(level) if node.members else ""
        pieces.add((end + "]}"[not node.is_list]).encode())
        return pieces

    @staticmethod
    def _field(node: Field) -> str:
        shown = json_string(node.value)
        if node.raw is None or (node.is_plain and "\ufffd" not in node.value):
            return f"[{shown}]"
        return f"[{shown},{json_string(node.raw)}]"


class XmlMarkup:
    """Nodes to XML."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def build(self, node: Node, level: int, *, first: bool, in_list: bool = False) -> Pieces:
        """Return `node`; where it stands among its siblings makes no difference here."""
        del first, in_list
        pieces = Pieces()
        before = self._layout.open(level)
        if isinstance(node, Text):
            pieces.add(f"{before}<{node.tag}>{xml_string(node.text)}</{node.tag}>".encode())
            return pieces
        name = xml_name(node.name)
        if isinstance(node, Field):
            value = xml_string(node.value)
            is_told = node.raw is not None and (not node.is_plain or "\ufffd" in value)
            raw = f' r="{xml_string(node.raw or "")}"' if is_told else ""
            pieces.add(f'{before}<{name} i="{value}"{raw}/>'.encode())
            return pieces
        pieces.add(f"{before}<{name}>".encode())
        for at, member in enumerate(node.members):
            inner = self.build(member, level + 1, first=at == 0)
            rank = node.first_rank + at if node.is_cuttable else 0
            is_soft = isinstance(member, Group) and member.is_cuttable
            pieces.add(inner if is_soft else inner.render(), rank)
        pieces.add(f"{self._layout.close(level)}</{name}>".encode())
        return pieces
