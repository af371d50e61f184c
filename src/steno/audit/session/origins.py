"""Whose will a command was, and whose rights it had."""

from __future__ import annotations

from collections.abc import Container, Sequence

from steno.audit.session.command_tree import Node
from steno.audit.session.line_matching import SplitLine, names_of
from steno.audit.session.lineages import Life, arguments_of, program_of
from steno.audit.session.ran import Origin
from steno.audit.session.shells import SWITCHERS, WRAPPERS, base_name, command_text, is_interpreter
from steno.audit.session.typed_lines import TypedLine


def find_origins(
    nodes: Sequence[Node], with_lines: set[Node], asked: Container[Life] = ()
) -> dict[Node, Origin]:
    """Return every node's origin.

    Args:
        nodes: All nodes, parents before their children.
        with_lines: The shells of which it is known what was typed into them; where nothing is known
            of any, what they ran is taken for typed.
        asked: The processes that a recording is of: somebody asked for what they ran.
    """
    origins: dict[Node, Origin] = {}
    for node in nodes:
        if _is_asked(node, asked):
            origins[node] = "typed"
        else:
            origins[node] = _origin_of(node, origins, with_lines)
    return origins


def _is_asked(node: Node, asked: Container[Life]) -> bool:
    """Return whether somebody came for this: `ssh host command`."""
    is_top = node.parent is None and node.kind == "program"
    return is_top and node.image is not None and node.image.life in asked


def _origin_of(node: Node, origins: dict[Node, Origin], with_lines: set[Node]) -> Origin:
    parent = node.parent
    if node.line is not None:
        return "typed"
    if parent is None:
        return "other"
    if parent.kind == "line":
        if _is_said(parent, node):
            return "typed"
        is_sourced = parent.line is not None and parent.line.sources_script
        return "script" if is_sourced else "other"
    if parent.kind == "subshell":
        line = _line_above(parent)
        return "typed" if line is not None and _is_said(line, node) else origins[parent]
    if parent.kind == "shell":
        return "other" if with_lines else "typed"
    if origins[parent] == "typed" and _is_in_arguments(parent, node):
        return "typed"
    program = None if parent.image is None else program_of(parent.image)
    if is_interpreter(program) or origins[parent] == "script":
        return "script"
    line = _line_above(parent)
    is_substituted = line is not None and base_name(program) not in WRAPPERS
    if is_substituted and line is not None and origins[parent] == "typed" and _is_said(line, node):
        return "typed"  # $(...) among the arguments, begun before the program itself
    return "other"


def _line_above(node: Node) -> Node | None:
    one: Node | None = node
    while one is not None and one.line is None and one.kind != "shell":
        one = one.parent
    return one if one is not None and one.line is not None else None


def _names(node: Node) -> frozenset[str]:
    image = node.image
    if image is not None and image.tried is not None and image.begun_by is None:
        return frozenset(base_name(thing.name)[:15] for thing in image.tried.objects)
    if image is None or image.event is None:
        return frozenset()
    process = image.event.process
    return names_of(process.program, process.name, process.arguments)


def _is_said(line: Node, node: Node) -> bool:
    """Return whether a line names what ran."""
    return line.line is not None and not line.line.names.isdisjoint(_names(node))


def _is_in_arguments(parent: Node, node: Node) -> bool:
    """Return whether a program stands in the arguments of what ran it."""
    if parent.image is None or node.image is None:
        return False
    outer, inner = arguments_of(parent.image), arguments_of(node.image)
    if not outer or not inner:
        return False
    if base_name(outer[0]) in WRAPPERS and outer[-len(inner) + 1 or len(outer) :] == inner[1:]:
        # The first argument may be a path now; it must stand right before the others.
        at = len(outer) - len(inner)
        return at > 0 and base_name(outer[at]) == base_name(inner[0])
    script = command_text(outer)
    if script is None:
        return False
    line = SplitLine.of(TypedLine(script, 0))
    return not line.names.isdisjoint(_names(node))


def user_of(node: Node) -> str | None:
    """Return whose account a node ran under: the name, or the number where it has none."""
    one: Node | None = node
    while one is not None:
        if one.image is not None and one.image.event is not None:
            who = one.image.event.who
            return who.user or (None if who.uid is None else str(who.uid))
        one = one.parent
    return None


def find_privilege(node: Node) -> str | None:
    """Return who it became, where that is somebody else than what it stands below.

    For a line of several programs that is who the first of them became that became anybody.
    """
    image = node.image
    if node.kind == "line":
        return next(filter(None, map(find_privilege, node.children)), None)
    if image is None or image.event is None:
        return None
    user = user_of(node)
    if node.parent is not None and user != user_of(node.parent):
        return user
    who = image.event.who
    if base_name(program_of(image)) in SWITCHERS:
        return _switched_to(image.life, user)
    if who.effective_uid is not None and who.effective_uid != who.uid:
        return who.effective_user or str(who.effective_uid)
    return None


def _switched_to(life: Life, user: str | None) -> str | None:
    """Return under whose account the first program ran that a process of sudo's kind began."""
    waiting = [*life.children]
    for _ in range(16):
        if not waiting:
            break
        one = waiting.pop(0)
        for image in one.images[1:]:
            if image.event is not None and image.event.who.user not in (user, None):
                return image.event.who.user
        waiting += one.children
    for image in life.images[1:]:
        if image.event is not None and image.event.who.user not in (user, None):
            return image.event.who.user
    return None
