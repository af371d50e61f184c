"""Files that are no recordings, or damaged ones: one clear line, its code, the rest read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cli_recordings import make_recording
from live_server import run_steno, run_unprivileged


def check_refusal(done: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """Check the exit code, and that the only line on standard error says `texts`."""
    assert done.returncode == code, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("steno")
    for text in texts:
        assert text in line


READERS = [["cat"], ["play"], ["verify"], ["show"], ["convert", "--to", "text"]]


@pytest.mark.parametrize("reader", READERS, ids=lambda words: str(words[0]))
def test_files_that_cannot_be_read_are_named(reader: list[str], tmp_path: Path) -> None:
    """No file, a file as a directory, a loop, a failing disk, rubbish: each its line and code."""
    (tmp_path / "plain").write_bytes(b"plain text\n")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "empty").touch()
    check_refusal(run_steno(*reader, tmp_path / "none"), 5, "none: No such file or directory")
    check_refusal(run_steno(*reader, tmp_path / "plain" / "x"), 5, "plain/x: Not a directory")
    check_refusal(run_steno(*reader, tmp_path / "loop"), 5, "loop: Too many levels")
    check_refusal(run_steno(*reader, tmp_path / ("n" * 300)), 5, "File name too long")
    check_refusal(run_steno(*reader, tmp_path), 4, f"{tmp_path}: no ", "directory")
    check_refusal(run_steno(*reader, "/proc/self/mem"), 1, "/proc/self/mem: Input/output error")
    check_refusal(run_steno(*reader, tmp_path / "empty"), 4, "empty", "is empty")
    check_refusal(run_steno(*reader, tmp_path / "plain"), 4, "plain: ", "no recording")


@pytest.mark.parametrize("reader", READERS, ids=lambda words: str(words[0]))
def test_files_that_may_not_be_read_are_named(reader: list[str], tmp_path: Path) -> None:
    """No right to read the file, or to look into its directory, is a line like any other."""
    (tmp_path / "closed").mkdir()
    for path in (tmp_path / "mine.log", tmp_path / "closed" / "x.log"):
        path.write_bytes(make_recording("r", ["one"]))
    (tmp_path / "mine.log").chmod(0)
    (tmp_path / "closed").chmod(0)
    for path in (tmp_path / "mine.log", tmp_path / "closed" / "x.log"):
        done = run_unprivileged(*reader, path)
        check_refusal(done, 12, f"{path}: Permission denied")
    (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize("reader", READERS[:4], ids=lambda words: str(words[0]))
def test_other_formats_are_called_by_their_names(reader: list[str], tmp_path: Path) -> None:
    """What would have to be converted first is said to be that."""
    recording = tmp_path / "x.log"
    recording.write_bytes(make_recording("r", ["one"]))
    for name, kind in (("x.cast", "asciicast"), ("x.ttyrec", "ttyrec"), ("x.typescript", "typesc")):
        assert run_steno("convert", "-q", recording, tmp_path / name).returncode == 0
        check_refusal(run_steno(*reader, tmp_path / name), 4, name, f" {kind}", "steno convert")
    timing = tmp_path / "x.typescript.timing"
    check_refusal(run_steno(*reader, timing), 4, "timing file", "steno convert")


def make_damaged(kind: str) -> tuple[bytes, int, int]:
    """Return a damaged recording of five messages; the bad line's number and offset."""
    texts = ["alpha", "bravo", "charlie", "delta"]
    lines = make_recording("r", texts).splitlines(keepends=True)
    at = [sum(map(len, lines[:number])) for number in range(len(lines))]
    if kind == "torn":
        return b"".join(lines)[:-20], 5, at[4]
    if kind == "flipped":
        lines[1] = lines[1].replace(b"bravo", b"\xe2ravo")
        return b"".join(lines), 2, at[1]
    if kind == "swapped":
        lines[1], lines[2] = lines[2], lines[1]
        return b"".join(lines), 3, at[1] + len(lines[1])
    if kind == "repeated":
        lines.insert(2, lines[1])
        return b"".join(lines), 3, at[2]
    if kind == "newer":
        lines[1] = lines[1].replace(b'"ver":"2.3"', b'"ver":"7.0"')
        return b"".join(lines), 2, at[1]
    if kind == "rubbish first":
        return b"rubbish\n" + b"".join(lines), 1, 0
    if kind == "long line":
        lines.insert(1, b"x" * (17 << 20) + b"\n")
        return b"".join(lines), 2, at[1]
    assert kind == "zeros behind"
    return b"".join(lines) + bytes(4096), 6, at[4] + len(lines[4])


KINDS = [
    "torn", "flipped", "swapped", "repeated", "newer", "rubbish first", "long line", "zeros behind",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_and_the_rest_read(kind: str, tmp_path: Path) -> None:
    """Bad lines are named by line and byte, with code 4; good ones, also late ones, are shown."""
    path = tmp_path / "x.log"
    data, line, offset = make_damaged(kind)
    path.write_bytes(data)
    words = {"alpha", "bravo", "charlie", "delta"} - (
        {"bravo"} if kind in ("flipped", "newer") else set()
    )
    for reader in (["cat"], ["play"], ["convert", "-q", "--to", "text"]):
        shown = run_steno(*reader, path)
        assert shown.returncode == 4
        assert sorted(shown.stdout.split()) == sorted(words)
        assert f"steno: {path}: line {line}, byte {offset}: " in shown.stderr
        assert all(said.startswith(f"steno: {path}: ") for said in shown.stderr.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_damage_breaks_the_chain(kind: str, tmp_path: Path) -> None:
    """`steno verify` finds every one of them, and says at which line."""
    path = tmp_path / "x.log"
    data, line, _ = make_damaged(kind)
    path.write_bytes(data)
    done = run_steno("verify", path)
    check_refusal(done, 8, "1 broken; the first is r: BROKEN at line ")
    # A line that is good by itself is given away by its successor's digest, or its number.
    nearby = [line - 1, line, line + 1]
    assert any(f"BROKEN at line {number}," in done.stdout for number in nearby)


def test_unknown_versions_are_told_from_rubbish(tmp_path: Path) -> None:
    """A recording of a newer format is refused as that, wherever it is read."""
    path = tmp_path / "x.log"
    path.write_bytes(make_recording("r", ["one"]).replace(b'"ver":"2.3"', b'"ver":"3.0"'))
    for reader in READERS:
        done = run_steno(*reader, path)
        check_refusal(done, 4, "line 1, byte 0: no recording: unknown format version '3.0'")
    path.write_bytes(make_recording("r", ["one"]).replace(b'"steno":{"v":1', b'"steno":{"v":9'))
    check_refusal(run_steno("cat", path), 4, "unknown version 9 of the steno member")


def test_names_cannot_break_the_line_or_drive_the_terminal(tmp_path: Path) -> None:
    """Control characters and bytes that are no UTF-8 are shown as escapes, in files and words."""
    path = tmp_path / "a\n\x1b]0;evil\x07b"
    path.write_bytes(b"rubbish\n")
    check_refusal(run_steno("cat", path), 4, r"/a\n\x1b]0;evil\x07b: line 1, byte 0: ")
    odd = os.fsdecode(bytes(tmp_path) + b"/x\xff")
    Path(odd).write_bytes(b"rubbish\n")
    check_refusal(run_steno("cat", odd), 4, r"/x\xff: line 1, byte 0: ")
    check_refusal(run_steno("ls\n\x1b[2J"), 2, "No such command")
    check_refusal(run_steno("ls", "--server", os.fsdecode(b"http://x\xff")), 2, r"http://x\xff: ")


def test_arguments_that_are_no_utf8_are_usage_errors(library_directory: Path) -> None:
    """Where text is needed, bytes that are none are refused and shown."""
    odd = os.fsdecode(b"a\xff\xfe")
    store = ["--store", library_directory]
    check_refusal(run_steno("show", odd, *store), 2, r"a\xff\xfe: not valid UTF-8")
    check_refusal(run_steno("cat", odd, *store), 2, r"a\xff\xfe: not valid UTF-8")
    bad = run_steno("search", odd, *store)
    assert (bad.returncode, bad.stderr.splitlines()[2]) == (7, "   ^")


@pytest.mark.parametrize(
    ("query", "shown", "caret"),
    [
        ("日本 AND (", "  日本 AND (", 12),
        ("a\n\x1bb AND (", "  a\ufffd\ufffdb AND (", 12),
        ("x" * 3000 + " AND (", "  …" + "x" * 54 + " AND (", 63),
        ("(a " + "b " * 100, "  (a " + "b " * 28 + "b…", 2),
    ],
)
def test_the_caret_stands_below_its_place(
    library_directory: Path, query: str, shown: str, caret: int
) -> None:
    """Whatever the query's length and script, three lines show where it goes wrong."""
    bad = run_steno("search", query, "--store", library_directory)
    assert bad.returncode == 7
    _, query_line, caret_line = bad.stderr.splitlines()
    assert query_line == shown
    assert caret_line == " " * caret + "^"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rec", "--latency", "nan", "--", "true"], "'nan' is not a number"),
        (["rec", "--payload", "99999999999", "--", "true"], "--payload"),
        (["play", "--speed", "nan", "x.log"], "'nan' is not a number"),
        (["user", "add", "x"], "Choose from: admin, auditor, user"),
        (["ls", "--nope"], "--nope"),
        (["serve", "--listen", "nowhere"], "'nowhere' is not HOST:PORT"),
    ],
)
def test_wrong_calls_are_one_line(words: list[str], text: str, tmp_path: Path) -> None:
    """Whatever is wrong with a call is said in one line, and nothing is done."""
    done = run_steno(*words, *(["--directory", tmp_path / "srv"] if words[0] == "serve" else []))
    check_refusal(done, 3 if words[0] == "serve" else 2, text)
    assert done.stdout == ""
    assert not (tmp_path / "srv").exists()
