"""Stores that are newer, damaged or no stores: named in one line, and the rest goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from live_server import LiveServer, check_refusal, run_steno
from waiting import wait_for

from steno.errors import StoreError
from steno.server.indexer import Indexer
from steno.store.opening import open_store


@pytest.fixture
def server(library_directory: Path, tmp_path: Path) -> Path:
    """A copy of the library, a server's directory with an account; it may be damaged."""
    directory = tmp_path / "server"
    shutil.copytree(library_directory, directory)
    run_steno("user", "add", "ada", "--role", "admin", "--no-password", "--directory", directory)
    return directory


def make_newer(database: Path) -> None:
    """Say that a database was written by a program of the future."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def header_of(server: Path, rec: str) -> Path:
    """Return where a recording's header is."""
    [header] = (server / "store" / "recordings").glob(f"*/{rec}/header.json")
    return header


def test_stores_and_accounts_of_newer_versions_are_left_alone(server: Path) -> None:
    """Every command that would open them refuses, with code 9, and changes no byte."""
    index, accounts = server / "store/index.sqlite", server / "accounts.sqlite"
    make_newer(index)
    before = index.read_bytes()
    for words in (["ls"], ["verify"], ["search", "hello"], ["server", "reindex"]):
        check_refusal(run_steno(*words, "--store", server), 9, f"{index}: version 99 is newer")
    listen = ["--listen", "127.0.0.1:0"]
    check_refusal(run_steno("serve", "--directory", server, *listen), 9, "version 99")
    assert index.read_bytes() == before
    make_newer(accounts)
    for words in (["user", "list"], ["token", "list"], ["host", "code"]):
        check_refusal(run_steno(*words, "--directory", server), 9, f"{accounts}: of version 99")


def test_databases_that_are_none_are_named(server: Path) -> None:
    """Rubbish in place of a database is damage; what to do about an index is said."""
    for path in (server / "store/index.sqlite", server / "accounts.sqlite"):
        path.write_bytes(b"rubbish" * 100)
    said = "index.sqlite: damaged (file is not a database); remove it and run"
    check_refusal(run_steno("ls", "--store", server), 9, said)
    done = run_steno("user", "list", "--directory", server)
    check_refusal(done, 9, "accounts.sqlite: file is not a database")
    (server / "store/index.sqlite").unlink()
    assert run_steno("server", "reindex", "--store", server).returncode == 0
    assert "hello world" in run_steno("search", "hello", "--store", server).stdout


def test_reading_makes_no_store(tmp_path: Path) -> None:
    """A directory that is no store stays as it is when somebody looks for recordings in it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("mine", "file", "loop", "none"):
        check_refusal(run_steno("ls", "--store", tmp_path / name), 5, "no store in", name)
    assert list((tmp_path / "mine").iterdir()) == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", ["newer", "empty", "no text", "no tail", "gone"])
def test_one_damaged_recording_hides_no_other(server: Path, damage: str) -> None:
    """Verifying and indexing all go on past a recording that cannot be read, and name it."""
    header = header_of(server, "aa-1")
    if damage == "newer":
        header.write_text('{"format":7,"rec":"aa-1","sender":null}\n')
    elif damage == "empty":
        header.write_bytes(b"")
    elif damage == "no text":
        header.write_bytes(b'{"format":1,"rec":"aa-\xff","sender":null}')
    elif damage == "no tail":
        [tail] = header.parent.glob("*.tail")
        tail.unlink()
    else:
        shutil.rmtree(header.parent)
    verified = run_steno("verify", "--json", "--store", server)
    verdicts = {one["rec"]: one for one in map(json.loads, verified.stdout.splitlines())}
    assert verified.returncode == 8  # b-3 is broken, and that weighs more
    assert verdicts["aa-1"]["verification"] is None
    assert verdicts["aa-1"]["error"]
    assert verdicts["ab-2"]["verification"]["state"] == "complete"
    check_refusal(run_steno("verify", "aa-1", "ab-2", "--store", server), 9, "1 unreadable", "aa-1")
    reindexed = run_steno("server", "reindex", "--store", server)
    if damage == "gone":
        assert reindexed.returncode == 0
    else:
        check_refusal(reindexed, 9, "1 not indexed; the first is aa-1: ")
    assert reindexed.stdout.startswith("2 recordings, ")
    assert "other text" in run_steno("search", "other", "--store", server).stdout


def test_the_indexer_works_past_damaged_recordings(
    server: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged recording is logged in one line; what comes after it is indexed all the same."""
    header_of(server, "aa-1").write_bytes(b"")
    store = open_store(server / "store")
    store.clear_derived("aa-1")
    store.clear_derived("ab-2")
    # On a clock that stands still the time to try once more never comes.
    indexer = Indexer(store, monotonic_s=lambda: 0.0)
    indexer.start()
    wait_for(lambda: store.derived_bytes("ab-2"), "the other one in the index")
    indexer.stop()
    with pytest.raises(StoreError, match=r"header\.json: damaged"):
        store.durable_bytes("aa-1")
    store.close()
    [said] = [record for record in caplog.records if "aa-1" in record.getMessage()]
    assert said.exc_info is None
    assert "header.json: damaged" in said.getMessage()


def test_a_server_serves_what_is_good_beside_what_is_damaged(server: Path, tmp_path: Path) -> None:
    """Over the API a damaged recording is a problem of its own; the others are there."""
    live = LiveServer(tmp_path, is_https=False)
    assert live.directory == server
    header_of(server, "aa-1").write_bytes(b"")
    token = run_steno("token", "add", "ada", "--directory", server).stdout
    (tmp_path / "token").write_text(token)
    with live:
        reach = ["--server", live.url, "--token-file", tmp_path / "token"]
        assert run_steno("cat", "ab-2", *reach).stdout == "other text\r\n"
        check_refusal(run_steno("cat", "aa-1", *reach), 9, live.url, "damaged")
        verified = run_steno("verify", *reach)
        assert verified.returncode == 8
        assert "UNREADABLE" in verified.stdout
    assert "Traceback" not in (tmp_path / "server.log").read_text()
