"""The tables of alerts in accounts.sqlite."""

from __future__ import annotations

ALERTS_TABLES = """
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    severity INTEGER NOT NULL,
    description TEXT NOT NULL,
    at_unix_us INTEGER NOT NULL,
    last_unix_us INTEGER NOT NULL,
    raised_unix_us INTEGER NOT NULL,
    count INTEGER NOT NULL,
    text TEXT NOT NULL,
    others TEXT NOT NULL,
    host TEXT NOT NULL,
    sender TEXT,
    user TEXT,
    login_user TEXT,
    boot_id TEXT,
    audit_session INTEGER,
    rec TEXT,
    at_us INTEGER,
    trail TEXT,
    serial INTEGER,
    same TEXT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_unix_us INTEGER,
    comment TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS alerts_same ON alerts (same, id);
CREATE INDEX IF NOT EXISTS alerts_by_rec ON alerts (rec, id) WHERE rec IS NOT NULL;
CREATE INDEX IF NOT EXISTS alerts_by_session ON alerts (audit_session, boot_id)
    WHERE audit_session IS NOT NULL;
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (severity, id) WHERE acknowledged_unix_us IS NULL;
CREATE TABLE IF NOT EXISTS alert_positions (
    subject TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_targets (
    name TEXT PRIMARY KEY,
    sent_id INTEGER NOT NULL,
    sending_id INTEGER
) STRICT, WITHOUT ROWID;
"""
