"""The dispatcher never waits: what comes too fast is counted and thrown away."""

from __future__ import annotations

import os
import socket
import threading

from steno.agent.auditing.intake import Dropped, Intake


def take_all(intake: Intake) -> list[bytes | Dropped]:
    """Return all that comes until the end."""
    found: list[bytes | Dropped] = []
    while (taken := intake.take(30)) is not None:
        found += taken
    return found


def test_what_is_written_is_taken_in_order() -> None:
    """Every byte comes out once, in order, until the other side closes."""
    ours, theirs = os.pipe()
    intake = Intake(ours)
    intake.start()
    written = b"".join(b"line %d\n" % number for number in range(50_000))

    def write() -> None:
        with os.fdopen(theirs, "wb") as file:
            file.write(written)

    thread = threading.Thread(target=write)
    thread.start()
    found = take_all(intake)
    thread.join()
    assert b"".join(one for one in found if isinstance(one, bytes)) == written
    assert not [one for one in found if isinstance(one, Dropped)]
    intake.close()
    os.close(ours)


def test_a_writer_never_waits_for_who_takes() -> None:
    """With nobody taking, all is read; what is beyond the limit is counted, byte and line."""
    ours, theirs = socket.socketpair()
    intake = Intake(ours.fileno(), limit_bytes=1 << 20)
    intake.start()
    line = b"x" * 99 + b"\n"
    theirs.sendall(line * 80_000)  # would block for ever if nobody read
    theirs.close()
    found = take_all(intake)
    kept = b"".join(one for one in found if isinstance(one, bytes))
    dropped = [one for one in found if isinstance(one, Dropped)]
    assert len(kept) <= 2 << 20  # what came after the first look counts anew
    assert dropped
    assert len(kept) + sum(one.bytes for one in dropped) == 8_000_000
    lines = kept.count(b"\n") + sum(one.lines for one in dropped)
    assert lines == 80_000
    intake.close()
    ours.close()


def test_after_a_flood_all_is_kept_again() -> None:
    """Once enough was taken, what comes next is kept, behind the word about what was not."""
    ours, theirs = socket.socketpair()
    intake = Intake(ours.fileno(), limit_bytes=1 << 20)
    intake.start()
    theirs.sendall(b"flood\n" * 500_000)
    first: list[bytes | Dropped] = []
    while sum(one.bytes if isinstance(one, Dropped) else len(one) for one in first) < 3_000_000:
        first += intake.take(30) or []
    assert any(isinstance(one, Dropped) for one in first)
    theirs.sendall(b"later\n")
    theirs.close()
    assert b"".join(one for one in take_all(intake) if isinstance(one, bytes)) == b"later\n"
    intake.close()
    ours.close()


def test_stopping_reads_what_was_sent_before() -> None:
    """Told to stop, it still takes what is in the pipe, and then ends though nobody closes it."""
    ours, theirs = os.pipe()
    os.write(theirs, b"sent before\n")
    intake = Intake(ours)
    intake.stop()
    intake.start()
    assert take_all(intake) == [b"sent before\n"]
    intake.close()
    os.close(ours)
    os.close(theirs)
