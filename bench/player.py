"""Compare players in one run: how long a seek takes in a recording of ten hours.

    python bench/player.py [--megabytes 100] [--seeks 40] [--delay-ms 0]

Both play the same segments from the same server in the same browser; asciinema-player also plays
the same events as one asciicast file, its usual way. A seek ends when the second frame after it
has been drawn. Prints Markdown; put it into docs/performance.md with the machine and the date.
Needs the front end built with its development packages (npm ci), and Debian's chromium.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import random
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

# The tests' own site and recordings.
from made_recordings import Recording, ten_hours  # noqa: E402
from made_site import CHROMIUM, QUIET, Site  # noqa: E402

PEER = ROOT / "frontend" / "node_modules" / "asciinema-player"
SEGMENT_BYTES = 256 * 1024
"""What the server's index cuts at, too."""
BASE = "/api/v1/recordings/long"
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
STENO = """async (time) => {
    const player = document.querySelector('steno-player');
    const started = performance.now();
    await player.seek(time);
    await (%s)();
    return performance.now() - started;
}"""
ASCIINEMA = STENO.replace("document.querySelector('steno-player')", "window.player")
CREATE = """async (source) => {
    const options = { preload: true };
    window.player = AsciinemaPlayer.create(source, document.querySelector('main'), options);
    while (!(await player.getDuration())) await new Promise((done) => setTimeout(done, 5));
}"""


@dataclass(frozen=True)
class Result:
    """One player's numbers, in milliseconds."""

    name: str
    ready: float
    cold: list[float]
    warm: list[float]
    heap_bytes: int

    def row(self) -> str:
        """Return the table's row."""

        def times(values: list[float]) -> str:
            return f"{statistics.median(values):.0f} / {max(values):.0f}"

        heap = f"{self.heap_bytes / 1e6:.0f} MB"
        return (
            f"| {self.name} | {self.ready:.0f} | {times(self.cold)} | {times(self.warm)} | {heap} |"
        )


def put_peer(site: Site) -> None:
    """Serve a page with asciinema-player."""
    bundle = PEER / "dist" / "bundle"
    for name in ("asciinema-player.min.js", "asciinema-player.css"):
        site.answers[f"/peer/{name}"] = (bundle / name).read_bytes()
    site.answers["/peer"] = b"""<!doctype html><html><head><meta charset="utf-8">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/peer/asciinema-player.css">
<script src="/peer/asciinema-player.min.js"></script></head><body><main></main></body></html>"""


def as_asciicast(recording: Recording) -> bytes:
    """Return the recording as one asciicast v2 file."""
    header = {"version": 2, "width": recording.columns, "height": recording.rows}
    lines = [json.dumps(header), *(json.dumps(event) for event in recording.events)]
    return "\n".join(lines).encode()


def heap_bytes(page: Page) -> int:
    """Return the bytes of JavaScript's heap after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def measure(
    browser: Browser, name: str, address: str, source: object, instants: list[float]
) -> Result:
    """Open a page with a player, seek everywhere for the first time, then again.

    The instants of the second round lie beside those of the first, in the opposite order, so
    that what a player keeps may help it.
    """
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.on("pageerror", lambda error: print(f"{name}: {error}", file=sys.stderr))
    page.goto(address)
    started = time.perf_counter()
    if source is None:
        page.evaluate("document.querySelector('steno-player').whenReady()")
    else:
        page.evaluate(CREATE, source)
    ready = (time.perf_counter() - started) * 1000
    seek = (STENO if source is None else ASCIINEMA) % FRAMES
    cold = [page.evaluate(seek, instant) for instant in instants]
    warm = [page.evaluate(seek, instant + 3) for instant in reversed(instants)]
    result = Result(name, ready, cold, warm, heap_bytes(page))
    page.context.close()
    return result


def slow_down(site: Site, delay_s: float) -> None:
    """Let every segment take longer, as over a network."""
    for path, body in list(site.answers.items()):
        if "/segments/" in path and isinstance(body, bytes):

            def late(body: bytes = body) -> bytes:
                time.sleep(delay_s)
                return body

            site.answers[path] = late


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--seeks", type=int, default=40)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    recording = ten_hours(options.megabytes * 1_000_000)
    recording.segment_bytes = SEGMENT_BYTES
    site = Site(policy="default-src * 'unsafe-inline' 'unsafe-eval' data: blob:")
    site.put_recording("long", recording.answers())
    site.answers["/long.cast"] = as_asciicast(recording)
    slow_down(site, options.delay_ms / 1000)
    put_peer(site)
    chance = random.Random(11)
    instants = [chance.uniform(0, recording.duration - 5) for _ in range(options.seeks)]
    peer = json.loads((PEER / "package.json").read_text())["version"]
    segmented = {"driver": "recording", "format": "segmented", "url": f"{BASE}/segments"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        own = site.put_player("/own", f'src="{BASE}"')
        results = [
            measure(browser, "steno-player", own, None, instants),
            measure(
                browser,
                f"asciinema-player {peer}, same segments",
                f"{site.origin}/peer",
                segmented,
                instants,
            ),
            measure(
                browser,
                f"asciinema-player {peer}, one file",
                f"{site.origin}/peer",
                "/long.cast",
                instants[:8],
            ),
        ]
        version = browser.version
        browser.close()
    print(
        f"{recording.duration / 3600:.1f} hours, {options.megabytes} MB of output,"
        f" {len(recording.segments())} segments; {options.seeks} random seeks;"
        f" {options.delay_ms:.0f} ms added to each segment; Chromium {version},"
        f" {platform.machine()}, {datetime.datetime.now().astimezone():%Y-%m-%d}.\n"
    )
    print(
        "| player | ready, ms | first seeks, median / max ms | near seen, median / max ms | heap |"
    )
    print("|---|---|---|---|---|")
    for result in results:
        print(result.row())


if __name__ == "__main__":
    main()
