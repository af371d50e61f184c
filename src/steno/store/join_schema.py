"""The tables of what joining recordings with audit events found, in the index's database."""

from __future__ import annotations

JOIN_SCHEMA = """
CREATE TABLE joined(key INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE unjoined(
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL UNIQUE, since INTEGER NOT NULL);
"""
"""`joined` has a row for each recording that was joined, by its key; `unjoined` one for each audit
session of which something came in since its recordings were joined, those that wait longest first;
`since` grows each time."""

MARK_ALL = """
INSERT OR IGNORE INTO unjoined(session, since)
    SELECT s.key, 1 FROM recordings r JOIN event_sessions s ON s.boot_id = r.boot_id
    AND s.audit_session = r.audit_session AND s.sender = ifnull(r.sender, '');
"""
"""What an index of before needs: everything is to be joined."""
