"""Bytes waiting for a slow descriptor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.recorder.flow import Flow


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 120)))
def test_nothing_is_lost_or_reordered(puts: list[bytes], takes: list[int]) -> None:
    """However it is taken, the bytes come out in order, each once, and are counted."""
    flow = Flow(100)
    taken = b""
    plan = [*takes] + [7] * 10_000
    for data in puts:
        flow.put(data)
        head = b"".join(flow.head())
        count = min(plan.pop(0), len(head))
        taken += head[:count]
        flow.advance(count)
        assert flow.is_full == (flow.size_bytes >= 100)
    while flow.size_bytes:
        head = b"".join(flow.head())
        count = min(7, len(head))
        taken += head[:count]
        flow.advance(count)
    assert taken == b"".join(puts)
    assert flow.head() == []
