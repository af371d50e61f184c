"""What auditctl prints and rules files hold, read back. Does no I/O.

Source: audit 3.0.9 and 4.2, what `auditctl -l` and `auditctl -s` print; audit.rules(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from steno.audit.rules.levels import AuditRule, Field
from steno.errors import FormatError

IMMUTABLE = 2
"""What `enabled` is once nothing can be changed until the next boot."""

_OPTION = re.compile(r"(?:^|\s)(?=-[aAFSCkwp]\s)")
_FIELD = re.compile(r"([^=!<>&]+)(!=|>=|<=|&=|[=<>&])(.*)\Z", re.DOTALL)
_LIST_OPTIONS = ("-a", "-A")


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """What the kernel says of its auditing.

    Attributes:
        enabled: 0: off; 1: on; 2: on, and nothing can be changed until the next boot.
        daemon_pid: auditd's process; 0: none takes the events.
        backlog_limit: How many events may wait for it.
        lost: How many were lost since the boot.
        loginuid_is_immutable: Nobody can change as whom they logged in.
        backlog: How many wait for it now.
    """

    enabled: int
    daemon_pid: int = 0
    backlog_limit: int = 0
    lost: int = 0
    loginuid_is_immutable: bool = False
    backlog: int = 0

    @property
    def is_immutable(self) -> bool:
        """Whether no rule can be changed: auditctl may still end with 0 when asked to."""
        return self.enabled >= IMMUTABLE


def parse_status(text: str) -> AuditStatus:
    """Read what `auditctl -s` printed.

    Raises:
        FormatError: It does not say whether auditing is on.
    """
    words = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)

    def number(name: str) -> int:
        word = words.get(name, "0").split(" ")[0]
        return int(word) if word.isdecimal() else 0

    if not words.get("enabled", "").isdecimal():
        raise FormatError("auditctl -s did not say whether auditing is enabled")
    return AuditStatus(
        number("enabled"),
        number("pid"),
        number("backlog_limit"),
        number("lost"),
        loginuid_is_immutable=number("loginuid_immutable") == 1,
        backlog=number("backlog"),
    )


def parse_rules(lines: Iterable[str]) -> tuple[AuditRule, ...]:
    """Read rules: what `auditctl -l` printed, or a rules file; settings are passed over.

    What cannot be understood becomes a rule that equals no other: somebody else's.
    """
    rules = []
    for line in lines:
        text = line.strip()
        if text.startswith(("-a ", "-A ", "-w ")):
            rules.append(_parse_rule(text))
    return tuple(rules)


def _parse_rule(text: str) -> AuditRule:
    list_name, action, arch = "exit", "always", ""
    calls: list[str] = []
    fields: list[Field] = []
    keys: list[str] = []
    for part in filter(None, _OPTION.split(text)):
        option, value = part[:2], part[3:].strip()
        if option in _LIST_OPTIONS:
            list_name, action = _list_and_action(value)
        elif option == "-S":
            calls += value.split(",")
        elif option == "-k":
            keys.append(value)
        elif option == "-w":
            fields.append(("path", "=", value))
        elif option == "-p":
            fields.append(("perm", "=", value))
        else:
            field = _parse_field(value, compares=option == "-C")
            if field[:2] == ("arch", "="):
                arch = field[2]
            elif field[:2] == ("key", "="):
                keys.append(field[2])
            else:
                fields.append(field)
    is_all = calls == ["all"]
    return AuditRule(
        tuple(fields),
        keys[0] if keys else "",
        arch=arch,
        syscalls=() if is_all else tuple(calls),
        action=action,
        list_name=list_name,
        more_keys=tuple(keys[1:]),
    )


def _list_and_action(value: str) -> tuple[str, str]:
    """Return list and action; auditctl takes them in any order."""
    words = value.split(",")
    action = next((word for word in words if word in ("always", "never", "possible")), "always")
    return next((word for word in words if word != action), "exit"), action


def _parse_field(value: str, *, compares: bool) -> Field:
    match = _FIELD.match(value)
    if match is None:
        return "", "", value
    name, operator, rest = match.groups()
    return f"-C {name}" if compares else name, operator, rest
