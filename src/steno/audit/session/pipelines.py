"""Which programs of a line are one pipeline, and which the shell left in the background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steno.audit.session.command_tree import Node
from steno.audit.session.line_matching import TICK_US, SplitLine, describe
from steno.audit.session.lineages import Life
from steno.audit.session.shells import base_name

_NEAR_PIDS = 4
_COMM_CHARACTERS = 15


def mark_pipelines(roots: Sequence[Node]) -> None:
    """Set `pipeline` and `is_background` of all nodes; pipelines are numbered from 1.

    Where the line is known it says so. Where it is not, what ran at one time, with process ids
    next to each other, is taken for a pipeline.
    """
    number = 0
    for node in _walk(roots):
        groups: list[list[Node]] = []
        if node.line is not None and node.kind != "line":
            _mark(node.line, [(node, node.image.life if node.image else None)])
        if node.kind == "line" and node.line is not None:
            groups = _mark(node.line, _forks_of(node))
        elif node.kind in ("program", "subshell", "shell"):
            groups = _overlapping([child for child in node.children if child.line is None])
        for group in groups:
            if len(group) > 1:
                number += 1
                for one in group:
                    one.pipeline = number
                for one in group[1:]:
                    _take_for_script(one)


def _walk(roots: Sequence[Node]) -> Iterator[Node]:
    waiting = [*reversed(roots)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def _forks_of(line: Node) -> list[tuple[Node, Life | None]]:
    """Return a line's programs, each with the process that the shell forked for it."""
    forks = set(line.forks)
    found: list[tuple[Node, Life | None]] = []
    for node in line.children:
        life = None if node.image is None else node.image.life
        while life is not None and life not in forks:
            life = life.parent
        found.append((node, life))
    return found


def _mark(line: SplitLine, programs: list[tuple[Node, Life | None]]) -> list[list[Node]]:
    """Find each program's place in the line; return those that pipes join."""
    groups: dict[tuple[int, int], list[Node]] = {}
    at, turn = 0, 0
    for node, life in programs:
        if life is None:
            continue
        names = describe(life).names
        found = _find_part(line, names, at)
        if found is None and at:
            found, turn = _find_part(line, names, 0), turn + 1  # a loop begins anew
        if found is None:
            continue
        part = line.parts[found]
        at = found + 1
        node.is_background = part.is_background
        first = next(one for one in line.parts if one.chain == part.chain)
        if part.reads_file or first is not part:
            _take_for_script(node)
        groups.setdefault((part.chain, turn), []).append(node)
    return [*groups.values()]


def _take_for_script(node: Node) -> None:
    """A shell that reads from a pipe or a file runs a script, though its arguments don't say so."""
    if node.kind == "shell":
        node.kind = "program"


def _find_part(line: SplitLine, names: frozenset[str], at: int) -> int | None:
    for number in range(at, len(line.parts)):
        if base_name(line.parts[number].name)[:_COMM_CHARACTERS] in names:
            return number
    return None


def _overlapping(nodes: Sequence[Node]) -> list[list[Node]]:
    groups: list[list[Node]] = []
    for node in nodes:
        if groups and _runs_beside(groups[-1][-1], node):
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _runs_beside(one: Node, other: Node) -> bool:
    first, second = one.image, other.image
    if first is None or second is None or second.begun_by is None or not first.events:
        return False
    if first.life is second.life or first.life.parent is not second.life.parent:
        return False
    if abs(first.life.pid - second.life.pid) > _NEAR_PIDS:
        return False
    is_near = abs(first.at_unix_us - second.at_unix_us) <= TICK_US
    return is_near and first.life.is_over and second.begun_by < first.life.order
