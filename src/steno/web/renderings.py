"""A recording as plain text, and as a page that plays it without a server.

Both follow the screen, so that what is seen is what was seen: redraws and escapes are resolved.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from steno.formats.track import Finish, Header, Item
from steno.model import NO_AUDIT_SESSION, Damage, Keyframe, Message, Note, Start, TextLine, Window
from steno.screen.deriver import Deriver, Findings
from steno.screen.emulator import DEFAULT_COLUMNS, DEFAULT_ROWS, clamp_window
from steno.screen.native import NativeError
from steno.store.segments import EventBuilder

_LINES_LOST = "more screen text than is kept for so little output"
_CLOSING = re.compile(r"</(?=script)|<!(?=--)", re.IGNORECASE)
_START_PLAYER = """
const player = document.querySelector("steno-player");
player.data = JSON.parse(document.getElementById("recording").textContent);
""".strip()
_STYLE = """
:root { color-scheme: light dark }
html, body { height: 100% }
body { margin: 0; display: flex; flex-direction: column; font: 15px/1.4 system-ui, sans-serif }
header { padding: 8px 16px }
h1 { font-size: 18px; margin: 0 }
p { margin: 0; opacity: .75 }
steno-player { flex: 1; min-height: 0 }
noscript { padding: 16px }
""".strip()


class Follower:
    """Follow a recording's screen, item by item. Does no I/O."""

    def __init__(self) -> None:
        self._deriver: Deriver | None = None
        self._number = 0
        self.damages: list[Damage] = []

    def add(self, item: Item) -> None:
        """Take the next item; a Header comes first, a Finish last."""
        if isinstance(item, Damage):
            self.damages.append(item)
            return
        try:
            self._follow(item)
        except NativeError as error:
            self._stop(f"screen text stops here: {error}")

    def take(self) -> Findings:
        """Return what was found since the last call."""
        found = Findings() if self._deriver is None else self._deriver.take()
        if found.lost_lines and all(damage.reason != _LINES_LOST for damage in self.damages):
            self.damages.append(Damage(0, 0, 0, _LINES_LOST))
        return found

    def close(self) -> None:
        """Free the terminal's memory now."""
        if self._deriver is not None:
            self._deriver.close()
            self._deriver = None

    def _follow(self, item: Item) -> None:
        if isinstance(item, Header):
            start = item.start
            self._deriver = Deriver(start.user, start.host)
            if item.is_terminal:
                window = window_of(start)
                self._deriver.feed(_wrap(Window(0, *window)), 0)
        elif self._deriver is None:
            return
        elif isinstance(item, Finish):
            self._deriver.finish()
        elif not isinstance(item, Damage):
            # The item's number takes the place of the offset of its message.
            self._deriver.feed(_wrap(item), self._number)
            self._number += 1

    def _stop(self, reason: str) -> None:
        self.damages.append(Damage(0, 0, 0, reason))
        self.close()


class TextRenderer:
    """Turn items into the screen's text, a line each. Does no I/O."""

    def __init__(self) -> None:
        self._follower = Follower()

    def write(self, item: Item) -> bytes:
        """Return the lines that became complete; a Header comes first, a Finish last."""
        self._follower.add(item)
        lines = self._follower.take().lines
        if isinstance(item, Finish):
            self._follower.close()
        return "".join(f"{line.text}\n" for line in lines).encode("utf-8", "replace")

    def losses(self) -> list[str]:
        """Return what the text leaves out."""
        reasons = [damage.reason for damage in self._follower.damages if not damage.length_bytes]
        return ["instants, colours, input and windows; only the screen's text is kept", *reasons]


class PageRenderer:
    """Collect items for a page that plays them. Does no I/O.

    The page loads nothing and may connect nowhere: its Content-Security-Policy allows only the
    scripts that stand in it, by their digests. What was recorded is data in it, never markup.
    """

    def __init__(self, player_js: str, *, title: str, trail: object | None = None) -> None:
        """Begin a page.

        Args:
            player_js: The text of the player's bundle, static/player.js.
            title: What the page is called.
            trail: What the system did meanwhile, a TrailData of frontend/src/player/public.ts.
        """
        self._trail = trail
        self._player_js = player_js
        self._title = title
        self._follower = Follower()
        self._header = Header(Start("", "", 0, ""))
        self._events = EventBuilder(DEFAULT_COLUMNS, DEFAULT_ROWS, is_plain=False)
        self._segments: list[dict[str, Any]] = []
        self._starts: list[float] = []
        self._lines: list[TextLine] = []
        self._activity: dict[int, int] = {}
        self._markers: list[tuple[float, str]] = []
        self._notes: list[Note] = []
        self._duration_us = 0

    def write(self, item: Item) -> bytes:
        """Take the next item; the page is returned for the Finish, nothing before it."""
        self._follower.add(item)
        found = self._follower.take()
        self._keep(found)
        for keyframe in found.keyframes:
            # Taken before the item that was just followed, whose event is not yet there.
            self._begin_segment(keyframe)
        if isinstance(item, Header):
            self._begin(item)
        elif isinstance(item, Finish):
            self._duration_us = max(self._duration_us, item.at_us)
            self._segments[-1]["events"] += self._events.finish()
            self._follower.close()
            return build_page(self._title, self._describe(), self._data(), self._player_js)
        elif not isinstance(item, Damage):
            self._duration_us = max(self._duration_us, item.at_us)
            if isinstance(item, Note):
                self._keep_note(item)
            elif (event := self._events.add(item)) is not None:
                self._segments[-1]["events"].append(event)
        return b""

    def losses(self) -> list[str]:
        """Return what the page leaves out."""
        return ["the chain that proves the recording unaltered; keep the original beside the page"]

    def _begin(self, header: Header) -> None:
        self._header = header
        columns, rows = window_of(header.start)
        self._events = EventBuilder(columns, rows, is_plain=not header.is_terminal)
        self._segments = [_make_segment(columns, rows, "")]
        self._starts = [0.0]

    def _begin_segment(self, keyframe: Keyframe) -> None:
        init = keyframe.data.decode("utf-8", "replace")
        self._segments.append(_make_segment(keyframe.columns, keyframe.rows, init))
        self._starts.append(keyframe.at_us / 1e6)

    def _keep(self, found: Findings) -> None:
        self._lines += found.lines
        for second, size_bytes in found.activity.items():
            self._activity[second] = self._activity.get(second, 0) + size_bytes
        self._markers += [(command.at_us / 1e6, command.text[:200]) for command in found.commands]

    def _keep_note(self, note: Note) -> None:
        self._notes.append(note)
        label = note.facts.get("label")
        if isinstance(label, str) and label:
            self._markers.append((note.at_us / 1e6, label[:200]))

    def _describe(self) -> str:
        start = self._header.start
        who = f"{start.user}@{start.host}".strip("@")
        command = " ".join(start.command or [])
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start.started_unix_us)
        when = f"{moment:%Y-%m-%d %H:%M:%S} UTC" if start.started_unix_us else ""
        return " · ".join(part for part in (who, command, when) if part)

    def _data(self) -> dict[str, Any]:
        columns, rows = window_of(self._header.start)
        return {
            "index": {
                "version": 1,
                "duration": self._duration_us / 1e6,
                "term": {"cols": columns, "rows": rows},
                "segments": [{"start": start} for start in self._starts],
                "markers": sorted(self._markers),
            },
            "segments": self._segments,
            "text": [
                {"number": number, "at_us": line.at_us, "text": line.text}
                for number, line in enumerate(self._lines)
            ],
            "activity": sorted(self._activity.items()),
            "notes": self._notes,
            "damages": self._follower.damages,
            **({} if self._trail is None else {"trail": self._trail}),
        }


def build_page(title: str, subtitle: str, data: dict[str, Any], player_js: str) -> bytes:
    """Return a page that plays `data`, a RecordingData of frontend/src/player/public.ts."""
    # A parser of HTML turns every line's end into a newline, and so must what the digest is of.
    player_js = player_js.replace("\r\n", "\n").replace("\r", "\n")
    # In strings, templates and regular expressions alike, \x3C means the same as what it replaces.
    player_js = _CLOSING.sub(lambda match: "\\x3C" + match[0][1:], player_js)
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src {_digest(player_js)} {_digest(_START_PLAYER)}; style-src {_digest(_STYLE)}"
    )
    parts = (
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<header><h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p></header>",
        "<steno-player></steno-player>",
        "<noscript>This page plays a terminal recording; it needs JavaScript.</noscript>",
        f'<script type="application/json" id="recording">{embed_json(data)}</script>',
        f"<script>{player_js}</script>",
        f"<script>{_START_PLAYER}</script>",
        "</body></html>\n",
    )
    return "\n".join(parts).encode("utf-8", "replace")


def embed_json(data: object) -> str:
    """Return `data` as JSON that can stand in a <script> element whatever it holds."""
    text = msgspec.json.encode(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def window_of(start: Start) -> tuple[int, int]:
    """Return the window at the start, as the screen is emulated."""
    if not start.columns or not start.rows:
        return DEFAULT_COLUMNS, DEFAULT_ROWS
    return clamp_window(start.columns, start.rows)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _make_segment(columns: int, rows: int, init: str) -> dict[str, Any]:
    return {"snapshot": {"cols": columns, "rows": rows, "init": init}, "events": []}


def _wrap(piece: Any) -> Message:  # noqa: ANN401  # a Piece
    return Message(
        version="2.3",
        host="",
        rec="",
        user="",
        term="",
        session=NO_AUDIT_SESSION,
        id=1,
        pos_ms=0,
        time_ms=None,
        pieces=(piece,),
    )
