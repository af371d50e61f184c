"""`steno commands`: recordings' files, audit logs, stores and servers, as a person sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audited_session import BOOT_ID, F1, make_recording, make_trail, read_events
from cli_recordings import Steno

from steno.server.indexer import Indexer
from steno.store.opening import open_store

LOG = F1 / "audit-enriched.log"
REC = "f1-0001"
TRAIL = f"trail-{BOOT_ID}-1"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Avery's recording as a file."""
    path = tmp_path_factory.mktemp("recordings") / "avery.log"
    path.write_bytes(b"".join(make_recording(REC)))
    return path


@pytest.fixture(scope="module")
def audited_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with avery's recording and the host's trail."""
    directory = tmp_path_factory.mktemp("audited")
    store = open_store(directory)
    store.append(REC, 0, b"".join(make_recording(REC)), sender="vm")
    store.append(TRAIL, 0, b"".join(make_trail(TRAIL, read_events())), sender="vm")
    Indexer(store).drain()
    store.close()
    return directory


def test_a_file_beside_a_log_shows_what_came_of_each_line(steno: Steno, recording: Path) -> None:
    """Instants, durations, statuses and consequences stand beside the typed lines."""
    found = steno("commands", recording, "--audit", LOG)
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.rstrip() for line in found.stdout.splitlines()]
    assert lines[0].split() == ["at", "took", "exit", "command"]
    assert "0:03.2    3 ms     7  curl -s http://127.0.0.1:9/refused  [1 connection]" in lines
    assert "0:00.4                cd ~ && echo hello > notes.txt  [1 file change]" in lines
    assert any(line.endswith("sleep 0.2 & wait  [background]") for line in lines)
    assert not any("dircolors" in line for line in lines)


def test_the_tree_has_everything_below_what_ran_it(steno: Steno, recording: Path) -> None:
    """With --tree programs are indented below lines, and shells and scripts are named."""
    found = steno("commands", recording, "--audit", LOG, "--tree").stdout
    column = found.splitlines()[0].index("command")
    lines = [line.rstrip()[column:] for line in found.splitlines()]
    at = lines.index("  sudo id -u  [as root]")
    assert lines[at + 1] == "    id -u  [as root]"
    assert "-bash  [shell]" in lines
    assert any("dircolors" in line for line in lines)


def test_a_file_alone_shows_the_screens_lines(steno: Steno, recording: Path) -> None:
    """Without a log it is what stood on the screen."""
    found = steno("commands", recording, "--json")
    answer = json.loads(found.stdout)
    assert answer["source"] == "screen"
    assert answer["items"][2]["text"] == "cat /etc/hostname"


def test_a_log_alone_shows_its_sessions(steno: Steno) -> None:
    """With --audit alone all sessions are shown, or the one that is asked for."""
    both = steno("commands", "--audit", LOG, "--tree").stdout
    assert [line for line in both.splitlines() if line.startswith("audit session")] == [
        "audit session 4",
        "audit session 5",
        "audit session 6",
    ]
    one = steno("commands", "--audit", LOG, "--session", "4")
    assert "nonexistent-cmd --x" in one.stdout
    assert "audit session" not in one.stdout
    assert steno("commands", "--audit", LOG, "--session", "99").returncode == 1


def test_where_nothing_was_typed_all_that_ran_is_shown(steno: Steno) -> None:
    """Of a copy, or of `ssh host command`, there is no typed line to show."""
    found = steno("commands", "--audit", LOG, "--session", "5")
    assert found.stderr == "nothing was typed; this is all that ran\n"
    assert found.stdout == steno("commands", "--audit", LOG, "--session", "5", "--tree").stdout
    assert "tar czf /tmp/h-audit-b.tgz" in found.stdout
    assert steno("commands", "--audit", LOG, "--session", "4").stderr == ""


def test_a_store_joins_recording_and_trail(steno: Steno, audited_store: Path) -> None:
    """From a store on this machine the trail's events are taken without asking for a log."""
    found = steno("commands", "f1", "--store", audited_store, "--json")
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout)
    assert (answer["source"], answer["counts"]["events"]) == ("audit", 365)
    beside = steno("commands", "f1", "--store", audited_store, "--audit", LOG, "--json")
    items = json.loads(beside.stdout)["items"]
    assert [one["text"] for one in items] == [one["text"] for one in answer["items"]]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([], 2, "name a recording"),
        (["aa", "--session", "4"], 2, "--session is for --audit"),
        (["./nowhere.log"], 5, "nowhere.log"),
        (["--audit", "/nowhere/audit.log"], 5, "/nowhere/audit.log"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    steno: Steno, arguments: list[str], status: int, text: str
) -> None:
    """Wrong calls and missing files end with their exit codes."""
    found = steno("commands", *arguments)
    assert found.returncode == status, found.stderr
    assert text in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_log_is_no_recording(steno: Steno) -> None:
    """A file that holds no recording is refused, and named."""
    found = steno("commands", LOG)
    assert found.returncode == 4
    assert str(LOG) in found.stderr
