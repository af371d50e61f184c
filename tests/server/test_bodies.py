"""Bodies are decompressed wholly or not at all, and never beyond the limit."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import FormatError
from steno.server.bodies import decompress

LIMIT_BYTES = 4096


@given(data=st.binary(max_size=2 * LIMIT_BYTES), level=st.sampled_from([1, 3, 19]))
def test_what_was_compressed_comes_back_within_the_limit(data: bytes, level: int) -> None:
    """Every frame gives its bytes back, or nothing when they are too many."""
    frame = zstandard.ZstdCompressor(level=level).compress(data)
    assert decompress(frame, LIMIT_BYTES) == (data if len(data) <= LIMIT_BYTES else None)


@given(data=st.binary(min_size=1, max_size=LIMIT_BYTES), cut=st.data())
def test_a_cut_or_continued_frame_is_refused(data: bytes, cut: st.DataObject) -> None:
    """A frame that is not whole, or has bytes behind it, is an error at any cut."""
    frame = zstandard.ZstdCompressor().compress(data)
    at = cut.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(FormatError):
        decompress(frame[:at], LIMIT_BYTES)
    with pytest.raises(FormatError):
        decompress(frame + frame[: at + 1], LIMIT_BYTES)


@given(body=st.binary(max_size=1000))
def test_any_bytes_are_judged(body: bytes) -> None:
    """Whatever comes as a frame is data, too much, or an error; never a crash."""
    for frame in (body, b"\x28\xb5\x2f\xfd" + body):
        try:
            data = decompress(frame, LIMIT_BYTES)
        except FormatError:
            continue
        assert data is None or len(data) <= LIMIT_BYTES


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    """A frame header that claims 1 GiB of memory gets none."""
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = compressor.compress(b"x" * 100) + compressor.flush()
    with pytest.raises(FormatError):
        decompress(frame, LIMIT_BYTES)
