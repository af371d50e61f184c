"""Steno's event: what one audit event says, in plain words, with all its records underneath.

docs/formats/event.md specifies the JSON line. Instants are microseconds since 1970-01-01 UTC; the
kernel stamps events when a system call begins, with a clock that ticks every few milliseconds
(CLOCK_REALTIME_COARSE), and auditd writes three digits of it.

Names of files and arguments are bytes. Where they are not UTF-8, the text has U+FFFD for each
invalid piece, and the bytes stand beside it in hexadecimal.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from steno.model import Int64, UnixUs

Result = Literal["success", "failure", "unknown"]
"""How it went; `unknown` where the records do not tell (a system call without its SYSCALL)."""

ThingKind = Literal[
    "file", "directory", "program", "address", "process", "account", "session", "service",
    "module", "rules", "object",
]  # fmt: skip
"""What an event is about; `object` is everything else (memory, namespaces, System V IPC ...)."""


JOURNAL = "journal"
"""`Event.source` of what programs said in the systemd journal."""

FIRST_OF_JOURNAL = 1 << 32
"""The kernel's serials have 32 bits; numbers from here on are the journal's, counted from here."""


class Who(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """On whose behalf it happened.

    Attributes:
        login_uid: Who logged in (auid); it survives su and sudo. None: unset.
        login_user: Its name, where known.
        uid: Whose account it is now.
        user: Its name.
        effective_uid: Whose rights counted, where that is not `uid`.
        effective_user: Its name.
        gid: The group.
        group: Its name.
    """

    login_uid: Int64 | None = None
    login_user: str | None = None
    uid: Int64 | None = None
    user: str | None = None
    effective_uid: Int64 | None = None
    effective_user: str | None = None
    gid: Int64 | None = None
    group: str | None = None


class Process(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The process that did it.

    Attributes:
        pid: Its id. For `fork`, `clone` and their like, `Event.exit` is the child's.
        parent_pid: Its parent's.
        program: The executable's path.
        name: What the kernel calls it (comm), 15 bytes at most.
        terminal: `pts/2`, `tty1`; None: none.
        directory: Its working directory, where a CWD record says it.
        arguments: What it was started with: all of EXECVE's.
        arguments_hex: The same in hexadecimal, where one of them is not UTF-8.
        title: PROCTITLE, its NULs as blanks; the kernel keeps 128 bytes of it.
        is_cut: Whether records with more of `arguments` are missing.
    """

    pid: Int64 | None = None
    parent_pid: Int64 | None = None
    program: str | None = None
    name: str | None = None
    terminal: str | None = None
    directory: str | None = None
    arguments: list[str] | None = None
    arguments_hex: list[str] | None = None
    title: str | None = None
    is_cut: bool = False


class Thing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What it was done to.

    Attributes:
        kind: What sort of thing.
        name: An absolute path where it could be resolved, `192.0.2.1:443`, `[::1]:80`, a
            socket's path (abstract ones begin with `@`), an account's name, a process's id ...
        role: `created`, `deleted`, `from`, `to`, `target` (of a link), `interpreter`, `directory`
            (the parent, shown only where nothing better is known) or "" for the object itself.
        name_hex: The name's bytes, where they are not UTF-8.
        inode: Of a file.
        mode: Of a file, octal digits: `0100644`.
        owner: Of a file: the user's name, or the number where it has none.
        address: An IP address alone.
        port: Its port.
        program: Of a process: what it calls itself, as far as the kernel keeps it (15 bytes).
    """

    kind: ThingKind
    name: str
    role: str = ""
    name_hex: str | None = None
    inode: int | None = None
    mode: str | None = None
    owner: str | None = None
    address: str | None = None
    port: Int64 | None = None
    program: str | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One audit event.

    (`host`, `boot_id`, `at_unix_us`, `serial`) name it; serials count from the boot.

    Attributes:
        serial: The kernel's number; from `FIRST_OF_JOURNAL` on it is the journal's.
        at_unix_us: When, to the millisecond.
        action: What was done, in plain words: `ran`, `wrote`, `read`, `opened`, `created`,
            `deleted`, `renamed`, `linked`, `changed mode of`, `changed owner of`,
            `connected to`, `listened on`, `sent to`, `became`, `logged in`, `typed`, `ended` ...
            docs/formats/event.md lists them all.
        result: Whether it worked.
        host: Where (`node=`, or who delivered it).
        boot_id: Without dashes, as in recordings; None for files.
        audit_session: The kernel's session (`ses`); None: unset.
        error: The errno's name, `EACCES`.
        exit: What the system call returned; for `ended`, the exit status.
        signal: The signal's number, where one was sent (`signalled`) or ended it (`crashed`).
        syscall: Its name.
        keys: The rules' keys that it matched.
        who: On whose behalf.
        process: What did it.
        objects: What it was done to, the chief one first.
        text: One plain sentence: `avery could not read /etc/shadow with cat: permission denied`.
        typed: What was typed, for TTY and USER_TTY records: control characters as they came.
        records: The records underneath, each an object with `type` and `fields`; each field an
            object with `raw`, and `value` where it means something else.
        lost_before: So many serials were missing right before it.
        source: Whose word it is: "" for the kernel's audit system, `journal` for what a program
            said of itself in the systemd journal, which proves less.
        method: How somebody proved who they are, or tried to: `password`,
            `publickey ED25519 SHA256:...`; only the journal tells.
    """

    serial: Int64
    at_unix_us: UnixUs
    action: str
    result: Result = "unknown"
    host: str = ""
    boot_id: str | None = None
    audit_session: Int64 | None = None
    error: str | None = None
    exit: Int64 | None = None
    signal: Int64 | None = None
    syscall: str | None = None
    keys: list[str] = []
    who: Who = Who()
    process: Process = Process()
    objects: list[Thing] = []
    text: str = ""
    typed: str | None = None
    lost_before: Int64 = 0
    records: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"[]"))
    source: str = ""
    method: str | None = None
