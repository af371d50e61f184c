"""Typed decoding from many threads."""

import subprocess
import sys

import msgspec
import pytest

from steno.structs import convert, decode_json, decode_msgpack, json_decoder, msgpack_decoder

_FIRST_USES = """
import faulthandler, sys, threading
import msgspec
from steno import structs

faulthandler.enable()
sys.setswitchinterval(1e-6)
for number in range(300):
    numbers = [(f"a{i}", int, 0) for i in range(30)]
    inner = msgspec.defstruct(f"Inner{number}", numbers, module=__name__)
    others = [(f"b{i}", dict[str, list[int]] | None, None) for i in range(30)]
    outer = msgspec.defstruct(f"Outer{number}", [("inner", inner), *others], module=__name__)
    ready = threading.Barrier(4)

    def use(way):
        ready.wait()
        assert way().inner.a3 == 4

    values = {"inner": {"a3": 4}, "b29": {"a": [1]}}
    ways = [
        lambda: structs.decode_json(msgspec.json.encode(values), outer),
        lambda: structs.json_decoder(outer)(msgspec.json.encode(values)),
        lambda: structs.decode_msgpack(msgspec.msgpack.encode(values), outer),
        lambda: structs.convert(values, outer),
    ]
    threads = [threading.Thread(target=use, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("survived")
"""


class _Point(msgspec.Struct):
    x: int


def test_a_types_first_use_in_several_threads_at_once_is_safe() -> None:
    """Types that several threads decode for the first time do not end the process."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_USES], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "survived"), done.stderr[-2000:]


def test_each_way_gives_the_type() -> None:
    """JSON, MessagePack and plain values come out as the type asked for."""
    packed = msgspec.msgpack.encode({"x": 3})
    assert decode_json(b'{"x":3}', _Point) == json_decoder(_Point)('{"x":3}') == _Point(3)
    assert decode_msgpack(packed, _Point) == msgpack_decoder(_Point)(packed) == _Point(3)
    assert convert({"x": 3}, _Point) == convert({"x": "3"}, _Point, strict=False) == _Point(3)


def test_what_is_of_another_shape_is_refused() -> None:
    """A text where a number belongs is a ValidationError in each way."""
    for refused in (
        lambda: decode_json(b'{"x":"3"}', _Point),
        lambda: decode_msgpack(msgspec.msgpack.encode({"x": "3"}), _Point),
        lambda: convert({"x": "3"}, _Point),
    ):
        with pytest.raises(msgspec.ValidationError):
            refused()
