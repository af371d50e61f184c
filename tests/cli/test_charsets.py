"""Terminals with other charsets, from `steno rec` to `steno cat` and `steno convert`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STENO = [str(Path(sys.executable).with_name("steno"))]
TEXT = "Привет, мир\n"
KOI8 = TEXT.encode("koi8_r") + b"\n"


def run(*arguments: object, status: int = 0) -> bytes:
    """Run steno; return what it wrote."""
    ran = subprocess.run([*STENO, *map(str, arguments)], capture_output=True, check=False)
    assert ran.returncode == status, ran.stderr.decode()
    return ran.stdout or ran.stderr


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a recording of a program that speaks KOI8-R."""
    (tmp_path / "koi8").write_bytes(KOI8)
    path = tmp_path / "a.log"
    run("rec", "-q", "--charset", "koi8-r", "--file", path, "--", "cat", tmp_path / "koi8")
    return path


def test_a_recording_is_read_in_utf8_and_in_the_original(recording: Path) -> None:
    """`cat` and `play` show UTF-8, and with --original what the terminal had."""
    assert run("cat", recording) == KOI8.decode("koi8_r").encode()
    assert run("cat", "--original", recording) == KOI8
    assert run("play", "--original", recording) == KOI8
    assert b"complete" in run("verify", recording)


def test_from_tlog_to_tlog_the_original_stays(recording: Path, tmp_path: Path) -> None:
    """A converted recording gives the original back; other formats get UTF-8, or it if asked."""
    run("convert", recording, tmp_path / "b.log")
    assert run("cat", "--original", tmp_path / "b.log") == KOI8
    assert run("cat", tmp_path / "b.log") == KOI8.decode("koi8_r").encode()
    run("convert", recording, tmp_path / "b.ttyrec")
    shown = TEXT.replace("\n", "\r\n")  # there was no terminal, and a ttyrec is one's
    assert shown.encode() in (tmp_path / "b.ttyrec").read_bytes()
    run("convert", "--original", recording, tmp_path / "c.ttyrec")
    assert KOI8 in (tmp_path / "c.ttyrec").read_bytes()


def test_bytes_of_other_formats_are_converted_when_asked(recording: Path, tmp_path: Path) -> None:
    """--charset tells what a typescript's or ttyrec's bytes are in."""
    original = tmp_path / "c.ttyrec"
    run("convert", "--original", recording, original)
    run("convert", "--charset", "KOI8-R", original, tmp_path / "d.log")
    assert run("cat", tmp_path / "d.log") == KOI8.decode("koi8_r").encode()
    assert run("cat", "--original", tmp_path / "d.log") == KOI8
    run("convert", "--charset", "KOI8-R", original, tmp_path / "d.ttyrec")
    assert TEXT.encode() in (tmp_path / "d.ttyrec").read_bytes()


def test_bad_charsets_get_one_clear_line(recording: Path, tmp_path: Path) -> None:
    """Unknown charsets and those that make no sense are refused before anything is done."""
    said = run("rec", "--charset", "klingon", "--", "true", status=2)
    assert said.startswith(b"steno: charset 'klingon': not known; there are UTF-8, ISO-8859-1")
    target = tmp_path / "x.ttyrec"
    said = run("convert", "--charset", "KOI8-R", recording, target, status=2)
    assert said == b"steno: --charset goes with bytes; tlog holds characters\n"
    assert not target.exists()
