"""Whose files commands make when root runs them."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

STENO = [sys.executable, "-m", "steno.cli"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be anybody else")
def test_root_makes_files_for_the_directorys_owner() -> None:
    """Accounts that root adds to a service's directory belong to the service, not to root."""
    nobody = pwd.getpwnam("nobody")
    words = ["setpriv", "--reuid=nobody", "--clear-groups", "test", "-r", __file__]
    if subprocess.run(words, check=False).returncode:
        pytest.skip("this tree is in a directory that other users may not enter")
    directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    try:
        added = [*STENO, "user", "add", "ada", "--role", "admin", "--no-password"]
        subprocess.run([*added, "--directory", str(directory)], check=True, cwd="/")
        made = [path.stat().st_uid for path in directory.rglob("*")]
        assert made
        assert set(made) == {nobody.pw_uid}
    finally:
        subprocess.run(["rm", "-rf", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files for nobody")
def test_a_directory_of_nobody_known_is_refused(tmp_path: Path) -> None:
    """A directory that belongs to a number without a user is named, and nothing is made in it."""
    os.chown(tmp_path, 54321, 54321)
    done = subprocess.run(
        [*STENO, "user", "add", "ada", "--role", "user", "--directory", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.decode().count("\n") == 1
    assert b"belongs to user 54321, whom nobody knows" in done.stderr
    assert not [*tmp_path.iterdir()]
