"""Make recordings for the browser: segments with keyframes, as the API answers them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import orjson

from steno.screen.emulator import Emulator

Event = tuple[float, str, str]


@dataclass
class Recording:
    """A recording as the API shows it; `answers` are the bodies by path below its address."""

    events: list[Event]
    columns: int = 80
    rows: int = 24
    segment_bytes: int = 64 * 1024
    markers: list[tuple[float, str]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.events[-1][0] if self.events else 0.0

    def segments(self) -> list[dict[str, Any]]:
        """Return the segments, each beginning with a keyframe of the server's emulator."""
        emulator = Emulator(self.columns, self.rows)
        made: list[dict[str, Any]] = []
        size = self.segment_bytes
        for event in self.events:
            is_ground = emulator.is_ground and (not made or event[0] > made[-1]["events"][-1][0])
            if not made or (size >= self.segment_bytes and is_ground):
                init = emulator.keyframe().decode() if made else ""
                snapshot = {"cols": emulator.columns, "rows": emulator.rows, "init": init}
                made.append({"snapshot": snapshot, "events": []})
                size = 0
            made[-1]["events"].append(event)
            size += len(event[2])
            play(emulator, event)
        return made

    def answers(self) -> dict[str, bytes]:
        """Return what the API answers, by path below the recording's address."""
        segments = self.segments()
        starts = [0.0] + [segment["events"][0][0] for segment in segments[1:]]
        index = {
            "version": 1,
            "duration": self.duration,
            "term": {"cols": self.columns, "rows": self.rows},
            "segments": [
                {"start": start, "url": f"segments/{number}"} for number, start in enumerate(starts)
            ],
            "markers": self.markers,
        }
        seconds: dict[int, int] = {}
        for at, code, data in self.events:
            if code == "o":
                seconds[int(at)] = seconds.get(int(at), 0) + len(data)
        answers: dict[str, Any] = {
            "": {"is_live": False},
            "/segments": index,
            "/activity": {
                "duration_us": int(self.duration * 1e6),
                "buckets": list(seconds.items()),
            },
            "/notes": {"notes": [], "damages": []},
            "/verification": {"state": "complete", "lines": 42},
            **{f"/segments/{number}": each for number, each in enumerate(segments)},
            **self.details,
        }
        return {path: orjson.dumps(answer) for path, answer in answers.items()}

    def screens_at(self, instants: list[float]) -> list[str]:
        """Return the screen's text at sorted instants, by emulating all from the start."""
        emulator = Emulator(self.columns, self.rows)
        texts: list[str] = []
        events = iter(self.events)
        pending = next(events, None)
        for instant in instants:
            while pending is not None and pending[0] <= instant:
                play(emulator, pending)
                pending = next(events, None)
            texts.append(emulator.text())
        return texts


def play(emulator: Emulator, event: Event) -> None:
    """Play one event into the emulator."""
    _, code, data = event
    if code == "o":
        emulator.feed(data.encode())
    elif code == "r":
        columns, _, rows = data.partition("x")
        if columns.isdigit() and rows.isdigit():
            emulator.resize(int(columns), int(rows))


COLOURS = [f"\x1b[{style}m" for style in (0, 1, 2, 3, 4, 7, 9, 31, 32, 33, 34, 35, 36, 91, 94)]


def _shell_work(chance: random.Random) -> str:
    name = chance.choice(("deploy", "backup", "sshd", "nginx", "postgres", "auditd"))
    lines = [
        f"{chance.choice(COLOURS)}{name}-{chance.randrange(10**6)}\x1b[0m "
        f"{chance.choice(('ok', 'failed', 'größer', '漢字', '✓ done', '🥲'))} "
        + "x"
        * chance.randrange(120)
        for _ in range(chance.randrange(1, 30))
    ]
    return f"\x1b[1;32mavery@web1\x1b[0m:~$ ls /srv/{name}\r\n" + "\r\n".join(lines) + "\r\n"


def _screen_work(chance: random.Random) -> str:
    """A full-screen program: alternate screen, cursor moves, a scroll region, and back."""
    parts = ["\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l"]
    for _ in range(chance.randrange(5, 60)):
        row, column = chance.randrange(1, 24), chance.randrange(1, 70)
        parts.append(f"\x1b[{row};{column}H{chance.choice(COLOURS)}item {chance.randrange(999)}")
    parts.append("\x1b[0m\x1b[5;15r\x1b[15;1Hin the region\r\nscrolled\r\n\x1b[r")
    if chance.random() < 0.9:
        parts.append("\x1b[?25h\x1b[?1049l")
    return "".join(parts)


def ten_hours(size_bytes: int, seed: int = 7) -> Recording:
    """A recording of ten hours with about `size_bytes` of output: shell, full screen, resizes."""
    chance = random.Random(seed)
    pieces: list[str] = []
    length = 0
    while length < size_bytes:
        text = _shell_work(chance) if chance.random() < 0.7 else _screen_work(chance)
        length += len(text)
        at = 0
        while at < len(text):
            step = chance.choice((40, 200, 600, 1500))
            pieces.append(text[at : at + step])
            at += step
    pause = 36_000 / (len(pieces) + 1)
    events: list[Event] = []
    now = 0.0
    for number, piece in enumerate(pieces):
        now += chance.uniform(0, 2 * pause)
        events.append((round(now, 6), "o", piece))
        if number % 5000 == 4999:
            events.append((round(now + 1e-6, 6), "r", chance.choice(("80x24", "100x30"))))
    return Recording(events, markers=[(at, f"command {at:.0f}") for at in range(60, 35_000, 600)])
