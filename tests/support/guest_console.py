"""A console of a guest, as `machinectl login` gives one: systemd runs its getty on a new terminal.

Run inside the guest; relays between standard input and output and that terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import termios
import time
import tty


def main() -> None:
    """Relay until the other side is gone."""
    near, far = os.openpty()
    termios.tcsetwinsize(far, termios.tcgetwinsize(0))
    unit = f"container-getty@{os.ttyname(far).rpartition('/')[2]}.service"
    before = termios.tcgetattr(0)
    tty.setraw(0)
    subprocess.run(["systemctl", "start", "--no-block", unit], check=True)
    try:
        relay(near)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        subprocess.run(["systemctl", "stop", unit], check=True)


def relay(near: int) -> None:
    """Pass bytes both ways; the terminal hangs up and comes back when a login ends."""
    while True:
        ready, _, _ = select.select([0, near], [], [])
        if 0 in ready:
            typed = b""
            with contextlib.suppress(OSError):
                typed = os.read(0, 65536)
            if not typed:
                return
            os.write(near, typed)
        if near in ready:
            try:
                os.write(1, os.read(near, 65536))
            except OSError:
                time.sleep(0.05)


main()
