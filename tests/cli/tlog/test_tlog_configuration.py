"""The configuration of tlog's programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steno.cli.tlog.configuration import load
from steno.cli.tlog.schema import PLAY, REC, SESSION, Program
from steno.errors import ConfigError, FormatError, StenoError


def test_later_sources_override_earlier_ones(tmp_path: Path) -> None:
    """The file, TLOG_REC_CONF_FILE's, TLOG_REC_CONF_TEXT, the options: each over what is before."""
    (tmp_path / "tlog-rec.conf").write_text(
        '{"latency": 2, "payload": 99, "log": {"input": true, "output": false}, "writer": "syslog"}'
    )
    (tmp_path / "more").write_text('{"payload": 200, "log": {"output": true}, "writer": "journal"}')
    environ = {
        "TLOG_REC_CONF_FILE": str(tmp_path / "more"),
        "TLOG_REC_CONF_TEXT": '{/* no more */ "writer": "file", "limit": {"rate": 0}}',
    }
    found = load(REC, ["--limit-rate=5"], environ=environ, directory=tmp_path)
    assert (found.count("latency"), found.count("payload")) == (2, 200)
    assert (found.flag("log.input"), found.flag("log.output")) == (True, True)
    assert found.flag("log.window")
    assert (found.word("writer"), found.count("limit.rate")) == ("file", 5)


@pytest.mark.parametrize("program", [SESSION, PLAY])
def test_a_sessions_user_cannot_configure_its_recorder(program: Program, tmp_path: Path) -> None:
    """The environment, which is in the recorded person's hands, says nothing to the login shell."""
    names = ("TLOG_REC_SESSION", "TLOG_REC", "TLOG_PLAY")
    environ = {f"{name}_CONF_FILE": "/nonexistent" for name in names}
    environ |= {f"{name}_CONF_TEXT": '{"log": {"output": false}}' for name in names}
    environ["TLOG_REC_SESSION_SHELL"] = "/bin/dash"
    plain = load(program, [], environ={}, directory=tmp_path).render()
    assert load(program, [], environ=environ, directory=tmp_path).render() == plain


@pytest.mark.parametrize(
    ("program", "text", "reason"),
    [
        (REC, '{"latncy": 3}', "latncy: unknown key"),
        (REC, '{"log": {"in": true}}', "log.in: unknown key"),
        (REC, '{"log": true}', "log: must be a section, not a truth value"),
        (REC, '{"latency": "3"}', "latency: must be a whole number, not a string"),
        (REC, '{"latency": true}', "latency: must be a whole number, not a truth value"),
        (REC, '{"latency": 0}', "latency: 0 is less than 1"),
        (REC, '{"limit": {"action": "wait"}}', "limit.action: 'wait' is none of pass, delay, drop"),
        (REC, '{"file": {"path": null}}', "file.path: must be a string, not null"),
        (REC, '{"semaphore": "x"}', "semaphore: unknown key"),
        (REC, '{"shell": "/bin/sh"}', "shell: unknown key"),
        (SESSION, '{"login": true}', "login: unknown key"),
        (PLAY, '{"speed": 2.0}', "speed: unknown key"),
        (PLAY, "[]", "one JSON object"),
        (PLAY, '{"lax": true\n"persist": true}', "line 2"),
    ],
)
def test_bad_files_are_refused_with_their_place(
    program: Program, text: str, reason: str, tmp_path: Path
) -> None:
    """What a file may not say is refused, with the file's name and the key or the line."""
    file = tmp_path / program.file
    file.write_text(text)
    with pytest.raises(StenoError, match=reason) as caught:
        load(program, [], environ={}, directory=tmp_path)
    assert isinstance(caught.value, (ConfigError, FormatError))
    assert str(file) in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A file that the environment names must be there; that of the system need not."""
    with pytest.raises(ConfigError, match="/nonexistent: No such file"):
        load(REC, [], environ={"TLOG_REC_CONF_FILE": "/nonexistent"}, directory=tmp_path)
    (tmp_path / REC.file).mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load(REC, [], environ={}, directory=tmp_path)


def test_the_configuration_is_written_as_json(tmp_path: Path) -> None:
    """`--configuration` writes all that holds, in the sections of the file."""
    found = load(REC, ["--configuration", "-o", "x", "vim"], environ={}, directory=tmp_path)
    written = json.loads(found.render())
    assert written["file"] == {"path": "x"}
    assert written["limit"] == {"rate": 16384, "burst": 32768, "action": "pass"}
    assert written["args"] == ["vim"]
