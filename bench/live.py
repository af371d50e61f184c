"""How far behind somebody is who watches a session live, through a real host and server.

    python bench/live.py [--marks 12] [--latency SECONDS]

A program in a recorded session prints the time every 2.3 s; `steno rec` records it, `steno deliver
--follow` delivers it over TLS, and two watchers wait for it: server-sent events, as a browser
has them, and `steno play --follow` on a terminal. Prints Markdown; put it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import httpx2

STENO = [sys.executable, "-m", "steno.cli"]
GAP_S = 2.3
PROGRAM = """
import sys, time
for _ in range(int(sys.argv[1])):
    time.sleep(float(sys.argv[2]))
    print(f"MARK {time.time():.6f}", flush=True)
"""
MARK = re.compile(rb"MARK (\d+\.\d{6})")


def run(*words: str | Path) -> str:
    """Run a command to its end; return what it says."""
    done = subprocess.run(
        [*STENO, *map(str, words)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


class Site:
    """A server, a host that is enrolled with it, and its courier."""

    def __init__(self, directory: Path) -> None:
        server = directory / "server"
        self.ca = server / "ca" / "ca.pem"
        self.token_file = directory / "token"
        self.places = ["--spool", str(directory / "spool")]
        self.places += ["--host-directory", str(directory / "host")]
        run("server", "init", "127.0.0.1", "--directory", server)
        run("user", "add", "ada", "--role", "admin", "--no-password", "--directory", server)
        self.token_file.write_text(run("token", "add", "ada", "--directory", server))
        command = [*STENO, "serve", "--directory", str(server)]
        self.server = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--tls", "on"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.server.stdout is not None
        self.url = self.server.stdout.readline().split()[-1]
        code = json.loads(run("host", "code", "--json", "--directory", server))["code"]
        run("host", "enrol", self.url, code, "--name", "web1", *self.places[2:])
        self.courier = subprocess.Popen(
            [*STENO, "deliver", "--follow", *self.places], stderr=subprocess.DEVNULL
        )

    def client(self) -> httpx2.Client:
        """Return a client of its API."""
        token = self.token_file.read_text().strip()
        return httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=self.ca),
            trust_env=False,
            timeout=60,
        )

    def close(self) -> None:
        """End it."""
        for process in (self.courier, self.server):
            process.terminate()
            process.wait(30)


def open_terminal() -> tuple[int, int]:
    """Return both sides of a terminal of the usual size."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    return master, slave


def start_on(slave: int, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a program on a terminal of its own."""
    return subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env=os.environ | {"TERM": "xterm"},
    )


def note_marks(data: bytes, found: dict[bytes, float]) -> None:
    """Remember how late each mark is that was not seen before."""
    now_s = time.time()
    for text in MARK.findall(data):
        found.setdefault(text, now_s - float(text))


def follow_events(site: Site, rec: str, found: dict[bytes, float]) -> None:
    """Watch as a browser does, until the recording ends."""
    with site.client() as client, client.stream("GET", f"/api/v1/recordings/{rec}/live") as events:
        for line in events.iter_lines():
            note_marks(line.encode(), found)
            if line == "event: end":
                return


def follow_terminal(site: Site, rec: str, found: dict[bytes, float]) -> None:
    """Watch with `steno play --follow`, until the recording ends."""
    master, slave = open_terminal()
    where = ["--server", site.url, "--token-file", str(site.token_file), "--ca", str(site.ca)]
    player = start_on(slave, [*STENO, "play", "--follow", *where, rec])
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            seen = seen[-100:] + data
            note_marks(seen, found)
    player.wait(30)
    os.close(master)


def drain(master: int) -> None:
    """Read a terminal empty until it closes."""
    with contextlib.suppress(OSError):
        while os.read(master, 65536):
            pass


def measure(site: Site, marks: int, latency_s: float) -> dict[str, list[float]]:
    """Return how late each watcher saw each mark."""
    master, slave = open_terminal()
    words = ["--latency", str(latency_s), *site.places, "-q", "--", sys.executable, "-c", PROGRAM]
    command = [*STENO, "rec", "--to", "server", *words, str(marks), str(GAP_S)]
    recorder = start_on(slave, command)
    os.close(slave)
    threading.Thread(target=drain, args=(master,), daemon=True).start()
    with site.client() as client:
        while not (items := client.get("/api/v1/recordings").json()["items"]):
            time.sleep(0.05)
    rec = items[0]["rec"]
    found: dict[str, dict[bytes, float]] = {"server-sent events": {}, "steno play --follow": {}}
    threads = [
        threading.Thread(target=follow, args=(site, rec, marks_seen))
        for follow, marks_seen in zip((follow_events, follow_terminal), found.values(), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.wait(30)
    # The first may have been there before the watcher; the last is hurried along by the end.
    return {way: [late[mark] for mark in sorted(late)[1:-1]] for way, late in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--marks", type=int, default=12)
    parser.add_argument("--latency", type=float, default=1.0, help="the recorder's, in seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        site = Site(Path(directory))
        try:
            found = measure(site, options.marks, options.latency)
        finally:
            site.close()
    print(f"| watcher (the recorder holds back {options.latency:g} s) | median | slowest |")
    print("|---|---|---|")
    for way, late_s in found.items():
        print(f"| {way} | {statistics.median(late_s):.2f} s | {max(late_s):.2f} s |")


if __name__ == "__main__":
    main()
