"""Numbers that a running server counts, and their text for Prometheus.

Our own hundred lines rather than prometheus_client: three kinds of numbers suffice, and a
registry that is handed in needs no module globals.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from steno.errors import StenoError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    number = repr(value) if isinstance(value, float) and value != int(value) else str(int(value))
    return f"{name}{{{inner}}} {number}\n" if inner else f"{name} {number}\n"


class Counter:
    """A number that only grows, one per combination of label values. Any thread may add."""

    kind = "counter"

    def __init__(self, name: str, purpose: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.purpose = purpose
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add `amount` to the number that these labels name; all labels must be given."""
        key = tuple(labels[name] for name in self._labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def value(self, **labels: str) -> float:
        """Return the number that these labels name."""
        with self._lock:
            return self._values.get(tuple(labels[name] for name in self._labels), 0)

    def samples(self) -> list[str]:
        """Return one line of text per combination of labels."""
        with self._lock:
            items = sorted(self._values.items())
        return [
            _sample(self.name, dict(zip(self._labels, key, strict=True)), value)
            for key, value in items
        ]


class Gauge:
    """A number that goes up and down: read from `read` whenever it is asked for."""

    kind = "gauge"

    def __init__(self, name: str, purpose: str, read: Callable[[], float]) -> None:
        self.name = name
        self.purpose = purpose
        self._read = read

    def value(self) -> float:
        """Return the number as it is now."""
        return self._read()

    def samples(self) -> list[str]:
        """Return one line of text; none while the number cannot be had."""
        try:
            return [_sample(self.name, {}, self._read())]
        except StenoError:
            return []


class Gauges:
    """A gauge for each value of one label: all read from `read` whenever they are asked for."""

    kind = "gauge"

    def __init__(
        self, name: str, purpose: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        self.name = name
        self.purpose = purpose
        self._label = label
        self._read = read

    def samples(self) -> list[str]:
        """Return one line of text per value of the label; none while they cannot be had."""
        try:
            values = self._read()
        except StenoError:
            return []
        return [_sample(self.name, {self._label: key}, values[key]) for key in sorted(values)]


class Histogram:
    """How values spread over `bounds`, for durations in seconds. Any thread may observe."""

    kind = "histogram"

    def __init__(self, name: str, purpose: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.purpose = purpose
        self._bounds = tuple(bounds)
        self._lock = threading.Lock()
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._count = 0

    def observe(self, value: float) -> None:
        """Count `value` in every bucket whose bound it does not exceed."""
        with self._lock:
            self._sum += value
            self._count += 1
            for number, bound in enumerate(self._bounds):
                if value <= bound:
                    self._counts[number] += 1

    def samples(self) -> list[str]:
        """Return the buckets' lines, the sum's and the count's."""
        with self._lock:
            counts, total, count = list(self._counts), self._sum, self._count
        bucket = f"{self.name}_bucket"
        lines = [
            _sample(bucket, {"le": str(bound)}, number)
            for bound, number in zip(self._bounds, counts, strict=True)
        ]
        lines.append(_sample(bucket, {"le": "+Inf"}, count))
        lines.append(_sample(f"{self.name}_sum", {}, total))
        lines.append(_sample(f"{self.name}_count", {}, count))
        return lines


class Metrics:
    """The numbers of one server; whoever counts something registers it here once."""

    def __init__(self) -> None:
        self._families: dict[str, Counter | Gauge | Gauges | Histogram] = {}

    def _register(self, family: Counter | Gauge | Gauges | Histogram) -> None:
        if family.name in self._families:
            raise ValueError(f"metric {family.name} is registered already")
        self._families[family.name] = family

    def counter(self, name: str, purpose: str, labels: Sequence[str] = ()) -> Counter:
        """Register a counter; `name` ends in _total and carries the unit."""
        counter = Counter(name, purpose, labels)
        self._register(counter)
        return counter

    def gauge(self, name: str, purpose: str, read: Callable[[], float]) -> Gauge:
        """Register a gauge that calls `read`, from any thread, when the metrics are fetched."""
        gauge = Gauge(name, purpose, read)
        self._register(gauge)
        return gauge

    def gauges(
        self, name: str, purpose: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> Gauges:
        """Register gauges that differ in `label`; `read` returns all, by the label's value."""
        gauges = Gauges(name, purpose, label, read)
        self._register(gauges)
        return gauges

    def histogram(self, name: str, purpose: str, bounds: Sequence[float]) -> Histogram:
        """Register a histogram with these upper bounds, in ascending order."""
        histogram = Histogram(name, purpose, bounds)
        self._register(histogram)
        return histogram

    def value(self, name: str) -> float:
        """Return the number `name`: a counter without labels, or a gauge."""
        family = self._families[name]
        if isinstance(family, (Gauges, Histogram)):
            raise TypeError(f"metric {name} is not one number")
        return family.value()

    def expose(self) -> str:
        """Return all numbers as Prometheus reads them."""
        parts = []
        for family in self._families.values():
            parts.append(f"# HELP {family.name} {family.purpose}\n")
            parts.append(f"# TYPE {family.name} {family.kind}\n")
            parts.extend(family.samples())
        return "".join(parts)
