"""`steno server reindex`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from steno.cli import group
from steno.errors import AmbiguousError, NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.model import NO_AUDIT_SESSION, End, Output, Start
from steno.store.opening import open_store


def make_store(directory: Path, *recs: str) -> None:
    """Put recordings into a server's store, none of them indexed."""
    store = open_store(directory / "store")
    for rec in recs:
        start = Start(user="u", host="h", started_unix_us=1, recorder="steno 0")
        cutter = Cutter(Identity("h", rec, "u", "", NO_AUDIT_SESSION, start))
        lines = [*cutter.add(Output(0, f"hello {rec}\n".encode())), *cutter.end(End("exit", 0), 0)]
        store.append(rec, 0, b"".join(lines), sender=None)
    store.close()


def test_all_or_some_are_reindexed(tmp_path: Path) -> None:
    """Without names all recordings are indexed, with names or their beginnings only those."""
    make_store(tmp_path, "abc1", "abd2")
    for arguments, count, indexed in ((["abd"], 1, ["abd2"]), ([], 2, ["abc1", "abd2"])):
        command = ["server", "reindex", "--store", str(tmp_path), *arguments]
        result = CliRunner().invoke(group, command, catch_exceptions=False)
        assert result.output.startswith(f"{count} recordings, ")
        store = open_store(tmp_path / "store")
        assert [rec for rec in sorted(store.recs()) if store.lines_count(rec)] == indexed
        store.close()


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    """A name that fits none or several recordings, and a directory without a store, are told."""
    make_store(tmp_path, "abc1", "abd2")
    command = ["server", "reindex", "--store", str(tmp_path)]
    with pytest.raises(NotFoundError, match="no recording x"):
        CliRunner().invoke(group, [*command, "x"], catch_exceptions=False)
    with pytest.raises(AmbiguousError, match="could be any of 2 recordings: abc1, abd2"):
        CliRunner().invoke(group, [*command, "ab"], catch_exceptions=False)
    nowhere = [*command[:-1], str(tmp_path / "none")]
    with pytest.raises(NotFoundError):
        CliRunner().invoke(group, nowhere, catch_exceptions=False)
