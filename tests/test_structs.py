"""Tests of making structs ready for threads."""

from __future__ import annotations

import subprocess
import sys

_DECODING = """
import sys, threading
import steno.cli.serving
import msgspec
from steno.structs import prepare_structs

prepare_structs()
sys.setswitchinterval(1e-6)  # so that threads meet in the midst of anything

def decode(struct, barrier):
    data = msgspec.msgpack.encode(dict.fromkeys(struct.__struct_encode_fields__))
    barrier.wait()
    for _ in range(3):
        try:
            msgspec.msgpack.decode(data, type=struct)
        except (msgspec.ValidationError, TypeError):
            pass

structs = msgspec.Struct.__subclasses__()
assert len(structs) > 100
for struct in structs:
    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=decode, args=(struct, barrier)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_decode_into_one_struct_for_the_first_time_together() -> None:
    """Once structs are prepared, no two threads can end the server by decoding into one."""
    done = subprocess.run(
        [sys.executable, "-c", _DECODING], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
