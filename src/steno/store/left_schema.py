"""The table of what the indexer left alone, in the index's database."""

from __future__ import annotations

LEFT_SCHEMA = """
CREATE TABLE left_alone(
    rec TEXT PRIMARY KEY, sender TEXT NOT NULL, since_unix_us INTEGER NOT NULL,
    reason TEXT NOT NULL) WITHOUT ROWID;
"""
