"""Which programs are shells and interpreters, and which shells a person types into."""

from __future__ import annotations

import re
from collections.abc import Sequence

SHELLS = frozenset({
    "bash", "rbash", "sh", "dash", "ash", "zsh", "ksh", "ksh93", "mksh", "yash", "fish", "tcsh",
    "csh", "busybox",
})  # fmt: skip
_INTERPRETERS = frozenset({
    "perl", "ruby", "node", "php", "lua", "tclsh", "wish", "expect", "make", "gmake", "Rscript",
    "pwsh", "awk", "gawk", "mawk", "xargs", "parallel", "run-parts", "ansible-playbook",
})  # fmt: skip
_VERSIONED = re.compile(r"(?:python|pypy|perl|ruby|lua|php|tclsh|node)[0-9.]*\Z")
_WITH_VALUE = frozenset({"--rcfile", "--init-file", "-o", "-O", "+o", "+O"})
WRAPPERS = frozenset({
    "sudo", "su", "doas", "runuser", "pkexec", "env", "nice", "ionice", "nohup", "setsid", "time",
    "timeout", "stdbuf", "strace", "ltrace", "watch", "script", "chroot", "unshare", "nsenter",
    "setpriv", "taskset", "chrt", "xargs", "flock", "systemd-run", "sg", "newgrp", "fakeroot",
})  # fmt: skip
"""Programs that run what stands behind them in their arguments."""

SWITCHERS = frozenset({"sudo", "su", "doas", "runuser", "pkexec", "newgrp", "sg"})
"""Programs whose purpose it is to run something as somebody else."""

_OWN = frozenset({"steno-shell", "steno-wait", "steno-note-login"})


def is_own(program: str | None) -> bool:
    """Return whether this executable is Steno's: nothing that anybody ran.

    It becomes the recorded shell, waits above it, or tells of the login.
    """
    return base_name(program) in _OWN


def base_name(path: str | None) -> str:
    """Return a program's name without its directory, and without a login shell's dash."""
    return (path or "").removesuffix(" (deleted)").rpartition("/")[2].removeprefix("-")


def is_shell(program: str | None) -> bool:
    """Return whether this executable is a shell."""
    return base_name(program) in SHELLS


def is_interpreter(program: str | None) -> bool:
    """Return whether this executable runs what a script says; shells do."""
    name = base_name(program)
    return name in SHELLS or name in _INTERPRETERS or _VERSIONED.match(name) is not None


def is_interactive(arguments: Sequence[str] | None) -> bool:
    """Return whether a shell that was started so reads what a person types.

    It does where it gets neither a command (`-c`) nor a script; what its standard input is, audit
    records do not say. Without arguments known it is taken for one that does.
    """
    if not arguments:
        return True
    takes_value = False
    for word in arguments[1:]:
        if takes_value:
            takes_value = False
        elif word in _WITH_VALUE:
            takes_value = True
        elif word.startswith("--"):
            if word == "--":
                return False
        elif word[:1] in ("-", "+") and len(word) > 1:
            if "c" in word[1:]:
                return False
        else:
            return False
    return True


def command_text(arguments: Sequence[str]) -> str | None:
    """Return the script that stands behind `-c`, None where there is none."""
    for number, word in enumerate(arguments[1:], 1):
        if word[:1] == "-" and not word.startswith("--") and "c" in word[1:]:
            return arguments[number + 1] if number + 1 < len(arguments) else None
    return None
