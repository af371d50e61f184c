"""What a system call did to what: the shapes of `actions.CALLS`, one function each.

Sources: section 2 of the man pages; Linux, kernel/auditsc.c, audit_log_name(): a PATH record is
PARENT, CREATE, DELETE, NORMAL or UNKNOWN, and its name starts from the CWD record, unless
the call was given another directory's descriptor; then nobody knows what it starts from,
and even what stands as the parent's name is the working directory's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from steno.audit.actions import CALLS, SOCKETCALLS, Call
from steno.audit.event import Thing, ThingKind
from steno.audit.gathering import Gathered
from steno.audit.records import Record
from steno.audit.things import (
    bytes_of,
    field_text,
    file_thing,
    number_of,
    peer_thing,
    signed,
    text_of,
)

AT_FDCWD = -100
"""The descriptor that stands for the working directory. Source: include/uapi/linux/fcntl.h."""

_ACCESS = 0o3
_CREATE = 0o100
_TRUNCATE = 0o1000
_PATH_ONLY = 0o10000000
"""Flags of open that are the same on all architectures that Steno knows: asm-generic/fcntl.h."""

PLAIN_CALL = Call("called", "path")
"""What a system call is that `CALLS` does not know."""


class Deed(NamedTuple):
    """What was done to what.

    Attributes:
        action: A key of `actions.WORDS`.
        objects: The chief one first.
        detail: What the sentence says besides: a signal's number, a call's name.
    """

    action: str
    objects: list[Thing]
    detail: str = ""


class CallContext(NamedTuple):
    """What the shapes look at."""

    name: str
    what: Call
    record: Record
    found: Gathered
    is_failed: bool

    def argument(self, number: int) -> int | None:
        """Return a0 to a3 as a signed number."""
        value = number_of(self.record.get(f"a{number}"), 16)
        return None if value is None else signed(value)

    def directory(self, at: int) -> bytes | None:
        """Return what names start from, if argument `at` is a directory's descriptor."""
        if at >= 0 and self.argument(at) != AT_FDCWD:
            return None
        record = self.found.directory
        raw = record.get("cwd") if record is not None else None
        return None if raw is None else bytes_of(raw)


def describe_call(name: str, found: Gathered, record: Record, *, is_failed: bool) -> Deed:
    """Return what the system call of `record` did.

    Args:
        name: The system call's name, "" where it is unknown.
        found: All the event's records.
        record: Its SYSCALL record.
        is_failed: Whether it failed.
    """
    if name == "socketcall":
        number = number_of(record.get("a0"), 16) or 0
        name = SOCKETCALLS[number] if number < len(SOCKETCALLS) else name
    what = CALLS.get(name, PLAIN_CALL)
    return _SHAPES[what.shape](CallContext(name, what, record, found, is_failed))


def _files(context: CallContext, at: int, kind: ThingKind | None = None) -> list[Thing]:
    directory = context.directory(at)
    return [file_thing(path, directory, "", kind) for path in context.found.paths]


def _with_parent(context: CallContext, objects: list[Thing], at: int) -> list[Thing]:
    """Add the directory where nothing better says where the object is."""
    parents = context.found.parents
    if not parents or (objects and objects[0].name[:1] == "/"):
        return objects
    parent = file_thing(parents[-1], context.directory(at), "directory")
    if at >= 0 and context.directory(at) is None and parent.inode is not None:
        # Its name is the working directory's, not its own.
        parent = Thing("directory", f"inode {parent.inode}", "directory", inode=parent.inode)
    return [*objects, parent]


def _open(context: CallContext, flags: int) -> Deed:
    paths = context.found.paths
    objects = _files(context, context.what.at)
    last = paths[-1].get("nametype") if paths else None
    access = flags & _ACCESS
    if last == b"CREATE":
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
    old = [path for path in context.found.paths if path.get("nametype") != b"CREATE"]
    new = [path for path in context.found.paths if path.get("nametype") == b"CREATE"]
    if not new:
        old, new = old[:1], old[1:]
    objects = [file_thing(path, source, "from") for path in old[:1]]
    objects += [file_thing(path, target, "to") for path in new[:1]]
    # What had the new name before is gone.
    objects += [file_thing(path, target, "deleted") for path in old[1:2]]
    return Deed(context.what.action, objects)


def _link(context: CallContext) -> Deed:
    at = context.what.at
    paths = context.found.paths
    objects = [
        file_thing(path, context.directory(2 if at >= 0 else -1), "created") for path in paths[1:2]
    ]
    objects += [file_thing(path, context.directory(at), "target") for path in paths[:1]]
    return Deed(context.what.action, objects)


def _link_symbolically(context: CallContext) -> Deed:
    """The target stands first, and starts from where the link is."""
    paths = context.found.paths
    objects = [
        file_thing(path, context.directory(context.what.at), "created") for path in paths[1:2]
    ]
    where = None
    if objects and objects[0].name[:1] == "/" and objects[0].name_hex is None:
        where = objects[0].name.rpartition("/")[0].encode() or b"/"
    objects += [file_thing(path, where, "target") for path in paths[:1]]
    return Deed(context.what.action, objects)


def _change(context: CallContext) -> Deed:
    objects = _files(context, context.what.at)[:2]
    return Deed(context.what.action, _with_parent(context, objects, context.what.at))


def _path(context: CallContext) -> Deed:
    return Deed(context.what.action, _files(context, context.what.at), context.name)


def _handle(context: CallContext) -> Deed:
    objects = _files(context, -1)
    if not objects and context.name in ("mmap", "mmap2"):
        record = context.found.details.get("MMAP")
        objects = [Thing("object", f"descriptor {field_text(record, 'fd')}")] if record else []
    elif not objects and (number := context.argument(0)) is not None and context.name[:1] == "f":
        objects = [Thing("object", f"descriptor {number}")]
    return Deed(context.what.action, objects, context.name)


def _run(context: CallContext) -> Deed:
    directory = context.directory(context.what.at)
    objects: list[Thing] = []
    for path in context.found.paths:
        role = "interpreter" if objects else ""
        thing = file_thing(path, directory, role, "program")
        if role == "" and thing.name[:1] != "/" and not context.is_failed:
            # Run by descriptor (fexecve): what ran is what the kernel says it is.
            name = text_of(context.record.get("exe")) or thing.name
            thing = Thing("program", name, "", None, thing.inode, thing.mode, thing.owner)
        if role == "" or not _is_loader(thing.name):
            objects.append(thing)
    return Deed("ran", objects)


def _is_loader(name: str) -> bool:
    """Tell the dynamic loader (ld-linux-x86-64.so.2, ld64.so.1) from a script's interpreter."""
    last = name[name.rfind("/") + 1 :]
    return last[:2] == "ld" and ".so" in last


def _start(context: CallContext) -> Deed:
    child = number_of(context.record.get("exit"))
    is_known = child is not None and child > 0
    return Deed("started", [Thing("process", str(child))] if is_known else [])


def _end(context: CallContext) -> Deed:
    return Deed("ended", [])


def _signal(context: CallContext) -> Deed:
    pid, number = (1, 2) if context.name in ("tgkill", "rt_tgsigqueueinfo") else (0, 1)
    objects = _processes(context, context.argument(pid))
    return Deed("signalled", objects, str(context.argument(number) or 0))


def _trace(context: CallContext) -> Deed:
    return Deed("traced", _processes(context, context.argument(context.what.at)), context.name)


def _processes(context: CallContext, number: int | None) -> list[Thing]:
    targets = context.found.targets
    if targets:
        return [
            Thing("process", field_text(record, "opid"), owner=field_text(record, "ouid") or None)
            for record in targets
        ]
    return [] if number is None else [Thing("process", str(number))]


def _identity(context: CallContext) -> Deed:
    """What the process is afterwards; where it failed, what it asked for."""
    name = context.name
    is_group = "gid" in name or "groups" in name
    field = ("fs" if "setfs" in name else "e") + ("gid" if is_group else "uid")
    account = field_text(context.record, field)
    if context.is_failed and "groups" not in name:
        account = str(context.argument(0))
    return Deed(
        "became", [Thing("account", account)] if account else [], "group" if is_group else ""
    )


def _peer(context: CallContext) -> Deed:
    record = context.found.peer
    raw = record.get("saddr") if record is not None else None
    thing = peer_thing(raw) if raw is not None else None
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
