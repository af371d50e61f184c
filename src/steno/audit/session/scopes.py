"""Which processes and events of an audit session are a recording's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from steno.audit.event import Event
from steno.audit.session.line_matching import TICK_US
from steno.audit.session.lineages import Life, Lineages, plain_terminal
from steno.audit.sorts import is_exit, is_fork

_BEGUN_US = 2_000_000
"""A recorder notes the process that it records at most this long before or after it is seen."""


_OPENS = frozenset({"opened audit session", "started session"})
"""What the program does that lets somebody in."""


@dataclass(frozen=True)
class Root:
    """What a recording is of: its process, and its terminal.

    Attributes:
        pid: The process from which all descends; None: not known.
        terminal: The terminal that its shell has; None: not known, or there is none.
        at_unix_us: When the recording began, by the audit trail's clock.
        until_unix_us: When it ended; None: it goes on.
        is_login: Whether it is of a login that asked for no program: sshd's own SFTP, forwarding.
        uid: Whose account it is; None: not known.
    """

    pid: int | None
    terminal: str | None
    at_unix_us: int
    until_unix_us: int | None = None
    is_login: bool = False
    uid: int | None = None


class Scope:
    """Which processes and events are a recording's.

    Attributes:
        lives: Its processes.
        asked: Those of them that somebody came for: the one from which all others descend, if that
            is known; of a login what did its work.
        workers: Those of a login that did something as its user and ran nothing: sshd's.
    """

    def __init__(
        self,
        events: Sequence[Event],
        lineages: Lineages,
        root: Root | None,
        others: Iterable[Root],
    ) -> None:
        self._events = events
        self._image_of = lineages.image_of
        self._all = lineages.lives
        self.lives = set(lineages.lives)
        self.asked: set[Life] = set()
        self.workers: set[Life] = set()
        self._foreign: set[Life] = set()
        if root is None:
            return
        others_lives: set[Life] = set().union(*(self._find(other) for other in others))
        if root.is_login:
            self.lives -= others_lives | self._find_preparing(root)
            self.workers = {life for life in self.lives if self._is_worker(life, root)}
            self.asked = self.workers
            self._foreign = others_lives
            return
        first = self._first(root)
        self.asked = set() if first is None else {first}
        self.lives = self._find(root)
        if not self.lives and not others_lives:
            # Its process id may be of a container, and then none of it is known here.
            self.lives = set(lineages.lives)
        self._foreign = others_lives - self.lives
        # A recording that was begun inside this one has its events in both.

    @cached_property
    def pids(self) -> set[int | None]:
        """The processes' ids."""
        return {life.pid for life in self.lives}

    def _find(self, root: Root) -> set[Life]:
        first = self._first(root)
        terminal = plain_terminal(root.terminal)
        tops = [] if first is None else [first]
        if terminal is None and first is not None:
            last = first.image
            seen = [self._events[number].process.terminal for number in last.events]
            terminal = next((plain_terminal(one) for one in seen if one is not None), None)
        if terminal is not None:
            above = _ancestors(first)
            tops += [
                life
                for life in self._all
                if life not in above and self._is_on(life, terminal, root)
            ]
        lives: set[Life] = set()
        while tops:
            life = tops.pop()
            if life not in lives:
                lives.add(life)
                tops += life.children
        return lives

    def _first(self, root: Root) -> Life | None:
        if root.pid is None:
            return None
        began_us = root.at_unix_us
        found = [
            life
            for life in self._all
            if life.pid == root.pid
            and life.at_unix_us <= began_us + _BEGUN_US
            and (life.ended_unix_us is None or life.ended_unix_us >= began_us - TICK_US)
        ]
        first = max(found, key=lambda life: life.number) if found else None
        terminal = plain_terminal(root.terminal)
        if first is not None and terminal is not None and _is_elsewhere(first, terminal):
            return None  # The id is one of a container's, and means another process here.
        return first

    def _is_on(self, life: Life, terminal: str, root: Root) -> bool:
        if terminal not in life.terminals or life.at_unix_us < root.at_unix_us - _BEGUN_US:
            return False
        until_us = root.until_unix_us
        return until_us is None or life.at_unix_us <= until_us + TICK_US

    # Logins that asked for no program.

    def _find_preparing(self, root: Root) -> set[Life]:
        """Return what PAM ran around a login: the message of the day, and what is like it."""
        opener = started = None
        for number, event in enumerate(self._events):
            image = self._image_of[number]
            if event.action == "opened audit session" and opener is None and image is not None:
                opener = image.life
            if event.action == "started session" and started is None:
                started = number
        preparing: set[Life] = set()
        waiting = [] if opener is None else [*opener.children]
        tops = [life for life in waiting if self._prepares(life, root, started)]
        while tops:
            life = tops.pop()
            preparing.add(life)
            tops += life.children
        return preparing

    def _prepares(self, life: Life, root: Root, started: int | None) -> bool:
        """Return whether PAM ran this, and not the person who was let in."""
        run = next((image for image in life.images if image.begun_by is not None), None)
        if run is None or run.begun_by is None:
            return False
        if started is not None and run.begun_by < started:
            return True
        uid = self._events[run.begun_by].who.uid
        return root.uid is not None and uid not in (root.uid, None)

    def _is_worker(self, life: Life, root: Root) -> bool:
        if root.uid is None or len(life.images) > 1:
            return False
        done = [self._events[number] for number in life.image.events]
        return any(
            event.syscall is not None
            and not is_exit(event)
            and not is_fork(event)
            and event.who.uid == root.uid
            for event in done
        ) and not any(event.action in _OPENS for event in done)

    def shown(self) -> list[bool]:
        """Return for each event whether it is no other recording's."""
        return [image is None or image.life not in self._foreign for image in self._image_of]


def _is_elsewhere(life: Life, terminal: str) -> bool:
    """Return whether a process, and what it began, was only seen on other terminals.

    What starts a recorded shell may stay on the outer terminal; the shell itself does not.
    """
    near = [life, *life.children]
    has_terminal = any(one.terminals for one in near)
    return has_terminal and not any(terminal in one.terminals for one in near)


def _ancestors(life: Life | None) -> set[Life]:
    found: set[Life] = set()
    one = None if life is None else life.parent
    while one is not None:
        found.add(one)
        one = one.parent
    return found
