"""The tables of audit events in the index's database, and how their rows are numbered.

An event's id begins with its millisecond, so that events of all hosts lie in the order of time
in every table: newest first is descending id, and a span of time is a range of ids.
"""

from __future__ import annotations

from steno.store.event_terms import TOKENIZER

WITHIN_BITS = 21
"""Bits of an event's id that tell events of one millisecond apart."""

WITHIN_MASK = (1 << WITHIN_BITS) - 1
_LAST_MS = (1 << (63 - WITHIN_BITS)) - 1

PLACE_BITS = 32
"""Bits of an event's place that number it within its trail; above them is the trail's key."""

CHUNK_EVENTS = 32
"""Events in every chunk but a trail's last."""

_TOKENIZER = TOKENIZER.replace('"', '""')

EVENTS_SCHEMA = f"""
CREATE INDEX recordings_session ON recordings(boot_id, audit_session) WHERE boot_id IS NOT NULL;
CREATE TABLE trails(
    key INTEGER PRIMARY KEY, trail TEXT NOT NULL UNIQUE, sender TEXT NOT NULL,
    boot_id TEXT NOT NULL, host TEXT NOT NULL, started_unix_us INTEGER NOT NULL,
    derived_bytes INTEGER NOT NULL, serial INTEGER NOT NULL, event_count INTEGER NOT NULL,
    note_count INTEGER NOT NULL, summary BLOB NOT NULL, state BLOB NOT NULL);
CREATE INDEX trails_started ON trails(started_unix_us, trail);
CREATE TABLE event_sessions(
    key INTEGER PRIMARY KEY, sender TEXT NOT NULL, boot_id TEXT NOT NULL,
    audit_session INTEGER NOT NULL, UNIQUE(boot_id, audit_session, sender));
CREATE TABLE events(
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, session INTEGER NOT NULL, pid INTEGER);
CREATE INDEX events_session ON events(session, id);
CREATE TABLE event_chunks(
    id INTEGER PRIMARY KEY, first_serial INTEGER NOT NULL, last_serial INTEGER NOT NULL,
    ids BLOB NOT NULL, body BLOB NOT NULL);
CREATE VIRTUAL TABLE event_terms USING fts5(
    terms, content='', contentless_delete=1, detail=none, tokenize="{_TOKENIZER}");
CREATE TABLE trail_notes(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE login_facts(
    id INTEGER PRIMARY KEY, trail INTEGER NOT NULL, serial INTEGER NOT NULL,
    session INTEGER NOT NULL, kind TEXT NOT NULL, at_unix_us INTEGER NOT NULL,
    user TEXT NOT NULL, service TEXT NOT NULL, source TEXT NOT NULL, terminal TEXT NOT NULL,
    login_user TEXT NOT NULL, host TEXT NOT NULL, sender TEXT NOT NULL, pid INTEGER);
CREATE INDEX login_facts_session ON login_facts(session, id);
CREATE INDEX login_facts_trail ON login_facts(trail);
CREATE INDEX login_facts_failed ON login_facts(sender, host, user, id)
    WHERE kind = 'failure';
"""

LOGINS_SCHEMA = """
CREATE INDEX login_facts_begun ON login_facts(sender, host, user, id)
    WHERE kind IN ('open', 'start');
"""

TRAILS_SCHEMA = """
CREATE INDEX trails_boot ON trails(boot_id, sender);
"""


def first_id(at_unix_us: int) -> int:
    """Return the smallest id that an event of this instant may have."""
    return min(max(at_unix_us // 1000, 0), _LAST_MS) << WITHIN_BITS


def last_id(at_unix_us: int) -> int:
    """Return the greatest id that an event of this instant may have.

    But for millions of events of one millisecond, which go on into the next ones.
    """
    return first_id(at_unix_us) | WITHIN_MASK
