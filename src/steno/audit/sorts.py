"""What an event is for whoever counts, lists and joins events.

That is its sort, and what it says of processes.
"""

from __future__ import annotations

from steno.audit.event import Event
from steno.audit.session.ran import TrailKind

SIGKILL = 9

CHANGES = frozenset({
    "wrote", "created", "deleted", "renamed", "linked", "truncated", "changed mode of",
    "changed owner of", "changed attributes of", "changed times of", "mounted", "unmounted",
})  # fmt: skip
NETWORK = frozenset({
    "connected to", "bound", "listened on", "accepted from", "sent to", "received from",
    "opened socket",
})  # fmt: skip
_PRIVILEGES = frozenset({
    "ran with sudo", "became", "authenticated", "checked account of", "logged in", "logged out",
    "opened audit session", "started session", "ended session", "acquired credentials",
    "refreshed credentials", "gave up credentials", "changed password of", "added user",
    "deleted user", "changed user", "locked user", "unlocked user", "added group", "deleted group",
    "changed group", "changed role to", "set capabilities", "changed root to", "entered namespace",
    "left namespace", "traced",
})  # fmt: skip
_PROCESSES = frozenset({"ran", "started", "ended", "crashed", "signalled"})
_RUNS = frozenset({"execve", "execveat"})
_EXITS = frozenset({"exit_group"})
"""exit ends a thread; what has only one, calls exit_group too (exit(3), _exit(2))."""
_REFUSED = frozenset({"EACCES", "EPERM", "EROFS"})


def kind_of(event: Event) -> TrailKind:
    """Return what sort of event it is."""
    action = event.action
    if event.typed is not None:
        return "typed"
    if action == "was denied" or event.error in _REFUSED:
        return "denials"
    if event.result == "failure" and action in ("authenticated", "ran with sudo", "logged in"):
        return "denials"
    for kind, actions in _KINDS:
        if action in actions:
            return kind
    return "other"


_KINDS: tuple[tuple[TrailKind, frozenset[str]], ...] = (
    ("processes", _PROCESSES),
    ("files", CHANGES),
    ("network", NETWORK),
    ("privileges", _PRIVILEGES),
)


def is_connection(event: Event) -> bool:
    """Return whether an address of the network was spoken with, or was to be."""
    return event.action in NETWORK and any(thing.address for thing in event.objects)


def is_run(event: Event) -> bool:
    """Return whether a program began, or was to begin."""
    return event.action == "ran" or event.syscall in _RUNS


def is_fork(event: Event) -> bool:
    """Return whether a process began another."""
    return event.action == "started" and event.result != "failure" and (event.exit or 0) > 0


def exit_status_of(event: Event) -> int | None:
    """Return what the process exits with, where the event says so."""
    return event.exit & 0xFF if is_exit(event) and event.exit is not None else None


def is_exit(event: Event) -> bool:
    """Return whether a process ends; what it typed last may stand in the same event."""
    return event.syscall in _EXITS if event.syscall is not None else event.action == "ended"


def killed_by(event: Event) -> int | None:
    """Return the signal that ended the process that the event is of."""
    return event.signal if event.action == "crashed" else None


def target_of_kill(event: Event) -> int | None:
    """Return the process that a signal was sent to which none survives."""
    if event.action != "signalled" or event.result == "failure" or event.signal != SIGKILL:
        return None
    for thing in event.objects:
        if thing.kind == "process" and thing.name.isdecimal():
            return int(thing.name)
    return None
