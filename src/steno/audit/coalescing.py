"""Records to events: records of one event share node, time and serial, and events interleave."""

from __future__ import annotations

from collections.abc import Iterable

from steno.audit._records import measure_events
from steno.audit.losses import LossFinder, RecordGroup
from steno.audit.record_types import comes_from_daemon, ends_event
from steno.audit.records import Record

__all__ = ["MAX_OPEN_GROUPS", "TIME_LIMIT_US", "Coalescer", "RecordGroup"]

TIME_LIMIT_US = 2_000_000
"""An event ends when the trail's own time has gone so far since it began (as in auparse)."""

MAX_OPEN_GROUPS = 4096
"""So many events may wait for more records; beyond it, the oldest ends."""

_MAX_NODES = 1024
_MAX_TYPES = 1024

Key = tuple[str, int, int]

# What a type of record does to its event; the last is auditd's own, with serials of its own. The
# same numbers as `enum effect` in native/audit_runs.c.
_GOES_ON, _ENDS, _ENDS_UNSEEN, _STANDS_ALONE, _STANDS_APART = range(5)

_NEVER_US = (1 << 63) - 1


class _Node:
    """What is open of one host."""

    __slots__ = ("losses", "name", "newest_us", "open", "serial")

    def __init__(self, name: str, losses: LossFinder | None) -> None:
        self.name = name
        self.serial = 0  # of the event that began last
        self.open: dict[Key, tuple[int, list[Record]]] = {}
        self.newest_us = 0
        self.losses = losses


class Coalescer:
    """Put records of one event together. Does no I/O and reads no clock.

    An event ends with EOE, PROCTITLE, a record of a type that stands alone, or when more than two
    seconds have passed in the trail since it began to arrive. Its records keep their order.
    """

    def __init__(
        self,
        *,
        finds_losses: bool = False,
        max_open: int = MAX_OPEN_GROUPS,
        after_serial: int | None = None,
    ) -> None:
        """Begin without open events.

        Args:
            finds_losses: Look for missing serials; wrong for filtered input (ausearch's).
            max_open: How many events may be open.
            after_serial: The greatest serial that came before; what is missing from there on is
                missing, too.
        """
        self._after_serial = after_serial
        self._finds_losses = finds_losses
        self._max_open = max_open
        self._nodes: dict[str, _Node] = {}
        self._open = 0
        self._last: _Node | None = None
        self._types: dict[str, int] = {"EOE": _ENDS_UNSEEN}

    def feed(self, records: Iterable[Record]) -> list[RecordGroup]:
        """Return the events that these records complete, in the order of their ends."""
        done: list[RecordGroup] = []
        types = self._types
        key: Key | None = None
        for record in records:
            if record.key is not key:
                key = record.key
                node = self._nodes.get(key[0]) or self._add_node(key[0], done)
                if key[1] > node.newest_us:
                    self._advance(node, key[1], done)
                opened = node.open.get(key)
                self._last = node
            effect = types.get(record.type)
            if effect is None:
                effect = self._learn(record.type)
            if effect != _ENDS_UNSEEN:
                if opened is None:
                    opened = self._begin(node, record, effect, done)
                opened[1].append(record)
            elif opened is None:
                continue
            if effect:
                self._close(node, record.key, done, is_whole=True)
                opened = None
        return done

    def pass_whole_events(self, data: bytes, at: int) -> tuple[int, int, int]:
        """Pass over events that anybody can put together: each whole, the next one after it.

        They count as if their records had been fed, but are not returned.

        Args:
            data: Lines; one that has no end yet is not looked at.
            at: Where in it to begin.

        Returns:
            Where the first event begins that must be fed, and how many lines and events are
            before it.
        """
        node = self._last
        if node is None:
            return at, 0, 0
        serial, deadline_us = node.serial, _NEVER_US
        if node.open:
            opened_us, _ = next(iter(node.open.values()))
            deadline_us = opened_us + TIME_LIMIT_US
            serial = max(serial, *(key[2] for key in node.open))
        losses = node.losses
        if losses is not None:
            serial = losses.newest_serial
            deadline_us = min(deadline_us, losses.deadline_us or _NEVER_US)
        name = node.name.encode(errors="surrogateescape")
        to, lines, events, serial, newest_us = measure_events(
            data, at, name, serial, deadline_us, losses is not None, self._types
        )
        if events:
            node.serial = serial
            node.newest_us = max(node.newest_us, newest_us)
            if losses is not None:
                losses.pass_over(serial, newest_us)
        return to, lines, events

    def expire(self) -> list[RecordGroup]:
        """Return all open events; a live caller calls it when nothing came for a while."""
        done: list[RecordGroup] = []
        for node in self._nodes.values():
            self._close_all(node, done)
        return done

    def finish(self) -> list[RecordGroup]:
        """Return what is still open at the input's end."""
        return self.expire()

    def _begin(
        self, node: _Node, record: Record, effect: int, done: list[RecordGroup]
    ) -> tuple[int, list[Record]]:
        key = record.key
        if self._open >= self._max_open:
            self._close_oldest(node, done)
        opened: tuple[int, list[Record]] = (node.newest_us, [])
        node.open[key] = opened
        self._open += 1
        if effect != _STANDS_APART:
            node.serial = key[2]
            if node.losses is not None:
                node.losses.see(key[2], key[1])
        return opened

    def _close(self, node: _Node, key: Key, done: list[RecordGroup], *, is_whole: bool) -> None:
        _, records = node.open.pop(key)
        self._open -= 1
        group = RecordGroup(key[0], key[1], key[2], records, 0, is_whole)
        if node.losses is None or comes_from_daemon(records[0].type):
            done.append(group)
        else:
            done += node.losses.hand_over(group)

    def _advance(self, node: _Node, at_us: int, done: list[RecordGroup]) -> None:
        """Note that the trail's time goes on, and end what began too long ago."""
        node.newest_us = at_us
        while node.open:
            key, (opened_us, _) = next(iter(node.open.items()))
            if at_us - opened_us <= TIME_LIMIT_US:
                break
            self._close(node, key, done, is_whole=False)
        if node.losses is not None:
            done += node.losses.settle(at_us)

    def _close_oldest(self, node: _Node, done: list[RecordGroup]) -> None:
        """Make room: end an event of this host, or of the one that has most open."""
        if not node.open:
            node = max(self._nodes.values(), key=lambda other: len(other.open))
        self._close(node, next(iter(node.open)), done, is_whole=False)

    def _close_all(self, node: _Node, done: list[RecordGroup]) -> None:
        for key in list(node.open):
            self._close(node, key, done, is_whole=False)
        if node.losses is not None:
            done += node.losses.settle(None)

    def _add_node(self, name: str, done: list[RecordGroup]) -> _Node:
        if len(self._nodes) >= _MAX_NODES:
            self._close_all(self._nodes.pop(next(iter(self._nodes))), done)
        losses = LossFinder(TIME_LIMIT_US, self._after_serial) if self._finds_losses else None
        node = _Node(name, losses)
        self._nodes[name] = node
        return node

    def _learn(self, name: str) -> int:
        if len(self._types) >= _MAX_TYPES:
            self._types = {"EOE": _ENDS_UNSEEN}
        effect = _GOES_ON
        if ends_event(name):
            effect = _ENDS if name == "PROCTITLE" else _STANDS_ALONE
            effect = _STANDS_APART if comes_from_daemon(name) else effect
        self._types[name] = effect
        return effect
