"""All checks of a host together."""

from __future__ import annotations

import os
from pathlib import Path

from steno.policy.checks.accounts import check_accounts
from steno.policy.checks.audit import (
    check_audit_files,
    check_live_audit,
    read_level,
    read_live,
)
from steno.policy.checks.finding import Effect, Finding, HostFiles
from steno.policy.checks.pam import check_pam, notes_logins
from steno.policy.checks.running import (
    check_agent,
    check_clock,
    check_sssd_answers,
    is_clock_synchronised,
    read_effective,
)
from steno.policy.checks.sshd import Block, check_sshd, list_key_files, parse_config
from steno.policy.checks.sssd import check_sssd, read_recording
from steno.policy.checks.steno_files import check_files
from steno.policy.places import HostPlaces

NOTE_PROGRAM = "/usr/bin/steno-note-login"
"""The program that the PAM hook runs."""

ORDER: tuple[Effect, ...] = ("lockout", "escape", "secret", "gap", "hint")
"""The worst first: a person who cannot log in cannot repair the rest."""


def examine(root: Path = Path("/")) -> list[Finding]:
    """Return what is not as it should be on the host below `root`, the worst first.

    What only a running host can tell (agent, SSSD, clock, `sshd -T`) is asked of `/` alone.
    """
    files = HostFiles(root)
    places = HostPlaces(root)
    is_noted = notes_logins("sshd", files.read, NOTE_PROGRAM)
    level = read_level(places)
    audit = [*check_audit_files(files, level)]
    recording = read_recording(files.read, files.list)
    effective = None if places.is_image else read_effective()
    blocks = _with_effective(parse_config(files.read, files.list) or [], effective)
    findings = [
        *check_accounts(files, list_key_files(blocks)),
        *check_files(files),
        *check_sssd(recording, files),
        *check_pam(files.read, sssd_records=recording.is_on, note_program=NOTE_PROGRAM),
        *(check_sshd(blocks, notes_logins=is_noted) if blocks else ()),
        *audit,
    ]
    if not places.is_image:
        findings += [
            *check_agent(places),
            *check_sssd_answers(recording),
            *check_clock(is_clock_synchronised()),
        ]
        if not audit:
            findings += check_live_audit(read_live(), level, os.uname().machine)
    return sorted(findings, key=lambda finding: ORDER.index(finding.effect))


def _with_effective(blocks: list[Block], effective: Block | None) -> list[Block]:
    """Take what sshd says of itself, which knows its defaults, but keep where the files say it."""
    if effective is None or not blocks:
        return blocks
    values = dict(effective.values)
    values.update({key: value for key, value in blocks[0].values.items() if key in values})
    return [Block("", values), *blocks[1:]]
