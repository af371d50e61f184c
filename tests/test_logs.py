"""Logs: one line each, structured, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import httpx2
import pytest
from webhook_receiver import Receiver

from steno.logs import REMOVED, configure_logs

SECRETS = ["steno_xBqc_nAoF2woEI2yOvCnlk", "3wMNnUvmj3HlqElB6xQpedQXQ", "hunter2hunter2"]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the logs go; what was configured before comes back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level


def test_json_lines_hold_the_facts(stream: io.StringIO) -> None:
    """Each record is one JSON object with time, level, event, and what `extra` gave."""
    configure_logs("info", "json", stream)
    logging.getLogger("steno.x").info("signed in", extra={"user": "a\nb", "bytes": 3})
    entry = json.loads(stream.getvalue())
    assert entry["event"] == "signed in"
    assert (entry["user"], entry["bytes"], entry["level"]) == ("a\nb", 3, "info")
    assert stream.getvalue().count("\n") == 1


def test_text_cannot_be_faked_by_control_characters(stream: io.StringIO) -> None:
    """A name with a newline or an escape sequence stays on its line, written out."""
    configure_logs("info", "text", stream)
    logging.getLogger("steno.x").info("signed in", extra={"user": "a\n12:00 info\x1b[2J\u202e"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "a\\x0a12:00" in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "text"])
def test_secrets_never_reach_the_output(stream: io.StringIO, style: str) -> None:
    """Neither by their names, nor in addresses, headers, messages or tracebacks."""
    configure_logs("info", style, stream)
    log = logging.getLogger("steno.x")
    token, link, password = SECRETS
    log.info("used %s", token, extra={"password": password, "api_token": token, "code": link})
    log.info("GET", extra={"path": f"/once/{link}?next=/", "header": f"Bearer {password}"})
    try:
        raise ValueError(f"/once/{link} {token}")
    except ValueError:
        log.exception("failed")
    assert not [secret for secret in SECRETS if secret in stream.getvalue()]
    assert REMOVED in stream.getvalue()


@pytest.mark.parametrize("level", ["debug", "info"])
def test_addresses_that_are_called_stay_out(stream: io.StringIO, level: str) -> None:
    """Who knows a webhook's address may post there: that it was called is not logged with it."""
    configure_logs(level, "json", stream)
    receiver = Receiver()
    try:
        with httpx2.Client() as client:
            assert client.post(f"{receiver.url}/hunter2", content=b"{}").status_code == 200
    finally:
        receiver.close()
    assert "hunter2" not in stream.getvalue()


def test_the_level_is_kept(stream: io.StringIO) -> None:
    """What is below the level is not written."""
    configure_logs("warning", "json", stream)
    logging.getLogger("steno.x").info("quiet")
    assert stream.getvalue() == ""


def test_auto_is_json_where_there_is_no_terminal(stream: io.StringIO) -> None:
    """A service's journal gets JSON without being told."""
    configure_logs("info", "auto", stream)
    logging.getLogger("steno.x").info("x")
    assert json.loads(stream.getvalue())["event"] == "x"
