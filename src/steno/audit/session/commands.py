"""What ran in a session: events of an audit session, joined with what was typed.

The one entry for server, command line and tests. Does no I/O.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from steno.audit.event import Event
from steno.audit.session.command_ends import End, find_ends
from steno.audit.session.command_tree import Node, TreeBuilder
from steno.audit.session.line_matching import TICK_US
from steno.audit.session.lineages import (
    Image,
    Life,
    arguments_of,
    program_of,
    sort_events,
    trace,
)
from steno.audit.session.origins import find_origins, find_privilege, user_of
from steno.audit.session.pipelines import mark_pipelines
from steno.audit.session.ran import Counts, Origin, Ran
from steno.audit.session.scopes import Root, Scope
from steno.audit.session.shells import SHELLS, is_own
from steno.audit.session.typed_lines import TypedLine, lines_of_events, merge_lines
from steno.audit.sorts import is_connection, is_run, kind_of

TEXT_CHARACTERS = 2000
"""So much of a command is shown in a list; its event has all of it."""


@dataclass(frozen=True)
class Joined:
    """What ran, and whose every event is.

    Attributes:
        items: The tree: parents before their children, siblings in order.
        events: All events, in the order in which the kernel wrote them.
        command_of: For each event the item's number that it belongs to; None: no item's.
        is_shown: For each event whether it has to do with the recording: it is one of its
            processes', of its terminal, or the session's and nobody else's.
        is_own: For each event whether Steno's own programs did it, which prepare the session.
        counts: What all other events that are shown come to.
    """

    items: list[Ran]
    events: list[Event]
    command_of: list[int | None]
    is_shown: list[bool]
    is_own: list[bool]
    counts: Counts


def join(
    events: Sequence[Event],
    typed: Sequence[TypedLine] = (),
    root: Root | None = None,
    others: Iterable[Root] = (),
) -> Joined:
    """Return the tree of what ran.

    Args:
        events: One audit session's of one boot, in any order.
        typed: What stood on the screen, in order; TTY records among the events add to it.
        root: What the recording is of; None: everything in the session.
        others: What other recordings of the same audit session are of.
    """
    ordered = sort_events(events)
    lineages = trace(ordered)
    scope = Scope(ordered, lineages, root, others)
    keys = lines_of_events(ordered, lineages.image_of, SHELLS)
    keys = [line for line in keys if line.pid in scope.pids]
    typed = merge_lines(typed, keys) if typed else keys
    tree = TreeBuilder(ordered, lineages, scope.lives, typed, scope.workers).build()
    for shell, nodes in tree.lines.items():
        merged = {node: _merge(node) for node in nodes}
        _keep_order([*merged.values()])
        shell.children = [merged.get(node, node) for node in shell.children]
    _sort(tree.roots)
    mark_pipelines(tree.roots)
    items = _Numbering(ordered, tree.roots, tree.lines, scope.asked).items()
    command_of: list[int | None] = [None] * len(ordered)
    for node in walk(tree.roots):
        for number in node.events:
            command_of[number] = node.number
    shown = scope.shown()
    own = [image is not None and is_own(image.program) for image in lineages.image_of]
    counts = count_events(
        event
        for event, is_one, is_ours in zip(ordered, shown, own, strict=True)
        if is_one and not is_ours
    )
    return Joined(items, ordered, command_of, shown, own, counts)


def walk(roots: Sequence[Node]) -> Iterator[Node]:
    """Yield all nodes, each before its children."""
    waiting = [*reversed(roots)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def _merge(line: Node) -> Node:
    """Make one node of a line and the only program that it ran; return what is to stand for it."""
    if len(line.children) != 1 or line.line is None or line.parent is None:
        return line
    node = line.children[0]
    if node.kind == "subshell" or not (line.says or not line.line.runs_builtins_only):
        return line
    node.line, node.order, node.says, node.forks = line.line, line.order, line.says, line.forks
    node.shell, node.parent = line.shell, line.parent
    node.events = sorted(line.events + node.events)
    if line.line.line.is_exact and 0 < line.at_unix_us - node.at_unix_us <= TICK_US:
        node.at_unix_us = line.at_unix_us
    return node


def _keep_order(lines: Sequence[Node]) -> None:
    """Let no line begin before the one that was typed before it, where ticks are all there is."""
    for before, node in pairwise(lines):
        if 0 < before.at_unix_us - node.at_unix_us <= TICK_US:
            node.at_unix_us = before.at_unix_us


def _sort(roots: list[Node]) -> None:
    def key(node: Node) -> tuple[int, int, int]:
        return node.at_unix_us, node.order, -1 if node.image is None else _first_event(node.image)

    roots.sort(key=key)
    for node in walk(roots):
        node.children.sort(key=key)
        if node.kind == "line":
            _sort_forks(node)


def _first_event(image: Image) -> int:
    if image.begun_by is not None:
        return image.begun_by
    return image.events[0] if image.events else image.life.order


def _sort_forks(line: Node) -> None:
    """Put a line's programs into the order in which the shell forked them: that of their ids."""
    pids = [node.image.life.pid for node in line.children if node.image is not None]
    if pids and max(pids) - min(pids) < 4096:
        line.children.sort(key=lambda node: node.image.life.pid if node.image is not None else 0)


def _clamp(node: Node) -> None:
    """Let nothing begin before the line that began it, where a stamp's tick is all there is to it.

    The line's instant is of the recorder's clock, which is finer.
    """
    parent = node.parent
    if parent is not None and 0 < parent.at_unix_us - node.at_unix_us <= TICK_US:
        node.at_unix_us = parent.at_unix_us


class _Numbering:
    """Makes the list of a tree's nodes."""

    def __init__(
        self,
        events: Sequence[Event],
        roots: Sequence[Node],
        lines: dict[Node, list[Node]],
        asked: set[Life],
    ) -> None:
        self._events = events
        self._asked = asked
        self._nodes = list(walk(roots))
        self._has_lines = {shell for shell, nodes in lines.items() if nodes}
        for number, node in enumerate(self._nodes, 1):
            node.number = number
            _clamp(node)
        self._ends = find_ends(events, self._nodes, lines)

    def items(self) -> list[Ran]:
        origins = find_origins(self._nodes, self._has_lines, self._asked)
        own = [count_events(self._events[number] for number in node.events) for node in self._nodes]
        below = [*own]
        for node in reversed(self._nodes):
            if node.parent is not None:
                at = node.parent.number - 1
                below[at] = _add(below[at], below[node.number - 1])
        return [
            self._item(node, origins[node], own[node.number - 1], below[node.number - 1])
            for node in self._nodes
        ]

    def _item(self, node: Node, origin: Origin, own: Counts, below: Counts) -> Ran:
        image = node.image
        arguments = None if image is None else arguments_of(image)
        end: End = self._ends[node]
        first = None if image is None or image.begun_by is not None else image.tried
        program = None if image is None else program_of(image)
        if first is not None and first.objects:
            program = first.objects[0].name
        return Ran(
            number=node.number,
            parent=None if node.parent is None else node.parent.number,
            kind=node.kind,
            at_unix_us=node.at_unix_us,
            text=_text_of(node, arguments, program),
            origin=origin,
            end_unix_us=end.at_unix_us,
            ended=end.kind,
            typed=None if node.line is None else node.line.line.text,
            arguments=arguments,
            program=program,
            pid=None if image is None else image.life.pid,
            serial=None if image is None or image.event is None else image.event.serial,
            user=user_of(node),
            exit_status=end.exit_status,
            signal=end.signal,
            error=None if first is None else first.error,
            is_background=node.is_background,
            pipeline=node.pipeline,
            privilege=find_privilege(node),
            own=own,
            below=below,
        )


def _text_of(node: Node, arguments: list[str] | None, program: str | None) -> str:
    if node.line is not None:
        text = node.line.line.text
    elif arguments:
        text = shlex.join(arguments)
    elif node.kind == "subshell":
        text = "( … )"
    else:
        text = _name_of(node, program)
    return text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"


def _name_of(node: Node, program: str | None) -> str:
    """Return what to call something of which no arguments are known.

    A worker that was forked says in its title what it is for: `sshd: avery@internal-sftp`.
    """
    image = node.image
    title = None if image is None or image.event is None else image.event.process.title
    is_worker = node.kind == "program" and image is not None and image.begun_by is None
    if is_worker and image is not None and image.tried is None:
        return title or program or "?"
    return program or title or "?"


def count_events(events: Iterable[Event]) -> Counts:
    """Return what events come to."""
    programs = total = files = connections = denials = 0
    for event in events:
        kind = kind_of(event)
        total += 1
        files += kind == "files"
        denials += kind == "denials"
        connections += is_connection(event)
        programs += is_run(event) and event.result != "failure"
    return Counts(programs, total, files, connections, denials)


def _add(one: Counts, other: Counts) -> Counts:
    return Counts(
        one.programs + other.programs,
        one.events + other.events,
        one.files_changed + other.files_changed,
        one.connections + other.connections,
        one.denials + other.denials,
    )
