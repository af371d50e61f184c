"""The kernel's audit rules that Steno wants, for each level; the words of auditctl. Does no I/O.

A rule is said as auditctl(8) takes it. What the kernel gives back is in other words (`auid!=-1` for
`auid!=unset`, syscalls in the order of their numbers, watches in their old form), so that rules are
compared by what they mean: `AuditRule.meaning`.

Source: audit 3.0.9, auditctl(8), audit.rules(7), and what auditctl lists on Linux 6.1 and 6.18.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Level = Literal["none", "login", "session"]
"""`none`: no rules. `login`: who changed accounts, privileges or the audit trail; who logged in is
told without rules. `session`: also what people ran, changed, connected to and were refused."""

LEVELS: tuple[Level, ...] = ("none", "login", "session")

KEY_PREFIX = "steno-"
"""How the keys of Steno's rules begin; rules with other keys are others'."""

Field = tuple[str, str, str]
"""Name, operator and value of a `-F`."""

Meaning = tuple[str, str, frozenset[str], frozenset[Field], frozenset[str]]
"""What a rule does: action and list, architecture, system calls, fields, keys."""

_UNSET = "4294967295"
_ALL = frozenset(["all"])


@dataclass(frozen=True, slots=True)
class AuditRule:
    """A rule.

    Attributes:
        fields: What must hold; `path` and `dir` with `perm` make it a watch.
        key: How its events are marked.
        purpose: What it is for, one line.
        arch: `b64`, `b32` or "": any.
        syscalls: Which; (): all.
        action: `always` or `never`.
        list_name: The kernel's list.
        more_keys: Keys beside `key`.
    """

    fields: tuple[Field, ...]
    key: str = ""
    purpose: str = ""
    arch: str = ""
    syscalls: tuple[str, ...] = ()
    action: str = "always"
    list_name: str = "exit"
    more_keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in auditctl's words."""
        words = [f"-a {self.action},{self.list_name}"]
        if self.arch:
            words.append(f"-F arch={self.arch}")
        if self.syscalls:
            words.append(f"-S {','.join(self.syscalls)}")
        words += [f"-F {name}{operator}{value}" for name, operator, value in self.fields]
        words += [f"-k {key}" for key in (self.key, *self.more_keys) if key]
        return " ".join(words)

    @property
    def meaning(self) -> Meaning:
        """What it does, the same for all ways to say it."""
        keys = frozenset(key for key in (self.key, *self.more_keys) if key)
        fields = frozenset(map(_plain_field, self.fields))
        return (
            f"{self.action},{self.list_name}",
            self.arch,
            frozenset(self.syscalls) or _ALL,
            fields,
            keys,
        )

    @property
    def directory(self) -> str | None:
        """The directory that it watches; without that the kernel does not take it."""
        return next((value for name, _, value in self.fields if name == "dir"), None)

    @property
    def is_stenos(self) -> bool:
        """Whether its key says that it is one of Steno's."""
        return any(key.startswith(KEY_PREFIX) for key in (self.key, *self.more_keys))

    @property
    def silences_all(self) -> bool:
        """Whether it keeps system calls from being audited at all, as some systems' defaults do."""
        return self.action == "never" and self.list_name == "task"


_ERRNO_NAMES = {"-13": "-EACCES", "-1": "-EPERM"}
_NUMBERS = frozenset(["a0", "a1", "a2", "a3"])


def _plain_field(field: Field) -> Field:
    name, operator, value = field
    if name in ("auid", "loginuid", "ses", "sessionid", "uid") and value in ("unset", "-1"):
        value = _UNSET
    elif name in _NUMBERS:
        value = _as_number(value)
    elif name == "perm":
        value = "".join(sorted(value))
    elif name == "exit":
        value = _ERRNO_NAMES.get(value, value)
    elif name == "success":
        value = {"yes": "1", "no": "0"}.get(value, value)
    if name in ("path", "dir"):
        # auditctl tells a file from a directory by looking at it; the rule means what is there.
        name, value = "watch", value.rstrip("/") or "/"
    return {"loginuid": "auid", "ses": "sessionid"}.get(name, name), operator, value


def _as_number(value: str) -> str:
    try:
        return str(int(value, 0))
    except ValueError:
        return value


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What is loaded at a level.

    Attributes:
        level: Which.
        rules: In the order in which they are loaded.
        backlog: How many events the kernel may hold for auditd; None: as it is.
    """

    level: Level
    rules: tuple[AuditRule, ...]
    backlog: int | None = None

    def __str__(self) -> str:
        """Return the text of a rules file, without making it immutable."""
        return self.text()

    def text(self, *, immutable: bool = False) -> str:
        """Return the text of a rules file.

        Args:
            immutable: Until the next boot nobody, root included, shall change rules, switch
                auditing off, or become somebody else to it.
        """
        lines = [
            f"## Steno's audit rules, level {self.level}. Load all rules.d: augenrules --load",
            "-D",
        ]
        if self.backlog is not None:
            lines += ["", "## So many events may wait for auditd.", f"-b {self.backlog}"]
            lines += ["", "## A directory that this host lacks costs only its own rule.", "-c"]
        purpose = ""
        for rule in self.rules:
            if rule.purpose != purpose:
                purpose = rule.purpose
                lines += ["", f"## {purpose}"]
            lines.append(str(rule))
        if immutable:
            lines += ["", "## Nothing can be changed until the next boot."]
            lines += ["--loginuid-immutable", "-e 2"]
        return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class Difference:
    """How what is loaded differs from a rule set.

    Attributes:
        missing: Rules of the set that are not loaded.
        unneeded: Rules of the set that cannot be loaded: the host lacks the directories.
        superfluous: Steno's rules that are loaded and not in the set.
        others: Rules of others.
        silencing: Rules of others that keep system calls from being audited.
    """

    missing: tuple[AuditRule, ...]
    unneeded: tuple[AuditRule, ...]
    superfluous: tuple[AuditRule, ...]
    others: tuple[AuditRule, ...]
    silencing: tuple[AuditRule, ...]

    @property
    def is_none(self) -> bool:
        """Whether all is as it should be."""
        return not (self.missing or self.superfluous or self.silencing)


def compare(
    wanted: RuleSet, loaded: tuple[AuditRule, ...], is_directory: Callable[[str], bool]
) -> Difference:
    """Return how `loaded` differs from `wanted`.

    Args:
        wanted: What should be loaded.
        loaded: What the kernel has.
        is_directory: Says whether the host has a directory.
    """
    meanings = {rule.meaning for rule in wanted.rules}
    have = {rule.meaning for rule in loaded}
    others = tuple(rule for rule in loaded if not rule.is_stenos and rule.meaning not in meanings)
    lacking = tuple(rule for rule in wanted.rules if rule.meaning not in have)
    unneeded = tuple(
        rule for rule in lacking if rule.directory is not None and not is_directory(rule.directory)
    )
    return Difference(
        tuple(rule for rule in lacking if rule not in unneeded),
        unneeded,
        tuple(rule for rule in loaded if rule.is_stenos and rule.meaning not in meanings),
        others,
        tuple(rule for rule in others if rule.silences_all and wanted.level == "session"),
    )
