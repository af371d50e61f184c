"""The audit trail of a host: whether its events come to Steno, and whether any were lost."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from steno.audit.rules.levels import compare
from steno.audit.rules.sets import MACHINES, rule_set
from steno.audit.rules.text import AuditStatus, parse_rules, parse_status
from steno.errors import ConfigError, FormatError
from steno.heartbeat import DEAF_REMEDY, AuditFacts
from steno.policy.checks.finding import Finding, HostFiles
from steno.policy.decision import AuditWord
from steno.policy.parsing import parse_policy
from steno.policy.places import HostPlaces
from steno.structs import decode_json

PLUGIN = "/etc/audit/plugins.d/steno.conf"
STATE = "/run/steno/audit.json"
JOURNAL_UNIT = "/etc/systemd/system/multi-user.target.wants/steno-audit-journal.service"
_DAEMONS = ("/usr/sbin/auditd", "/sbin/auditd")
_AUDITCTL_S = 10.0
_OLD_US = 30_000_000
_ACTIVE = re.compile(r"^\s*active\s*=\s*(\w+)", re.IGNORECASE | re.MULTILINE)
_RELOAD = "service auditd reload"


class LiveAudit(msgspec.Struct, frozen=True):
    """What a running host says of its audit system.

    Attributes:
        status: What the kernel says; None: it may not be asked.
        rules: What `auditctl -l` printed.
        facts: What the trail's writer says of itself; None: nothing.
    """

    status: AuditStatus | None
    rules: str
    facts: AuditFacts | None


def read_level(places: HostPlaces) -> AuditWord:
    """Return the level that the policy needs; of a wrong file another check tells."""
    with contextlib.suppress(OSError, ConfigError):
        return parse_policy(places.policy.read_bytes(), str(places.policy)).most_audit
    return parse_policy(b"", "").most_audit


def check_audit_files(files: HostFiles, level: AuditWord) -> Iterator[Finding]:
    """Yield why no events of a host can come, by its files."""
    if level == "none" or files.stat(JOURNAL_UNIT) is not None:
        return
    if not any(files.is_program(daemon) for daemon in _DAEMONS):
        yield Finding(
            "audit",
            "hint",
            "no auditd: what the system did meanwhile is not kept with the recordings",
            "apt install auditd, or: systemctl enable --now steno-audit-journal, which takes what"
            " the journal has (logins, at least); or say"
            ' audit = "none" in the policy',
        )
        return
    plugin = files.read(PLUGIN)
    active = _ACTIVE.search(plugin or "")
    if active is None or active[1].lower() != "yes":
        what = "is missing" if plugin is None else "is not active"
        yield Finding(
            "audit",
            "gap",
            f"auditd is installed, but Steno's plugin {what}",
            f"active = yes; then: {_RELOAD}",
            PLUGIN,
        )


def read_live(state: Path = Path(STATE)) -> LiveAudit:
    """Ask this host; without root only its writer's word is had."""
    facts: AuditFacts | None = None
    with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        facts = decode_json(state.read_bytes(), AuditFacts)
    status: AuditStatus | None = None
    with contextlib.suppress(FormatError):
        status = parse_status(_auditctl("-s"))
    return LiveAudit(status, _auditctl("-l") if status is not None else "", facts)


def _auditctl(option: str) -> str:
    program = shutil.which("auditctl", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        return ""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603  # only asks
            [program, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_AUDITCTL_S,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace")
    return ""


def check_live_audit(
    live: LiveAudit,
    level: AuditWord,
    machine: str,
    now_unix_us: int | None = None,
    is_directory: Callable[[str], bool] = os.path.isdir,
) -> Iterator[Finding]:
    """Yield what is wrong with the audit trail of a host whose files are as they should be.

    Args:
        live: What the host says.
        level: What the policy needs.
        machine: Its processor.
        now_unix_us: The wall clock.
        is_directory: Says whether the host has a directory.
    """
    if level == "none":
        return
    now_unix_us = time.time_ns() // 1000 if now_unix_us is None else now_unix_us
    if live.facts is None or now_unix_us - live.facts.updated_unix_us > _OLD_US:
        yield Finding(
            "audit",
            "gap",
            "nobody takes in the kernel's audit events: auditd's plugin does not run",
            f"{_RELOAD}; journalctl -t steno-audit",
            STATE,
        )
    elif live.facts.is_deaf:
        yield Finding(
            "audit",
            "gap",
            "journald has stopped to take the kernel's audit events: its socket was full once",
            DEAF_REMEDY,
            STATE,
        )
    elif live.facts.source == "words":
        yield Finding(
            "audit-source",
            "hint",
            "logins come from programs' own words in the journal, since no audit records do: no"
            " commands, files or connections, and words prove less than the kernel's",
            "apt install auditd; steno audit rules install; or, where journald collects the"
            " kernel's events: systemctl enable --now systemd-journald-audit.socket",
            STATE,
        )
        yield from _check_losses(live.facts, live.status)
        return
    if live.status is not None:
        yield from _check_status(live.status)
        yield from _check_rules(live, level, machine, is_directory)
    yield from _check_losses(live.facts, live.status)


def _check_status(status: AuditStatus) -> Iterator[Finding]:
    if status.enabled == 0:
        yield Finding("audit", "gap", "auditing is off: the kernel tells nothing", "auditctl -e 1")
    elif not status.is_immutable:
        yield Finding(
            "audit-rules",
            "hint",
            "whoever becomes root can change the audit rules; that they did is in the trail",
            "steno audit rules install --immutable; then reboot",
        )


def _check_rules(
    live: LiveAudit, level: AuditWord, machine: str, is_directory: Callable[[str], bool]
) -> Iterator[Finding]:
    if machine not in MACHINES or live.status is None:
        return
    loaded = parse_rules(live.rules.splitlines())
    difference = compare(rule_set(level, machine), loaded, is_directory)
    count = len(difference.missing)
    if count or difference.silencing:
        what = f"{count} rules of the level {level} are not loaded"
        if difference.silencing:
            what = "a rule of somebody else's keeps system calls from being audited"
        remedy = f"steno audit rules install {level}; augenrules --load"
        if live.status.is_immutable:
            remedy = f"steno audit rules install --for-next-boot {level}; then reboot"
        yield Finding("audit-rules", "gap", what, remedy)


def _check_losses(facts: AuditFacts | None, status: AuditStatus | None) -> Iterator[Finding]:
    kernel_lost = status.lost if status is not None else (facts and facts.kernel_lost) or 0
    if kernel_lost:
        yield Finding(
            "audit-lost",
            "gap",
            f"the kernel lost {kernel_lost} audit records since the boot",
            "more room (-b in the rules), less load, or: auditctl --reset-lost",
        )
    lost = {} if facts is None else {why: n for why, n in facts.lost.items() if why != "kernel"}
    if lost:
        shown = ", ".join(f"{count} ({why})" for why, count in sorted(lost.items()))
        yield Finding(
            "audit-lost",
            "gap",
            f"audit events were lost on this host: {shown}",
            "see docs/formats/trail.md for the reasons",
        )
