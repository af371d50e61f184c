"""`steno audit rules`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_host import STENO, KernelAudit, auditctl
from click.testing import CliRunner, Result
from live_server import run_unprivileged

from steno.audit.rules.text import parse_rules, parse_status
from steno.cli import group
from steno.cli.audit_rules import is_fixed_until_boot
from steno.errors import NotFoundError, RefusedError, StenoError

DATA = Path(__file__).parents[1] / "data/audit"


def run(*arguments: str) -> Result:
    """Run `steno audit rules`; what it raises is raised."""
    result = CliRunner().invoke(group, ["audit", "rules", *arguments], standalone_mode=False)
    if isinstance(result.exception, StenoError):
        raise result.exception
    return result


def test_a_level_is_printed_as_a_rules_file() -> None:
    """What auditctl -R takes, and at the end what makes it immutable, if asked."""
    printed = run("print", "session", "--machine", "aarch64").output
    assert all(line[:1] in ("", "#", "-") for line in printed.splitlines())
    assert "arch=b32" not in printed
    locked = run("print", "login", "--machine", "x86_64", "--immutable").output
    assert locked.endswith("-e 2\n")


def test_installing_into_an_image_writes_the_file_whole(tmp_path: Path) -> None:
    """Readable by root's group only, and replaced by the next level."""
    rules_d = tmp_path / "etc/audit/rules.d"
    rules_d.mkdir(parents=True)
    said = run("install", "login", "--root", str(tmp_path), "--machine", "x86_64").output
    file = rules_d / "30-steno.rules"
    assert said == f"{file}: 13 rules\n"
    assert file.stat().st_mode & 0o777 == 0o640
    run("install", "none", "--root", str(tmp_path), "--machine", "x86_64")
    assert parse_rules(file.read_text().splitlines()) == ()
    assert [path.name for path in rules_d.iterdir()] == ["30-steno.rules"]


def test_without_auditd_there_is_nothing_to_install_into(tmp_path: Path) -> None:
    """The missing directory is named."""
    with pytest.raises(NotFoundError, match=r"rules\.d"):
        run("install", "session", "--root", str(tmp_path))


def test_a_host_whose_rules_are_fixed_is_left_alone() -> None:
    """As a kernel 6.1 said it: `enabled 2` counts, though auditctl ends with 0 there."""
    transcript = (DATA / "f5/auditctl-transcript.txt").read_text()
    fixed = parse_status(transcript.split("### -s\n")[1].split("###")[0])
    with pytest.raises(RefusedError, match="rebooted"):
        is_fixed_until_boot(fixed, is_wanted=False)
    assert is_fixed_until_boot(fixed, is_wanted=True)
    free = parse_status((DATA / "auditctl/status-off.txt").read_text())
    assert not is_fixed_until_boot(free, is_wanted=False)


@pytest.mark.parametrize("words", [["check"], ["check", "login", "--json"]])
def test_who_is_not_root_is_refused(words: list[str]) -> None:
    """The kernel tells its rules to root alone: one line that says so, and code 12."""
    if shutil.which("auditctl", path="/usr/sbin:/sbin") is None:
        pytest.skip("no auditctl: apt install auditd")
    done = run_unprivileged("audit", "rules", *words)
    assert done.returncode == 12, done.stderr
    assert done.stderr.splitlines() == [
        "steno: the kernel's audit rules are root's to see and to change: run it as root"
    ]
    assert not done.stdout


def test_who_may_not_write_the_rules_file_is_refused(tmp_path: Path) -> None:
    """The directory is named, with code 12; nothing is left there."""
    rules_d = tmp_path / "etc/audit/rules.d"
    rules_d.mkdir(parents=True)
    rules_d.chmod(0o555)
    done = run_unprivileged("audit", "rules", "install", "--root", str(tmp_path))
    assert done.returncode == 12, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"steno: {rules_d}")
    assert line.endswith(": Permission denied")
    assert not [*rules_d.iterdir()]


@pytest.fixture
def unused_audit(kernel_audit: KernelAudit) -> Iterator[None]:
    """The kernel's audit, alone with it, switched off and without rules; afterwards as before."""
    before = auditctl("-s")
    if parse_status(before).enabled or parse_rules(auditctl("-l").splitlines()):
        pytest.skip("this machine's audit is in use")
    wait = next(line for line in before.splitlines() if line.startswith("backlog_wait_time "))
    with kernel_audit.borrow():
        yield
    auditctl("--backlog_wait_time", wait.split()[1])


@pytest.mark.lab
def test_the_kernels_rules_are_compared_with_the_level(unused_audit: None, tmp_path: Path) -> None:
    """Loaded into a real kernel, a level is found whole; one rule less is named; off is told."""
    del unused_audit
    machine = os.uname().machine
    file = tmp_path / "rules"
    for level in ("login", "session"):
        file.write_text(run("print", level).output)
        subprocess.run(["auditctl", "-R", str(file)], capture_output=True, check=False)
        off = run("check", level)
        assert off.return_value == 16
        assert "auditing is off" in off.output
        assert "missing" not in off.output
    auditctl("-e", "1")
    on = run("check")
    assert on.return_value == 0, on.output
    assert "auditd does not run" in on.output
    assert run("check", "login").return_value == 16
    assert run("check", "none").return_value == 16
    rules = run("print", "session", "--machine", machine).output.splitlines()
    killed = next(rule for rule in rules if rule.endswith("steno-kill"))
    auditctl("-d", *killed.removeprefix("-a ").split(" "))
    told = run("check", "session", "--json")
    assert told.return_value == 16
    answer = json.loads(told.output)
    assert answer["missing"] == [killed]
    assert answer["superfluous"] == []
    assert (answer["enabled"], answer["immutable"]) == (1, False)
    auditctl("-a", "never,task")
    assert "stops all auditing" in run("check").output


@pytest.mark.lab
def test_a_directory_that_the_host_lacks_costs_only_its_own_rule(
    unused_audit: None, tmp_path: Path
) -> None:
    """All others are loaded, and the check says so; once it is there, its rule is missing."""
    del unused_audit
    etc = tmp_path / "etc"
    subprocess.run(["cp", "-a", "/etc", str(etc)], check=True)
    shutil.rmtree(etc / "sudoers.d", ignore_errors=True)
    (etc / "steno").mkdir(exist_ok=True)
    rules = tmp_path / "rules"
    rules.write_text(run("print", "login").output)
    auditctl("-e", "1")
    seen = ["unshare", "--mount", "sh", "-c", f"mount --bind {etc} /etc && exec $0 $*"]
    subprocess.run([*seen, "auditctl", "-R", str(rules)], capture_output=True, check=False)
    check = [*seen, *STENO, "audit", "rules", "check", "login"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[:2] == [
        "no /etc/sudoers.d here: -a always,exit -F dir=/etc/sudoers.d -F perm=wa -k steno-priv",
        "level login: 12 of 13 rules loaded",
    ]
    (etc / "sudoers.d").mkdir()
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 16, done.stdout + done.stderr
    assert done.stdout.startswith("missing: -a always,exit -F dir=/etc/sudoers.d")
