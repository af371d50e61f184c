"""A shell that prints numbered lines and echoes numbered words, and who sits before it.

With them it can be told whether any byte was lost, repeated or moved on the way.
"""

from __future__ import annotations

import os
import random
import re
import select
import threading
import time
from collections.abc import Callable

from driven import Driven
from waiting import wait_for

from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import Input, Note, Output

LONG_S = 90.0
COUNTING = r"""
i=0
stty -echo
exec 9<> <(:)
while :; do
  i=$((i+1)); echo "o $i $RANDOM$RANDOM"
  if [ $((i % 200)) = 0 ]; then
    while read -r -t 0; do
      read -r word
      [ "$word" = quit ] && echo bye && read -r word && exit 7
      echo "e $word"
    done
    read -r -t 0.01 -u 9
  fi
done
"""
"""Ends with status 7 at the word `quit` and another one."""


class Person(threading.Thread):
    """Sees all that is shown, and types numbers."""

    def __init__(self, session: Driven) -> None:
        super().__init__(daemon=True)
        self.seen = bytearray()
        self.typed = 0
        self.is_typing = False
        self._fd = session.master
        self._typing = threading.Lock()
        self.start()

    def run(self) -> None:
        """Read and type until the terminal is gone."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        next_s = 0.0
        while True:
            if poll.poll(20):
                try:
                    data = os.read(self._fd, 65536)
                except OSError:
                    return
                self.seen += data
            with self._typing:
                if self.is_typing and time.monotonic() >= next_s:
                    next_s = time.monotonic() + 0.01
                    self.typed += 1
                    os.write(self._fd, b"%d\r" % self.typed)

    def disturb(self, blow: Callable[[], None], times: int) -> None:
        """Have something happen again and again while bytes pass, at random moments."""
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        moments = random.Random(seed)
        wait_for(lambda: b"o 1 " in self.seen, "the first output")
        self.is_typing = True
        for _ in range(times):
            self.wait_for_more()
            time.sleep(moments.random() * 0.05)
            blow()
        self.wait_for_more()
        with self._typing:  # else one more number might come behind the last word
            self.is_typing = False

    def wait_for_more(self) -> None:
        """Wait until something new is shown."""
        seen_bytes = len(self.seen)
        wait_for(lambda: len(self.seen) > seen_bytes, "output")

    def quit(self, session: Driven) -> None:
        """Wait for all echoes, and leave; the program must end with the shell's status."""
        last = b"e %d\r\n" % self.typed
        wait_for(lambda: last in self.seen, "the last echo")
        os.write(session.master, b"quit\r")
        wait_for(lambda: b"bye\r\n" in self.seen, "the goodbye")
        # sshd reads no more once the shell has ended and nothing is there at that moment: what
        # is shown last must have been seen.
        os.write(session.master, b"go\r")
        assert session.process.wait(LONG_S) == 7
        os.close(session.slave)
        session.slave = -1
        self.join(LONG_S)


def check_recording(recording: bytes, person: Person, shown: bytes, restarts: int) -> None:
    """Compare a finished recording with what was shown and typed, byte for byte."""
    lines = recording.splitlines(keepends=True)
    assert verify_lines(lines).state == "complete"
    messages = [decode_message(line) for line in lines]
    pieces = [piece for message in messages for piece in message.pieces]
    typed = b"".join(b"%d\r" % (number + 1) for number in range(person.typed)) + b"quit\rgo\r"
    assert b"".join(piece.data for piece in pieces if isinstance(piece, Output)) == shown
    assert b"".join(piece.data for piece in pieces if isinstance(piece, Input)) == typed
    printed = [int(number) for number in re.findall(rb"o (\d+) \d+\r\n", shown)]
    assert printed == [*range(1, len(printed) + 1)]
    echoed = [int(number) for number in re.findall(rb"e (\d+)\r\n", shown)]
    assert echoed == [*range(1, person.typed + 1)]
    notes = [piece for piece in pieces if isinstance(piece, Note) and piece.kind == "restart"]
    assert len(notes) == restarts, [note.at_us for note in notes]
    assert not any("missing_messages" in note.facts for note in notes)
    end = messages[-1].end
    assert end is not None
    assert (end.output_bytes, end.input_bytes) == (len(shown), len(typed))
    assert (end.reason, end.exit_status) in (("exit", 7), ("unknown", None))
