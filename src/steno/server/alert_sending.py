"""Send alerts on: to each target in a thread of its own, several together, again until it works.

The first alert is sent at once; what comes before the interval is over goes together in the next
message. A target that does not answer is tried again after longer and longer pauses, and what
came meanwhile is in the message after it: a flood is a count in one message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from steno.errors import StenoError
from steno.metrics import Metrics
from steno.server.alert_messages import make_digest
from steno.server.alert_targets import Target
from steno.store.alert_batches import Batch, Batches
from steno.store.alerts import Severity

_log = logging.getLogger(__name__)

_FIRST_RETRY_S = 2.0
_LAST_RETRY_S = 300.0
_BATCH_ALERTS = 2000
"""So many alerts of a batch are looked at to make groups; the others are counted."""


class SendingSettings:
    """When and what is sent.

    Attributes:
        least: Alerts of this severity or a worse one.
        interval_s: A target gets at most one message in so many seconds.
        base_url: The server's own address, for links.
        give_up_s: A message that no target took for so long is given up.
        first_retry_s: How long to wait before a message is tried again; each time twice as long.
    """

    def __init__(
        self,
        least: Severity = "medium",
        interval_s: float = 60.0,
        base_url: str | None = None,
        give_up_s: float = 86400.0,
        first_retry_s: float = _FIRST_RETRY_S,
    ) -> None:
        self.least = least
        self.interval_s = interval_s
        self.base_url = base_url
        self.give_up_s = give_up_s
        self.first_retry_s = first_retry_s


class AlertSending:
    """Sends to all targets until it is stopped."""

    def __init__(
        self,
        batches: Batches,
        targets: Sequence[Target],
        settings: SendingSettings,
        metrics: Metrics | None = None,
        *,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batches = batches
        self._targets = list(targets)
        self._settings = settings
        self._now_unix_us = now_unix_us
        self._monotonic_s = monotonic_s
        self._news = {target.name: threading.Event() for target in self._targets}
        self._is_stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        metrics = metrics or Metrics()
        self._sent_total = metrics.counter(
            "steno_alert_messages_total", "Messages about alerts that a target took.", ["target"]
        )
        self._failed_total = metrics.counter(
            "steno_alert_messages_failed_total",
            "Times that a target did not take a message about alerts.",
            ["target"],
        )

    def start(self) -> None:
        """Begin; what was not sent when the server stopped is sent now."""
        for target in self._targets:
            thread = threading.Thread(
                target=self._run, args=(target,), name=f"steno-alerts-{target.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send no more; what is on its way is waited for a while, and sent again later."""
        self._is_stopping.set()
        for news in self._news.values():
            news.set()
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads.clear()

    def wake(self) -> None:
        """Have a look whether there is something to send. Any thread may call this."""
        for news in self._news.values():
            news.set()

    def _run(self, target: Target) -> None:
        news = self._news[target.name]
        news.set()  # for what is left from before
        while True:
            news.wait()
            if self._is_stopping.is_set():
                return
            news.clear()
            try:
                batch = self._batches.begin(target.name, self._settings.least, _BATCH_ALERTS)
                if batch is None:
                    continue
                self._deliver(target, batch)
            except Exception as error:  # noqa: BLE001  # a daemon's outermost loop
                _log.error("alerts cannot be sent to %s now: %s", target.name, error)
            news.set()  # there may be more
            if self._is_stopping.wait(self._settings.interval_s):
                return

    def _deliver(self, target: Target, batch: Batch) -> None:
        """Try until the target takes it, or it is given up."""
        delay_s, since_s = self._settings.first_retry_s, self._monotonic_s()
        while True:
            try:
                target.send(make_digest(batch, self._now_unix_us(), self._settings.base_url))
            except Exception as error:  # noqa: BLE001  # none may keep the alerts after it waiting
                self._failed_total.add(target=target.name)
                shown = None if isinstance(error, StenoError) else error
                if self._monotonic_s() - since_s > self._settings.give_up_s:
                    _log.error("%d alerts were not sent to %s", batch.total, target.name)
                    break
                _log.warning(
                    "alerts wait for %s: %s",
                    target.name,
                    error,
                    exc_info=shown,
                )
                if self._is_stopping.wait(delay_s):
                    return
                delay_s = min(delay_s * 2, _LAST_RETRY_S)
            else:
                self._sent_total.add(target=target.name)
                break
        self._batches.finish(target.name, batch.last_id)
