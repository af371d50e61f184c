"""Which events of an audit log a command is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
import msgspec

from steno.audit.event import Event
from steno.cli.instants import read_instant
from steno.cli.numbers import WholeRange


class Selection(msgspec.Struct, frozen=True):
    """What an event must be, to be shown.

    Attributes:
        from_unix_us: Not before this instant.
        to_unix_us: Before this instant.
        user: The name or number of who logged in, or whose account it was.
        session: The audit session.
    """

    from_unix_us: int | None = None
    to_unix_us: int | None = None
    user: str | None = None
    session: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether it leaves nothing out."""
        return self == Selection()

    def takes(self, event: Event) -> bool:
        """Return whether `event` is asked for."""
        if self.from_unix_us is not None and event.at_unix_us < self.from_unix_us:
            return False
        if self.to_unix_us is not None and event.at_unix_us >= self.to_unix_us:
            return False
        if self.session is not None and event.audit_session != self.session:
            return False
        return self.user is None or self._is_of_user(event)

    def _is_of_user(self, event: Event) -> bool:
        who, user = event.who, self.user
        if user in (who.login_user, who.user, who.effective_user):
            return True
        if user in (str(who.login_uid), str(who.uid), str(who.effective_uid)):
            return True
        return any(thing.kind == "account" and thing.name == user for thing in event.objects)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options that make its argument `selection`."""

    @click.option(
        "--from", "from_", metavar="TIME", help="From then on: 2026-11-20T14:30, 14:30, 3d."
    )
    @click.option(
        "--to", metavar="TIME", help="Until then, a day or a minute that is named included."
    )
    @click.option(
        "--user", metavar="NAME", help="Who logged in, or whose account it was; or a uid."
    )
    @click.option("--session", type=WholeRange(0), metavar="N", help="The audit session.")
    @functools.wraps(command)
    def wrapper(
        *args: Any,  # noqa: ANN401  # click's own
        from_: str | None,
        to: str | None,
        user: str | None,
        session: int | None,
        **options: Any,  # noqa: ANN401  # click's own
    ) -> object:
        begin = None if from_ is None else read_instant("--from", from_)[0]
        end = None if to is None else read_instant("--to", to)[1]
        selection = Selection(begin, end, user, session)
        return command(*args, selection=selection, **options)

    return wrapper
