"""What ssh's command line means: options, where to, the command over there. Pure.

Sources: ssh(1) and main() in ssh.c of OpenSSH 10.0, for the options that take a value, and for
options that may still stand behind the destination.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import msgspec

from steno.errors import UsageError

_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopPQRSWw")
_ALONE = frozenset("1246AaCfGgKkMNnqsTtVvXxYy")
_URI = re.compile(r"ssh://(?:[^@/]*@)?(?P<host>\[[^\]]*\]|[^:/]*)(?::\d*)?/?")


class SshCall(msgspec.Struct, frozen=True):
    """A call of ssh.

    Attributes:
        options: ssh's options, with their values.
        destination: Where to, as it was given: HOST, USER@HOST or ssh://USER@HOST:PORT.
        command: What to run there: nothing for a login shell, one word that the shell there reads
            as ssh would have it, or words that shall arrive as they are.
    """

    options: tuple[str, ...]
    destination: str
    command: tuple[str, ...]

    @property
    def host(self) -> str:
        """The destination without user and port."""
        found = _URI.fullmatch(self.destination)
        if found:
            return found["host"].strip("[]")
        return self.destination.rpartition("@")[2]

    def words(self) -> list[str]:
        """Return the command line for ssh itself."""
        # Behind `--` ssh looks for no options, behind the destination neither.
        line = [quote_for_shell(self.command)] if self.command else []
        return ["ssh", *self.options, "--", self.destination, *line]


def quote_for_shell(command: Sequence[str]) -> str:
    """Return what the shell at the other end reads as `command`.

    ssh puts arguments together with blanks, and the shell there takes them apart again. One
    word is taken as such a line already; of several each is quoted for POSIX shells.
    """
    return command[0] if len(command) == 1 else shlex.join(command)


def parse_call(words: Sequence[str]) -> SshCall:
    """Return what the words behind `steno ssh` mean.

    Raises:
        UsageError: There is no destination, an option is unknown or lacks its value, or one would
            put ssh into the background, where there is nothing to record.
    """
    options, rest, is_over = _take_options(list(words))
    if not rest:
        raise UsageError("steno ssh needs a host: steno ssh [OPTIONS] [USER@]HOST [COMMAND...]")
    destination = rest[0]
    if not destination or destination.startswith("-"):
        raise UsageError(f"{destination!r} is no host")
    # ssh takes options behind the destination too, up to the command, unless `--` ended them.
    more, command = ([], rest[1:]) if is_over else _take_options(rest[1:])[:2]
    if command and not all(command[:1]):
        raise UsageError("the command is empty")
    return SshCall((*options, *more), destination, tuple(command))


def _take_options(words: list[str]) -> tuple[list[str], list[str], bool]:
    """Return the options that `words` begin with, what follows, and whether `--` is between."""
    options: list[str] = []
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            return options, words, True
        options.append(word)
        if _wants_value(word):
            if not words:
                raise UsageError(f"ssh's option {word} needs a value")
            options.append(words.pop(0))
    return options, words, False


def _wants_value(word: str) -> bool:
    """Tell whether the value of a word of options, -vp say, is the next word."""
    if word.startswith("--"):
        raise UsageError(f"there is no option {word}")
    for place, letter in enumerate(word[1:], 1):
        if letter in _WITH_VALUE:
            return place == len(word) - 1
        if letter == "f":
            raise UsageError("ssh -f goes to the background: there is nothing to record")
        if letter not in _ALONE:
            raise UsageError(f"ssh has no option -{letter}")
    return False
