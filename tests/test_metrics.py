"""Metrics in Prometheus' text format."""

from __future__ import annotations

import threading

import pytest

from steno.errors import StoreError
from steno.metrics import Metrics


def test_the_text_is_what_prometheus_reads() -> None:
    """Help, type and samples of every kind, labels escaped."""
    metrics = Metrics()
    metrics.counter("a_total", "Things.", ["kind"]).add(2, kind='x"\\\n')
    metrics.gauge("b", "Level.", lambda: 1.5)
    histogram = metrics.histogram("c_seconds", "Time.", (0.1, 1.0))
    for value in (0.05, 0.5, 5):
        histogram.observe(value)
    assert metrics.expose() == (
        "# HELP a_total Things.\n# TYPE a_total counter\n"
        'a_total{kind="x\\"\\\\\\n"} 2\n'
        "# HELP b Level.\n# TYPE b gauge\nb 1.5\n"
        "# HELP c_seconds Time.\n# TYPE c_seconds histogram\n"
        'c_seconds_bucket{le="0.1"} 1\nc_seconds_bucket{le="1.0"} 2\n'
        'c_seconds_bucket{le="+Inf"} 3\nc_seconds_sum 5.55\nc_seconds_count 3\n'
    )


def test_gauges_of_one_family_differ_in_a_label() -> None:
    """They are read together, and left out together when they cannot be had."""
    metrics = Metrics()
    values = {"b": 2.0, 'a"': 1.5}

    def read() -> dict[str, float]:
        if not values:
            raise StoreError("gone")
        return values

    metrics.gauges("hosts", "Hosts.", "state", read)
    head = "# HELP hosts Hosts.\n# TYPE hosts gauge\n"
    assert metrics.expose() == head + 'hosts{state="a\\""} 1.5\nhosts{state="b"} 2\n'
    with pytest.raises(TypeError):
        metrics.value("hosts")
    values.clear()
    assert metrics.expose() == head


def test_a_number_that_cannot_be_had_is_left_out() -> None:
    """One gauge that fails does not take the others away."""

    def fail() -> float:
        raise StoreError("gone")

    metrics = Metrics()
    metrics.gauge("broken", "Fails.", fail)
    metrics.counter("a_total", "Things.").add()
    assert "\na_total 1\n" in metrics.expose()
    assert "\nbroken " not in metrics.expose()


def test_a_name_is_registered_once() -> None:
    """Two meanings of one name are a mistake in the program."""
    metrics = Metrics()
    metrics.counter("a_total", "Things.")
    with pytest.raises(ValueError, match="a_total"):
        metrics.gauge("a_total", "Level.", lambda: 1)


def test_threads_lose_no_counts() -> None:
    """Additions from several threads all count."""
    counter = Metrics().counter("a_total", "Things.", ["kind"])
    threads = [
        threading.Thread(target=lambda: [counter.add(kind="x") for _ in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value(kind="x") == 8000
