"""JSON and XML as aushape lays them out: nesting, folding, indentation. Does no I/O.

Source: the output of aushape 1.x, and its options' help. What it writes here can always be
parsed, which aushape's own cannot: docs/audit.md lists the differences.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import msgspec

from steno.audit.aushape.pieces import Pieces

Language = Literal["json", "xml"]


class Field(msgspec.Struct, frozen=True, gc=False):
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


class Text(msgspec.Struct, frozen=True, gc=False):
    """A string in a list; `tag` is its element's name in XML."""

    tag: str
    text: str


class Group(msgspec.Struct, frozen=True):
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

_LEVELS = 10
"""Documents are not nested deeper."""
_KEPT_FIELDS = 20_000

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


class Markup(ABC):
    """Nodes to text."""

    def __init__(self, layout: Layout) -> None:
        self._opens = [layout.open(level) for level in range(_LEVELS)]
        self._closes = [layout.close(level) for level in range(_LEVELS)]
        # Most fields of an event are those of the event before.
        self._field = functools.lru_cache(_KEPT_FIELDS)(self._make_field)
        self._separator = ""

    def text(self, node: Node, level: int, *, in_list: bool = False) -> str:
        """Return `node`, without what goes between it and its sibling."""
        if isinstance(node, Field):
            return self._field(node.name, node.value, node.raw, node.is_plain, in_list)
        if isinstance(node, Text):
            return self._text(node)
        head, tail = self._ends(node, in_list=in_list)
        if not node.members:
            return head + self._close_empty(level) + tail
        is_list, below, open_ = node.is_list, level + 1, self._opens[level + 1]
        texts = [self.text(member, below, in_list=is_list) for member in node.members]
        return f"{head}{open_}{(self._separator + open_).join(texts)}{self._closes[level]}{tail}"

    def after(self, node: Node, level: int, *, first: bool = False) -> str:
        """Return `node` with what goes before it; `first` of its siblings."""
        return self._before(level, first=first) + self.text(node, level)

    def build(
        self, group: Group, level: int, *, first: bool = False, in_list: bool = False
    ) -> Pieces:
        """Return a group that can be cut, with what goes before it; `first` of its siblings."""
        pieces = Pieces()
        head, tail = self._ends(group, in_list=in_list)
        pieces.add((self._before(level, first=first) + head).encode())
        for at, member in enumerate(group.members):
            rank = group.first_rank + at if group.is_cuttable else 0
            is_first = at == 0
            if isinstance(member, Group) and member.is_cuttable:
                inner = self.build(member, level + 1, first=is_first, in_list=group.is_list)
                pieces.add(inner, rank)
            else:
                text = self.text(member, level + 1, in_list=group.is_list)
                pieces.add((self._before(level + 1, first=is_first) + text).encode(), rank)
        close = self._closes[level] if group.members else self._close_empty(level)
        pieces.add((close + tail).encode())
        return pieces

    def _before(self, level: int, *, first: bool) -> str:
        return self._opens[level] if first else self._separator + self._opens[level]

    @abstractmethod
    def _make_field(
        self, name: str, value: str, raw: str | None, is_plain: bool, in_list: bool
    ) -> str: ...

    @abstractmethod
    def _text(self, node: Text) -> str: ...

    @abstractmethod
    def _ends(self, group: Group, *, in_list: bool) -> tuple[str, str]: ...

    @abstractmethod
    def _close_empty(self, level: int) -> str: ...


class JsonMarkup(Markup):
    """Nodes to JSON."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._separator = ","

    def _make_field(
        self, name: str, value: str, raw: str | None, is_plain: bool, in_list: bool
    ) -> str:
        head = "[" if in_list else json_string(name) + ":["
        shown = json_string(value)
        if raw is None or (is_plain and "\ufffd" not in value):
            return f"{head}{shown}]"
        return f"{head}{shown},{json_string(raw)}]"

    def _text(self, node: Text) -> str:
        return json_string(node.text)

    def _ends(self, group: Group, *, in_list: bool) -> tuple[str, str]:
        name = "" if in_list else json_string(group.name) + ":"
        return (name + "[", "]") if group.is_list else (name + "{", "}")

    def _close_empty(self, level: int) -> str:
        return ""


class XmlMarkup(Markup):
    """Nodes to XML."""

    def _make_field(
        self, name: str, value: str, raw: str | None, is_plain: bool, in_list: bool
    ) -> str:
        shown = xml_string(value)
        is_told = raw is not None and (not is_plain or "\ufffd" in shown)
        logged = f' r="{xml_string(raw or "")}"' if is_told else ""
        return f'<{xml_name(name)} i="{shown}"{logged}/>'

    def _text(self, node: Text) -> str:
        return f"<{node.tag}>{xml_string(node.text)}</{node.tag}>"

    def _ends(self, group: Group, *, in_list: bool) -> tuple[str, str]:
        name = xml_name(group.name)
        return f"<{name}>", f"</{name}>"

    def _close_empty(self, level: int) -> str:
        return self._closes[level]
