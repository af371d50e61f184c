"""When commands ended, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from steno.audit.event import Event
from steno.audit.session.command_tree import Node
from steno.audit.session.lineages import Image
from steno.audit.session.ran import Ended
from steno.audit.sorts import SIGKILL


@dataclass(frozen=True)
class End:
    """How something ended; the words are `Ran`'s."""

    at_unix_us: int | None = None
    kind: Ended = "unknown"
    exit_status: int | None = None
    signal: int | None = None


_UNKNOWN = End()


def find_ends(
    events: Sequence[Event], nodes: Sequence[Node], lines: dict[Node, list[Node]]
) -> dict[Node, End]:
    """Return every node's end.

    Args:
        events: All events.
        nodes: All nodes, parents before their children.
        lines: The lines of each shell, in order.
    """
    next_us = _next_lines(lines)
    ends: dict[Node, End] = {}
    last_us: dict[Node, int] = {}
    for node in reversed(nodes):
        last = max((events[number].at_unix_us for number in node.events), default=node.at_unix_us)
        for child in node.children:
            last = max(last, last_us[child], ends[child].at_unix_us or 0)
        last_us[node] = last
        end = _end_of(node, ends, last, next_us)
        if end.at_unix_us is not None and end.at_unix_us < node.at_unix_us:
            end = replace(end, at_unix_us=node.at_unix_us)  # both within one tick
        ends[node] = end
    return ends


def _next_lines(lines: dict[Node, list[Node]]) -> dict[int, int]:
    """Return for each line (by identity) when the shell read the next one."""
    found: dict[int, int] = {}
    for nodes in lines.values():
        for node, later in pairwise(nodes):
            if node.line is not None:
                found[id(node.line)] = later.at_unix_us
    return found


def _end_of(node: Node, ends: dict[Node, End], last_us: int, next_us: dict[int, int]) -> End:
    found = _end_of_line(node, ends) if node.image is None else _end_of_image(node.image)
    if found.kind != "unknown":
        return found
    line = _line_of(node)
    if line is not None and not node.is_background and node.children + node.forks:
        after_us = next_us.get(id(line.line))
        if after_us is not None and after_us >= node.at_unix_us:
            return End(after_us, "next", found.exit_status)
    if node.kind != "line" and line is not None and not node.is_background:
        after_us = next_us.get(id(line.line))
        if after_us is not None and after_us >= node.at_unix_us:
            return End(max(after_us, last_us), "next")
    if last_us > node.at_unix_us:
        return End(last_us, "last", found.exit_status)
    return found


def _line_of(node: Node) -> Node | None:
    """Return the line that a node is, or stands right below."""
    if node.line is not None:
        return node
    parent = node.parent
    return parent if parent is not None and parent.kind == "line" else None


def _end_of_image(image: Image) -> End:
    life = image.life
    if image is not life.image:
        return End(life.images[image.number + 1].at_unix_us, "replaced")
    if life.ended_unix_us is not None:
        kind: Ended = "exit" if life.signal is None else "signal"
        return End(life.ended_unix_us, kind, life.exit_status, life.signal)
    killed_us = life.killed_unix_us
    if killed_us is not None and life.last_unix_us <= killed_us:
        return End(killed_us, "signal", None, SIGKILL)
    return _UNKNOWN


def _end_of_line(node: Node, ends: dict[Node, End]) -> End:
    """Return the end of a line's last program that the shell waited for."""
    if node.line is not None and node.line.runs_builtins_only and not node.says:
        return _UNKNOWN  # What ran then, the shell ran by itself: its logout file, its prompt.
    waited = [ends[child] for child in node.children if not child.is_background]
    statuses = [(life.order, life) for life in node.forks if life.is_over]
    status = signal = None
    if statuses:
        last = max(node.forks, key=lambda life: life.pid)
        status, signal = last.exit_status, last.signal
    known = [end.at_unix_us for end in waited if end.kind in ("exit", "signal")]
    known += [life.ended_unix_us for _, life in statuses if not node.children]
    instants = [at_us for at_us in known if at_us is not None]
    if instants and len(known) >= len(waited):
        return End(max(instants), "exit" if signal is None else "signal", status, signal)
    return End(None, "unknown", status, signal)
