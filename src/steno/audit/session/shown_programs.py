"""Which of the things that processes ran are shown in the tree of commands, and as what."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from steno.audit.event import Event
from steno.audit.session.lineages import Image, Life, arguments_of, program_of
from steno.audit.session.ran import RanKind
from steno.audit.session.shells import is_interactive, is_own, is_shell
from steno.audit.sorts import is_exit, kind_of


def find_shown(
    events: Sequence[Event], lives: Sequence[Life], workers: Container[Life] = ()
) -> Iterator[tuple[Image, RanKind]]:
    """Yield what is shown, and as what; below what it stands is not decided here.

    Args:
        events: All events.
        lives: The processes of the tree, parents first.
        workers: Those of them that are shown though they ran nothing.
    """
    yield from _Showing(events, lives, workers).find()


class _Showing:
    def __init__(
        self, events: Sequence[Event], lives: Sequence[Life], workers: Container[Life]
    ) -> None:
        self._events = events
        self._lives = lives
        self._wanted = set(lives)
        self._workers = workers

    def find(self) -> Iterator[tuple[Image, RanKind]]:
        tops: dict[Life, int] = {}
        for life in reversed(self._lives):
            below = sum(tops[child] for child in life.children if child in tops)
            shown = self._shown(life, below)
            # How many nodes of it, or of what it began, stand on top.
            tops[life] = 1 if shown else below
            for image in shown:
                yield image, self._kind_of(image)

    def _shown(self, life: Life, below: int) -> list[Image]:
        shown = [image for image in life.images[1:] if not is_own(image.program)]
        if not shown and life.images[0].tried and len(life.images) == 1:
            shown = [life.images[0]]  # It tried to run something and could not.
        elif not shown and life in self._workers:
            shown = [life.images[0]]
        elif self._is_top(life):
            first = life.images[0]
            if self._is_root_shell(first, below):
                shown.insert(0, first)
        elif not shown and self._is_subshell(life, below):
            shown = [life.images[0]]
        return shown

    def _is_top(self, life: Life) -> bool:
        """Return whether nothing is known of what began a process."""
        parent = life.parent
        if parent is None or parent not in self._wanted:
            return True
        return not parent.is_seen and parent.parent is None and len(parent.children) == 1

    def _is_root_shell(self, image: Image, below: int) -> bool:
        """Return whether something that was there before the events is shown: a shell."""
        if image.program is not None:
            others = [one for one in image.events if not is_exit(self._events[one])]
            if len(image.life.images) > 1:
                # Whoever only made ready to run something else is of no interest.
                others = []
                below = sum(child.parent_image is image for child in image.life.children)
            return is_shell(image.program) and bool(others or below)
        ran = [child for child in image.life.children if len(child.images) > 1]
        logs_in = any((arguments_of(child.images[1]) or [""])[0][:1] == "-" for child in ran)
        on_terminal = any(child.terminals for child in ran)
        return below > 0 and on_terminal and not logs_in and len(image.life.images) == 1

    def _is_subshell(self, life: Life, below: int) -> bool:
        if not is_shell(program_of(life.images[0])):
            return False
        return below > 1 or any(
            kind_of(self._events[number]) == "files" for number in life.image.events
        )

    def _kind_of(self, image: Image) -> RanKind:
        if image.tried and image.begun_by is None and len(image.life.images) == 1:
            return "program"
        if image.begun_by is None and image is image.life.images[0]:
            if image.life in self._workers:
                return "program"
            return "shell" if self._is_top(image.life) else "subshell"
        if is_shell(image.program) and image.event is not None:
            arguments = image.event.process.arguments
            if image.event.process.terminal is not None and is_interactive(arguments):
                return "shell"
        return "program"
