"""`steno audit report logins` on journals: what login programs say where no audit records come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal_entries import DEBIAN_12, Entry, read_entries, render
from live_server import run_steno

HOST = b"web1"
AUDIT = {
    b"__CURSOR": b"s=1;i=1;b=1",
    b"_TRANSPORT": b"audit",
    b"_AUDIT_TYPE": b"1112",
    b"_AUDIT_TYPE_NAME": b"USER_LOGIN",
    b"_AUDIT_ID": b"7",
    b"_SOURCE_REALTIME_TIMESTAMP": b"1795201600000000",
    b"MESSAGE": b'USER_LOGIN pid=9 uid=0 auid=4294967295 ses=4294967295 msg=\'op=login acct="zoe"'
    b' exe="/usr/sbin/sshd" hostname=? addr=192.0.2.9 terminal=sshd res=failed\'',
}
"""An audit record as journald keeps it."""


def in_json(entries: list[Entry]) -> bytes:
    """Return entries as `journalctl -o json` prints them."""
    made = [{name.decode(): value.decode() for name, value in one.items()} for one in entries]
    return b"".join(json.dumps(one).encode() + b"\n" for one in made)


def report(journal: bytes, place: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the sessions and the failures that are reported."""
    place.write_bytes(journal)
    done = run_steno("audit", "report", "logins", "--json", "--no-names", place)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    sessions = [row for row in rows if "began_unix_us" in row]
    return sessions, [row for row in rows if "began_unix_us" not in row]


@pytest.mark.parametrize("write", [render, in_json], ids=["export", "json"])
def test_a_real_journals_logins(write: Callable[[list[Entry]], bytes], tmp_path: Path) -> None:
    """Who logged in, from where, who they became; and each attempt that failed once."""
    sessions, failures = report(write(read_entries()), tmp_path / "journal")
    people = [
        (one["session"], one["user"], one["program"], one.get("origin", ""), one.get("became", []))
        for one in sessions
        if one["program"] != "systemd"
    ]
    assert people == [
        (7775, "pat", "sshd", "10.77.0.10", []),
        (7777, "pat", "sshd", "10.77.0.10", []),
        (7778, "pat", "sshd", "10.77.0.10", []),
        (7780, "opal", "sshd", "10.77.0.10", ["pat", "root"]),
        (7785, "mal", "sshd", "10.77.0.10", []),
        (7787, "root", "login", "", []),
    ]
    assert all(
        one["ended_unix_us"] > one["began_unix_us"]
        for one in sessions
        if one["program"] != "systemd"
    )
    counted = {(one.get("account", ""), one["program"]): one.get("attempts", 1) for one in failures}
    assert counted == {
        ("pat", "sshd"): 4,
        ("nobodyhere", "sshd"): 1,
        ("root from 10.0.0.1 port 22 ssh2", "sshd"): 1,
        ("ghost", "sshd"): 1,
        ("pat", "su"): 1,
        ("opal", "sudo"): 1,
        ("pat", "login"): 1,
        ("", "login"): 1,
    }


def test_without_numbers_a_login_stands_for_itself(tmp_path: Path) -> None:
    """Where neither the kernel nor logind numbers sessions, programs' words are what there is."""
    entries = [
        {name: value for name, value in one.items() if name != b"_AUDIT_SESSION"}
        for one in read_entries()
        if not one.get(b"_COMM", b"").startswith(b"systemd")
    ]
    sessions, _ = report(render(entries), tmp_path / "journal")
    sessions = [one for one in sessions if one["program"] != "systemd"]
    assert [(one["session"], one["user"], one["program"]) for one in sessions] == [
        (None, "pat", "sshd"),
        (None, "pat", "sshd"),
        (None, "pat", "sshd"),
        (None, "opal", "sshd"),
        (None, "mal", "sshd"),
        (None, "root", "login"),
    ]
    assert all(one["ended_unix_us"] > one["began_unix_us"] for one in sessions)


def test_audit_records_tell_it_better(tmp_path: Path) -> None:
    """From a boot's first audit record on its words are passed over; another boot's are not."""
    entries = read_entries()
    boot = entries[0][b"_BOOT_ID"]
    ours = [{**one, b"_HOSTNAME": HOST} for one in entries]
    record = {**AUDIT, b"_HOSTNAME": HOST, b"_BOOT_ID": boot}
    sessions, failures = report(render([record, *ours]), tmp_path / "journal")
    assert sessions == []
    assert [(one["host"], one["account"]) for one in failures] == [("web1", "zoe")]
    other = {**record, b"_BOOT_ID": b"0" * 32}
    sessions, failures = report(render([other, *ours]), tmp_path / "journal")
    assert {one["host"] for one in sessions} == {"web1"}
    assert len(sessions) == 11
    assert len(failures) == 9


def test_other_reports_and_conversion_pass_words_over(tmp_path: Path) -> None:
    """Words are no records: what shows records underneath, or counts them, has none of them."""
    place = tmp_path / "journal"
    place.write_bytes(DEBIAN_12.read_bytes())
    assert run_steno("audit", "convert", place).stdout == ""
    assert run_steno("audit", "report", "commands", "--json", place).stdout == ""


def test_what_only_claims_to_be_sshd_is_not_believed(tmp_path: Path) -> None:
    """A person's own message under sshd's tag makes no login and no failure."""
    forged = {
        **read_entries()[0],
        b"_UID": b"1000",
        b"_EXE": b"/usr/bin/logger",
        b"_COMM": b"logger",
        b"MESSAGE": b"Failed password for root from 192.0.2.1 port 22 ssh2",
    }
    assert report(render([forged]), tmp_path / "journal") == ([], [])
