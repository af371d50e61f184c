"""The session that avery had on the machine where the audit samples were made (f1, `ses=4`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sessions import rec_of
from visiting import Server

from steno.formats.asciicast import Decoder
from steno.formats.cutter import Cutter, Identity
from steno.formats.track import Header
from steno.model import End, Input, Output, Start, Window
from steno.store.protocol import Store

F1 = Path(__file__).parents[2] / "data" / "audit" / "f1"
BOOT_ID = "f1" * 16
STARTED_UNIX_US = 1_795_161_724_402_111
"""The cast's own start."""


def avery_lines(name: str = "avery in f1", *, upto_us: int | None = None) -> tuple[str, bytes]:
    """Return the recording's id and lines, as a host's agent would have written them.

    Args:
        name: What the id is made of.
        upto_us: Only what happened before, and no end: as if it were still being recorded.
    """
    rec = rec_of(name)
    start = Start(
        user="avery",
        host="vm",
        started_unix_us=STARTED_UNIX_US,
        recorder="steno 0",
        uid=1501,
        login_user="avery",
        login_uid=1501,
        boot_id=BOOT_ID,
        audit_session=4,
        service="sshd",
        remote="127.0.0.1",
        command=["-bash"],
        terminal="/dev/pts/2",
        columns=100,
        rows=30,
        records=["output", "input", "window"],
        coarse_unix_us=STARTED_UNIX_US - 2_000,
        number=1,
        kind="shell",
    )
    cutter = Cutter(Identity("vm", rec, "avery", "xterm-256color", 4, start))
    lines = cutter.add(Window(0, 100, 30))
    decoder = Decoder()
    items = [*decoder.feed((F1 / "term-s1-avery.cast").read_bytes()), *decoder.finish()]
    last_us = 0
    for item in items:
        if not isinstance(item, Output | Input | Window) or item.at_us == 0:
            assert not isinstance(item, Header) or item.is_terminal
            continue
        if upto_us is not None and item.at_us >= upto_us:
            return rec, b"".join([*lines, cutter.cut() or b""])
        lines += cutter.add(item)
        last_us = item.at_us
    lines += cutter.end(End("exit", exit_status=0), last_us)
    return rec, b"".join(lines)


def deliver_avery(store: Store) -> str:
    """Put the recording into a store; return its id."""
    rec, data = avery_lines()
    store.append(rec, store.durable_bytes(rec), data, sender=None)
    return rec


def import_trail(server: Server, log: Path) -> None:
    """Put the events of avery's boot into the server's store, and wait until it has read them."""
    command = [sys.executable, "-m", "steno.cli", "audit", "import", str(log), "--json"]
    command += ["--host", "vm", "--boot-id", BOOT_ID, "--store", str(server.directory)]
    subprocess.run(command, check=True, capture_output=True)
    server.wait_indexed([*server.store.trails()])
