"""From audit events to processes: who began whom, what each ran, how it ended.

Rule sets seldom audit forks, some do not audit exits, and process ids are used again. So a
process is a life: a process id from the first to the last event that are taken for one process's.
docs/audit.md says by which signs two lives of one id are told apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from steno.audit.event import Event
from steno.audit.session.shells import SWITCHERS, base_name
from steno.audit.sorts import exit_status_of, is_exit, is_fork, is_run, killed_by, target_of_kill

_LINGER_US = 1_000_000
"""So long after its parent's exit a process may still be seen as its child."""

_WRAP = 256
"""Process ids grow; a new one that is lower by more than this means that they began anew."""

_HALF_SERIALS = 1 << 31


@dataclass(eq=False)
class Image:
    """What a process ran, from one execve to the next.

    Attributes:
        life: The process.
        number: Its place among the process's images.
        begun_by: The number of the event that began it; None: it was forked, or not seen.
        at_unix_us: When it began, or was seen first.
        event: That event; for a fork, the first one that names its program. None: there is none.
        events: The numbers of its events.
        tried: The first event in which it was to run something else and could not.
    """

    life: Life
    at_unix_us: int
    number: int = 0
    begun_by: int | None = None
    event: Event | None = None
    events: list[int] = field(default_factory=list)
    tried: Event | None = None

    @property
    def program(self) -> str | None:
        """The executable's path, where known."""
        return None if self.event is None else self.event.process.program

    @property
    def name(self) -> str | None:
        """What the kernel calls it, where known."""
        return None if self.event is None else self.event.process.name


@dataclass(eq=False)
class Fork:
    """That a process began another."""

    at_unix_us: int
    parent_pid: int


@dataclass(eq=False)
class Life:
    """One process.

    Attributes:
        pid: Its id.
        number: The order in which lives were met, from 0.
        at_unix_us: When it was seen first.
        parent_pid: Its first parent's id; None: never said.
        parent: That process.
        parent_image: What the parent ran then.
        images: What it ran, in order; there is at least one.
        last_unix_us: When it was seen last.
        ended_unix_us: When it ended; None: that was not seen.
        exit_status: What it exited with.
        signal: What killed it.
        terminals: The terminals it was seen on.
        children: The processes it began, as they were met.
        killed_unix_us: When it was sent a signal that none survives.
        is_seen: Whether an event is of it; else it is known from its children.
        fork: What began it, where that was audited.
        order: The number of the last event of it.
    """

    pid: int
    number: int
    at_unix_us: int
    last_unix_us: int
    order: int
    parent_pid: int | None = None
    parent: Life | None = None
    parent_image: Image | None = None
    images: list[Image] = field(default_factory=list)
    ended_unix_us: int | None = None
    exit_status: int | None = None
    signal: int | None = None
    terminals: set[str] = field(default_factory=set)
    children: list[Life] = field(default_factory=list)
    killed_unix_us: int | None = None
    is_seen: bool = False
    fork: Fork | None = None

    @property
    def image(self) -> Image:
        """What it runs now."""
        return self.images[-1]

    @property
    def is_over(self) -> bool:
        """Whether its end was seen."""
        return self.ended_unix_us is not None


@dataclass
class Lineages:
    """The processes of an audit session.

    Attributes:
        lives: All of them, in the order in which they were met.
        image_of: For each event, what the process that did it ran then; None: no process's.
    """

    lives: list[Life]
    image_of: list[Image | None]


def sort_events(events: Sequence[Event]) -> list[Event]:
    """Return events of one boot in the order in which the kernel wrote them.

    Serials say that, and not the times: those are of system calls' beginnings, and go back when
    somebody sets the clock. Serials begin anew after 2^32.
    """
    serials = [event.serial for event in events]
    is_wrapped = bool(serials) and max(serials) - min(serials) > _HALF_SERIALS
    if not is_wrapped:
        return sorted(events, key=lambda event: event.serial)
    return sorted(events, key=lambda event: event.serial + (event.serial < _HALF_SERIALS) * 2**32)


def trace(events: Sequence[Event]) -> Lineages:
    """Return the processes of `events`: one audit session's, as `sort_events` orders them."""
    tracer = _Tracer(events)
    for number, event in enumerate(events):
        tracer.take(number, event)
    return Lineages(tracer.lives, tracer.image_of)


def parents_first(lives: Iterable[Life]) -> list[Life]:
    """Return processes so that each stands behind what began it."""
    wanted = set(lives)
    found: list[Life] = []
    seen: set[Life] = set()
    for life in sorted(wanted, key=lambda one: one.number):
        path: list[Life] = []
        one: Life | None = life
        while one is not None and one in wanted and one not in seen:
            seen.add(one)
            path.append(one)
            one = one.parent
        found += reversed(path)
    return found


def plain_terminal(terminal: str | None) -> str | None:
    """Return a terminal's name as events write it: `pts/2`."""
    return None if terminal is None else terminal.removeprefix("/dev/")


def program_of(image: Image) -> str | None:
    """Return the executable that a process ran, for a fork its parent's."""
    seen: Image | None = image
    while seen is not None:
        if seen.program is not None:
            return seen.program
        if seen is seen.life.images[0]:
            seen = seen.life.parent_image
        else:
            seen = seen.life.images[seen.number - 1]
    return None


def arguments_of(image: Image) -> list[str] | None:
    """Return what a program was started with."""
    return None if image.event is None or image.begun_by is None else image.event.process.arguments


def _plain_program(program: str | None) -> str | None:
    return None if program is None else program.removesuffix(" (deleted)")


class _Tracer:
    def __init__(self, events: Sequence[Event]) -> None:
        self.lives: list[Life] = []
        self.image_of: list[Image | None] = [None] * len(events)
        self._now: dict[int, Life] = {}
        self._forks = _find_forks(events)
        self._last_new_pid = 0
        self._wrapped_at = -1  # the number of the event since which ids have begun anew
        self._number = 0

    def take(self, number: int, event: Event) -> None:
        self._number = number
        life = self._life_of(event)
        if life is None:
            return
        life.is_seen = True
        life.last_unix_us = max(life.last_unix_us, event.at_unix_us)
        life.order = number
        terminal = plain_terminal(event.process.terminal)
        # What programs say of themselves may be another's terminal: sshd's USER_LOGIN.
        if terminal is not None and event.syscall is not None:
            life.terminals.add(terminal)
        if is_run(event):
            self._take_run(number, event, life)
        else:
            self._take_other(number, event, life)
        self.image_of[number] = life.image
        life.image.events.append(number)
        self._take_end(event, life)

    def _take_run(self, number: int, event: Event, life: Life) -> None:
        if event.result == "failure":
            life.image.tried = life.image.tried or event
        else:
            life.images.append(Image(life, event.at_unix_us, len(life.images), number, event))

    def _take_other(self, number: int, event: Event, life: Life) -> None:
        image = life.image
        program = _plain_program(event.process.program)
        if image.event is None:
            if event.process.program is not None or event.process.name is not None:
                image.event = event
        elif image.program is None:
            image.event = event if program is not None else image.event
        elif (
            program not in (None, _plain_program(image.program))
            and event.process.name != image.name
        ):
            # It ran something, and that event is missing.
            life.images.append(Image(life, event.at_unix_us, len(life.images), None, event))

    def _take_end(self, event: Event, life: Life) -> None:
        status, number = exit_status_of(event), killed_by(event)
        if is_exit(event) or number is not None:
            life.ended_unix_us = event.at_unix_us
            life.exit_status = life.exit_status if status is None else status
            life.signal = life.signal if number is None else number
        if (pid := target_of_kill(event)) is not None and pid in self._now:
            target = self._now[pid]
            if not target.is_over:
                target.killed_unix_us = event.at_unix_us

    # Whose event it is.

    def _life_of(self, event: Event) -> Life | None:
        process = event.process
        pid = process.pid
        if pid is None or pid <= 0:
            return None
        life = self._now.get(pid)
        if event.typed is not None and process.parent_pid is None:
            return self._reader_of(event, life)
        if life is not None and self._is_another(event, life):
            life = None
        if life is None:
            life = self._begin(pid, event.at_unix_us)
        if life.parent_pid is None and process.parent_pid is not None:
            if (forker := self._forker_of(life, event)) is not None:
                self._link(life, forker)
            self._set_parent(life, process.parent_pid, event.at_unix_us)
        return life

    def _forker_of(self, life: Life, event: Event) -> Life | None:
        """Return who forked sudo's monitor, say, which may be seen only after sudo's end.

        Who adopted it tells nothing, but a fork runs its parent's program.
        """
        program = event.process.program
        is_hidden = not life.is_seen and bool(life.children) and base_name(program) in SWITCHERS
        if not is_hidden or event.process.parent_pid in self._now:
            return None
        for one in reversed(self.lives):
            is_over = one.ended_unix_us is not None and one.ended_unix_us < life.at_unix_us
            if one.is_seen and one.image.program == program and not is_over:
                return None if _descends_from(one, life) else one
        return None

    def _reader_of(self, event: Event, life: Life | None) -> Life | None:
        """Return who read what was typed; TTY records name the thread, not the process."""
        name = event.process.name
        if life is not None and life.image.name in (None, name):
            return life
        found = [one for one in self._now.values() if one.image.name == name and name is not None]
        return max(found, key=lambda one: one.order) if found else life

    def _is_another(self, event: Event, life: Life) -> bool:
        """Return whether the process id must have been used again since `life`."""
        if life.ended_unix_us is not None:
            return event.at_unix_us > life.ended_unix_us
        if (fork := self._fork_of(life.pid, event.at_unix_us)) is not None:
            return fork is not life.fork and fork.at_unix_us > life.at_unix_us
        has_wrapped = self._wrapped_at > life.order
        if has_wrapped and is_run(event) and life.is_seen:
            return True
        parent_pid = event.process.parent_pid
        if parent_pid is None or life.parent_pid is None or parent_pid == life.parent_pid:
            return False
        if parent_pid == 1 or _has_ancestor(life, parent_pid):
            return False
        if life.parent is not None and life.parent.is_over:
            return has_wrapped
        is_same = _plain_program(event.process.program) == _plain_program(life.image.program)
        return not is_same

    def _begin(self, pid: int, at_unix_us: int) -> Life:
        life = self._add(pid, at_unix_us)
        fork = self._fork_of(pid, at_unix_us)
        if fork is not None:
            life.fork = fork
            parent = self._now.get(fork.parent_pid)
            self._link(life, parent or self._add(fork.parent_pid, fork.at_unix_us))
        return life

    def _add(self, pid: int, at_unix_us: int) -> Life:
        life = Life(pid, len(self.lives), at_unix_us, at_unix_us, self._number)
        life.images.append(Image(life, at_unix_us))
        self.lives.append(life)
        self._now[pid] = life
        if pid < self._last_new_pid - _WRAP:
            self._wrapped_at = self._number
        self._last_new_pid = pid
        return life

    def _fork_of(self, pid: int, at_unix_us: int) -> Fork | None:
        """Return the last fork before an instant that made a process of this id."""
        forks = self._forks.get(pid)
        if forks is None:
            return None
        number = bisect_right(forks, at_unix_us, key=lambda fork: fork.at_unix_us)
        return forks[number - 1] if number else None

    def _set_parent(self, life: Life, parent_pid: int, at_unix_us: int) -> None:
        life.parent_pid = parent_pid
        if life.parent is not None or parent_pid == life.pid or parent_pid <= 1:
            return
        parent = self._now.get(parent_pid)
        ended_us = None if parent is None else parent.ended_unix_us
        if parent is None or (ended_us is not None and at_unix_us > ended_us + _LINGER_US):
            parent = self._begin(parent_pid, at_unix_us)
        self._link(life, parent)

    def _link(self, life: Life, parent: Life) -> None:
        if life.parent is not None or parent is life:
            return
        if life.children and _descends_from(parent, life):
            return
        life.parent = parent
        life.parent_pid = parent.pid
        life.parent_image = parent.image
        parent.children.append(life)


def _find_forks(events: Sequence[Event]) -> dict[int, list[Fork]]:
    """Return all forks by the child's id, in the order of their instants.

    Their records come when they have returned, which may be after their children's first.
    """
    forks: dict[int, list[Fork]] = {}
    for event in events:
        parent_pid = event.process.pid
        if is_fork(event) and event.exit is not None and parent_pid is not None:
            forks.setdefault(event.exit, []).append(Fork(event.at_unix_us, parent_pid))
    for found in forks.values():
        found.sort(key=lambda fork: fork.at_unix_us)
    return forks


def _has_ancestor(life: Life, pid: int) -> bool:
    one = life.parent
    while one is not None:
        if one.pid == pid:
            return True
        one = one.parent
    return False


def _descends_from(life: Life, other: Life) -> bool:
    one: Life | None = life
    while one is not None:
        if one is other:
            return True
        one = one.parent
    return False
