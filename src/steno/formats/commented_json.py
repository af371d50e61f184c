"""JSON as people write it into configuration files: with comments, and commas too many.

Source: tlog-rec.conf(5), "both C and C++ style comments are allowed in the file"; that json-c, by
which tlog reads them, lets a comma stand behind the last member was tried with tlog 12.1.
"""

from __future__ import annotations

import json
import re
from typing import Any

from steno.errors import FormatError

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"(?P<string>{_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMA = re.compile(rf"(?P<string>{_STRING})|,(?=\s*[}}\]])", re.DOTALL)


def decode_commented(data: bytes, source: str) -> Any:  # noqa: ANN401  # JSON enters
    """Return the value that `data` holds.

    Raises:
        FormatError: It is no JSON; says the line in `source`.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError("not valid UTF-8", line=line, source=source) from error
    text = _COMMA.sub(_blank, _COMMENT.sub(_blank, text))
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        raise FormatError(f"not JSON: {reason}", line=error.lineno, source=source) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}", source=source) from error


def _blank(match: re.Match[str]) -> str:
    """Return what keeps every other character in its line and column."""
    return match[0] if match["string"] is not None else re.sub(r"[^\n]", " ", match[0])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
