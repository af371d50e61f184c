"""How the audit trail fares: its writer leaves a small file, the courier and checks read it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from steno.files import replace_file
from steno.heartbeat import AuditFacts

AUDIT_STATE = Path("/run/steno/audit.json")


def write_audit_state(path: Path, facts: AuditFacts) -> None:
    """Say how it fares; where that cannot be written, nobody is told."""
    with suppress(OSError):
        replace_file(path, msgspec.json.encode(facts) + b"\n", mode=0o644)


def read_audit_state(path: Path = AUDIT_STATE) -> AuditFacts | None:
    """Return what was said last; None: nothing, or nothing that can be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AuditFacts)
    except (OSError, msgspec.MsgspecError):
        return None
