"""Tell a recording's format from its first bytes, or from the names in its directory."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

import orjson

from steno.formats.ttyrec import MAX_FRAME_BYTES

HEAD_BYTES = 65536
"""How much of a file `guess_format` wants to see."""
TIMING = "timing"
"""What `guess_format` calls a timing file, which is only a part of a recording."""
_FRAME = struct.Struct("<III")
_TLOG_MEMBER = re.compile(rb'"(?:timing|out_txt|in_txt)"\s*:')
_ASCIICAST_MEMBER = re.compile(rb'"version"\s*:\s*[0-9]')
_TIMING_LINE = re.compile(rb"(?:[HIOS] )?[0-9]{1,12}\.[0-9]{1,12} \S")
_SUDO_TIMING_LINE = re.compile(rb"[0-7] [0-9]+\.[0-9]+ [0-9]")


def guess_format(head: bytes) -> str | None:
    """Return the format's name: tlog, asciicast, typescript, ttyrec or TIMING; None if unknown.

    Args:
        head: The file's first HEAD_BYTES, or all of it.
    """
    line = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    if line.startswith(b"{"):
        return _guess_json(line)
    if head.startswith(b"Script started on "):
        return "typescript"
    if _TIMING_LINE.match(head) or _SUDO_TIMING_LINE.match(head):
        return TIMING
    if _is_ttyrec(head):
        return "ttyrec"
    # A damaged first line does not make the rest unreadable.
    if any(_guess_json(later) == "tlog" for later in head.split(b"\n")[1:] if later[:1] == b"{"):
        return "tlog"
    return None


def guess_directory(names: Iterable[str]) -> str | None:
    """Return "sudo" for the names in the directory of a sudo I/O log; None for others."""
    present = set(names)
    return "sudo" if "timing" in present and present & {"log", "log.json"} else None


def _guess_json(line: bytes) -> str | None:
    try:
        members = orjson.loads(line)
    except orjson.JSONDecodeError:
        # Torn, damaged, or longer than what was given.
        if _TLOG_MEMBER.search(line):
            return "tlog"
        return "asciicast" if _ASCIICAST_MEMBER.search(line) else None
    if "timing" in members and "ver" in members:
        return "tlog"
    return "asciicast" if "version" in members else None


def _is_ttyrec(head: bytes) -> bool:
    """Return whether frames follow each other from the start of `head` to its end."""
    place = 0
    while place + _FRAME.size <= len(head):
        _, rest_us, length = _FRAME.unpack_from(head, place)
        if rest_us >= 10**6 or not 0 < length <= MAX_FRAME_BYTES:
            return False
        place += _FRAME.size + length
    return place > 0
