"""tlog's configuration in Steno's words: agent.toml, policy.toml, what has no counterpart. Pure.

Sources: tlog-rec-session.conf(5), tlog-rec.conf(5), tlog-play.conf(5) of tlog 12.1; docs/policy.md,
docs/agent.md. Only what the files say is translated: where they say nothing, Steno's own
defaults hold. The exception is the writer, as it decides where recordings are found.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

import msgspec

from steno.cli.tlog.options import Value
from steno.formats.cutter import MIN_LIMIT_BYTES

Table = dict[str, object]

MAX_LATENCY_MS = 3_600_000
MAX_PAYLOAD_BYTES = 1 << 20
"""What policy.toml takes at most."""


class Translation(msgspec.Struct, frozen=True):
    """What became of tlog's files.

    Attributes:
        agent: What agent.toml says.
        policy: What [defaults] of policy.toml says.
        remarks: What has no counterpart, or another meaning; one line each.
    """

    agent: Table
    policy: Table
    remarks: tuple[str, ...]


def translate(
    session: Mapping[str, Value], rec: Mapping[str, Value], play: Mapping[str, Value]
) -> Translation:
    """Return what the keys of tlog-rec-session.conf, tlog-rec.conf and tlog-play.conf mean."""
    remarks: list[str] = []
    agent = _translate_writer(session, remarks)
    policy = _translate_recording(session, remarks)
    remarks += [
        f"{key}: left out: how a shell is called says who calls steno-shell"
        for key in ("login", "interactive", "command")
        if key in session
    ]
    if "shell" in session:
        remarks.append(
            f"shell = {json.dumps(session['shell'])}: left out: Steno has no shell for accounts"
            " whose own is not known; give it to them with: steno host enable USER --shell PATH"
        )
    if rec:
        words = _translate_rec(rec, remarks)
        remarks.append(f"tlog-rec.conf: `steno rec` has no file; the same is: {shlex.join(words)}")
    remarks += [
        f"tlog-play.conf: {key}: left out: `steno play` is told on its command line" for key in play
    ]
    return Translation(agent, policy, tuple(remarks))


def _translate_writer(session: Mapping[str, Value], remarks: list[str]) -> Table:
    writer = session.get("writer", "journal")
    agent: Table = {"to": [str(writer)]}
    if writer == "file":
        path = session.get("file.path")
        if path is None:
            remarks.append("writer = file without file.path: recordings go to the spool")
            agent["to"] = ["spool"]
        else:
            agent["to"] = [f"file:{path}"]
    if writer == "syslog":
        _copy_section(session, agent, "syslog", ("facility", "priority"))
    if writer == "journal":
        _copy_section(session, agent, "journal", ("priority",))
        if session.get("journal.augment") is False:
            remarks.append("journal.augment = false: left out: entries have tlog's fields always")
    for key in session:
        section = key.partition(".")[0]
        if section in ("file", "syslog", "journal") and section != writer:
            remarks.append(f"{key}: left out: recordings go to {writer}")
    return agent


def _copy_section(
    session: Mapping[str, Value], agent: Table, section: str, names: tuple[str, ...]
) -> None:
    found = {name: session[f"{section}.{name}"] for name in names if f"{section}.{name}" in session}
    if found:
        agent[section] = found


def _translate_recording(session: Mapping[str, Value], remarks: list[str]) -> Table:
    policy: Table = {}
    for name in ("output", "window"):
        if f"log.{name}" in session:
            policy[name] = session[f"log.{name}"]
    if "log.input" in session:
        policy["input"] = "all" if session["log.input"] else "none"
        if session["log.input"]:
            remarks.append(
                'log.input: input = "all" keeps typed passwords too, as tlog does; "seen"'
                " leaves them out"
            )
    if "notice" in session:
        policy["notice"] = str(session["notice"]).strip("\n")
    policy |= _translate_sizes(session, remarks)
    limit = _translate_limit(session, remarks)
    if limit:
        policy["limit"] = limit
    return policy


def _translate_sizes(session: Mapping[str, Value], remarks: list[str]) -> Table:
    """Return how long and how much is held back."""
    policy: Table = {}
    if "latency" in session:
        latency_ms = int(str(session["latency"])) * 1000
        policy["latency_ms"] = min(latency_ms, MAX_LATENCY_MS)
        if latency_ms > MAX_LATENCY_MS:
            remarks.append("latency: an hour is the most allowed")
    if "payload" in session or session.get("writer") == "syslog":
        payload_bytes = int(str(session.get("payload", 2048)))
        policy["payload_bytes"] = min(max(payload_bytes, MIN_LIMIT_BYTES), MAX_PAYLOAD_BYTES)
        if policy["payload_bytes"] != payload_bytes:
            remarks.append(
                f"payload = {payload_bytes}: {policy['payload_bytes']} is the nearest allowed"
            )
    return policy


def _translate_limit(session: Mapping[str, Value], remarks: list[str]) -> Table:
    limit: Table = {}
    for name in ("rate", "burst"):
        key = f"limit.{name}"
        if key in session:
            number = int(str(session[key]))
            limit[f"{name}_bytes"] = max(number, 1)
            if number < 1:
                remarks.append(f"{key} = 0: 1 is the least allowed")
    if "limit.action" in session:
        limit["action"] = session["limit.action"]
    return limit


def _translate_rec(rec: Mapping[str, Value], remarks: list[str]) -> list[str]:
    """Return the command that does what tlog-rec.conf says."""
    words = ["steno", "rec"]
    writer = rec.get("writer", "file")
    if writer != "file":
        words += ["--to", str(writer)]
    elif "file.path" in rec:
        words += ["--file", str(rec["file.path"])]
    for key, word in (
        ("latency", "--latency"),
        ("payload", "--payload"),
        ("limit.rate", "--limit-rate"),
        ("limit.burst", "--limit-burst"),
        ("limit.action", "--limit-action"),
        ("syslog.facility", "--syslog-facility"),
        ("syslog.priority", "--syslog-priority"),
        ("journal.priority", "--journal-priority"),
    ):
        if key in rec:
            words += [word, str(rec[key])]
    if rec.get("log.input"):
        words.append("--input-all")
    for name in ("output", "window"):
        if rec.get(f"log.{name}") is False:
            words.append(f"--no-{name}")
    if rec.get("journal.augment") is False:
        remarks.append("tlog-rec.conf: journal.augment = false: entries have tlog's fields always")
    return words


def render(head: str, table: Table) -> str:
    """Return a TOML file: a comment, then the values, then the sections."""
    lines = [f"# {line}" for line in head.splitlines()]
    sections = {key: value for key, value in table.items() if isinstance(value, dict)}
    lines += [f"{key} = {_toml(value)}" for key, value in table.items() if key not in sections]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    # Strings, numbers, truth and arrays of them look alike in JSON and TOML, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
