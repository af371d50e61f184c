"""A network cable between two bridges that can be cut, slow and lossy, in any kernel with TUN.

Run by `guest.Lab` inside its network namespace, with the system's Python. netem would do the same
where the kernel has it. Takes lines on standard input: `cut`, or `DELAY_MS LOSS_PERCENT
BYTES_PER_S` (0: no limit); answers each with `ok`.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


class Wire:
    """Frames on their way, and what happens to them."""

    def __init__(self) -> None:
        self.is_cut = False
        self.delay_s = 0.0
        self.loss = 0.0
        self.bytes_per_s = 0.0
        self._free_at = [0.0, 0.0]
        self._way: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        # Always the same losses: a failure can be had again.
        self._chance = random.Random(1)

    def configure(self, words: list[str]) -> None:
        """Set what a line of input says; a cut loses what is on its way."""
        self.is_cut = words == ["cut"]
        if self.is_cut:
            self._way.clear()
        else:
            self.delay_s = float(words[0]) / 1e3
            self.loss = float(words[1]) / 100
            self.bytes_per_s = float(words[2])

    def put(self, now_s: float, side: int, frame: bytes) -> None:
        """Take a frame in from a side; a full queue (half a second) drops it, as routers do."""
        if self.is_cut or self._chance.random() < self.loss:
            return
        start_s = max(now_s, self._free_at[side])
        if start_s - now_s > 0.5:
            return
        takes_s = len(frame) / self.bytes_per_s if self.bytes_per_s else 0.0
        self._free_at[side] = start_s + takes_s
        self._number += 1
        arrives_s = start_s + takes_s + self.delay_s
        heapq.heappush(self._way, (arrives_s, self._number, 1 - side, frame))

    def take(self, now_s: float) -> list[tuple[int, bytes]]:
        """Return the frames that have arrived, each with its side."""
        arrived = []
        while self._way and self._way[0][0] <= now_s:
            _, _, side, frame = heapq.heappop(self._way)
            arrived.append((side, frame))
        return arrived

    def wait_s(self, now_s: float) -> float | None:
        """Return how long nothing arrives, or None if nothing is on its way."""
        return max(0.0, self._way[0][0] - now_s) if self._way else None


def open_tap(name: str) -> int:
    """Return a descriptor of a new TAP device."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main() -> None:
    """Pass frames between two new TAP devices until standard input ends."""
    taps = [open_tap(name) for name in sys.argv[1:3]]
    wire = Wire()
    print("ok", flush=True)
    typed = b""
    while True:
        ready, _, _ = select.select([0, *taps], [], [], wire.wait_s(time.monotonic()))
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                return
            *lines, typed = (typed + data).split(b"\n")
            for line in lines:
                wire.configure(line.decode().split())
                print("ok", flush=True)
        for side, tap in enumerate(taps):
            if tap in ready:
                wire.put(time.monotonic(), side, os.read(tap, 65536))
        for side, frame in wire.take(time.monotonic()):
            with contextlib.suppress(
                OSError
            ):  # the other side is down: a frame lost, as on any cable
                os.write(taps[side], frame)


if __name__ == "__main__":
    main()
