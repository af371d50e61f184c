"""What a system call did to what: the shapes of `actions.CALLS`, one function each.

Sources: section 2 of the man pages; Linux, kernel/auditsc.c, audit_log_name(): a PATH record is
PARENT, CREATE, DELETE, NORMAL or UNKNOWN, and its name starts from the CWD record, unless
the call was given another directory's descriptor; then nobody knows what it starts from,
and even what stands as the parent's name is the working directory's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from steno.audit.event import Thing, ThingKind
from steno.audit.records import Record
from steno.audit.values.tables.choices import URING
from steno.audit.words.actions import CALLS, SOCKETCALLS, Call, Shape
from steno.audit.words.gathering import Gathered, MainFields, named
from steno.audit.words.memory import Memory
from steno.audit.words.things import (
    Files,
    bytes_of,
    field_text,
    known_name,
    number_of,
    plain_text,
    signed,
    text_of,
)

_WORKING_DIRECTORY = frozenset({b"ffffff9c", b"ffffffffffffff9c"})
"""AT_FDCWD, -100, in 32 and 64 bits: it stands for the working directory.

Source: include/uapi/linux/fcntl.h.
"""

_ACCESS = 0o3
_CREATE = 0o100
_TRUNCATE = 0o1000
_PATH_ONLY = 0o10000000
"""Flags of open that are the same on all architectures that Steno knows: asm-generic/fcntl.h."""

PLAIN_CALL = Call("called", "path")
"""What a system call is that `CALLS` does not know."""


class Deed(msgspec.Struct, frozen=True, gc=False):
    """What was done to what.

    Attributes:
        action: A key of `actions.WORDS`.
        objects: The chief one first.
        detail: What the sentence says besides: a signal's number, a call's name.
    """

    action: str
    objects: list[Thing]
    detail: str = ""


class Tools(NamedTuple):
    """What makes things of records, and remembers."""

    files: Files
    peers: Memory[bytes, Thing | None]


class CallContext(msgspec.Struct, frozen=True, gc=False):
    """What the shapes look at."""

    name: str
    what: Call
    fields: MainFields
    found: Gathered
    is_failed: bool
    tools: Tools

    def argument(self, number: int) -> int | None:
        """Return a0 to a2 as a signed number."""
        value = number_of(self.fields[_ARGUMENT_0 + number], 16)
        return None if value is None else signed(value)

    def directory(self, at: int) -> bytes | None:
        """Return what names start from, if argument `at` is a directory's descriptor."""
        if at >= 0 and self.fields[_ARGUMENT_0 + at] not in _WORKING_DIRECTORY:
            return None
        record = self.found.directory
        raw = record.get("cwd") if record is not None else None
        return None if raw is None else bytes_of(raw)


_ARGUMENT_0 = MainFields._fields.index("a0")


def describe_call(
    name: str, fields: MainFields, found: Gathered, tools: Tools, *, is_failed: bool
) -> Deed:
    """Return what a system call did.

    Args:
        name: The system call's name, "" where it is unknown.
        fields: What its SYSCALL record says.
        found: All the event's records.
        tools: What makes things of records.
        is_failed: Whether it failed.
    """
    if name == "socketcall":
        number = number_of(fields.a0, 16) or 0
        name = SOCKETCALLS[number] if 0 <= number < len(SOCKETCALLS) else name
    what = CALLS.get(name, PLAIN_CALL)
    return _SHAPES[what.shape](CallContext(name, what, fields, found, is_failed, tools))


def count_arguments(name: str) -> int:
    """Return which of a0 to a2 `describe_call` may look at, a bit for each; all without a name."""
    if not name or name == "socketcall":
        return 0b111
    what = CALLS.get(name, PLAIN_CALL)
    bits = _COUNTED.get(what.shape, 0)
    return bits | 1 << what.at if what.at >= 0 else bits


def describe_uring(record: Record, found: Gathered, tools: Tools) -> Deed:
    """Return what a call through io_uring did: its record has no arguments to tell more."""
    number = number_of(record.get("uring_op"))
    name = URING.get(-1 if number is None else number, f"operation {number}")
    directory = found.directory.get("cwd") if found.directory is not None else None
    start = None if directory is None else bytes_of(directory)
    objects = [tools.files.thing(path, start) for path in found.paths]
    return Deed("called", objects, f"{name} through io_uring")


def _files(context: CallContext, at: int, kind: ThingKind | None = None) -> list[Thing]:
    paths = named(context.found.paths)
    if not paths:
        return []
    directory = context.directory(at)
    make = context.tools.files.thing
    return [make(path, directory, "", kind) for path in paths]


def _with_parent(context: CallContext, objects: list[Thing], at: int) -> list[Thing]:
    """Add the directory where nothing better says where the object is."""
    parents = context.found.parents
    if not parents or (objects and objects[0].name[:1] == "/"):
        return objects
    parent = context.tools.files.thing(parents[-1], context.directory(at), "directory")
    if at >= 0 and context.directory(at) is None and parent.inode is not None:
        # Its name is the working directory's, not its own.
        parent = Thing("directory", f"inode {parent.inode}", "directory", inode=parent.inode)
    return [*objects, parent]


def _open(context: CallContext, flags: int) -> Deed:
    paths = named(context.found.paths)
    objects = _files(context, context.what.at)
    last = paths[-1].nametype if paths else None
    access = flags & _ACCESS
    if last == b"CREATE" or (not paths and flags & _CREATE):
        action = "created"
        objects = objects[-1:]
    elif flags & _PATH_ONLY or (objects and objects[-1].kind == "directory"):
        action = "opened"
    else:
        action = "wrote" if access in (1, 2) or flags & _TRUNCATE else "read"
    return Deed(action, _with_parent(context, objects[:1], context.what.at))


def _open_plain(context: CallContext) -> Deed:
    flags = 0o1101 if context.name == "creat" else context.argument(1) or 0
    return _open(context, flags)


def _open_at(context: CallContext) -> Deed:
    return _open(context, context.argument(2) or 0)


def _open_how(context: CallContext) -> Deed:
    """Openat2: its flags are in memory, an OPENAT2 record says them in octal."""
    record = context.found.details.get("OPENAT2")
    flags = number_of(record.get("oflag"), 8) if record is not None else None
    return _open(context, flags or 0)


def _make(context: CallContext) -> Deed:
    kind: ThingKind | None = "directory" if context.name.startswith("mkdir") else None
    objects = _files(context, context.what.at, kind)[-1:]
    return Deed(context.what.action, _with_parent(context, objects, context.what.at))


def _remove(context: CallContext) -> Deed:
    kind: ThingKind | None = "directory" if context.name == "rmdir" else None
    objects = _files(context, context.what.at, kind)[:1]
    return Deed(context.what.action, _with_parent(context, objects, context.what.at))


def _move(context: CallContext) -> Deed:
    at = context.what.at
    source, target = context.directory(at), context.directory(2 if at >= 0 else -1)
    paths = named(context.found.paths)
    old = [path for path in paths if path.nametype != b"CREATE"]
    new = [path for path in paths if path.nametype == b"CREATE"]
    if not new:
        old, new = old[:1], old[1:]
    objects = [context.tools.files.thing(path, source, "from") for path in old[:1]]
    objects += [context.tools.files.thing(path, target, "to") for path in new[:1]]
    # What had the new name before is gone.
    objects += [context.tools.files.thing(path, target, "deleted") for path in old[1:2]]
    return Deed(context.what.action, objects)


def _link(context: CallContext) -> Deed:
    at = context.what.at
    paths = context.found.paths
    objects = [
        context.tools.files.thing(path, context.directory(2 if at >= 0 else -1), "created")
        for path in paths[1:2]
    ]
    objects += [
        context.tools.files.thing(path, context.directory(at), "target") for path in paths[:1]
    ]
    return Deed(context.what.action, objects)


def _link_symbolically(context: CallContext) -> Deed:
    """The target stands first, and starts from where the link is."""
    paths = context.found.paths
    objects = [
        context.tools.files.thing(path, context.directory(context.what.at), "created")
        for path in paths[1:2]
    ]
    where = None
    if objects and objects[0].name[:1] == "/" and objects[0].name_hex is None:
        where = objects[0].name.rpartition("/")[0].encode() or b"/"
    objects += [context.tools.files.thing(path, where, "target") for path in paths[:1]]
    return Deed(context.what.action, objects)


def _change(context: CallContext) -> Deed:
    objects = _files(context, context.what.at)[:2]
    return Deed(context.what.action, _with_parent(context, objects, context.what.at))


def _path(context: CallContext) -> Deed:
    return Deed(context.what.action, _files(context, context.what.at), context.name)


def _mount(context: CallContext) -> Deed:
    """Where stands first, then what."""
    where = _files(context, context.what.at)[:1]
    make = context.tools.files.thing
    what = [make(path, context.directory(-1), "from") for path in context.found.paths[1:2]]
    return Deed(context.what.action, where + what)


def _handle(context: CallContext) -> Deed:
    objects = _files(context, -1)
    if not objects and context.name in ("mmap", "mmap2"):
        record = context.found.details.get("MMAP")
        objects = [Thing("object", f"descriptor {field_text(record, 'fd')}")] if record else []
    elif not objects and (number := context.argument(0)) is not None and context.name[:1] == "f":
        objects = [Thing("object", f"descriptor {number}")]
    return Deed(context.what.action, objects, context.name)


def _run(context: CallContext) -> Deed:
    paths = context.found.paths
    if not paths:
        return Deed("ran", [])
    directory = context.directory(context.what.at)
    make = context.tools.files.thing
    first = make(paths[0], directory, "", "program")
    is_veiled = first.name[:1] != "/" or first.name.startswith(_VEILS)
    if is_veiled and not context.is_failed:
        # Run by descriptor (fexecve): what ran is what the kernel says it is.
        name = text_of(context.fields.exe) or first.name
        first = Thing("program", name, "", None, first.inode, first.mode, first.owner)
    # /proc/self/exe is looked up twice.
    others = [path for path in paths[1:] if path.name != paths[0].name]
    interpreters = [path for path in others if not _is_loader(path.name or b"")]
    return Deed(
        "ran", [first, *(make(path, directory, "interpreter", "program") for path in interpreters)]
    )


_VEILS = ("/proc/self/", "/dev/fd/")
"""Paths that say nothing of what is behind them."""


def _is_loader(raw: bytes) -> bool:
    """Tell the dynamic loader (ld-linux-x86-64.so.2, ld64.so.1) from a script's interpreter."""
    last = raw[raw.rfind(b"/") + 1 :]
    return last[:2] == b"ld" and b".so" in last


def _start(context: CallContext) -> Deed:
    child = number_of(context.fields.exit)
    is_known = child is not None and child > 0
    return Deed("started", [Thing("process", str(child))] if is_known else [])


def _end(context: CallContext) -> Deed:
    return Deed("ended", [], context.name)


def _signal(context: CallContext) -> Deed:
    pid, number = (1, 2) if context.name in ("tgkill", "rt_tgsigqueueinfo") else (0, 1)
    # What pidfd_send_signal is given is a descriptor.
    objects = _processes(context, context.argument(pid) if context.what.at >= 0 else None)
    return Deed("signalled", objects, str(context.argument(number) or 0))


def _trace(context: CallContext) -> Deed:
    return Deed("traced", _processes(context, context.argument(context.what.at)), context.name)


def _processes(context: CallContext, number: int | None) -> list[Thing]:
    targets = context.found.targets
    if targets:
        return [context.tools.files.process(record) for record in targets]
    return [] if number is None else [Thing("process", str(number))]


def _identity(context: CallContext) -> Deed:
    """What the process is afterwards; where it failed, what it asked for."""
    fields = context.fields
    is_group = "gid" in context.name or "groups" in context.name
    id_, known = (fields.gid, fields.GID) if is_group else (fields.euid, fields.EUID)
    account = known_name(known) or plain_text(id_)
    if context.is_failed and "groups" not in context.name:
        account = str(context.argument(0))
    return Deed(
        "became", [Thing("account", account)] if account else [], "group" if is_group else ""
    )


def _peer(context: CallContext) -> Deed:
    record = context.found.peer
    raw = record.get("saddr") if record is not None else None
    thing = context.tools.peers[raw] if raw is not None else None
    if thing is not None and thing.kind == "file" and context.found.paths:
        # A socket in the file system, whose PATH record says more.
        thing = _files(context, -1)[-1]
    objects = [thing] if thing is not None else []
    if not objects and (number := context.argument(0)) is not None:
        objects = [Thing("object", f"socket {number}")]
    return Deed(context.what.action, objects)


def _plain(context: CallContext) -> Deed:
    return Deed(context.what.action, [], context.name)


_SHAPES: dict[str, Callable[[CallContext], Deed]] = {
    "open": _open_plain,
    "at_open": _open_at,
    "open2": _open_how,
    "queue": _open_plain,
    "make": _make,
    "remove": _remove,
    "move": _move,
    "link": _link,
    "symbolic": _link_symbolically,
    "change": _change,
    "path": _path,
    "mount": _mount,
    "handle": _handle,
    "run": _run,
    "start": _start,
    "end": _end,
    "signal": _signal,
    "trace": _trace,
    "identity": _identity,
    "peer": _peer,
    "plain": _plain,
}

_COUNTED: dict[Shape, int] = {
    "open": 0b010,
    "at_open": 0b100,
    "queue": 0b010,
    "move": 0b100,
    "link": 0b100,
    "handle": 0b001,
    "end": 0b001,
    "signal": 0b111,
    "identity": 0b001,
    "peer": 0b001,
}
"""Which arguments a shape looks at, beside the directory's and `Call.at`: a bit for each."""
