"""What every store offers of audit trails: their events, found and read, and logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from steno.audit.trail import Lost
from steno.store.events import (
    DerivedEvents,
    EventQuery,
    Login,
    LoginFailures,
    LoginQuery,
    SessionKey,
    StoredEvent,
    TrailSummary,
)
from steno.store.page import Page

if TYPE_CHECKING:
    # It holds this protocol.
    from steno.store.joined_events import JoinedEvents
    from steno.store.protocol import Summary


class EventStore(Protocol):
    """The part of `Store` that knows audit events.

    Trails' lines are kept as recordings' are. `Store.derived_state`, `derived_bytes`,
    `index_states`, `damages` and `clear_derived` speak of trails too; lists of recordings do not.
    """

    def put_events(self, trail: str, derived: DerivedEvents) -> None:
        """Add what was learnt of a trail to the index, all or nothing; the serial grows by one.

        Raises:
            StaleError: Another indexer was faster. Nothing was written.
        """

    def trail_summaries(
        self, *, sender: str | None = None, boot_id: str | None = None
    ) -> list[TrailSummary]:
        """Return the trails of a sender and a boot, or all, by their start."""

    def losses(self, trail: str) -> list[Lost]:
        """Return what a trail says is missing in it, in order."""

    def events(
        self, query: EventQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[StoredEvent]:
        """Return events in the order of their instants.

        A page may hold fewer than `limit`, even none, when finding them meant reading much: only
        a missing cursor says that there are no more.

        Raises:
            QueryError: The expression names what events do not have.
            UsageError: `cursor` is none of this list's.
        """

    def session_recordings(self, session: SessionKey) -> list[Summary]:
        """Return the recordings that were made in an audit session, by their start."""

    def unjoined_sessions(self, limit: int = 100) -> list[tuple[SessionKey, int]]:
        """Return audit sessions of which something came in since their recordings were joined.

        Each comes with what `put_joined` is to be told of it.
        """

    def put_joined(self, session: SessionKey, since: int, joined: dict[str, JoinedEvents]) -> None:
        """Keep what joining each recording of a session found, in place of what was found before.

        Args:
            session: The session.
            since: What `unjoined_sessions` said: if more came in meanwhile, it is to be joined
                again.
            joined: By recording; recordings that are gone are passed over.
        """

    def joined_events(self, rec: str) -> JoinedEvents | None:
        """Return what joining a recording found; None: it was not joined yet."""

    def event(self, trail: str, serial: int) -> StoredEvent:
        """Return one event whole, its records read from the trail's own lines.

        Raises:
            NotFoundError: There is none.
        """

    def logins(
        self, query: LoginQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Login]:
        """Return logins, newest first; a page may be short, as in `events`."""

    def login_failures(
        self, query: LoginQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[LoginFailures]:
        """Return failed attempts, taken together, those with the newest first.

        Of very many the newest are taken together; the others come on pages after these, so that
        a page may be short, and what was on one may go on there.
        """
