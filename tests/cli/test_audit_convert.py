"""`steno audit convert` and `report`: real logs, as files, sets, pipes and while they grow."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from live_server import run_steno

F1 = Path(__file__).parents[1] / "data" / "audit" / "f1" / "audit-enriched.log"
HALF = 700
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def lines_of(output: str) -> list[dict[str, Any]]:
    """Return the JSON objects of an output, one a line."""
    return [json.loads(line) for line in output.splitlines()]


def serials_of(output: str) -> list[int]:
    """Return the numbers of the events in an output, sorted."""
    return sorted(event["serial"] for event in lines_of(output))


def test_a_file_and_a_pipe_give_the_same() -> None:
    """A log that is named and one that is piped in give the same events, all of them."""
    named = run_steno("audit", "convert", F1)
    with F1.open("rb") as log:
        piped = subprocess.run(
            [sys.executable, "-m", "steno.cli", "audit", "convert"],
            stdin=log,
            capture_output=True,
            check=True,
            text=True,
        )
    assert named.returncode == 0
    assert named.stdout == piped.stdout
    assert len(serials_of(named.stdout)) == 409


def test_without_any_input_it_is_the_hosts_own_log() -> None:
    """Under cron standard input is /dev/null, of which a report would say that nothing was done."""
    ask = "from steno.cli.audit_files import find_logs; print(find_logs([]))"
    words = [sys.executable, "-c", ask]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
    )
    assert "/var/log/audit" in done.stdout + done.stderr
    piped = subprocess.run(words, input="", capture_output=True, check=True, text=True)
    assert piped.stdout == "[None]\n"


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files_are_unpacked(tmp_path: Path, suffix: str) -> None:
    """gzip, bzip2, xz and zstd; also several packed pieces one behind the other."""
    data = F1.read_bytes()
    middle = data.index(b"\n", len(data) // 2) + 1
    pack = PACKERS[suffix]
    log = tmp_path / f"audit.log.{suffix}"
    log.write_bytes(pack(data[:middle]) + pack(data[middle:]))
    done = run_steno("audit", "convert", "--no-records", log)
    assert done.returncode == 0, done.stderr
    assert len(serials_of(done.stdout)) == 409


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_that_is_cut_is_named(tmp_path: Path, suffix: str) -> None:
    """One clear line, exit code 4, and what came before the damage."""
    log = tmp_path / f"audit.log.{suffix}"
    # Several pieces, for bzip2 unpacks no half of one.
    data = F1.read_bytes()
    pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    packed = b"".join(PACKERS[suffix](piece) for piece in pieces)
    log.write_bytes(packed[: len(packed) - 100])
    done = run_steno("audit", "convert", "--no-records", log)
    assert done.returncode == 4
    assert f"{log}: the packed file ends too early" in done.stderr
    assert len(serials_of(done.stdout)) > 250


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_that_is_damaged_is_named(tmp_path: Path, suffix: str) -> None:
    """One clear line, and exit code 4, whatever is damaged in it."""
    packed = bytearray(PACKERS[suffix](F1.read_bytes()))
    packed[len(packed) // 2 : len(packed) // 2 + 200] = bytes(200)
    log = tmp_path / f"audit.log.{suffix}"
    log.write_bytes(packed)
    done = run_steno("audit", "convert", "--no-records", log)
    assert done.returncode == 4
    assert f"{log}: damaged where it is packed" in done.stderr


def write_rotated_set(directory: Path) -> None:
    """Write f1 as auditd rotates: the oldest packed, the last one growing."""
    lines = F1.read_bytes().splitlines(keepends=True)
    (directory / "audit.log.10.gz").write_bytes(gzip.compress(b"".join(lines[:400])))
    (directory / "audit.log.2").write_bytes(b"".join(lines[400:HALF]))
    (directory / "audit.log.1").write_bytes(b"".join(lines[HALF:900]))
    (directory / "audit.log").write_bytes(b"".join(lines[900:]))
    (directory / "other.txt").write_text("no log\n")


def test_a_rotated_set_is_read_oldest_first(tmp_path: Path) -> None:
    """A directory, or its files in whatever order, give what the one log gave before."""
    write_rotated_set(tmp_path)
    whole = run_steno("audit", "convert", F1)
    assert run_steno("audit", "convert", tmp_path).stdout == whole.stdout
    logs = sorted(tmp_path.glob("audit.log*"))
    assert run_steno("audit", "convert", *logs).stdout == whole.stdout


def test_events_are_chosen() -> None:
    """By session, by user, by time; a day that is named is in it whole."""
    session = run_steno("audit", "convert", "--session", "6", F1)
    assert {event["audit_session"] for event in lines_of(session.stdout)} == {6}
    blake = lines_of(run_steno("audit", "convert", "--user", "blake", F1).stdout)
    assert {event.get("audit_session") for event in blake} == {4, 5, 6, None}
    assert not lines_of(run_steno("audit", "convert", "--to", "2026-11-18", F1).stdout)
    assert (
        len(
            lines_of(
                run_steno(
                    "audit", "convert", "--from", "2026-11-19", "--to", "2026-11-21", F1
                ).stdout
            )
        )
        == 409
    )
    late = run_steno("audit", "convert", "--from", "2026-11-20T08:02:11+00:00", F1)
    assert min(event["at_unix_us"] for event in lines_of(late.stdout)) >= 1795161731000000


def test_what_is_no_record_is_named_and_the_rest_converted(tmp_path: Path) -> None:
    """Each bad line with its file, number and place, and the exit code 4."""
    lines = F1.read_bytes().splitlines(keepends=True)
    first, second = tmp_path / "one.log", tmp_path / "two.log"
    first.write_bytes(b"".join(lines[:3]) + lines[3].rstrip(b"\n"))
    second.write_bytes(b"".join(lines[4:10]) + b"bad \x1b[2J\n" + b"".join(lines[10:]))
    done = run_steno("audit", "convert", first, second, "-o", tmp_path / "out")
    assert done.returncode == 4
    place = sum(map(len, lines[4:10]))
    [line] = done.stderr.splitlines()
    assert line == f"steno: {second}: line 7, byte {place}: not an audit record: bad \\x1b[2J"
    assert len(serials_of((tmp_path / "out").read_text())) == 409


def test_missing_events_are_counted(tmp_path: Path) -> None:
    """Events that the log lost are told of; of a pipe they are not, it may be filtered."""
    log = tmp_path / "audit.log"
    kept = [line for line in F1.read_bytes().splitlines(keepends=True) if b":300)" not in line]
    log.write_bytes(b"".join(kept))
    done = run_steno("audit", "convert", log)
    assert done.returncode == 0
    assert "1 event is missing in the log, by their numbers" in done.stderr
    assert [event["serial"] for event in lines_of(done.stdout) if event.get("lost_before")] == [301]


def test_a_growing_log_is_followed_over_its_rotation(tmp_path: Path) -> None:
    """Events come as they are written, also those of the log that takes the other's place."""
    lines = F1.read_bytes().splitlines(keepends=True)
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(lines[:HALF]))
    following = subprocess.Popen(
        [sys.executable, "-m", "steno.cli", "audit", "convert", "-f", "--no-records", log],
        stdout=subprocess.PIPE,
    )
    try:
        assert following.stdout is not None
        seen = {json.loads(following.stdout.readline())["serial"]}
        with log.open("ab") as file:
            file.write(b"".join(lines[HALF:900]))
        os.rename(log, tmp_path / "audit.log.1")
        log.write_bytes(b"".join(lines[900:]))
        while len(seen) < 409:
            seen.add(json.loads(following.stdout.readline())["serial"])
    finally:
        following.kill()
        following.communicate()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("convert", "/nonexistent/audit.log"), 5, "No such file"),
        (("convert", "/proc/self"), 5, "there is no audit.log"),
        (("convert", "--format", "yaml", F1), 2, "'yaml' is not one of"),
        (("convert", "--from", "soon", F1), 2, "not a time"),
        (("convert", "--follow", "-"), 2, "--follow is for files"),
        (("convert", "--follow", "-o", "x", F1), 2, "--follow has no end"),
        (("convert", "--fold", "1", F1), 2, "--fold is for --format aushape-json"),
        (("convert", "-o", "/nonexistent/x", F1), 5, "no such directory"),
        (("report", "weather", F1), 2, "'weather' is not one of"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], code: int, text: str) -> None:
    """One line that says what is wrong, and its exit code."""
    done = run_steno("audit", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_commands_are_reported() -> None:
    """By user and session, with when, how long, exit status and as whom."""
    done = run_steno("audit", "report", "commands", F1)
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if ", session " in line]
    assert [head.rpartition(",")[0] for head in heads] == [
        "avery, session 4",
        "blake, session 5",
        "blake, session 6",
    ]
    assert any(
        line.split()[3:] == ["1", "avery", "cat", "/etc/shadow"]
        for line in done.stdout.splitlines()
    )
    rows = lines_of(run_steno("audit", "report", "commands", "--json", "--session", "5", F1).stdout)
    assert {row["user"] for row in rows} == {"blake"}
    assert next(row for row in rows if row["arguments"][0] == "tar")["exit_status"] == 0


@pytest.mark.parametrize(
    ("report", "texts"),
    [
        ("summary", ["409, 2026-11-20", "avery 365, blake 33", "ENOENT 8", "steno-exec 70"]),
        ("files", ["avery as root", "/etc/shadow", "renamed to this 2x", "useradd, userdel"]),
        ("network", ["connected to", "[::1]:18080", "python3"]),
        ("logins", ["Sessions", "127.0.0.1", "root, blake", "Failures"]),
    ],
)
def test_logs_are_reported(report: str, texts: list[str]) -> None:
    """Each report says what it is for, as a table and as JSON."""
    done = run_steno("audit", "report", report, F1)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in texts), done.stdout
    assert lines_of(run_steno("audit", "report", report, "--json", F1).stdout)


def test_a_report_of_nothing_says_so() -> None:
    """An empty log gives no table, and no failure."""
    for report in ("summary", "commands", "files", "network", "logins"):
        done = run_steno("audit", "report", report, "/dev/null")
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith("no")
