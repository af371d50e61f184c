"""Steno's own files on a host: who may write and read them, and whether they can be in force."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator

from steno.errors import ConfigError
from steno.policy.checks.finding import Effect, Finding, HostFiles
from steno.policy.parsing import parse_policy

_CONFIGURATION = (
    ("/etc/steno", 0o755),
    ("/etc/steno/agent.toml", 0o644),
    ("/etc/steno/policy.toml", 0o644),
    ("/etc/steno/shell.conf", 0o644),
    ("/etc/steno/shells", 0o644),
)
"""What decides about recording, with the mode that it should have."""
_PUBLIC = frozenset({"/etc/steno", "/etc/steno/shell.conf", "/etc/steno/shells"})
"""What steno-shell reads as the user who logs in."""
_SHELL_CONF = {"on_failure": ("deny", "allow"), "rescue": ("root-console", "none"), "contact": None}
"""The keys of shell.conf and their values, docs/login-shell.md; None is any text."""
_PRIVATE = ("/var/lib/steno/spool", "/var/lib/steno/host")
"""What nobody but Steno's user and root may read: recordings, the host's key and token."""


def check_files(files: HostFiles) -> Iterator[Finding]:
    """Yield files whose owner or mode lets people escape, and those that are wrong inside."""
    for name, mode in _CONFIGURATION:
        found = files.stat(name)
        if found is not None:
            yield from _check_configuration(name, mode, found)
    for name in _PRIVATE:
        found = files.stat(name)
        if found is not None and stat.S_IMODE(found.st_mode) & 0o077:
            yield _finding(
                name, "secret", "is open to others than its owner", f"chmod 700 {name}", found
            )
    yield from _check_contents(files)


def _check_configuration(name: str, mode: int, found: os.stat_result) -> Iterator[Finding]:
    if found.st_uid != 0 or found.st_mode & 0o022:
        yield _finding(
            name,
            "escape",
            "can be written by others than root, who could switch recording off",
            f"chown root:root {name}; chmod {mode:o} {name}",
            found,
        )
    if name in _PUBLIC and found.st_mode & 0o004 == 0:
        yield _finding(
            name,
            "lockout",
            "cannot be read by steno-shell, which runs as who logs in",
            f"chmod {mode:o} {name}",
            found,
        )


def _finding(name: str, effect: Effect, text: str, remedy: str, found: os.stat_result) -> Finding:
    facts = f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
    return Finding("steno-files", effect, f"{name} {text} ({facts})", remedy, name)


def _check_contents(files: HostFiles) -> Iterator[Finding]:
    policy = files.read("/etc/steno/policy.toml")
    if policy is not None:
        try:
            parse_policy(os.fsencode(policy), "/etc/steno/policy.toml")
        except ConfigError as error:
            yield Finding(
                "policy",
                "escape",
                f"{error}; the policy before it is in force, or what is built in",
                "repair it: steno policy check",
                "/etc/steno/policy.toml",
            )
    yield from _check_shell_conf(files.read("/etc/steno/shell.conf"))
    agent = files.read("/etc/steno/agent.toml")
    if agent is not None:
        try:
            tomllib.loads(agent)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            yield Finding(
                "agent-configuration",
                "lockout",
                f"no TOML: {error}: the agent does not start with it",
                "repair it",
                "/etc/steno/agent.toml",
            )


def _check_shell_conf(text: str | None) -> Iterator[Finding]:
    """Yield lines that steno-shell does not understand: it denies sessions because of them."""
    for number, line in enumerate((text or "").splitlines(), 1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.startswith("#"):
            continue
        known = _SHELL_CONF.get(key, ())
        if not equals or (known is not None and value not in known):
            yield Finding(
                "shell-configuration",
                "lockout",
                f"{line.strip()[:60]!r} is no setting: while the agent is away sessions are denied",
                "repair the line (docs/login-shell.md)",
                f"/etc/steno/shell.conf:{number}",
            )
