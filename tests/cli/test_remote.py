"""The reading commands against a real server say the same as on its directory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_recordings import Steno


@pytest.fixture(scope="module")
def server(library_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server on a copy of the library; returns a directory with files `url` and `token`."""
    made = tmp_path_factory.mktemp("remote")
    directory = made / "srv"
    shutil.copytree(library_directory, directory)
    steno = [sys.executable, "-m", "steno.cli"]
    common = ["--directory", str(directory)]
    add = [*steno, "user", "add", "oscar", "--role", "auditor", "--no-password", *common]
    subprocess.run(add, check=True, capture_output=True)
    token = subprocess.run(
        [*steno, "token", "add", "oscar", "--label", "tests", *common],
        check=True,
        capture_output=True,
        text=True,
    )
    (made / "token").write_text(token.stdout)
    process = subprocess.Popen(
        [*steno, "serve", "--listen", "127.0.0.1:0", *common], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    (made / "url").write_text(process.stdout.readline().removeprefix("serving on ").strip())
    yield made
    process.terminate()
    process.wait()


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"],
        ["ls", "--sort", "user", "user:avery"],
        ["ls", "--json", "-n", "1"],
        ["search", "hello"],
        ["search", "--rec", "aa-1", "denied"],
        ["search", "zebra"],
        ["search", "hello AND ("],
        ["show", "aa-1"],
        ["show", "--json", "aa-1"],
        ["show", "--text", "aa-1"],
        ["show", "a"],
        ["show", "nope"],
        ["verify", "aa-1"],
        ["verify"],
        ["cat", "ab-2"],
        ["commands", "aa-1"],
        ["commands", "--json", "aa-1"],
    ],
)
def test_a_server_says_what_its_directory_says(
    steno: Steno, server: Path, arguments: list[str]
) -> None:
    """Output and exit status are the same, whether the store is read here or over HTTP."""
    url = (server / "url").read_text()
    here = steno(*arguments, "--store", server / "srv")
    there = steno(*arguments, "--server", url, "--token-file", server / "token")
    assert there.stdout == here.stdout
    assert there.returncode == here.returncode
    assert bool(there.stderr) == bool(here.stderr)


def test_times_are_in_the_zone_of_who_asks(steno: Steno, server: Path) -> None:
    """Wherever the server is, a day in a query is a day of the machine where it was typed."""
    url = (server / "url").read_text()
    there = ["--server", url, "--token-file", str(server / "token")]
    listed = {}
    # The recordings began at 14:13 UTC on the 21st.
    for zone in ("UTC0", "EAST-12", "WEST+12"):
        query = ["rec:aa-1", "after:2026-09-22"]
        here = steno("ls", "--json", *query, "--store", server / "srv", zone=zone)
        assert steno("ls", "--json", *query, *there, zone=zone).stdout == here.stdout
        listed[zone] = bool(here.stdout)
        hits = steno("search", "hello", *query, *there, zone=zone)
        assert (hits.returncode == 0) == listed[zone]
    assert listed == {"UTC0": False, "EAST-12": True, "WEST+12": False}


def test_a_page_address_names_a_recording(steno: Steno, server: Path) -> None:
    """The address in the browser plays in the terminal too."""
    url = (server / "url").read_text()
    shown = steno("cat", f"{url}/recordings/ab-2", "--token-file", server / "token")
    assert (shown.returncode, shown.stdout) == (0, "other text\n")


def test_a_server_that_says_no_is_told_from_one_that_is_not_there(
    steno: Steno, server: Path, tmp_path: Path
) -> None:
    """No token, a wrong one, a token's file that is missing, no server: each its code and line."""
    url = (server / "url").read_text()
    assert steno("ls", "--server", url).returncode == 12
    wrong = tmp_path / "wrong"
    wrong.write_text("steno_nonsense")
    assert steno("ls", "--server", url, "--token-file", wrong).returncode == 12
    missing = steno("ls", "--server", url, "--token-file", tmp_path / "missing")
    assert (missing.returncode, "missing" in missing.stderr) == (3, True)
    gone = steno("ls", "--server", "http://127.0.0.1:1")
    assert gone.returncode == 11
    assert len(gone.stderr.splitlines()) == 1


def test_client_toml_names_the_server(steno: Steno, server: Path, tmp_path: Path) -> None:
    """With a client.toml, the commands need no options."""
    config = tmp_path / ".config/steno/client.toml"
    config.parent.mkdir(parents=True)
    url = (server / "url").read_text()
    config.write_text(f'server = "{url}"\ntoken_file = "{server / "token"}"\n')
    assert "aa-1" in steno("ls").stdout
    # The same server by name has the same token; another one is not shown it.
    assert "aa-1" in steno("ls", "--server", f"{url}/").stdout
    shown = steno("cat", f"{url}/recordings/ab-2")
    assert (shown.returncode, shown.stdout) == (0, "other text\n")
    elsewhere = url.replace("127.0.0.1", "localhost")
    assert steno("ls", "--server", elsewhere).returncode == 12
    config.unlink()
    bare = steno("hosts")
    assert bare.returncode == 2
    assert str(config) in bare.stderr
