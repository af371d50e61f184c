"""`steno alerts`: lists, acknowledgements and the check of rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from running_server import Running, running_server
from waiting import wait_for

from steno.audit.event import Event, Who
from steno.audit.trail import TrailEncoder, TrailHead, make_trail_id
from steno.cli import group
from steno.errors import ConfigError, NotFoundError, RefusedError, StenoError
from steno.store.opening import open_store
from steno.web.passwords import hash_password

BOOT_ID = "0123456789abcdef0123456789abcdef"
NOW_US = 1_760_000_000_000_000


def deliver(running: Running) -> None:
    """Deliver a trail with two events that Steno's own rules find."""
    encoder = TrailEncoder()
    trail = make_trail_id(BOOT_ID, "a1")
    lines = [encoder.encode(TrailHead(trail, "web1", BOOT_ID, NOW_US, "steno test"))]
    who = Who(login_uid=1501, login_user="avery", uid=0, user="root")
    for number, action in enumerate(["loaded module", "changed audit rules"], start=1):
        event = Event(
            number, NOW_US + number, action, "success", who=who, text=f"avery {action}\x1b"
        )
        lines.append(encoder.encode(event))
    store = open_store(running.config.store_directory)
    store.append(trail, 0, b"".join(lines), sender="web1")
    store.close()


class Auditor:
    """Somebody at a shell with an auditor's token."""

    def __init__(self, running: Running, token_file: Path) -> None:
        self._running = running
        self._token_file = token_file

    def run(self, *arguments: str) -> Result:
        """Run `steno alerts`; what it raises is raised."""
        where = ["--server", self._running.url, "--token-file", str(self._token_file)]
        runner = CliRunner(env={"COLUMNS": "100"})
        result = runner.invoke(group, ["alerts", *arguments, *where], standalone_mode=False)
        if isinstance(result.exception, StenoError):
            raise result.exception
        assert result.exception is None
        return result

    def alerts(self, *arguments: str) -> list[dict[str, Any]]:
        """List alerts as JSON."""
        said = self.run("list", "--json", *arguments).stdout
        return [json.loads(line) for line in said.splitlines()]


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auditor]:
    """An auditor of a server with two alerts."""
    directory = tmp_path_factory.mktemp("server")
    password_hash = hash_password("correct horse battery")
    with running_server(directory, password_hash) as running:
        _, secret = running.accounts().add_token(
            "audrey", role="auditor", label="t", lifetime_us=3_600_000_000
        )
        token_file = directory / "token"
        token_file.write_text(secret)
        auditor = Auditor(running, token_file)
        deliver(running)
        wait_for(lambda: len(auditor.alerts()) == 2, "two alerts")
        yield auditor


def test_what_is_open_is_listed_newest_first(auditor: Auditor) -> None:
    """As a table that nothing can drive the terminal from, or as JSON."""
    found = auditor.alerts()
    assert [alert["rule"] for alert in found] == ["audit-rules-changed", "kernel-module"]
    table = auditor.run("list").stdout
    assert "audit-rules-changed" in table
    assert "critical" in table
    assert "\x1b" not in table
    assert [alert["id"] for alert in auditor.alerts("--least", "critical")] == [found[0]["id"]]
    assert auditor.alerts("--rule", "nothing") == auditor.alerts("--host", "nothing") == []
    assert len(auditor.alerts("--limit", "1")) == 1


def test_an_acknowledged_alert_is_out_of_the_way(auditor: Auditor) -> None:
    """It is shown with --all, with who and the comment."""
    number = next(alert["id"] for alert in auditor.alerts("--rule", "kernel-module"))
    said = auditor.run("acknowledge", str(number), "--comment", "planned").stdout
    assert said == f"{number}: acknowledged by audrey\n"
    assert auditor.alerts("--rule", "kernel-module") == []
    (seen,) = auditor.alerts("--rule", "kernel-module", "--all")
    assert (seen["acknowledged_by"], seen["comment"]) == ("audrey", "planned")
    assert "planned" in auditor.run("list", "--all").stdout
    with pytest.raises(NotFoundError, match="no alert 99"):
        auditor.run("acknowledge", "99")
    with pytest.raises(NotFoundError):
        auditor.run("list", "--rec", "nothing")


def test_without_a_right_token_nothing_is_told(auditor: Auditor, tmp_path: Path) -> None:
    """A refusal, with its own exit code."""
    (tmp_path / "token").write_text("wrong")
    with pytest.raises(RefusedError):
        Auditor(auditor._running, tmp_path / "token").run("list")


def test_rules_can_be_begun_with_stenos_own(tmp_path: Path) -> None:
    """What `rules` prints, `check` takes; a mistake is named by line and key."""
    runner = CliRunner()
    printed = runner.invoke(group, ["alerts", "rules"], standalone_mode=False).stdout
    file = tmp_path / "alerts.toml"
    file.write_text(printed)
    checked = runner.invoke(group, ["alerts", "check", str(file)], standalone_mode=False).stdout
    assert (
        checked == f"{file}: 16 rules in force, 14 for events, 2 for text on screens; no mistake\n"
    )
    file.write_text(printed.replace('severity = "low"', 'severity = "lowest"'))
    wrong = runner.invoke(group, ["alerts", "check", str(file)], standalone_mode=False).exception
    assert isinstance(wrong, ConfigError)
    assert wrong.key == "rule.severity"
    missing = runner.invoke(group, ["alerts", "check", str(tmp_path / "no")], standalone_mode=False)
    assert isinstance(missing.exception, NotFoundError)
