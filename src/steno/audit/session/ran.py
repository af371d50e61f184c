"""What ran in an audit session: one node of the tree of commands.

docs/audit.md says how the tree is made and what it cannot know. Instants are microseconds since
1970-01-01 UTC by the audit trail's clock, which ticks every few milliseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RanKind = Literal["shell", "line", "program", "subshell"]
"""What a node is.

`shell`: a shell that a person types into; `line`: a typed line that ran no program of its own
(`cd`, `echo`), or more than one; `program`: one program that was run, with the line that was typed
for it where it was the line's only one; `subshell`: a shell's fork that ran several programs or
changed files by itself.
"""

Origin = Literal["typed", "script", "other"]
"""Whose will it was.

`typed`: it stands in a line that was typed; `script`: something that interprets a script ran it;
`other`: a program ran it, or the shell by itself (start-up files, its prompt, completion).
"""

Ended = Literal["exit", "signal", "replaced", "next", "last", "unknown"]
"""What `Ran.end_unix_us` is known from.

`exit`: its exit; `signal`: a signal's record; `replaced`: it ran another program in its place;
`next`: the same shell's next line or command, so that it is an upper bound; `last`: the last thing
that it or its children did, a lower bound; `unknown`: nothing tells, and there is no instant.
"""

TrailKind = Literal[
    "files", "network", "processes", "privileges", "denials", "typed", "other"
]  # fmt: skip
"""What sort of event it is: the first that holds of denials, typed, privileges, network, files
(changed), processes (began, ended), other."""


class Counts(msgspec.Struct, frozen=True):
    """How many events of some sorts, and programs.

    Attributes:
        programs: Programs that were run.
        events: Events of any sort.
        files_changed: Files created, written, deleted, renamed, or changed in mode or owner.
        connections: Addresses connected to, sent to, listened on or accepted from.
        denials: Whatever was refused for lack of rights.
    """

    programs: int = 0
    events: int = 0
    files_changed: int = 0
    connections: int = 0
    denials: int = 0


class RanFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a command, whatever its instants are counted from.

    Attributes:
        number: Its place in the list, from 1: parents stand before their children.
        parent: The number of what it belongs to (the shell, a line, the program that ran it); None
            for the first of all.
        text: What to show: the typed line, else the arguments as a shell would take them.
        ended: What its end is known from.
        typed: The line that was typed, where this is the line or its only program.
        arguments: What the program was started with.
        program: The executable's path.
        pid: The process; None for lines.
        user: Whose account it was.
        exit_status: What it exited with, where known.
        signal: The signal's number that ended it, where known.
        error: Why it could not be run: the errno's name.
        is_background: Whether the shell went on without waiting for it.
        pipeline: The same number for the programs of one pipeline.
        privilege: Who it became, where that is not its parent's user: `root`. A line has that of
            the first of its programs that became anybody.
        serial: The event that says so: its execve, where that was seen.
        own: What it did itself.
        below: What it and all below it did.
    """

    number: int
    parent: int | None
    text: str
    ended: Ended = "unknown"
    typed: str | None = None
    arguments: list[str] | None = None
    program: str | None = None
    pid: int | None = None
    user: str | None = None
    exit_status: int | None = None
    signal: int | None = None
    error: str | None = None
    is_background: bool = False
    pipeline: int | None = None
    privilege: str | None = None
    serial: int | None = None
    own: Counts = Counts()
    below: Counts = Counts()


class Ran(RanFacts, frozen=True, kw_only=True):
    """A line that was typed, a program that was run, or a shell.

    Attributes:
        kind: What it is.
        origin: Whose will it was.
        at_unix_us: When it was run; for a line, when it was entered.
        end_unix_us: When it ended, where that can be said.
    """

    kind: RanKind
    origin: Origin
    at_unix_us: int
    end_unix_us: int | None = None
