"""Look at each new event, and each new line on a screen, once, with the alert rules: a thread.

Events are read from the trails' own lines, so that what the index makes of them matters not; lines
are what the indexer derives. How far each was looked at is kept with what was found
(`store.alerts`): a restart goes on there, and an index that is built anew raises nothing twice.
Where nothing was found, that is kept only now and then: after a crash it is not found again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from steno.audit.event import Event
from steno.audit.trail import Placed, TrailDecoder, TrailHead
from steno.errors import ConfigError, NotFoundError, StenoError
from steno.metrics import Metrics
from steno.model import Damage, is_trail
from steno.server.alert_rules import Rule
from steno.server.turns import Turns
from steno.store.alert_matching import text_of
from steno.store.alerts import Alert, Alerts, Finding
from steno.store.protocol import Change, Store, Summary

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TURN_BYTES = 1 << 20
_TURN_LINES = 2000
_RETRY_S, _LONGEST_RETRY_S = 5.0, 300.0
_RELOAD_S = 2.0
_KEEP_S = 10.0
_PASSED = 10_000
"""Recordings and trails whose positions are kept later."""
_SCAN_S = 0.05
_HEADS = 256
"""Trails whose first lines are kept in memory."""
_ACTIONS = 1000
"""There are some hundred; a trail may say anything."""


class Alerting:
    """Follow a store with rules.

    Use either `start` and `stop` (a thread), or `look_at_all` (the caller's thread). `on_alert` is
    called, in that thread, with each alert that is new; `reload` every few seconds: it returns
    other rules where they have changed, or raises ConfigError, and then the ones before stay.
    """

    def __init__(
        self,
        store: Store,
        alerts: Alerts,
        rules: Sequence[Rule],
        metrics: Metrics | None = None,
        *,
        on_alert: Callable[[Alert], None] = lambda _alert: None,
        reload: Callable[[], Sequence[Rule] | None] = lambda: None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._alerts = alerts
        self._reload = reload
        self._event_rules: list[Rule] = []
        self._line_rules: list[Rule] = []
        self._by_action: dict[str, list[Rule]] = {}
        self._set_rules(rules)
        self._on_alert = on_alert
        self._monotonic_s = monotonic_s
        self._next_reload_s = 0.0
        self._next_keep_s = 0.0
        self._heads: OrderedDict[str, TrailHead] = OrderedDict()
        self._passed: dict[str, tuple[int, int]] = {}
        """From where up to where nothing was found, and that is not kept yet."""
        self._turns = Turns(monotonic_s)
        self._failures: dict[str, int] = {}
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] | None = None
        metrics = metrics or Metrics()
        self._raised_total = metrics.counter(
            "steno_alerts_total", "Alerts that were raised, by severity.", ["severity"]
        )
        self._failures_total = metrics.counter(
            "steno_alert_failures_total",
            "Times that the rules could not be applied.",
        )
        metrics.gauge(
            "steno_alerts_open",
            "Alerts that nobody has acknowledged.",
            lambda: sum(alerts.count_open().values()),
        )

    def start(self) -> None:
        """Follow the store in a thread of its own, beginning with what came while nobody did.

        Raises:
            StoreError: The store cannot be read, where it is looked at for the first time.
        """
        self._begin()
        self._unsubscribe = self._store.subscribe(self._on_change)
        self._thread = threading.Thread(target=self._run, name="steno-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the turn it is in."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._is_stopping = True
        self._turns.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._guard(self._keep_passed, "what was looked at")

    def look_at_all(self) -> None:
        """Look at all that nobody has looked at; at a store's first time, at nothing."""
        self._begin()
        for rec in self._subjects():
            while self._look(rec):
                pass
        self._keep_passed()

    def _begin(self) -> None:
        if not self._alerts.is_begun:
            sizes = [(rec, self._guard(partial(self._size, rec), rec)) for rec in self._subjects()]
            self._alerts.begin([(rec, size) for rec, size in sizes if size is not None])

    def _subjects(self) -> Iterator[str]:
        yield from self._store.recs()
        yield from self._store.trails()

    def _size(self, rec: str) -> int:
        return self._store.size_bytes(rec) if is_trail(rec) else self._store.lines_count(rec)

    def _on_change(self, change: Change) -> None:
        """Note what grew. Never waits: it is called by who appends."""
        if change.kind == ("appended" if is_trail(change.rec) else "derived"):
            self._turns.add(change.rec)

    def _run(self) -> None:
        scan: Iterator[str] | None = self._subjects()
        while not self._is_stopping:
            now_s = self._monotonic_s()
            rec = self._turns.next(now_s if scan is not None else now_s + _RELOAD_S)
            self._look_for_rules()
            if rec is not None:
                self._take_turn(rec)
            if scan is not None and not self._guard(partial(self._scan_some, scan), "the store"):
                scan = None
            if self._monotonic_s() >= self._next_keep_s:
                self._guard(self._keep_passed, "what was looked at")
                self._next_keep_s = self._monotonic_s() + _KEEP_S

    def _scan_some(self, scan: Iterator[str]) -> bool:
        """Look at some of what came while nobody did; return whether there is more.

        What grows meanwhile has its turns in between: there may be very many recordings.
        """
        stop_s = self._monotonic_s() + _SCAN_S
        for rec in scan:
            has_news = self._guard(partial(self._has_news, rec), rec)
            if has_news is None:
                self._retry_later(rec)
            elif has_news:
                self._turns.add(rec)
            if self._monotonic_s() >= stop_s:
                return True
        return False

    def _has_news(self, rec: str) -> bool:
        return self._position(rec) < self._size(rec)

    def _take_turn(self, rec: str) -> None:
        has_more = self._guard(partial(self._look, rec), rec)
        if has_more is None:
            self._retry_later(rec)
            return
        self._failures.pop(rec, None)
        if has_more:
            self._turns.add(rec)

    def _retry_later(self, rec: str) -> None:
        """Damaged, or the disk is full: the others do not wait for it."""
        failures = self._failures[rec] = self._failures.get(rec, 0) + 1
        self._turns.add_later(rec, min(_RETRY_S * 2 ** (failures - 1), _LONGEST_RETRY_S))

    def _set_rules(self, rules: Sequence[Rule]) -> None:
        self._event_rules = [rule for rule in rules if not rule.is_for_lines]
        self._line_rules = [rule for rule in rules if rule.is_for_lines]
        self._by_action = {}

    def _look_for_rules(self) -> None:
        """Take other rules where they have changed; at most every few seconds."""
        now_s = self._monotonic_s()
        if now_s < self._next_reload_s:
            return
        self._next_reload_s = now_s + _RELOAD_S
        try:
            rules = self._reload()
        except ConfigError as error:
            _log.error("the alert rules stay as they were: %s", error)
        else:
            if rules is not None:
                self._set_rules(rules)
                _log.info("alert rules read", extra={"rules": len(rules)})

    def _guard(self, look: Callable[[], T], what: str) -> T | None:
        """Return what it returns; None: it failed, and that was logged."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001  # a daemon's outermost loop
            self._failures_total.add()
            if isinstance(error, StenoError):
                _log.error("%s cannot be looked at for alerts now: %s", what, error)
            else:
                _log.exception("%s cannot be looked at for alerts now", what)
            return None

    def _look(self, rec: str) -> bool:
        """Look at some of what is new; return whether there is more."""
        try:
            return self._look_at_trail(rec) if is_trail(rec) else self._look_at_lines(rec)
        except NotFoundError:
            return False  # gone, or not indexed yet: then its first lines are news

    def _look_at_trail(self, trail: str) -> bool:
        start = self._position(trail)
        end = self._store.size_bytes(trail)
        if start >= end:
            return False
        if not self._event_rules:
            self._keep(trail, start, end, [])
            return False
        stop = min(end, start + _TURN_BYTES)
        while True:
            decoder = TrailDecoder(self._head(trail, start), offset_bytes=start)
            placed: list[Placed | Damage] = []
            for data in self._store.read(trail, start, stop):
                placed += decoder.feed(data)
            if decoder.offset_bytes > start or stop == end:
                break
            stop = min(end, stop + _TURN_BYTES)  # a line that is longer than a turn
        sender = self._store.sender_of(trail)
        findings = [
            _event_finding(rule, trail, sender, one.item)
            for one in placed
            if isinstance(one, Placed) and isinstance(one.item, Event)
            for rule in self._finding_rules(one.item)
        ]
        if decoder.offset_bytes == start:
            return False
        is_kept = self._keep(trail, start, decoder.offset_bytes, findings)
        return decoder.offset_bytes < end or not is_kept

    def _finding_rules(self, event: Event) -> list[Rule]:
        rules = self._rules_for(event.action)
        if not rules:
            return []
        text = text_of(event) if len(rules) > 1 else None
        return [rule for rule in rules if rule.finds_event(event, text)]

    def _rules_for(self, action: str) -> list[Rule]:
        """Return the rules that can find an event of that action; most can be left out."""
        rules = self._by_action.get(action)
        if rules is None:
            rules = [rule for rule in self._event_rules if rule.may_find(action)]
            if len(self._by_action) < _ACTIONS:
                self._by_action[action] = rules
        return rules

    def _head(self, trail: str, start: int) -> TrailHead | None:
        """Return a trail's first line, which says which host and boot its events are of."""
        if not start:
            return None
        if trail not in self._heads:
            decoder = TrailDecoder()
            for data in self._store.read(trail, 0, min(start, 1 << 16)):
                decoder.feed(data)
                if decoder.head is not None:
                    break
            if decoder.head is None:
                return None
            self._heads[trail] = decoder.head
            if len(self._heads) > _HEADS:
                self._heads.popitem(last=False)
        return self._heads[trail]

    def _look_at_lines(self, rec: str) -> bool:
        start = self._position(rec)
        end = self._store.lines_count(rec)
        if start >= end:
            return False
        stop = min(end, start + _TURN_LINES)
        findings = []
        if self._line_rules:
            summary = self._store.find(rec)
            for line in self._store.lines(rec, start, stop - start):
                findings += [
                    _line_finding(rule, summary, line.at_us, line.text)
                    for rule in self._line_rules
                    if rule.finds_line(line.text, summary)
                ]
        is_kept = self._keep(rec, start, stop, findings)
        return stop < end or not is_kept

    def _position(self, rec: str) -> int:
        passed = self._passed.get(rec)
        return passed[1] if passed is not None else self._alerts.position(rec) or 0

    def _keep(self, rec: str, start: int, stop: int, findings: list[Finding]) -> bool:
        """Keep what was found; False: somebody else was there meanwhile, and it is theirs."""
        from_position, _ = self._passed.get(rec, (start, start))
        if not findings:
            self._passed[rec] = from_position, stop
            if len(self._passed) >= _PASSED:
                self._keep_passed()
            return True
        new = self._alerts.put(rec, from_position, stop, findings)
        self._passed.pop(rec, None)
        for alert in new or ():
            self._tell(alert)
        return new is not None

    def _keep_passed(self) -> None:
        """Keep up to where nothing was found."""
        if self._passed:
            self._alerts.move([(rec, *positions) for rec, positions in self._passed.items()])
            self._passed.clear()

    def raise_unless_open(self, finding: Finding) -> None:
        """Raise an alert that comes from no rule, unless it is known. Any thread may call this."""
        alert = self._alerts.put_unless_open(finding)
        if alert is not None:
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        self._raised_total.add(severity=alert.severity)
        _log.warning(
            "alert",
            extra={
                "alert": alert.id,
                "rule": alert.rule,
                "severity": alert.severity,
                "host": alert.host,
                "user": alert.user,
            },
        )
        self._on_alert(alert)


def _event_finding(rule: Rule, trail: str, sender: str | None, event: Event) -> Finding:
    return Finding(
        rule=rule.text.name,
        severity=rule.text.severity,
        description=rule.text.description,
        at_unix_us=event.at_unix_us,
        text=event.text,
        host=event.host,
        sender=sender,
        user=event.who.user,
        login_user=event.who.login_user,
        boot_id=event.boot_id,
        audit_session=event.audit_session,
        trail=trail,
        serial=event.serial,
    )


def _line_finding(rule: Rule, summary: Summary, at_us: int, text: str) -> Finding:
    return Finding(
        rule=rule.text.name,
        severity=rule.text.severity,
        description=rule.text.description,
        at_unix_us=summary.started_unix_us + at_us,
        text=text,
        host=summary.host,
        sender=summary.sender,
        user=summary.user,
        login_user=summary.login_user,
        boot_id=summary.boot_id,
        audit_session=summary.audit_session,
        rec=summary.rec,
        at_us=at_us,
    )
