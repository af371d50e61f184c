"""The session that avery had on the machine where the audit samples were made (f1, `ses=4`)."""

from __future__ import annotations

import re
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


def avery_lines(
    name: str = "avery in f1",
    *,
    upto_us: int | None = None,
    later_s: int = 0,
    host: str = "vm",
    boot_id: str = BOOT_ID,
) -> tuple[str, bytes]:
    """Return the recording's id and lines, as a host's agent would have written them.

    Args:
        name: What the id is made of.
        upto_us: Only what happened before, and no end: as if it were still being recorded. What
            is returned is the beginning of what is returned without this.
        later_s: So many seconds later than it was.
        host: Where it was.
        boot_id: The host's boot, to which the audit events belong.
    """
    rec = rec_of(name)
    started_unix_us = STARTED_UNIX_US + later_s * 1_000_000
    start = Start(
        user="avery",
        host=host,
        started_unix_us=started_unix_us,
        recorder="steno 0",
        uid=1501,
        login_user="avery",
        login_uid=1501,
        boot_id=boot_id,
        audit_session=4,
        service="sshd",
        remote="127.0.0.1",
        command=["-bash"],
        terminal="/dev/pts/2",
        columns=100,
        rows=30,
        records=["output", "input", "window"],
        coarse_unix_us=started_unix_us - 2_000,
        number=1,
        kind="shell",
    )
    cutter = Cutter(Identity(host, rec, "avery", "xterm-256color", 4, start))
    lines = cutter.add(Window(0, 100, 30))
    decoder = Decoder()
    items = [*decoder.feed((F1 / "term-s1-avery.cast").read_bytes()), *decoder.finish()]
    last_us = 0
    for item in items:
        if not isinstance(item, Output | Input | Window) or item.at_us == 0:
            assert not isinstance(item, Header) or item.is_terminal
            continue
        if upto_us is not None and item.at_us >= upto_us:
            return rec, b"".join(lines)
        lines += [*cutter.add(item), cutter.cut() or b""]
        last_us = item.at_us
    lines += cutter.end(End("exit", exit_status=0), last_us)
    return rec, b"".join(lines)


def deliver_avery(store: Store) -> str:
    """Put the recording into a store; return its id."""
    rec, data = avery_lines()
    store.append(rec, store.durable_bytes(rec), data, sender=None)
    return rec


def log_later(later_s: int) -> bytes:
    """Return the log of avery's boot, all of it so many seconds later than it was."""
    return re.sub(
        rb"(?<=audit\()\d+",
        lambda found: b"%d" % (int(found[0]) + later_s),
        (F1 / "audit-enriched.log").read_bytes(),
    )


def import_trail(server: Server, log: Path, *, host: str = "vm", boot_id: str = BOOT_ID) -> None:
    """Put the events of avery's boot into the server's store, and wait until it has read them."""
    command = [sys.executable, "-m", "steno.cli", "audit", "import", str(log), "--json"]
    command += ["--host", host, "--boot-id", boot_id, "--store", str(server.directory)]
    subprocess.run(command, check=True, capture_output=True)
    server.wait_indexed([*server.store.trails()])
