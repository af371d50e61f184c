"""What kind of session a login shell was started for, as its arguments show. Does no I/O.

A kind tells what a command looks like, not what it does: whoever logs in chooses the words. It is
good for labels, and for recording more of some kinds; a policy that records less of a kind trusts
the people to whom it applies.

Sources: what scp, sftp, rsync 3, git and ansible-core 2.19 send through OpenSSH (the tests hold
the strings); bash(1) on `-c`; sudo(8) on `-i`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence


class Kind(enum.StrEnum):
    """What a session is for.

    SHELL has no command, COMMAND one that is none of the others. SCP is the old protocol; today's
    scp speaks SFTP.
    """

    SHELL = "shell"
    COMMAND = "command"
    SCP = "scp"
    SFTP = "sftp"
    RSYNC = "rsync"
    GIT = "git"
    ANSIBLE = "ansible"
    BORG = "borg"
    MOSH = "mosh"
    SVN = "svn"


_MAX_BYTES = 1 << 16
"""Commands of the known programs are shorter; what is longer is not looked into."""
_WITH_VALUE = frozenset({b"-o", b"+o", b"-O", b"+O", b"--rcfile", b"--init-file"})
_GIT = frozenset({"upload-pack", "receive-pack", "upload-archive", "lfs-authenticate"})
_ANSIBLE_SHELL = re.compile(r"/bin/\w*sh -c '.*&& sleep 0'", re.DOTALL)
"""ansible-core, plugins/connection/ssh.py, appends `&& sleep 0` to what it runs in a shell."""
_ANSIBLE_PATH = re.compile(r"/(?:ansible|AnsiballZ)[-_][^/]+(?:/|$)")
_SUDO_FLAGS = frozenset({"-n", "-E", "-H", "-S"})
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | '(?P<single>[^']*)'
      | "(?P<double>(?:[^"\\$`]|\\.|\$\w)*)"
      | \\(?P<escaped>.)
      | (?P<plain>(?:[^\s'"\\;&|<>()$`]|\$\w)+)""",
    re.VERBOSE,
)
"""The pieces of a simple command's words. What could start another command fits none of them."""


def find_kind(arguments: Sequence[bytes]) -> Kind:
    """Return the kind of session that a login shell with these `arguments` is for.

    Args:
        arguments: The shell's, without argv[0]: none, or `-c` and a command, or others.
    """
    command = find_command(arguments)
    if command is None:
        return Kind.SHELL if all(word[:1] in b"-+" for word in arguments) else Kind.COMMAND
    if len(command) > _MAX_BYTES:
        return Kind.COMMAND
    return _judge(command.decode("utf-8", "surrogateescape"))


def find_command(arguments: Sequence[bytes]) -> bytes | None:
    """Return the command that a shell with these `arguments` runs for `-c`; None without one."""
    is_command = False
    rest = iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif word in (b"--", b"-"):
            return next(rest, None) if is_command else None
        elif word[:1] not in (b"-", b"+") or len(word) == 1:
            return word if is_command else None
        elif word[:1] == b"-" and word[:2] != b"--" and b"c" in word:
            is_command = True
    return None


def _judge(command: str) -> Kind:
    command = command.strip()
    if _ANSIBLE_SHELL.fullmatch(command):
        return Kind.ANSIBLE
    words = _split(command)
    if words and words[0] == "sudo":
        words = _without_sudo(words[1:])
    if not words:
        return Kind.COMMAND
    program = words[0].rpartition("/")[2]
    return _judge_program(program, words[1:])


def _judge_program(program: str, arguments: list[str]) -> Kind:
    first = arguments[0] if arguments else ""
    if program in ("sftp-server", "internal-sftp"):
        return Kind.SFTP
    if program == "scp" and any(word in ("-t", "-f") for word in arguments):
        return Kind.SCP
    if program == "rsync" and first == "--server":
        return Kind.RSYNC
    if (program == "git" and first in _GIT) or program.removeprefix("git-") in _GIT:
        return Kind.GIT
    if program == "dd" and any(_ANSIBLE_PATH.search(word) for word in arguments):
        return Kind.ANSIBLE
    if program == "borg" and first == "serve":
        return Kind.BORG
    if program == "svnserve" and any(word in ("-t", "--tunnel") for word in arguments):
        return Kind.SVN
    return Kind.MOSH if program == "mosh-server" else Kind.COMMAND


def _without_sudo(words: list[str]) -> list[str]:
    """Return the command behind sudo's options; nothing where they are not plain."""
    while words and words[0].startswith("-"):
        if words[0] == "-u":
            words = words[2:]
        elif words[0] in _SUDO_FLAGS:
            words = words[1:]
        else:
            return []
    return words


def _split(command: str) -> list[str]:
    """Return the words of a simple command; none where it is, or may be, more than one command."""
    words: list[str] = []
    at, is_open = 0, False
    while at < len(command):
        match = _TOKEN.match(command, at)
        if match is None:
            return []
        at = match.end()
        if match.lastgroup == "blank":
            is_open = False
            continue
        if not is_open:
            words.append("")
            is_open = True
        text = match[match.lastgroup or 0]
        words[-1] += re.sub(r"\\(.)", r"\1", text) if match.lastgroup == "double" else text
    return words
