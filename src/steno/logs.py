"""Structured logs on the standard library's logging: JSON lines, or text on a terminal.

Facts go into `extra`: `log.info("signed in", extra={"user": name})`. A value whose name says
that it is a secret never reaches the output.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_SECRET_NAME = re.compile(r"password|passwd|secret|token|cookie|authorization|\Acode\Z", re.I)
_SECRET_TEXT = re.compile(r"(steno_)[\w-]{8,}|(/once/)[\w%-]+|(Bearer )[\w.~+/=-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
REMOVED = "[removed]"
_TALKATIVE = ("httpx2", "httpcore2")
"""Libraries that tell of each request, with its whole address, which may be a secret itself."""


def _without_secrets(text: str) -> str:
    return _SECRET_TEXT.sub(lambda found: "".join(filter(None, found.groups())) + REMOVED, text)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return what `extra` held, secrets removed."""
    facts: dict[str, Any] = {}
    for name, value in vars(record).items():
        if name in _STANDARD:
            continue
        if _SECRET_NAME.search(name):
            facts[name] = REMOVED
        elif value is None or isinstance(value, (bool, int, float)):
            facts[name] = value
        else:
            facts[name] = _without_secrets(str(value))
    return facts


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _without_secrets(record.getMessage()),
            **_facts(record),
        }
        if record.exc_info:
            entry["traceback"] = _without_secrets(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """A line for people; control characters are written out, so that nothing can fake a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, and its traceback's lines if there is one."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        event = _without_secrets(record.getMessage())
        line = f"{at} {record.levelname.lower():7} {event}" + (f"  {facts}" if facts else "")
        line = _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", line)
        if record.exc_info:
            line += "\n" + _without_secrets(self.formatException(record.exc_info))
        return line


def configure_logs(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error by default), replacing what was set before.

    Args:
        level: debug, info, warning or error.
        style: json, text, or auto: text on a terminal, else json.
        stream: Where the lines go.
    """
    stream = stream or sys.stderr
    is_text = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
