"""The tree of what ran: processes, subshells and typed lines, put below each other.

Made in passes over the processes of `lineages.trace`: which of them are shown (`shown_programs`),
which typed line each of a shell's children belongs to, and then what stands below what.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from steno.audit.event import Event
from steno.audit.session.line_matching import (
    TICK_US,
    Begun,
    SplitLine,
    describe,
    is_gone,
    leave_out_own,
    match,
    may_have_read,
    measure_tick,
)
from steno.audit.session.lineages import Image, Life, Lineages, parents_first
from steno.audit.session.ran import RanKind
from steno.audit.session.shells import base_name
from steno.audit.session.shown_programs import find_shown
from steno.audit.session.typed_lines import TypedLine
from steno.audit.sorts import is_exit, is_run

_LEAVING = frozenset({"exit", "logout"})


@dataclass(eq=False)
class Node:
    """A node of the tree.

    Attributes:
        kind: What it is.
        at_unix_us: When it began.
        image: What ran; None for lines.
        line: The line that was typed.
        order: For lines, and what comes right behind one: its place among the shell's lines.
        shell: For what a shell began: that shell's node.
        says: Whether the line names it.
        parent: What it stands below.
        children: What stands below it.
        events: The numbers of its events.
        forks: For lines: the processes that the shell began for it, in order.
        is_background: Whether the shell went on at once.
        pipeline: The pipeline's number.
        number: Its place in the list.
    """

    kind: RanKind
    at_unix_us: int
    image: Image | None = None
    line: SplitLine | None = None
    order: int = -1
    shell: Node | None = None
    says: bool = False
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    forks: list[Life] = field(default_factory=list)
    is_background: bool = False
    pipeline: int | None = None
    number: int = 0


@dataclass
class Tree:
    """The nodes, and which stands for what a process ran.

    Attributes:
        roots: The nodes that stand below none.
        lines: The lines' nodes by shell, in order, merged ones too.
        shells: The shells that are typed into, in the order in which they began.
    """

    roots: list[Node]
    lines: dict[Node, list[Node]]
    shells: list[Node]


class TreeBuilder:
    """Builds the tree of some processes of an audit session.

    Args:
        events: The session's events, sorted.
        lineages: Its processes.
        lives: Those that the tree is of, any order; their children are among them.
        typed: What was typed, in order.
        workers: Those that are shown though they ran nothing: they did it all themselves.
    """

    def __init__(
        self,
        events: Sequence[Event],
        lineages: Lineages,
        lives: Iterable[Life],
        typed: Sequence[TypedLine],
        workers: Container[Life] = (),
    ) -> None:
        self._events = events
        self._image_of = lineages.image_of
        self._lives = parents_first(lives)
        self._wanted = set(self._lives)
        self._workers = workers
        self._typed = typed
        self._tick_us = measure_tick(event.at_unix_us for event in events)
        self._nodes: dict[Image, Node] = {}
        self._anchors: dict[Life, Node] = {}
        self._lines: dict[Node, list[Node]] = {}
        self._resolved: dict[Image, Node | None] = {}

    def build(self) -> Tree:
        """Return the tree; every event of the processes is in one node at most."""
        for image, kind in find_shown(self._events, self._lives, self._workers):
            self._nodes[image] = Node(kind, image.at_unix_us, image)
        shells = [node for node in self._nodes.values() if node.kind == "shell"]
        shells.sort(key=lambda node: (node.at_unix_us, node.image.life.number if node.image else 0))
        lines_of = self._share_lines(shells)
        for shell in shells:
            self._join_lines(shell, lines_of.get(shell, []))
        roots = self._hang()
        self._place_events()
        self._date_lines()
        return Tree(roots, self._lines, shells)

    # Which line each of a shell's children belongs to.

    def _share_lines(self, shells: Sequence[Node]) -> dict[Node, list[SplitLine]]:
        """Return which shell read which lines: the one that began last and lived."""
        by_pid: dict[int, list[Node]] = {}
        for shell in shells:
            if shell.image is not None:
                by_pid.setdefault(shell.image.life.pid, []).append(shell)
        lines = [SplitLine.of(line) for line in self._typed]
        readers: dict[int, Node] = {}
        alive: list[Node] = []
        waiting = [*reversed(shells)]
        for number in sorted(range(len(lines)), key=lambda one: lines[one].line.at_unix_us):
            line = lines[number]
            while waiting and waiting[-1].at_unix_us <= line.line.at_unix_us:
                alive.append(waiting.pop())
            # Lines come in their order: a shell that has ended reads no later one.
            while alive and alive[-1].image is not None and is_gone(alive[-1].image, line.line):
                alive.pop()
            pid = line.line.pid
            candidates = alive if pid is None else by_pid.get(pid, [])
            for shell in reversed(candidates):
                if shell.image is not None and may_have_read(shell.image, line):
                    readers[number] = shell
                    break
        shared: dict[Node, list[SplitLine]] = {}
        for number in sorted(readers):
            shared.setdefault(readers[number], []).append(lines[number])
        return shared

    def _join_lines(self, shell: Node, lines: Sequence[SplitLine]) -> None:
        image = shell.image
        if image is None:
            return
        children = sorted(
            (
                child
                for child in image.life.children
                if child.parent_image is image and child in self._wanted
            ),
            key=lambda one: one.number,
        )
        begun = [describe(child) for child in children]
        matched = match(lines, begun, self._tick_us)
        owners = leave_out_own(lines, begun, matched)
        nodes = self._make_lines(shell, lines, children, begun, owners)
        self._lines[shell] = nodes
        for child, one, owner in zip(children, begun, owners, strict=True):
            if owner is not None:
                self._anchors[child] = nodes[owner]
                nodes[owner].forks.append(child)
                nodes[owner].says = nodes[owner].says or lines[owner].says(one)
        for child, before, owner in zip(children, matched, owners, strict=True):
            if before is not None and owner is None:
                self._put_behind(child, nodes[before])

    def _put_behind(self, life: Life, line: Node) -> None:
        """Let what a shell ran by itself stand behind the line that it came after."""
        shown = (self._nodes[image] for image in life.images if image in self._nodes)
        node = next(shown, None)
        if node is not None:
            node.order = line.order
            if 0 < line.at_unix_us - node.at_unix_us <= TICK_US:
                node.at_unix_us = line.at_unix_us

    def _make_lines(
        self,
        shell: Node,
        lines: Sequence[SplitLine],
        children: Sequence[Life],
        begun: Sequence[Begun],
        owners: Sequence[int | None],
    ) -> list[Node]:
        first_us: dict[int, int] = {}
        for one, owner in zip(begun, owners, strict=True):
            if owner is not None:
                first_us.setdefault(owner, one.at_unix_us)
        nodes: list[Node] = []
        before_us = shell.at_unix_us
        for number, line in enumerate(lines):
            at_us = line.line.at_unix_us
            if not line.line.is_exact:
                at_us = max(before_us, first_us.get(number, at_us))
                at_us = min(at_us, line.line.until_unix_us or at_us)
            before_us = max(before_us, at_us)
            nodes.append(Node("line", at_us, line=line, order=number, shell=shell))
        return nodes

    # What stands below what.

    def _hang(self) -> list[Node]:
        roots: list[Node] = []
        lines = [node for nodes in self._lines.values() for node in nodes]
        for node in [*self._nodes.values(), *lines]:
            parent = node.shell if node.kind == "line" else self._parent_of(node)
            if parent is None:
                roots.append(node)
            else:
                node.parent = parent
                parent.children.append(node)
        return roots

    def _parent_of(self, node: Node) -> Node | None:
        image = node.image
        if image is None:
            return None
        if image.number > 0 and (earlier := self._earlier(image)) is not None:
            return earlier
        return self._above(image.life)

    def _earlier(self, image: Image) -> Node | None:
        """Return the node of what the process ran before, where that is shown."""
        for number in range(image.number - 1, -1, -1):
            node = self._nodes.get(image.life.images[number])
            if node is not None:
                return node
        return None

    def _above(self, life: Life) -> Node | None:
        """Return what a process stands below: its shell's line, or what began it."""
        path: list[Image] = []
        found: Node | None = None
        while True:
            anchor = self._anchors.get(life)
            if anchor is not None:
                found = anchor
                break
            image = life.parent_image
            if life.parent not in self._wanted or image is None:
                break
            if image in self._resolved:
                found = self._resolved[image]
                break
            shown = self._shown(image)
            if shown is not None:
                found = shown
                break
            path.append(image)
            life = image.life
        for image in path:
            self._resolved[image] = found
        return found

    def _shown(self, image: Image) -> Node | None:
        """Return the node of what a process ran; a fork's is that of what it went on to run."""
        if image in self._nodes:
            return self._nodes[image]
        if (earlier := self._earlier(image)) is not None:
            return earlier
        for later in image.life.images[image.number + 1 :]:
            if later in self._nodes:
                return self._nodes[later]
        return None

    # Whose events they are.

    def _place_events(self) -> None:
        for number, image in enumerate(self._image_of):
            if image is None or image.life not in self._wanted:
                continue
            node = self._shown(image) or self._above(image.life)
            if node is not None and node in self._lines:
                node = self._line_at(node, self._events[number])
            if node is not None:
                node.events.append(number)

    def _line_at(self, shell: Node, event: Event) -> Node:
        """Return the line that a shell was about when it did something itself."""
        nodes = self._lines[shell]
        low, high = 0, len(nodes)
        at_us = event.at_unix_us + self._tick_us
        while low < high:
            middle = (low + high) // 2
            if nodes[middle].at_unix_us <= at_us:
                low = middle + 1
            else:
                high = middle
        if low == 0 or is_exit(event) or is_run(event):
            return shell
        return self._named_in(nodes, low - 1, event)

    def _named_in(self, nodes: Sequence[Node], number: int, event: Event) -> Node:
        """Return the line that names what the event is about, of those that it may be of."""
        names = {base_name(thing.name)[:15] for thing in event.objects}
        earlier = number
        while earlier >= 0:
            node = nodes[earlier]
            if node.line is None or node.line.line.is_exact:
                break
            if not node.line.names.isdisjoint(names):
                return node
            if node.forks:
                break
            earlier -= 1
        return nodes[number]

    def _date_lines(self) -> None:
        """Give lines whose instants are not known those of what the shell did for them itself."""
        for shell, nodes in self._lines.items():
            for node in nodes:
                is_exact = node.line is None or node.line.line.is_exact
                if not is_exact and not node.forks and node.events:
                    first_us = self._events[node.events[0]].at_unix_us
                    node.at_unix_us = max(node.at_unix_us, first_us)
            last = nodes[-1] if nodes else None
            ended_us = None if shell.image is None else shell.image.life.ended_unix_us
            if last is None or last.line is None or last.line.line.is_exact or last.forks:
                continue
            if last.line.line.text.strip() in _LEAVING and ended_us is not None and not last.events:
                last.at_unix_us = max(last.at_unix_us, ended_us)
