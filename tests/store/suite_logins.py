"""How every store puts logins together from what single events say."""

from __future__ import annotations

from typing import Any

from places import HOUR_US, START_US, put, turn_pages
from suite_events import BOOT, OTHER_BOOT, TRAIL, an_event, trail_summary

from steno.audit.event import FIRST_OF_JOURNAL
from steno.audit.login_facts import LoginFact, LoginKind
from steno.store.events import (
    DerivedEvents,
    Login,
    LoginFailures,
    LoginQuery,
    PlacedEvent,
    PlacedLogin,
    SessionKey,
)
from steno.store.protocol import Store


def fact(kind: LoginKind, serial: int, *, at_us: int = 0, **facts: Any) -> LoginFact:  # noqa: ANN401
    """Return what an event says of a login."""
    defaults: dict[str, Any] = {"user": "avery", "service": "sshd", "pid": 100}
    if kind != "failure":
        defaults["audit_session"] = 7
    return LoginFact(serial, kind, START_US + at_us, **(defaults | facts))


def put_facts(store: Store, *facts: LoginFact, trail: str = TRAIL, **summary: object) -> None:
    """Give a trail some events that say this."""
    state = store.derived_state(trail)
    boot_id = summary.get("boot_id", BOOT)
    events = [
        PlacedEvent(
            an_event(
                one.serial, at_us=one.at_unix_us - START_US, audit_session=one.audit_session,
                boot_id=boot_id,
            ), 10 * one.serial, 10,
        )
        for one in facts
    ]  # fmt: skip
    store.put_events(
        trail,
        DerivedEvents(
            state.upto_bytes + 10,
            trail_summary(trail, **summary),
            state.upto_bytes,
            state.serial,
            events=events,
            logins=[PlacedLogin(one, 10 * one.serial) for one in facts],
        ),
    )


def logins(store: Store, **query: Any) -> list[Login]:  # noqa: ANN401
    """Return all logins that a query wants, newest first, read in small pages."""
    pages = turn_pages(lambda cursor: store.logins(LoginQuery(**query), cursor=cursor, limit=2))
    return [login for page in pages for login in page]


def failures(store: Store, **query: Any) -> list[LoginFailures]:  # noqa: ANN401
    """Return all failures that a query wants, read in small pages."""
    pages = turn_pages(
        lambda cursor: store.login_failures(LoginQuery(**query), cursor=cursor, limit=2)
    )
    return [one for page in pages for one in page]


class LoginSuite:
    """Logins, failures, and what was recorded of them."""

    def test_a_login_is_put_together(self, store: Store) -> None:
        """Who, through what, from where, on which terminal, when, until when: from its events."""
        put_facts(
            store,
            fact("open", 1, service="sshd"),
            fact("start", 2, at_us=1000, source="192.0.2.7", terminal="ssh"),
            fact("start", 3, at_us=2000, source="192.0.2.7", terminal="/dev/pts/2"),
            fact("close", 4, at_us=500_000, pid=999),
        )
        expected = Login(
            SessionKey("web1", BOOT, 7), "web1", "avery", "sshd", "192.0.2.7", "/dev/pts/2",
            START_US, None, TRAIL, 1,
        )  # fmt: skip
        assert logins(store) == [expected]
        put_facts(store, fact("close", 5, at_us=1_000_000), trail="trail-2")
        (login,) = logins(store)
        assert login.closed_unix_us == START_US + 1_000_000

    def test_a_session_whose_beginning_is_not_known(self, store: Store) -> None:
        """A trail that began later still tells who is in; an end alone is no login."""
        put_facts(store, fact("start", 5, source="192.0.2.7"), fact("close", 6, at_us=1000))
        put_facts(store, fact("close", 7, audit_session=8), trail="trail-2")
        (login,) = logins(store)
        assert (login.opened_unix_us, login.serial) == (START_US, 5)

    def test_what_was_recorded(self, store: Store) -> None:
        """Each login names the recordings of its own audit session, or none."""
        for session in (7, 8):
            put_facts(
                store,
                fact("open", session, at_us=session * HOUR_US, audit_session=session),
                trail=f"trail-{session}",
            )
        put_facts(store, fact("open", 1), trail="trail-3", boot_id=OTHER_BOOT, sender="web1")
        session = {"boot_id": BOOT, "audit_session": 7}
        put(store, "second", sender="web1", started_unix_us=START_US + HOUR_US, **session)
        put(store, "first", sender="web1", **session)
        put(store, "other", sender="web2", **session)
        recorded = {
            (login.session.boot_id, login.session.audit_session): login.recordings
            for login in logins(store)
            if login.session is not None
        }
        assert recorded == {
            (BOOT, 7): ["first", "second"], (BOOT, 8): [], (OTHER_BOOT, 7): [],
        }  # fmt: skip
        assert [one.recordings for one in logins(store, is_recorded=True)] == [["first", "second"]]
        assert len(logins(store, is_recorded=False)) == 2

    def test_a_better_word_on_an_attempt(self, store: Store) -> None:
        """A failure that names the account takes the place of the one before, now or later."""
        put_facts(
            store,
            fact("failure", 1, user=""),
            fact("failure", 2, user="", at_us=1000),
            fact("failure", 3, at_us=2000, instead_of=(START_US, 1)),
        )
        assert [(one.user, one.count) for one in failures(store)] == [("avery", 1), ("", 1)]
        put_facts(
            store,
            fact("failure", 4, at_us=3000, instead_of=(START_US + 1000, 2)),
            fact("failure", 5, at_us=4000, instead_of=(START_US + 2000, 3)),
        )
        assert [(one.user, one.count) for one in failures(store)] == [("avery", 3)]
        put_facts(store, fact("failure", 1, user=""), trail="trail-2")
        put_facts(store, fact("failure", 2, at_us=1, instead_of=(START_US, 1)), trail="trail-3")
        assert {(one.user, one.count) for one in failures(store)} == {("avery", 4), ("", 1)}

    def test_a_login_in_place_of_a_refused_key(self, store: Store) -> None:
        """The failure that a login takes the place of counts no longer; others of it do."""
        put_facts(
            store,
            fact("failure", 1),
            fact("failure", 2, at_us=1000),
            fact("failure", 3, at_us=1000, user="blake"),
        )
        assert {(one.user, one.count) for one in failures(store)} == {("avery", 2), ("blake", 1)}
        key = {"instead_of": (START_US + 1000, 2), "audit_session": 7}
        put_facts(store, fact("start", 4, at_us=2000, **key))
        assert {(one.user, one.count) for one in failures(store)} == {("avery", 1), ("blake", 1)}
        assert [one.failures for one in logins(store)] == [1]

    def test_failures_before_a_login(self, store: Store) -> None:
        """Failures on the account of that host count, since its last login, a day at most."""
        put_facts(
            store,
            fact("failure", 1, at_us=-25 * HOUR_US),
            fact("failure", 2, at_us=-3 * HOUR_US),
            fact("failure", 3, at_us=-2 * HOUR_US),
            fact("failure", 4, at_us=-HOUR_US, user="blake"),
            fact("failure", 5, at_us=-HOUR_US, login_user="casey", audit_session=3),
            fact("open", 6),
            fact("failure", 7, at_us=HOUR_US),
            fact("open", 8, at_us=2 * HOUR_US, audit_session=8),
        )
        put_facts(
            store, fact("failure", 9, at_us=-HOUR_US), trail="trail-2", sender="web2", host="web2"
        )
        second, first = logins(store)
        assert (first.failures, second.failures) == (2, 1)
        assert first.failed_first_unix_us == START_US - 3 * HOUR_US
        assert first.failed_last_unix_us == START_US - 2 * HOUR_US
        assert second.failed_first_unix_us == START_US + HOUR_US

    def test_failures_are_taken_together(self, store: Store) -> None:
        """One entry for each host, account, program, source and who had logged in."""
        put_facts(
            store,
            *(fact("failure", number, at_us=number * 1000, source="192.0.2.7")
              for number in range(5)),
            fact("failure", 10, at_us=10_000, source="192.0.2.8"),
            fact("failure", 11, at_us=11_000, user="root", source="192.0.2.7"),
            fact("failure", 12, at_us=12_000, user="root", service="su", login_user="avery",
                 audit_session=7),
        )  # fmt: skip
        put_facts(
            store, fact("failure", 20, at_us=2_500, source="192.0.2.7"), trail="trail-2",
            sender="web2", host="web2",
        )  # fmt: skip
        told = [
            (one.host, one.user, one.service, one.source, one.login_user, one.count)
            for one in failures(store)
        ]
        assert told == [
            ("web1", "root", "su", "", "avery", 1),
            ("web1", "root", "sshd", "192.0.2.7", "", 1),
            ("web1", "avery", "sshd", "192.0.2.8", "", 1),
            ("web1", "avery", "sshd", "192.0.2.7", "", 5),
            ("web2", "avery", "sshd", "192.0.2.7", "", 1),
        ]
        five = failures(store, source="192.0.2.7", host="web1", user="AV*")[0]
        assert (five.first_unix_us, five.last_unix_us) == (START_US, START_US + 4000)
        assert [one.count for one in failures(store, from_unix_us=START_US + 3000,
                until_unix_us=START_US + 10_000)] == [2]  # fmt: skip

    def test_which_logins(self, store: Store) -> None:
        """Filters look at user, host, source, program and time; cron's are left out unasked."""
        for number, (user, service, source) in enumerate(
            [("avery", "sshd", "192.0.2.7"), ("blake", "login", ""), ("root", "cron", "")]
        ):
            put_facts(
                store,
                fact("open", number, at_us=number * HOUR_US, user=user, service=service,
                     source=source, audit_session=number),
                trail=f"trail-{number}",
            )  # fmt: skip
        assert [login.user for login in logins(store)] == ["blake", "avery"]
        assert [login.user for login in logins(store, service="*")] == ["root", "blake", "avery"]
        assert [login.user for login in logins(store, service="CRON")] == ["root"]
        assert [login.user for login in logins(store, user="a*")] == ["avery"]
        assert [login.user for login in logins(store, source="192.0.2.*")] == ["avery"]
        assert [login.user for login in logins(store, host="web2")] == []
        hour = START_US + HOUR_US
        assert [login.user for login in logins(store, from_unix_us=hour)] == ["blake"]
        assert [login.user for login in logins(store, until_unix_us=hour)] == ["avery"]

    def test_a_program_s_own_word(self, store: Store) -> None:
        """It is marked; what a process said before it had a session is no login of its own."""
        said = FIRST_OF_JOURNAL + 1
        put_facts(
            store,
            fact("failure", said, at_us=-HOUR_US),
            fact("start", said + 1, at_us=0, audit_session=None, source="192.0.2.7"),
            fact("open", said + 2, at_us=5000, source="192.0.2.7"),
            fact("close", said + 3, at_us=9000),
        )
        (login,) = logins(store)
        assert (login.session, login.told_by) == (SessionKey("web1", BOOT, 7), "journal")
        assert (login.opened_unix_us, login.closed_unix_us) == (START_US + 5000, START_US + 9000)
        assert login.failures == 1
        put_facts(store, fact("failure", 5), fact("failure", 6), trail="trail-2")
        assert [(one.count, one.told_by) for one in failures(store)] == [
            (2, "audit"), (1, "journal"),
        ]  # fmt: skip

    def test_logins_of_which_no_session_is_known(self, store: Store) -> None:
        """Each stands for itself, with what was recorded of the account at its beginning."""
        for number in (1, 2):
            begun_us = number * HOUR_US
            serial = FIRST_OF_JOURNAL + 10 * number
            put_facts(
                store,
                fact("start", serial, at_us=begun_us, audit_session=None, source="192.0.2.7"),
                fact("close", serial + 1, at_us=begun_us + 1000, audit_session=None, pid=999),
                fact("close", serial + 2, at_us=begun_us + 9000, audit_session=None),
                trail=f"trail-{number}",
            )
        where = {"boot_id": BOOT, "sender": "web1", "user": "avery"}
        begun = START_US + HOUR_US + 500
        put(store, "its-own", started_unix_us=begun, remote="192.0.2.7", **where)
        put(store, "another-s", started_unix_us=begun, remote="192.0.2.8", **where)
        put(store, "later", started_unix_us=begun + 120_000_000, **where)
        put(store, "blake-s", started_unix_us=begun, **(where | {"user": "blake"}))
        second, first = logins(store)
        assert (first.session, second.session) == (None, None)
        assert (first.recordings, second.recordings) == (["its-own"], [])
        assert first.closed_unix_us == START_US + HOUR_US + 9000
        put_facts(store, fact("close", FIRST_OF_JOURNAL + 30, at_us=4 * HOUR_US), trail="trail-3")
        assert len(logins(store)) == 2

    def test_a_session_whose_end_tells_its_number(self, store: Store) -> None:
        """Without systemd-logind only a login's end tells which audit session it was."""
        said = FIRST_OF_JOURNAL + 1
        put_facts(
            store, fact("start", said, audit_session=None), fact("close", said + 1, at_us=HOUR_US)
        )
        put(store, "whole", sender="web1", boot_id=BOOT, audit_session=7)
        (login,) = logins(store)
        assert login.session == SessionKey("web1", BOOT, 7)
        assert login.recordings == ["whole"]

    def test_a_forgotten_trail_s_logins_are_forgotten(self, store: Store) -> None:
        """Clearing a trail takes what it said of logins, and leaves what others said."""
        put_facts(store, fact("open", 1), fact("failure", 2))
        put_facts(store, fact("close", 3, at_us=1000), fact("failure", 4), trail="trail-2")
        store.clear_derived("trail-2")
        assert logins(store)[0].closed_unix_us is None
        assert failures(store)[0].count == 1
        store.clear_derived(TRAIL)
        assert (logins(store), failures(store)) == ([], [])
