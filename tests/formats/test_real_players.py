"""The programs whose formats these are play what Steno writes in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from reading import decode, encode, load_golden, output_of

from steno.formats.track import Item
from steno.model import Input

pytestmark = pytest.mark.real


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip where `program` is not there, and name the package that brings it."""
    reason = f"Debian package {package} is missing"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


@pytest.fixture(scope="module", params=["01-simple-commands", "03-resize", "06-wide-chars"])
def track(request: pytest.FixtureRequest, tlog_recordings: Path) -> list[Item]:
    """A real recording made with tlog, as items."""
    return decode("tlog", {"": (tlog_recordings / f"{request.param}.log").read_bytes()})


def write_files(kind: str, track: list[Item], path: Path) -> Path:
    """Write `track` as files whose names begin with `path`."""
    files, _ = encode(kind, track)
    for suffix, data in files.items():
        Path(f"{path}{suffix}").write_bytes(data)
    return path


def play(*command: object, on_terminal: bool = False, home: Path | None = None) -> bytes:
    """Return what a player puts out; it may not complain."""
    words = [str(word) for word in command]
    if on_terminal:
        words = ["script", "-qec", " ".join(words), "/dev/null"]
    # Nobody types. script(1) would hand the end of its input on, where tlog-play may hang by it.
    reader, writer = os.pipe()
    try:
        played = subprocess.run(
            words,
            stdin=reader,
            capture_output=True,
            timeout=60,
            check=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(home)},
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert played.stderr == b""
    return played.stdout


@needs("scriptreplay", "bsdutils")
def test_scriptreplay_plays_classic_timing(track: list[Item], tmp_path: Path) -> None:
    """Scriptreplay puts out exactly the output, and its own newline at the end."""
    path = write_files("typescript-classic", track, tmp_path / "t")
    played = play("scriptreplay", "-d", 10**6, "-t", f"{path}.timing", path)
    assert played.removesuffix(b"\n") == output_of(track)


@needs("scriptreplay", "bsdutils")
def test_scriptreplay_plays_advanced_timing(track: list[Item], tmp_path: Path) -> None:
    """Scriptreplay puts out exactly the output, alone, and knows the facts."""
    path = write_files("typescript", track, tmp_path / "t")
    files = ["-T", f"{path}.timing", "-O", path]
    played = play("scriptreplay", "-d", 10**6, *files, "-x", "out")
    assert played.removesuffix(b"\n") == output_of(track)
    summary = play("scriptreplay", "--summary", *files)
    assert b"COLUMNS:  80\n" in summary
    assert b"DURATION:  " in summary


@needs("scriptreplay", "bsdutils")
def test_scriptreplay_plays_input(tmp_path: Path) -> None:
    """What was typed plays from its own file; scriptreplay shows carriage returns as newlines."""
    track = decode(*load_golden("sudo-gzip"))
    assert [item for item in track if isinstance(item, Input)]
    path = write_files("typescript", track, tmp_path / "t")
    files = ["-T", f"{path}.timing", "-O", path, "-I", f"{path}.in"]
    assert play("scriptreplay", "-d", 10**6, *files, "-x", "in") == b"Avery\n\n"


@needs("ttyplay", "ttyrec")
def test_ttyplay_plays_a_ttyrec(track: list[Item], tmp_path: Path) -> None:
    """Ttyplay puts out the output after the request for the window, and one at each change."""
    path = write_files("ttyrec", track, tmp_path / "t.ttyrec")
    played = play("ttyplay", "-n", path)
    assert played.startswith(b"\x1b[8;24;80t")
    assert re.sub(rb"\x1b\[8;[0-9]+;[0-9]+t", b"", played) == output_of(track)


@needs("asciinema", "asciinema")
def test_asciinema_2_plays_a_cast(track: list[Item], tmp_path: Path) -> None:
    """Asciinema 2 puts out exactly the output of asciicast v2."""
    path = write_files("asciicast-v2", track, tmp_path / "t.cast")
    played = play("asciinema", "cat", path, on_terminal=True, home=tmp_path)
    assert played == output_of(track)


@needs("tlog-play", "tlog")
@pytest.mark.parametrize("name", ["v3.cast", "advanced", "session.ttyrec", "sudo-gzip"])
def test_tlog_play_plays_what_was_converted(name: str, tmp_path: Path) -> None:
    """Stock tlog-play puts out exactly the output of a recording that another program made."""
    track = decode(*load_golden(name))
    path = write_files("tlog", track, tmp_path / "t.jsonl")
    played = play("tlog-play", "-r", "file", f"--file-path={path}", on_terminal=True)
    # It plays at the true speed, and at the end resets the terminal and prints a newline.
    assert played.startswith(output_of(track))
    assert len(played) < len(output_of(track)) + 20
