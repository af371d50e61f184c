"""What was lost on the way, gathered until it can be written into the trail."""

from __future__ import annotations

from steno.audit.trail import Lost


class Losses:
    """Adds losses up by their reason: however much is lost, this stays small.

    Attributes:
        totals: How many events were lost in all, by reason; one where nobody knows how many.
    """

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._waiting: dict[str, Lost] = {}

    def add(self, loss: Lost) -> None:
        """Take note of a loss."""
        self.totals[loss.why] = self.totals.get(loss.why, 0) + max(1, loss.count)
        self._merge(loss)

    def take(self) -> list[Lost]:
        """Return the lines that say what was lost since the last call."""
        lines = [*self._waiting.values()]
        self._waiting.clear()
        return lines

    def put_back(self, lines: list[Lost]) -> None:
        """Take lines back that could not be written; they come before what was added since."""
        later = self.take()
        for loss in (*lines, *later):
            self._merge(loss)

    def _merge(self, loss: Lost) -> None:
        known = self._waiting.get(loss.why)
        if known is None:
            self._waiting[loss.why] = loss
            return
        # A count that nobody knows makes the sum one, too.
        count = known.count + loss.count if known.count and loss.count else 0
        first = [one for one in (known.from_serial, loss.from_serial) if one is not None]
        last = [one for one in (known.to_serial, loss.to_serial) if one is not None]
        self._waiting[loss.why] = Lost(
            known.at_unix_us, count, loss.why, min(first, default=None), max(last, default=None)
        )
