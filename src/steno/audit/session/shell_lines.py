"""What a shell's line says: the commands in it, and how they hang together.

Splits lines as POSIX shells and their descendants do (POSIX.1-2024, XCU 2.3, 2.9), as far as it
takes to recognise the programs that a line ran. It expands nothing, and takes any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LIMIT_CHARACTERS = 64 * 1024
_LIMIT_DEPTH = 16
_OPERATORS = ("&&", "||", "|&", ";;", "|", "&", ";", "\n")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_RESERVED = frozenset({
    "if", "then", "else", "elif", "do", "while", "until", "!", "time", "{", "coproc", "exec",
    "command", "builtin", "case", "for", "select", "function",
})  # fmt: skip
BUILTINS = frozenset({
    ".", ":", "[", "alias", "bg", "bind", "break", "caller", "cd", "complete", "compgen",
    "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exit", "export", "false",
    "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "logout",
    "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "set",
    "shift", "shopt", "source", "suspend", "test", "times", "trap", "true", "type", "typeset",
    "ulimit", "umask", "unalias", "unset", "wait",
})  # fmt: skip
"""Words that bash runs itself."""


@dataclass
class Part:
    """One simple command.

    Attributes:
        words: Its words, quotes taken away; redirections' targets among them.
        chain: Commands joined by pipes have the same number.
        is_background: Whether the shell goes on without waiting for it.
        depth: 0, or how deep it stands in `$(...)` and the like.
        reads_file: Whether its standard input is a file, or text in the line.
    """

    words: list[str] = field(default_factory=list)
    chain: int = 0
    is_background: bool = False
    depth: int = 0
    reads_file: bool = False

    @property
    def name(self) -> str:
        """The command's own word; "" for assignments alone."""
        for word in self.words:
            if word not in _RESERVED and not _ASSIGNMENT.match(word):
                return word
        return ""


def split_line(text: str) -> list[Part]:
    """Return the simple commands of `text`, in order."""
    splitter = _Splitter(text[:_LIMIT_CHARACTERS])
    splitter.read(0, "")
    return [part for part in splitter.parts if part.words]


def is_unfinished(text: str) -> bool:
    """Return whether a shell would go on reading the command in the next line."""
    splitter = _Splitter(text[:_LIMIT_CHARACTERS])
    splitter.read(0, "")
    stripped = text.rstrip(" \t")
    return splitter.is_open or stripped.endswith(("\\", "|", "&&"))


class _Splitter:
    def __init__(self, text: str) -> None:
        self.parts: list[Part] = []
        self.is_open = False
        self._text = text
        self._at = 0
        self._chains = 0
        self._part = Part()
        self._word: list[str] | None = None

    def read(self, depth: int, closing: str) -> None:
        """Read commands up to `closing`, or to the end."""
        outer, self._part = self._part, Part(depth=depth, chain=self._new_chain())
        word, self._word = self._word, None
        while self._at < len(self._text):
            if closing and self._text.startswith(closing, self._at):
                self._at += len(closing)
                break
            self._step(depth)
        else:
            self.is_open = self.is_open or bool(closing)
        self._end_part("")
        self._part, self._word = outer, word

    def _new_chain(self) -> int:
        self._chains += 1
        return self._chains

    def _step(self, depth: int) -> None:
        text, at = self._text, self._at
        one = text[at]
        if one == "\\":
            self._add(text[at + 1 : at + 2].replace("\n", ""))
            self._at += 2
        elif one == "'":
            self._quote(at + 1, escapes=at > 0 and text[at - 1] == "$" and self._drop_dollar())
        elif one == '"':
            self._at += 1
            self._double(depth)
        elif one == "`" or text.startswith(("$(", "<(", ">("), at):
            self._nest(depth)
        elif one == "#" and self._word is None:
            end = text.find("\n", at)
            self._at = len(text) if end < 0 else end
        elif one in " \t":
            self._end_word()
            self._at += 1
        elif one in "()":
            self._end_part(";")
            self._at += 1
        elif one in "<>":
            self._redirect()
        elif operator := next((one for one in _OPERATORS if text.startswith(one, at)), ""):
            self._end_part(operator)
            self._at += len(operator)
        else:
            self._add(one)
            self._at += 1

    def _drop_dollar(self) -> bool:
        if self._word and self._word[-1] == "$":
            self._word.pop()
        return True

    def _add(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _quote(self, start: int, *, escapes: bool) -> None:
        """Take what stands between single quotes; `$'...'` has escapes in it."""
        text, at = self._text, start
        while at < len(text) and text[at] != "'":
            at += 2 if escapes and text[at] == "\\" else 1
        self.is_open = self.is_open or at >= len(text)
        inside = text[start:at]
        self._add(_unescape(inside) if escapes else inside)
        self._at = at + 1

    def _double(self, depth: int) -> None:
        text = self._text
        self._add("")
        while self._at < len(text):
            one = text[self._at]
            if one == '"':
                self._at += 1
                return
            if one == "\\" and text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`", "\n"):
                self._add(text[self._at + 1].replace("\n", ""))
                self._at += 2
            elif one == "`" or text.startswith("$(", self._at):
                self._nest(depth)
            else:
                self._add(one)
                self._at += 1
        self.is_open = True

    def _nest(self, depth: int) -> None:
        is_tick = self._text[self._at] == "`"
        self._add("")
        self._at += 1 if is_tick else 2
        if depth < _LIMIT_DEPTH:
            self.read(depth + 1, "`" if is_tick else ")")

    def _redirect(self) -> None:
        if self._word is not None and all(one.isdecimal() for one in self._word):
            self._word = None  # the 2 of 2>file
        self._end_word()
        if self._text[self._at] == "<":
            self._part.reads_file = True
        while self._at < len(self._text) and self._text[self._at] in "<>&|":
            self._at += 1

    def _end_word(self) -> None:
        if self._word is not None:
            self._part.words.append("".join(self._word))
            self._word = None

    def _end_part(self, operator: str) -> None:
        self._end_word()
        part = self._part
        is_pipe = operator in ("|", "|&")
        if part.words:
            self.parts.append(part)
        if operator == "&":
            for one in self.parts:
                one.is_background = one.is_background or one.chain == part.chain
        chain = part.chain if is_pipe else self._new_chain()
        self._part = Part(depth=part.depth, chain=chain)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "a": "\a", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def _unescape(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        escape = found[1]
        if escape[0] == "x" and len(escape) > 1:
            return chr(int(escape[1:], 16))
        if escape[0] in "01234567":
            return chr(int(escape, 8) & 0xFF)
        return _ESCAPES.get(escape, escape)

    return _ESCAPE.sub(replace, text)
