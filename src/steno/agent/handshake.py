"""What `steno-shell` and the agent say to each other, in bytes. Does no I/O.

One SEQPACKET connection per session; docs/formats/agent-socket.md specifies it. A packet is the
magic line and then fields `name=value`, each ended by a NUL, so that the C side needs no parser
worth the name and values may hold any other byte. Descriptors travel beside the packet
(SCM_RIGHTS) and are no business of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steno.errors import ProtocolError

MAGIC = b"STENO1\n"

REQUEST_LIMIT_BYTES = 98304
"""The largest packet that `steno-shell` sends: what a socket takes by default, with room."""

ARGUMENTS_LIMIT_BYTES = 65536
"""Of longer arguments `steno-shell` sends so much, NULs counted, and says what is left out."""

ARGUMENTS_LIMIT = 4096
"""So many arguments at most; the rest counts as left out."""

ANSWER_LIMIT_BYTES = 16384
"""The largest packet that `steno-shell` reads."""

PATH_LIMIT_BYTES = 4095
"""Of a shell's path, an argv[0] and the like: PATH_MAX without its NUL."""

MESSAGE_LIMIT_BYTES = 8192

_MOST_ID = (1 << 32) - 2
_MOST_INSTANT = 10**18
"""The largest audit id; the next number means "unset"."""

Action = Literal["terminal", "pipes", "exec", "deny"]

DESCRIPTORS: dict[Action, int] = {"terminal": 1, "pipes": 3, "exec": 0, "deny": 0}
"""How many descriptors go with an answer."""

ReportKind = Literal["started", "failed", "ended", "stopped", "continued"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a session asks: "I was called so; what shall I do?" Nothing in it is to be believed.

    Descriptors 0, 1 and 2 of the session go with it, always three.

    Attributes:
        argv0: As the program was called: `-steno-shell` for a login shell.
        arguments: The rest of argv, at most ARGUMENTS_LIMIT_BYTES of it.
        term: The variable TERM, for the recording only.
        sssd_shell: The variable TLOG_REC_SESSION_SHELL, in which SSSD puts the user's own shell;
            anybody may have set it.
        selected_shell: The shell that the program's name selects: an absolute path, or one word
            for the first such name in /etc/shells. Its dashes may stand for slashes.
        omitted_bytes: So much of the arguments is left out, NULs counted.
    """

    argv0: bytes
    arguments: tuple[bytes, ...] = ()
    term: bytes = b""
    sssd_shell: bytes | None = None
    selected_shell: bytes | None = None
    omitted_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent decides. Its descriptors, see DESCRIPTORS, go with it.

    Attributes:
        action: `terminal`: run the shell as leader of a session of its own on the descriptor's
            terminal. `pipes`: run it with the three descriptors as 0, 1 and 2. `exec`: run it
            on what is there. `deny`: run nothing.
        shell: What to run: an absolute path. Empty for `deny`.
        argv0: What to call it: with `-` in front for a login shell. Empty for `deny`.
        message: For the person: why not, or the notice; without a newline at its end. With
            `terminal` it is written to the new terminal, so that it is in the recording, else
            to descriptor 2.
        status: The exit status for `deny`.
        must_wait: Stay as the shell's parent, and end only after `restored`. With `terminal`,
            `steno-shell` always does so: sshd reads no more once its child has ended, and who
            called su has its terminal back.
    """

    action: Action
    shell: bytes = b""
    argv0: bytes = b""
    message: bytes = b""
    status: int = 1
    must_wait: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What `steno-shell` tells after an answer; a parent's reports come until the session ends.

    Without any, the end of the connection means: the shell runs, in the process that asked.

    Attributes:
        kind: `started`: the process that asked stays as parent, the shell runs in its child `pid`.
            `failed`: the shell could not be run, see `errno` and `text`.
            `ended`: the child is dead; the agent passes on what is left, restores the outer
            terminal and says `restored`.
            `stopped`: the child was stopped (`suspend`); the agent restores the outer terminal,
            says `restored`, and the parent stops too.
            `continued`: the parent goes on; the agent takes the outer terminal again and says
            `taken`, and the parent lets the child go on.
        pid: The child's, as `steno-shell` sees it; the agent checks whose child it is.
        errno: Of the call that failed.
        text: What failed, in words.
        exit_status: The child's, for `ended`; None when a signal ended it.
        signal: What ended the child.
    """

    kind: ReportKind
    pid: int = 0
    errno: int = 0
    text: bytes = b""
    exit_status: int | None = None
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class LoginNote:
    """What `steno-note-login` tells, the program that PAM runs; to be believed from root only.

    Attributes:
        is_open: Whether the login begins; else it ends.
        user: Whose account it is.
        service: PAM's name of the service.
        remote: Where the person came from, None where PAM does not know.
        terminal: PAM's name of the terminal; sshd says `ssh`.
        audit_session: The login's audit session; None when unset.
        login_uid: Who logged in; None when unset.
        at_unix_us: When; None where a program of an earlier version says nothing of it.
    """

    is_open: bool
    user: str
    service: str | None = None
    remote: str | None = None
    terminal: str | None = None
    audit_session: int | None = None
    login_uid: int | None = None
    at_unix_us: int | None = None


LOGIN = MAGIC + b"login="
"""So a packet begins that is a login's note, and no request."""

RESTORED = MAGIC + b"restored=\0"
"""To a parent: all output is passed on, and the outer terminal is as it was before."""

TAKEN = MAGIC + b"taken=\0"
"""To a parent that was stopped: the outer terminal is the agent's again."""


def encode_request(request: Request) -> bytes:
    """Return the packet that asks.

    Raises:
        ProtocolError: A value holds a NUL or is too long.
    """
    fields = [(b"argv0", request.argv0), (b"term", request.term)]
    if request.sssd_shell is not None:
        fields.append((b"sssd_shell", request.sssd_shell))
    if request.selected_shell is not None:
        fields.append((b"selected_shell", request.selected_shell))
    if request.omitted_bytes:
        fields.append((b"omitted_bytes", b"%d" % request.omitted_bytes))
    fields += [(b"argument", argument) for argument in request.arguments]
    packet = _join(fields)
    decode_request(packet)
    return packet


def decode_request(packet: bytes) -> Request:
    """Return what a packet asks. Unknown fields are passed over: the asker may be newer.

    Raises:
        ProtocolError: It is no request; the connection is worth nothing.
    """
    single: dict[bytes, bytes] = {}
    arguments: list[bytes] = []
    for name, value in _split(packet, REQUEST_LIMIT_BYTES):
        if name == b"argument":
            arguments.append(value)
        elif name in single:
            raise ProtocolError(f"request: {_shown(name)} stands there twice")
        else:
            single[name] = value
    if len(arguments) > ARGUMENTS_LIMIT or _length(arguments) > ARGUMENTS_LIMIT_BYTES:
        raise ProtocolError("request: too many or too long arguments")
    for name in (b"argv0", b"term", b"sssd_shell", b"selected_shell"):
        if len(single.get(name, b"")) > PATH_LIMIT_BYTES:
            raise ProtocolError(f"request: {_shown(name)} is too long")
    if b"argv0" not in single:
        raise ProtocolError("request: argv0 is missing")
    return Request(
        argv0=single[b"argv0"],
        arguments=tuple(arguments),
        term=single.get(b"term", b""),
        sssd_shell=single.get(b"sssd_shell"),
        selected_shell=single.get(b"selected_shell"),
        omitted_bytes=_number(single, b"omitted_bytes", 1 << 40),
    )


def encode_answer(answer: Answer) -> bytes:
    """Return the packet that answers.

    Raises:
        ProtocolError: A value holds a NUL, is too long, or is missing for the action.
    """
    fields = [(b"action", answer.action.encode())]
    if answer.action == "deny":
        fields.append((b"status", b"%d" % answer.status))
    else:
        fields += [(b"shell", answer.shell), (b"argv0", answer.argv0)]
    if answer.message:
        fields.append((b"message", answer.message))
    if answer.must_wait:
        fields.append((b"wait", b"1"))
    packet = _join(fields)
    decode_answer(packet)
    return packet


def decode_answer(packet: bytes) -> Answer:
    """Return what a packet answers, by the rules that `steno-shell` reads it by.

    Raises:
        ProtocolError: It is no answer, and the session is as if there were no agent.
    """
    fields = _once(packet, ANSWER_LIMIT_BYTES, "answer")
    action = fields.get(b"action")
    if action == b"deny":
        status = _number(fields, b"status", 255, default=1)
        return Answer("deny", message=_message(fields), status=status)
    for known in ("terminal", "pipes", "exec"):
        if action == known.encode():
            return Answer(
                known,
                shell=_path(fields, b"shell"),
                argv0=_path(fields, b"argv0"),
                message=_message(fields),
                must_wait=_number(fields, b"wait", 1) == 1,
            )
    raise ProtocolError("answer: the action is missing or unknown")


def encode_report(report: Report) -> bytes:
    """Return the packet that tells how the shell fares.

    Raises:
        ProtocolError: A value holds a NUL or is too long.
    """
    if report.kind == "started":
        value = b"%d" % report.pid
    elif report.kind == "failed":
        value = b"%d %s" % (report.errno, report.text)
    elif report.kind == "ended" and report.signal is not None:
        value = b"signal %d" % report.signal
    elif report.kind == "ended":
        value = b"exit %d" % (report.exit_status or 0)
    else:
        value = b""
    packet = _join([(report.kind.encode(), value)])
    decode_report(packet)
    return packet


def decode_report(packet: bytes) -> Report:
    """Return what a packet reports.

    Raises:
        ProtocolError: It is no report.
    """
    fields = _once(packet, ANSWER_LIMIT_BYTES, "report")
    kind, value = next(iter(fields.items()), (b"", b""))
    if kind == b"started":
        return Report("started", pid=_number(fields, kind, 1 << 31))
    if kind == b"failed":
        number, _, text = value.partition(b" ")
        return Report("failed", errno=_number({kind: number}, kind, 4095), text=text)
    if kind == b"ended":
        how, _, number = value.partition(b" ")
        if how == b"exit":
            return Report("ended", exit_status=_number({kind: number}, kind, 255))
        if how == b"signal":
            return Report("ended", signal=_number({kind: number}, kind, 127))
    if kind == b"stopped":
        return Report("stopped")
    if kind == b"continued":
        return Report("continued")
    raise ProtocolError(f"report: {_shown(kind)} is unknown or wrong")


def decode_login(packet: bytes) -> LoginNote:
    """Return what a packet that begins with LOGIN tells.

    Raises:
        ProtocolError: It is no note.
    """
    fields = _once(packet, ANSWER_LIMIT_BYTES, "login")
    texts = {name: _shown_whole(value) for name, value in fields.items()}
    word = fields.get(b"login")
    if word not in (b"open", b"close") or not texts.get(b"user"):
        raise ProtocolError("login: neither open nor close, or of nobody")
    return LoginNote(
        is_open=word == b"open",
        user=texts[b"user"],
        service=texts.get(b"service"),
        remote=texts.get(b"remote"),
        terminal=texts.get(b"terminal"),
        audit_session=_number(fields, b"audit_session", _MOST_ID)
        if b"audit_session" in fields
        else None,
        login_uid=_number(fields, b"login_uid", _MOST_ID) if b"login_uid" in fields else None,
        at_unix_us=_number(fields, b"at_unix_us", _MOST_INSTANT)
        if b"at_unix_us" in fields
        else None,
    )


def _shown_whole(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _join(fields: list[tuple[bytes, bytes]]) -> bytes:
    for name, value in fields:
        if b"\0" in value:
            raise ProtocolError(f"{_shown(name)} holds a NUL")
    return MAGIC + b"".join(b"%s=%s\0" % field for field in fields)


def _split(packet: bytes, limit_bytes: int) -> list[tuple[bytes, bytes]]:
    if len(packet) > limit_bytes:
        raise ProtocolError(f"a packet of more than {limit_bytes} bytes")
    if not packet.startswith(MAGIC):
        raise ProtocolError("not a packet of this protocol")
    body = packet[len(MAGIC) :]
    if not body:
        return []
    if not body.endswith(b"\0"):
        raise ProtocolError("a packet that is cut short")
    fields = []
    for field in body[:-1].split(b"\0"):
        name, equals, value = field.partition(b"=")
        if not equals or not name:
            raise ProtocolError(f"a field without a name: {_shown(field)}")
        fields.append((name, value))
    return fields


def _once(packet: bytes, limit_bytes: int, what: str) -> dict[bytes, bytes]:
    fields = _split(packet, limit_bytes)
    single = dict(fields)
    if len(single) != len(fields):
        raise ProtocolError(f"{what}: a field stands there twice")
    return single


def _length(arguments: list[bytes]) -> int:
    return sum(map(len, arguments)) + len(arguments)


def _number(fields: dict[bytes, bytes], name: bytes, most: int, default: int = 0) -> int:
    value = fields.get(name)
    if value is None:
        return default
    if not value.isdigit() or len(value) > 19 or int(value) > most:
        raise ProtocolError(f"{_shown(name)}: {_shown(value)} is no number up to {most}")
    return int(value)


def _path(fields: dict[bytes, bytes], name: bytes) -> bytes:
    value = fields.get(name, b"")
    if not value or len(value) > PATH_LIMIT_BYTES or (name == b"shell" and value[:1] != b"/"):
        raise ProtocolError(f"answer: {_shown(name)} is missing, too long, or no absolute path")
    return value


def _message(fields: dict[bytes, bytes]) -> bytes:
    value = fields.get(b"message", b"")
    if len(value) > MESSAGE_LIMIT_BYTES:
        raise ProtocolError("answer: the message is too long")
    return value


def _shown(value: bytes) -> str:
    """Return bytes from a stranger so that they can stand in a log's line."""
    return ascii(value[:40].decode("latin-1"))
