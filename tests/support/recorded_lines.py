"""Lines of recordings, as a recorder cuts them."""

from __future__ import annotations

import random
from pathlib import Path

from steno.delivery.spool import Spool
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start


def make_lines(
    rec: str, count: int, *, is_ended: bool = False, output_bytes: int = 20
) -> list[bytes]:
    """Return `count` chained lines of about so much output each, and the end's if it is ended.

    The output does not compress well, but is the same for the same arguments.
    """
    start = Start(user="avery", host="web1", started_unix_us=1_700_000_000_000_000, recorder="t")
    cutter = Cutter(Identity("web1", rec, "avery", "xterm", 7, start))
    lines = []
    for number in range(count):
        filler = random.Random(number).randbytes(output_bytes // 2).hex()
        text = f"{rec} line {number} é {filler}\r\n"
        lines += cutter.add(Output(number * 1_000_000, text.encode()))
        line = cutter.cut()
        assert line is not None
        lines.append(line)
    if is_ended:
        lines += cutter.end(End("exit", exit_status=0), count * 1_000_000)
    return lines


def fill_spool(
    directory: Path, recs: list[str], count: int = 20, *, output_bytes: int = 20
) -> dict[str, bytes]:
    """Put finished recordings into a spool; return their bytes."""
    spool = Spool(directory)
    written = {}
    for rec in recs:
        lines = make_lines(rec, count, is_ended=True, output_bytes=output_bytes)
        file = spool.begin(rec)
        for line in lines:
            file.append(line)
        file.finish()
        written[rec] = b"".join(lines)
    return written
