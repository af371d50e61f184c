"""The words that all rooms share: pieces, messages, and the facts about a recording.

Instants within a recording (`at_us`) are microseconds since its start. Instants on the
calendar (`*_unix_us`) are microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that a host may say: what no database and no packed state holds is damage."""

UnixUs = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999_999)]
"""An instant that a host may say: one that has a date, 1970 to 9999; any other is damage."""

NO_AUDIT_SESSION = 4294967295
"""What the kernel says when a process belongs to no audit session: (uint32) -1."""

TRAIL_PREFIX = "trail-"
"""The ids of audit trails begin so; no recording's does."""


def is_trail(rec: str) -> bool:
    """Tell whether what goes by this id is an audit trail (docs/formats/trail.md), no recording."""
    return rec.startswith(TRAIL_PREFIX)


class Output(msgspec.Struct, frozen=True, gc=False):
    """Bytes that went to the terminal, or to standard output or error of a pipe."""

    at_us: int
    data: bytes
    is_stderr: bool = False


class Input(msgspec.Struct, frozen=True, gc=False):
    """Bytes that the person typed, or that came in through a pipe."""

    at_us: int
    data: bytes


class Window(msgspec.Struct, frozen=True, gc=False):
    """The terminal's size, in character cells, from this instant on."""

    at_us: int
    columns: int
    rows: int


class Note(msgspec.Struct, frozen=True):
    """Something else that happened to the recording; nothing is lost silently.

    `kind` is one of the words in docs/formats/steno.md: `unseen` (input typed while echo was
    off, not kept), `drop` (bytes thrown away by the rate limit), `delay` (bytes held
    back by it), `restart` (the recorder was restarted), `torn` (a crash left a torn line, which
    was cut off), `gap` (messages are missing), `lost` (an encoding could not hold something, or a
    converted file was damaged), `marker` (somebody set a mark), `signal` (the recorder got a
    signal), `clock` (a source's clock made a step that was not followed), `message` (somebody sent
    the person a line), `kill` (somebody ended the session), `limit` (a captured stream is not
    recorded any further), `calendar` (the calendar moved against the recording's clock).
    `facts` holds JSON values, their names carrying units.
    """

    at_us: int
    kind: str
    facts: dict[str, Any] = {}


Piece = Output | Input | Window | Note


class Start(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """What is known when a recording starts; stands in its first message.

    Attributes:
        user: Whose account it is.
        login_user: Who logged in (the audit login uid's name).
        uid: Numeric id of `user`.
        login_uid: The audit login uid, None when unset.
        host: The host's name.
        boot_id: /proc/sys/kernel/random/boot_id, without dashes.
        audit_session: /proc/self/sessionid, None when unset.
        service: What let the person in: sshd, sudo, su, login, cron, or rec for `steno rec`.
        remote: Where the person came from, an address or a name.
        command: The recorded program and its arguments.
        command_cut_bytes: How much of a long `command` is left out at its end; None: nothing.
        terminal: The terminal's device, /dev/pts/3, or None for pipes.
        columns: The window's width at the start, None for pipes.
        rows: The window's height at the start, None for pipes.
        records: What is kept: any of output, input, window.
        policy: Name of the rule that decided.
        labels: Free labels from the policy or the command line.
        recorder: Program and version, "steno 0.1.0".
        started_unix_us: The fine clock (CLOCK_REALTIME) at `at_us` 0.
        coarse_unix_us: CLOCK_REALTIME_COARSE, read beside it: the audit trail's clock.
        number: The host's running number of recordings, from 1.
        kind: What the session is for, as its command looks: shell, command, scp, sftp, rsync, git,
            ansible, ... (recorder.kinds).
        charset: What the terminal speaks where that is not UTF-8, in the words of
            formats.charset; the messages hold UTF-8.
        mail_to: Who gets the recording by mail when it has ended; docs/mail.md.
        pid: The process from which all that is recorded descends: the shell itself, or what starts
            it; None where its recorder ran in a container and did not know the host's process ids.
        inner_terminal: The pseudo-terminal that the shell has, where the recorder knew it.
    """

    user: str
    host: str
    started_unix_us: Int64
    recorder: str
    uid: Int64 | None = None
    login_user: str | None = None
    login_uid: Int64 | None = None
    boot_id: str | None = None
    audit_session: Int64 | None = None
    service: str | None = None
    remote: str | None = None
    command: list[str] | None = None
    terminal: str | None = None
    columns: Int64 | None = None
    rows: Int64 | None = None
    records: list[str] = []
    policy: str | None = None
    labels: list[str] = []
    coarse_unix_us: Int64 | None = None
    number: Int64 | None = None
    kind: str | None = None
    charset: str | None = None
    command_cut_bytes: Int64 | None = None
    mail_to: list[str] = []
    pid: Int64 | None = None
    inner_terminal: str | None = None


class StreamTotal(msgspec.Struct, frozen=True):
    """What passed through one stream of a captured command, recorded or not.

    Attributes:
        passed_bytes: How many bytes.
        sha256: Their digest, 64 hex digits; None when the recorder was restarted meanwhile.
        recorded_bytes: How many of them, from the first on, the recording holds.
    """

    passed_bytes: Int64
    sha256: str | None
    recorded_bytes: Int64


class End(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """What is known when a recording ends; stands in its last message.

    Attributes:
        reason: `exit` (the program ended), `signal` (a signal ended it), `hangup` (the terminal
            vanished), `recorder` (the recorder gave up), `unknown`.
        exit_status: The program's exit status, for `exit`.
        signal: The signal's number, for `signal`.
        output_bytes: Bytes that went to the terminal, dropped ones included.
        input_bytes: Bytes that came from the terminal, unrecorded ones included.
        streams: For a captured command: `output`, `error` and, where it was relayed, `input`.
    """

    reason: str
    exit_status: Int64 | None = None
    signal: Int64 | None = None
    output_bytes: Int64 = 0
    input_bytes: Int64 = 0
    streams: dict[str, StreamTotal] = {}


class Message(msgspec.Struct, frozen=True):
    """One line of a recording, decoded.

    Attributes:
        version: The format's version, "2.3".
        host: The host's name.
        rec: The recording's id; one file may hold several recordings.
        user: Whose account it is.
        term: The terminal's type ($TERM); "" for pipes.
        session: Audit session id, NO_AUDIT_SESSION when there is none.
        id: The message's number in its recording, from 1, without gaps.
        pos_ms: The first piece's instant, in milliseconds since the recording's start.
        time_ms: The same instant on the calendar, in milliseconds since 1970; None in old versions.
        pieces: What happened, in order.
        prev: Hex SHA-256 of the recording's line before; None for the first line and for lines
            without a chain (stock tlog's).
        is_chained: Whether the line carries the `steno` member.
        start: The start's facts, in a first message.
        end: The end's facts, in a last message.
    """

    version: str
    host: str
    rec: str
    user: str
    term: str
    session: int
    id: int
    pos_ms: int
    time_ms: int | None
    pieces: tuple[Piece, ...]
    prev: str | None = None
    is_chained: bool = False
    start: Start | None = None
    end: End | None = None


class Damage(msgspec.Struct, frozen=True):
    """A stretch of input that could not be read; what follows it still is.

    Attributes:
        line: The bad line's number in the input, from 1.
        offset_bytes: Where in the input it begins.
        length_bytes: How long it is, its newline included.
        reason: What is wrong with it.
    """

    line: int
    offset_bytes: int
    length_bytes: int
    reason: str


def digest_of_line(line: bytes) -> str:
    """Return what the next line's `prev` must say: hex SHA-256 of `line` without its newline."""
    size_bytes = len(line) - line.endswith(b"\n")
    return hashlib.sha256(memoryview(line)[:size_bytes]).hexdigest()


class TextLine(msgspec.Struct, frozen=True):
    """One line of the screen's text, escapes and redraws resolved.

    Attributes:
        at_us: When its text first stood complete on the screen.
        text: The line, without trailing blanks; wrapped rows are joined.
    """

    at_us: int
    text: str


class Keyframe(msgspec.Struct, frozen=True):
    """The screen at an instant: playing may start here.

    Attributes:
        at_us: The instant; all pieces before it are in `data`, none after it.
        offset_bytes: Where in the recording's original lines the next piece's message begins.
        piece: How many of that message's pieces are already in `data`; 0 at a message's start.
        columns: The window's width.
        rows: The window's height.
        data: Bytes that draw this screen on a terminal that was just reset.
    """

    at_us: int
    offset_bytes: int
    piece: int
    columns: int
    rows: int
    data: bytes


class Command(msgspec.Struct, frozen=True):
    """A command that the person ran.

    Attributes:
        at_us: When it was entered.
        text: The command as far as it is known.
        source: Where it is known from: `screen` (a prompt's line).
    """

    at_us: int
    text: str
    source: str = "screen"


class Verification(msgspec.Struct, frozen=True):
    """What a recording's chain proves.

    Attributes:
        state: `complete` (unbroken from first line to the end facts), `so_far` (unbroken, but no
            end facts yet: live, or cut off), `broken`, or `unchained` (stock tlog's lines).
        lines: How many lines are good, from the first.
        head: Digest of the last good line, what the next line's `prev` must be.
        broken_line: The first bad line's number, from 1.
        broken_offset_bytes: Where that line begins.
        reason: What is wrong with it.
    """

    state: Literal["complete", "so_far", "broken", "unchained"]
    lines: int
    head: str | None = None
    broken_line: int | None = None
    broken_offset_bytes: int | None = None
    reason: str | None = None
