"""`steno convert` as a person calls it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steno.cli import main

GOLDENS = Path(__file__).parent.parent / "data" / "formats"
TLOG = Path(__file__).parent.parent / "data" / "tlog"
NAMES = ["v2.cast", "v3.cast", "session.ttyrec", "classic", "advanced", "both", "sudo-gzip"]


def run(*arguments: object, stdin: bytes = b"", cwd: Path | None = None) -> tuple[int, bytes, str]:
    """Run `steno convert`; return its exit status, standard output and standard error."""
    streams = [io.TextIOWrapper(io.BytesIO(data), write_through=True) for data in (stdin, b"", b"")]
    with contextlib.chdir(cwd or Path.cwd()), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["steno", "convert", *map(str, arguments)])
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as ended:
            main()
    _, output, errors = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined]
    assert isinstance(ended.value.code, int)
    return ended.value.code, output, errors.decode()


@pytest.mark.parametrize("name", NAMES)
def test_every_format_becomes_the_same_text(name: str) -> None:
    """What the person saw is the same text, whichever program recorded it."""
    status, text, errors = run("--to", "text", "-q", GOLDENS / name)
    assert (status, errors) == (0, "")
    bad = "\ufffd\ufffd"
    expected = f"hello é世 red\nhalf é done\nbad {bad} bytes\nAvery\nhi Avery\n30 90\n"
    assert text.decode() == expected


def test_text_resolves_redraws_and_keeps_what_scrolled_off() -> None:
    """Text is what stood on the screen: no escapes, lines scrolled off included."""
    status, text, _ = run("--to", "text", TLOG / "05-bulk-output.log")
    assert status == 0
    lines = text.decode().splitlines()
    assert len(lines) > 1000
    assert "\x1b" not in text.decode()
    assert lines[-1] == "exit"


def test_the_output_name_tells_the_format(tmp_path: Path) -> None:
    """Without --to, OUT's suffix says what to write."""
    for suffix, beginning in [
        (".cast", b'{"version":3,'),
        (".jsonl", b'{"ver":"2.3",'),
        (".ttyrec", b"\x0b"),
        (".typescript", b"Script started on "),
        (".txt", b"hello"),
        (".html", b"<!doctype html>"),
    ]:
        target = tmp_path / f"x{suffix}"
        status, output, _ = run("-q", GOLDENS / "advanced", target)
        assert (status, output) == (0, b"")
        content = target.read_bytes()
        assert content.startswith(beginning) or suffix == ".ttyrec"
        assert content


def test_a_typescript_is_read_with_the_files_beside_it(tmp_path: Path) -> None:
    """OUT, OUT.timing and OUT.in are written, and found again by OUT alone."""
    target = tmp_path / "typescript"
    assert run("-q", "--to", "typescript", GOLDENS / "sudo-gzip", target)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "typescript",
        "typescript.timing",
        "typescript.in",
    }
    status, cast, _ = run("-q", "--to", "asciicast", target)
    assert status == 0
    events = [json.loads(line) for line in cast.splitlines()[1:]]
    assert [event[1] for event in events] == ["o", "o", "i", "o", "o", "r", "o"]
    assert sum(event[0] for event in events) == pytest.approx(1.210582, abs=2e-6)


def test_the_timing_file_may_have_any_name(tmp_path: Path) -> None:
    """--timing names it."""
    typescript = tmp_path / "t"
    typescript.write_bytes((GOLDENS / "classic").read_bytes())
    timing = GOLDENS / "classic.timing"
    status, cast, _ = run("-q", "--to", "asciicast", "--timing", timing, typescript)
    assert status == 0
    assert len(cast.splitlines()) > 4
    status, cast, _ = run("-q", "--to", "asciicast", typescript)
    assert [json.loads(line)[0] for line in cast.splitlines()[1:]] == [0, 0]


def test_standard_input_and_output_work(tmp_path: Path) -> None:
    """- reads standard input, and without OUT standard output is written."""
    status, output, _ = run("-q", "--to", "ttyrec", "-", stdin=(GOLDENS / "v3.cast").read_bytes())
    assert status == 0
    status, again, _ = run("-q", "--to", "text", "-", "-", stdin=output)
    assert status == 0
    assert again.startswith("hello é世 red\n".encode())


def test_what_is_lost_is_said_once_and_can_be_had_as_json(tmp_path: Path) -> None:
    """Losses stand on standard error; -q leaves them out; --json prints all as a report."""
    target = tmp_path / "x.ttyrec"
    status, _, errors = run(GOLDENS / "advanced", target)
    assert status == 0
    assert "steno: not in ttyrec: input: 6 bytes\n" in errors
    assert run("-q", GOLDENS / "advanced", target)[2] == ""
    status, output, errors = run("--json", GOLDENS / "advanced", target)
    assert (status, errors) == (0, "")
    report = json.loads(output)
    assert report["from_format"] == "typescript"
    assert report["to_format"] == "ttyrec"
    assert report["duration_us"] > 1_000_000
    assert "input: 6 bytes" in report["losses"]


def test_the_same_recording_gets_the_same_id() -> None:
    """Converted to tlog's format twice it is the same recording, and another one another."""
    ids = []
    for name in ("v2.cast", "v2.cast", "v3.cast", "sudo-gzip", "sudo-gzip"):
        status, output, _ = run("-q", "--to", "tlog", GOLDENS / name)
        assert status == 0
        ids.append(json.loads(output.splitlines()[0])["rec"])
    assert ids[0] == ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 3


def test_one_of_several_recordings_is_chosen_by_a_beginning_of_its_id(tmp_path: Path) -> None:
    """--rec chooses; without it, or when it fits several or none, the ids are named."""
    lines: list[bytes] = []
    for name in ("v2.cast", "v3.cast"):
        lines += run("-q", "--to", "tlog", GOLDENS / name)[1].splitlines(keepends=True)
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join(lines))
    rec = json.loads(lines[0])["rec"]
    status, text, _ = run("-q", "--to", "text", "--rec", rec[:8], mixed)
    assert (status, text[:5]) == (0, b"hello")
    status, _, errors = run("--to", "text", mixed)
    assert (status, errors.count(rec)) == (6, 1)
    assert run("--to", "text", "--rec", "", mixed)[0] == 6
    assert run("--to", "text", "--rec", "zzz", mixed)[0] == 5


def test_damage_is_named_and_the_rest_converted(tmp_path: Path) -> None:
    """A damaged line and a gap are named by line and byte; the good part is written, status 4."""
    lines = (TLOG / "05-bulk-output.log").read_bytes().splitlines(keepends=True)
    whole = run("-q", "--to", "text", TLOG / "05-bulk-output.log")[1]
    damaged = tmp_path / "damaged.log"
    damaged.write_bytes(b"".join([*lines[:3], b"{" + lines[3][9:], *lines[4:6], *lines[8:]]))
    status, text, errors = run("--to", "text", damaged)
    assert status == 4
    assert f"steno: {damaged}: line 4, byte {sum(map(len, lines[:3]))}: not a message" in errors
    assert f"steno: {damaged}: message 4 is missing\n" in errors
    assert f"steno: {damaged}: messages 7 to 8 are missing\n" in errors
    assert "the rest was converted" in errors
    assert len(whole) * 0.9 < len(text) < len(whole)


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["nowhere.cast", "x.cast"], 5, "nowhere.cast: No such file or directory"),
        (["{goldens}", "x.cast"], 4, "{goldens}: no I/O log of sudo in this directory"),
        (["{goldens}/make.py", "x.cast"], 4, "{goldens}/make.py: no recording in a known format"),
        (["{goldens}/classic.timing", "x.cast"], 4, "{goldens}/classic.timing: this is a timing"),
        (["/dev/null", "x.cast"], 4, "/dev/null: the file is empty"),
        (["--from", "ttyrec", "{goldens}/v2.cast", "x.cast"], 4, "{goldens}/v2.cast: byte 0: a"),
        (
            ["--from", "tlog", "{goldens}/v2.cast", "x.cast"],
            4,
            "{goldens}/v2.cast: line 1, byte 0: no",
        ),
        (["--from", "gif", "{goldens}/v2.cast", "x.cast"], 2, "--from gif: unknown format; there"),
        (["--to", "gif", "{goldens}/v2.cast"], 2, "--to gif: unknown format; there are tlog, "),
        (["{goldens}/v2.cast"], 2, "name the format to write with --to: tlog, "),
        (["{goldens}/v2.cast", "x.gif"], 2, "name the format to write with --to: tlog, "),
        (["{goldens}/v2.cast", "no/x.cast"], 5, "no/x.cast: there is no such directory"),
        (["--to", "text", "{goldens}/v2.cast", "/"], 1, "/: Is a directory"),
        (["--to", "typescript", "{goldens}/v2.cast"], 2, "typescript is several files; name"),
        (["--json", "--to", "tlog", "{goldens}/v2.cast"], 2, "--json prints to standard output"),
        (["--rec", "x", "{goldens}/v2.cast", "x.txt"], 2, "--rec goes with tlog's format, not"),
        (["--timing", "x", "{goldens}/v2.cast", "x.txt"], 2, "--timing goes with typescripts"),
        (["--from", "sudo", "{goldens}/v2.cast", "x.txt"], 2, "{goldens}/v2.cast: a file cannot"),
        (["--from", "tlog", "{goldens}/sudo-gzip", "x.txt"], 2, "{goldens}/sudo-gzip: a direct"),
        (["{goldens}/v2.cast", "/dev/full", "--to", "tlog"], 10, "/dev/full: the disk is full"),
    ],
)
def test_bad_calls_get_one_clear_line(
    tmp_path: Path, arguments: list[str], status: int, error: str
) -> None:
    """Each is told in one line with what and where, has its exit code, and writes nothing."""
    goldens = str(GOLDENS)
    given = [argument.replace("{goldens}", goldens) for argument in arguments]
    code, output, errors = run(*given, cwd=tmp_path)
    assert errors.startswith("steno: " + error.replace("{goldens}", goldens))
    assert errors.count("\n") == 1
    assert code == status
    assert output == b""
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    """A conversion that fails leaves the old file as it was, and nothing beside it."""
    target = tmp_path / "x.cast"
    target.write_bytes(b"old")
    target.chmod(0o640)
    lines = run("-q", "--to", "tlog", GOLDENS / "v2.cast")[1]
    lines += run("-q", "--to", "tlog", GOLDENS / "v3.cast")[1]
    assert run("-", target, stdin=lines)[0] == 6
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
    assert run("-q", GOLDENS / "v2.cast", target)[0] == 0
    assert target.read_bytes().startswith(b'{"version":3,')
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    """A symbolic link stays one; what it points to is replaced."""
    real = tmp_path / "real.cast"
    real.write_bytes(b"old")
    link = tmp_path / "link.cast"
    link.symlink_to(real)
    assert run("-q", GOLDENS / "v2.cast", link)[0] == 0
    assert link.is_symlink()
    assert real.read_bytes().startswith(b'{"version":3,')


def test_a_pipe_can_be_read_and_written(tmp_path: Path) -> None:
    """Named pipes work on both sides, as process substitution needs them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "steno.cli", "convert", "-q", "--to", "text", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert run("-q", "--to", "tlog", GOLDENS / "v2.cast", pipe)[0] == 0
        assert reader.stdout is not None
        assert reader.stdout.read().startswith("hello é世 red\n".encode())
    assert reader.returncode == 0
