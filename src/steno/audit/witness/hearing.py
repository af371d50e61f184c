"""What login programs say in the journals of hosts, taken out of its entries. Does no I/O.

It counts for a host's boot until the first audit record of that boot comes, which tell logins
better, so that none is told twice.
"""

from __future__ import annotations

from msgspec.structs import replace

from steno.audit.event import Event
from steno.audit.values.names import Names
from steno.audit.witness.speakers import Entry
from steno.audit.witness.witness import Witness

FIELDS = frozenset({
    b"MESSAGE", b"MESSAGE_ID", b"SYSLOG_IDENTIFIER", b"SESSION_ID", b"USER_ID", b"LEADER", b"_PID",
    b"_UID", b"_EXE", b"_COMM", b"_CAP_EFFECTIVE", b"_SYSTEMD_UNIT", b"_AUDIT_SESSION",
    b"_AUDIT_LOGINUID", b"_SOURCE_REALTIME_TIMESTAMP", b"__REALTIME_TIMESTAMP", b"__CURSOR",
    b"_HOSTNAME", b"_BOOT_ID",
})  # fmt: skip
"""What of an entry is looked at."""


class JournalWords:
    """Make events of what login programs say, each host's and boot's by itself.

    Args:
        names: Gives uids their names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._witnesses: dict[tuple[bytes, bytes], Witness | None] = {}
        self._events: list[Event] = []

    def hear(self, entry: Entry) -> None:
        """Take an entry that is no audit record."""
        place = _place_of(entry)
        if place not in self._witnesses:
            self._witnesses[place] = Witness(self._names)
        witness = self._witnesses[place]
        event = None if witness is None else witness.look(entry)
        if event is not None:
            self._events.append(replace(event, host=place[0].decode(errors="replace")))

    def give_way(self, entry: Entry) -> None:
        """Take an audit record's entry: its host and boot need no words any more."""
        self._witnesses[_place_of(entry)] = None

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events


def _place_of(entry: Entry) -> tuple[bytes, bytes]:
    return entry.get(b"_HOSTNAME", b""), entry.get(b"_BOOT_ID", b"")
