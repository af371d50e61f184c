"""The mail about one recording: what it says and what is attached. Does no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

from steno.formats.track import Finish, Header

_LONGEST = 200


class File(msgspec.Struct, frozen=True):
    """One attachment.

    Attributes:
        name: What it is called.
        data: All of it.
        is_text: Whether it is plain text in UTF-8.
    """

    name: str
    data: bytes
    is_text: bool = False


class Contents(msgspec.Struct, frozen=True):
    """What a mail is made of.

    Attributes:
        rec: The recording's id.
        header: What is known from its start.
        finish: How it ended; None when it has no readable end.
        files: What is attached.
        omissions: What is not, and why, a sentence each without its full stop.
    """

    rec: str
    header: Header
    finish: Finish | None
    files: Sequence[File] = ()
    omissions: Sequence[str] = ()


def compose(contents: Contents, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the mail.

    The same recording has the same Message-ID, so that one that is sent twice, because a crash
    came between sending and remembering it, can be recognised.
    """
    start, finish = contents.header.start, contents.finish
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = _clean(f"Session of {start.user} on {start.host}: {_tell_end(finish)}")
    # The recording's own end, whenever it is sent: the mail is the same each time.
    ended_us = start.started_unix_us + (finish.at_us if finish is not None else 0)
    message["Date"] = format_datetime(_moment(ended_us))
    digest = hashlib.sha256(f"{contents.rec} {' '.join(sorted(to))}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_body(contents))
    for file in contents.files:
        kind = ("text", "plain") if file.is_text else ("application", "octet-stream")
        message.add_attachment(
            file.data, maintype=kind[0], subtype=kind[1], filename=file.name, cte="base64"
        )
        if file.is_text:
            list(message.iter_attachments())[-1].set_param("charset", "utf-8")
    return message


def _body(contents: Contents) -> str:
    start, finish = contents.header.start, contents.finish
    facts = {
        "user": start.user,
        "logged in as": start.login_user if start.login_user != start.user else None,
        "host": start.host,
        "service": start.service,
        "from": start.remote,
        "terminal": start.terminal,
        "command": " ".join(start.command or []) or None,
        "began": f"{_moment(start.started_unix_us):%Y-%m-%d %H:%M:%S} UTC",
        "lasted": None if finish is None else _duration(finish.at_us),
        "ended": _tell_end(finish),
        "policy": start.policy,
        "recording": contents.rec,
    }
    lines = [f"{name + ':':<14}{_clean(str(value))}" for name, value in facts.items() if value]
    if contents.files:
        lines += ["", "Attached: " + ", ".join(file.name for file in contents.files) + "."]
        if any(file.name.endswith((".typescript", ".typescript.gz")) for file in contents.files):
            name = f"{contents.rec}"
            lines.append(f"Replay it with: scriptreplay -T {name}.timing -O {name}.typescript")
    lines += [f"Not attached: {_clean(reason)}." for reason in contents.omissions]
    return "\n".join(lines) + "\n"


def _tell_end(finish: Finish | None) -> str:
    if finish is None or finish.end.reason == "unknown":
        return "ended, it is not known how"
    words = {
        "hangup": "cut off",
        "recorder": "recording broken off",
        "signal": f"ended by signal {finish.end.signal}",
    }
    return words.get(finish.end.reason, f"exit status {finish.end.exit_status or 0}")


def _moment(unix_us: int) -> datetime:
    return datetime.fromtimestamp(unix_us / 1_000_000, UTC)


def _duration(at_us: int) -> str:
    seconds = at_us // 1_000_000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}"


def _clean(text: str) -> str:
    """Return `text` on one line, fit for a header: nothing in a recording may shape the mail."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)[:_LONGEST]
