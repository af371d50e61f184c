"""What the endpoints of a recording's commands and audit events answer."""

from __future__ import annotations

from steno.audit.recorded import RecordedCommand, RecordedCommands, RecordedEvent, Source

__all__ = ["RecordedCommand", "RecordedCommands", "RecordedEvent", "Source"]
