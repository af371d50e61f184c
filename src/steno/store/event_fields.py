"""Fields of a query that speak of audit events."""

from __future__ import annotations

EVENT_FIELDS = ("ran", "file", "addr", "action", "result")
"""They speak of events only; in a query for recordings, of those of the recording's session."""

SHARED_FIELDS = ("host", "user", "login", "session", "after", "before", "at")
"""They speak of recordings, and in a query for events of these."""
