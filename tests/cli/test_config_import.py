"""`steno config import-tlog`: tlog's files in Steno's words."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.agent.configuration import load_agent_config
from steno.cli.tlog.translation import render, translate
from steno.policy.parsing import parse_policy
from steno.policy.subject import Subject

ANN = Subject(user="ann", uid=1000)
SESSION: dict[str, Any] = {
    "shell": "/bin/zsh",
    "notice": '\nATTENTION "here"\n\n',
    "latency": 5,
    "payload": 4096,
    "log": {"input": True, "output": True, "window": False},
    "limit": {"rate": 20000, "burst": 40000, "action": "drop"},
    "syslog": {"facility": "local3", "priority": "debug"},
    "writer": "syslog",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `steno config import-tlog`."""
    return subprocess.run(
        [sys.executable, "-m", "steno.cli", "config", "import-tlog", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def tlog(tmp_path: Path) -> Path:
    """Return a directory of tlog's with one file in it."""
    directory = tmp_path / "tlog"
    directory.mkdir()
    text = "// comment\n" + json.dumps(SESSION) + " /* end */\n"
    (directory / "tlog-rec-session.conf").write_text(text)
    return directory


def test_what_the_file_sets_is_in_force_afterwards(tlog: Path, tmp_path: Path) -> None:
    """The files that are written are good ones, and mean what tlog's meant."""
    target = tmp_path / "etc/steno"
    done = run("--from", str(tlog), "--to", str(target))
    assert done.returncode == 0, done.stderr
    agent = load_agent_config(target / "agent.toml")
    assert agent.to == ("syslog",)
    assert (agent.syslog.facility, agent.syslog.priority) == ("local3", "debug")
    decision = parse_policy((target / "policy.toml").read_bytes(), "p").decide(ANN)
    assert decision.notice == 'ATTENTION "here"'
    assert decision.latency_us == 5_000_000
    assert decision.payload_bytes == 4096
    assert decision.records == ("output", "input")
    assert decision.input_mode == "all"
    limit = decision.limit
    assert (limit.rate_bytes, limit.burst_bytes, limit.action) == (20000, 40000, "drop")
    assert "/bin/zsh" in done.stderr


def test_without_a_target_files_are_only_shown(tlog: Path) -> None:
    """Both files are on standard output, remarks on standard error."""
    done = run("--from", str(tlog))
    assert done.returncode == 0
    values = tomllib.loads(done.stdout)
    assert values["to"] == ["syslog"]
    assert values["defaults"]["latency_ms"] == 5000


def test_files_that_are_there_stay(tlog: Path, tmp_path: Path) -> None:
    """Nothing is replaced, not even the other file, unless --force says so."""
    (tmp_path / "policy.toml").write_text("# mine\n")
    done = run("--from", str(tlog), "--to", str(tmp_path))
    assert done.returncode == 12
    assert not (tmp_path / "agent.toml").exists()
    assert (tmp_path / "policy.toml").read_text() == "# mine\n"
    assert run("--from", str(tlog), "--to", str(tmp_path), "--force").returncode == 0
    assert "syslog" in (tmp_path / "agent.toml").read_text()


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ('{"colour": 1}', 3, "colour"),
        ('{"latency": "x"}', 3, "latency"),
        ('{"latency": 1', 4, "line 1"),
        ("[]", 4, "object"),
    ],
)
def test_bad_files_are_refused(tlog: Path, text: str, code: int, reason: str) -> None:
    """What tlog would not take is named, and nothing is written."""
    (tlog / "tlog-rec-session.conf").write_text(text)
    done = run("--from", str(tlog), "--to", str(tlog / "out"))
    assert (done.returncode, reason in done.stderr) == (code, True)
    assert not (tlog / "out").exists()


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    """A directory without tlog's files is an error, and no empty configuration."""
    done = run("--from", str(tmp_path), "--to", str(tmp_path / "out"))
    assert done.returncode == 5
    assert not (tmp_path / "out").exists()


def test_the_writer_stays_where_tlog_had_it() -> None:
    """Without a word of it tlog wrote to the journal; files keep their path."""
    assert translate({}, {}, {}).agent == {"to": ["journal"]}
    file = translate({"writer": "file", "file.path": "/var/log/rec.log"}, {}, {})
    assert file.agent == {"to": ["file:/var/log/rec.log"]}
    assert translate({"writer": "file"}, {}, {}).agent == {"to": ["spool"]}


def test_what_has_no_counterpart_is_said() -> None:
    """Each key that is left out or changed has its remark; tlog-rec's file becomes a command."""
    found = translate(
        {
            **{"shell": "/bin/sh", "login": True, "journal.augment": False, "payload": 32},
            **{"limit.rate": 0, "latency": 10_000, "syslog.facility": "cron"},
        },
        {"writer": "file", "file.path": "/tmp/my file", "log.input": True, "log.window": False},
        {"reader": "es", "es.baseurl": "http://x"},
    )
    text = "\n".join(found.remarks)
    for word in ("shell", "login", "journal.augment", "payload", "limit.rate", "latency"):
        assert word in text
    assert "syslog.facility" in text
    assert "steno rec --file '/tmp/my file' --input-all --no-window" in text
    assert "es.baseurl" in text
    assert found.policy["payload_bytes"] == 256


TEXTS = st.text(st.characters(codec="utf-8"))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "notice": TEXTS,
            "latency": st.integers(1, 2**40),
            "payload": st.integers(32, 2**40),
            "log.input": st.booleans(),
            "log.output": st.booleans(),
            "log.window": st.booleans(),
            "limit.rate": st.integers(0, 2**40),
            "limit.burst": st.integers(0, 2**40),
            "limit.action": st.sampled_from(["pass", "delay", "drop"]),
            "writer": st.sampled_from(["journal", "syslog", "file"]),
            "file.path": TEXTS.map(lambda text: f"/{text}"),
        },
    )
)
def test_whatever_tlog_takes_becomes_a_good_policy(session: dict[str, Any]) -> None:
    """Any values that tlog allows give files that Steno takes."""
    found = translate(session, {}, {})
    policy = parse_policy(render("head", {"defaults": found.policy}).encode(), "p")
    notice = session.get("notice")
    if notice is not None:
        assert policy.decide(ANN).notice == notice.strip("\n")
    assert tomllib.loads(render("head", found.agent)) == found.agent
