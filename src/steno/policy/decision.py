"""What a policy decides of a session, and why."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Action = Literal["record", "command", "capture", "off"]
InputWord = Literal["none", "seen", "all"]
LimitWord = Literal["pass", "delay", "drop"]
FailureWord = Literal["deny", "allow"]
AuditWord = Literal["none", "login", "session"]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit on what is recorded; the words are those of steno.recorder.limit.

    Attributes:
        rate_bytes: Bytes a second that may be recorded for long.
        burst_bytes: Bytes by which that may be exceeded for a moment.
        action: What happens beyond: nothing, the terminal is slowed down, or bytes pass unrecorded.
    """

    rate_bytes: Annotated[int, msgspec.Meta(ge=1)] = 16384
    burst_bytes: Annotated[int, msgspec.Meta(ge=1)] = 32768
    action: LimitWord = "pass"


class Reason(msgspec.Struct, frozen=True):
    """Why one setting is what it is.

    Attributes:
        setting: The key in the policy file.
        value: What was decided, as JSON would say it.
        rules: Names of the rules that say so; none when `source` is not `rule`.
        source: `rule`, `defaults` (the file's), `built-in`, `always` (what no rule can change), or
            `unrecorded` (the file's `audited`).
        yielded: Names of the rules that say otherwise and were outdone.
    """

    setting: str
    value: object
    rules: tuple[str, ...] = ()
    source: Literal["rule", "defaults", "built-in", "always", "unrecorded"] = "rule"
    yielded: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How a session is recorded.

    Attributes:
        action: `record` (a terminal's session), or for what has no terminal `command` (who, what,
            when, how it ended) or `capture` (its streams too); or `off`.
        rules: Names of all rules that apply, highest priority first, then by name.
        records: What is kept of a terminal, in the words of model.Start: output, input, window.
        input_mode: What is kept of what is typed, in the words of recorder.session.InputMode.
        notice: What the person is shown first; "" for nothing.
        limit: The limit on what is recorded.
        latency_us: How long what passes may stay in memory before it is in a line.
        payload_bytes: How large a message's payload may become.
        capture_bytes: How much of each stream `capture` keeps.
        on_failure: Whether the session starts when it cannot be recorded.
        audit: What of the kernel's audit events of the session is kept.
        labels: Labels of the recording, sorted.
        mail_to: Addresses that get the recording when it ends, sorted.
        shell: The real shell that the policy prescribes, None: the account's own.
        reasons: Where each setting comes from.
    """

    action: Action
    rules: tuple[str, ...] = ()
    records: tuple[str, ...] = ("output", "window")
    input_mode: InputWord = "none"
    notice: str = ""
    limit: Limit = Limit()
    latency_us: int = 1_000_000
    payload_bytes: int = 16384
    capture_bytes: int = 1 << 20
    on_failure: FailureWord = "deny"
    audit: AuditWord = "session"
    labels: tuple[str, ...] = ()
    mail_to: tuple[str, ...] = ()
    shell: str | None = None
    reasons: tuple[Reason, ...] = ()
