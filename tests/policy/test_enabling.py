"""`steno host enable` and `disable` on the image of a host, with Debian's usermod."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from processes import wait_for_end
from waiting import wait_for

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ann:x:1000:1000:Ann:/home/ann:/bin/bash
ben:x:1001:100::/home/ben:/bin/dash
eve:x:1002:1002::/home/eve:
"""
GROUP = "root:x:0:\nusers:x:100:ann,daemon,gone\nann:x:1000:\n"
SHELLS = "# /etc/shells\n/bin/bash\n/bin/dash\n"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="usermod (package passwd) wants root"),
]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return the root of a host's image with a few accounts and a login shell."""
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    (root / "usr/bin").mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    (root / "etc/shells").write_text(SHELLS)
    (root / "usr/bin/steno-shell").write_text("#!/bin/sh\n")
    (root / "usr/bin/steno-shell").chmod(0o755)
    return root


def steno(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `steno host ...`."""
    return subprocess.run(
        [sys.executable, "-m", "steno.cli", "host", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def shells_of(image: Path) -> dict[str, str]:
    """Return each account's login shell."""
    lines = (image / "etc/passwd").read_text().splitlines()
    return {line.split(":")[0]: line.split(":")[6] for line in lines}


def table_of(image: Path) -> list[str]:
    """Return the lines of the table of real shells."""
    lines = (image / "etc/steno/shells").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def state_of(image: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and inode of all files in the image's /etc, for comparisons."""
    return {
        str(path): (path.read_bytes(), path.stat().st_ino)
        for path in (image / "etc").rglob("*")
        if path.is_file()
    }


def test_enabling_and_disabling_leave_the_entry_as_it_was(image: Path) -> None:
    """The login shell becomes steno-shell, the real one is kept, and comes back byte for byte."""
    before = (image / "etc/passwd").read_bytes()
    done = steno("enable", "ann", "ben", "--root", str(image))
    assert done.returncode == 0, done.stderr
    assert shells_of(image)["ann"] == shells_of(image)["ben"] == "/usr/bin/steno-shell"
    assert shells_of(image)["root"] == "/bin/bash"
    assert table_of(image) == ["ann:/bin/bash", "ben:/bin/dash"]
    assert (image / "etc/shells").read_text() == SHELLS + "/usr/bin/steno-shell\n"
    for name in ("steno/shells", "shells"):
        assert (image / "etc" / name).stat().st_mode & 0o777 == 0o644
    done = steno("disable", "--all", "--root", str(image))
    assert done.returncode == 0, done.stderr
    assert (image / "etc/passwd").read_bytes() == before
    assert table_of(image) == []


def test_repeating_changes_nothing(image: Path) -> None:
    """Enabling who is enabled, and disabling who is not, writes no file anew."""
    assert steno("enable", "ann", "--root", str(image)).returncode == 0
    state = state_of(image)
    again = steno("enable", "ann", "--root", str(image))
    assert (again.returncode, "already" in again.stdout) == (0, True)
    assert steno("disable", "ben", "--root", str(image)).returncode == 0
    assert state_of(image) == state


def test_a_group_means_its_members_who_may_log_in(image: Path) -> None:
    """Members by name and by first group are enabled; those without a login are left out."""
    assert steno("enable", "--group", "users", "--root", str(image)).returncode == 0
    assert table_of(image) == ["ann:/bin/bash", "ben:/bin/dash"]
    assert shells_of(image)["daemon"] == "/usr/sbin/nologin"
    done = steno("enable", "--group", "root", "--root", str(image))
    assert "nobody" in done.stderr
    assert shells_of(image)["root"] == "/bin/bash"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["ann", "root"], 12, "--even-root"),
        (["ann", "daemon"], 12, "may not log in"),
        (["ann", "eve"], 12, "names no shell"),
        (["ann", "gone"], 5, "not in .*/etc/passwd"),
        (["ann", "--group", "gone"], 5, "no such group"),
        (["ann", "--shell", "/bin/evil"], 12, "not in /etc/shells"),
        ([], 2, "name a user"),
    ],
)
def test_one_who_cannot_be_enabled_leaves_all_as_they_were(
    image: Path, arguments: Sequence[str], code: int, reason: str
) -> None:
    """Everything is checked before anything changes, and the refusal is one line."""
    before = state_of(image)
    done = steno("enable", *arguments, "--root", str(image))
    assert done.returncode == code
    assert re.search(reason, done.stderr)
    assert done.stderr.count("\n") == 1
    lock = str(image / "etc/steno/.shells.lock")
    assert {name: kept for name, kept in state_of(image).items() if name != lock} == before


def test_root_is_enabled_when_that_is_said(image: Path) -> None:
    """--even-root takes root as well."""
    assert steno("enable", "root", "--even-root", "--root", str(image)).returncode == 0
    assert table_of(image) == ["root:/bin/bash"]


def test_without_the_login_shell_nobody_is_enabled(image: Path) -> None:
    """A missing steno-shell would lock people out, so that nothing is changed."""
    (image / "usr/bin/steno-shell").unlink()
    done = steno("enable", "ann", "--root", str(image))
    assert done.returncode == 5
    assert shells_of(image)["ann"] == "/bin/bash"


def test_a_shell_that_somebody_changed_meanwhile_stays(image: Path) -> None:
    """Disabling does not undo what an administrator did since, and enabling takes it as real."""
    steno("enable", "ann", "--root", str(image))
    passwd = image / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("/home/ann:/usr/bin/steno-shell", "/home/ann:/z"))
    assert steno("disable", "ann", "--root", str(image)).returncode == 0
    assert shells_of(image)["ann"] == "/z"
    assert table_of(image) == []
    assert steno("enable", "ann", "--root", str(image)).returncode == 0
    assert table_of(image) == ["ann:/z"]


def test_an_entry_whose_real_shell_is_not_known_is_not_guessed_at(image: Path) -> None:
    """Without a line in the table the real shell must be named, for enabling and disabling."""
    passwd = image / "etc/passwd"
    passwd.write_text(passwd.read_text().replace(":/bin/bash", ":/usr/bin/steno-shell"))
    assert steno("disable", "ann", "--root", str(image)).returncode == 12
    done = steno("enable", "ann", "--root", str(image))
    assert done.returncode == 12
    assert "--shell" in done.stderr
    done = steno("enable", "ann", "--shell", "/bin/dash", "--root", str(image))
    assert done.returncode == 0, done.stderr
    assert table_of(image) == ["ann:/bin/dash"]


def test_a_deleted_user_is_forgotten(image: Path) -> None:
    """The line of an account that is gone goes when it is disabled."""
    steno("enable", "ann", "--root", str(image))
    passwd = image / "etc/passwd"
    passwd.write_text("".join(line for line in PASSWD.splitlines(True) if "ann" not in line))
    assert steno("disable", "ann", "--root", str(image)).returncode == 0
    assert table_of(image) == []


def test_many_at_a_time_lose_nobody(image: Path) -> None:
    """Commands that run at the same time wait for each other; all their users are in the table."""
    passwd = image / "etc/passwd"
    names = [f"user{number}" for number in range(4)]
    lines = [f"{name}:x:{2000 + i}:100::/:/bin/dash\n" for i, name in enumerate(names)]
    passwd.write_text(PASSWD + "".join(lines))
    command = [sys.executable, "-m", "steno.cli", "host", "enable", "--root", str(image)]
    running = [subprocess.Popen([*command, name]) for name in names]
    assert [process.wait(100) for process in running] == [0] * len(names)
    assert table_of(image) == [f"{name}:/bin/dash" for name in names]
    assert {shells_of(image)[name] for name in names} == {"/usr/bin/steno-shell"}


def test_killed_anywhere_nobody_is_without_a_shell(image: Path) -> None:
    """Whenever it is killed, a user whose entry says steno-shell has a real shell in the table."""
    command = [sys.executable, "-m", "steno.cli", "host"]
    real = {"ann": "/bin/bash", "ben": "/bin/dash"}
    began = time.monotonic()
    steno("disable", "ann", "ben", "--root", str(image))
    usual_s = time.monotonic() - began
    for turn in range(8):
        words = ["enable", "ann", "ben"] if turn % 2 == 0 else ["disable", "ann", "ben"]
        running = subprocess.Popen([*command, *words, "--root", str(image)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(usual_s * (0.6 + turn * 0.1))
        running.kill()
        running.wait()
        kept = table_of(image) if (image / "etc/steno/shells").exists() else []
        for user, shell in real.items():
            found = shells_of(image)[user]
            assert found == shell or (found == "/usr/bin/steno-shell" and f"{user}:{shell}" in kept)
    assert steno("enable", "ann", "ben", "--root", str(image)).returncode == 0
    assert steno("disable", "--all", "--root", str(image)).returncode == 0
    assert {user: shells_of(image)[user] for user in real} == real


SLOW_USERMOD = """\
#!/bin/sh
echo $$ > "$0.pid"
mv "$0.pid" "$0.begun"
until [ -e "$0.go" ]; do sleep 0.05; done
exec {usermod} "$@" 2>/dev/null  # nobody is left to hear that this host has no such shell
"""


def test_what_a_killed_command_left_running_is_waited_for(image: Path, tmp_path: Path) -> None:
    """Where usermod outlives who called it, the next command begins when it has ended."""
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin/usermod"
    usermod = shutil.which("usermod", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    slow.write_text(SLOW_USERMOD.format(usermod=usermod))
    slow.chmod(0o755)
    command = [sys.executable, "-m", "steno.cli", "host"]
    environ = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}"}
    killed = subprocess.Popen([*command, "enable", "ann", "--root", str(image)], env=environ)
    wait_for(Path(f"{slow}.begun").exists, "usermod")
    killed.kill()
    killed.wait()
    waiting = subprocess.Popen([*command, "disable", "ann", "--root", str(image)])
    with contextlib.suppress(subprocess.TimeoutExpired):
        waiting.wait(2)
    Path(f"{slow}.go").touch()
    wait_for_end(int(Path(f"{slow}.begun").read_text()))
    assert waiting.wait(60) == 0
    assert shells_of(image)["ann"] == "/bin/bash"
    assert table_of(image) == []


def test_a_damaged_table_is_not_written_over(image: Path) -> None:
    """What cannot be read is not replaced: it may hold real shells."""
    steno("enable", "ann", "--root", str(image))
    table = image / "etc/steno/shells"
    table.write_text("rubbish\n")
    done = steno("enable", "ben", "--root", str(image))
    assert (done.returncode, "line 1" in done.stderr) == (3, True)
    assert table.read_text() == "rubbish\n"
    assert shells_of(image)["ben"] == "/bin/dash"


def test_the_policy_explains_itself_for_scripts(tmp_path: Path) -> None:
    """`steno policy test --json` gives decision and reasons; --command sets the kind."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nname = "copies"\nwhen.kinds = ["scp"]\ncommands = "capture"\n')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "steno.cli", "policy", "test", "root", "--json"),
            *("--file", str(policy), "--command", "scp -t /tmp"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    verdict = json.loads(done.stdout)
    assert verdict["decision"]["action"] == "capture"
    assert verdict["decision"]["rules"] == ["copies"]
    assert verdict["subject"]["kind"] == "scp"
