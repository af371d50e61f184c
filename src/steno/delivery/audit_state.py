"""How the audit trail fares: its writer leaves a small file, the courier and checks read it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from steno.files import replace_file
from steno.heartbeat import AuditFacts
from steno.structs import decode_json

AUDIT_STATE = Path("/run/steno/audit.json")


def write_audit_state(path: Path, facts: AuditFacts) -> None:
    """Say how it fares; where that cannot be written, nobody is told."""
    with suppress(OSError):
        replace_file(path, msgspec.json.encode(facts) + b"\n", mode=0o644)


def read_audit_state(path: Path = AUDIT_STATE) -> AuditFacts | None:
    """Return what was said last; None: nothing, or nothing that can be understood."""
    try:
        return decode_json(path.read_bytes(), AuditFacts)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
