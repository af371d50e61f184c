"""How every store finds and lists recordings."""

from __future__ import annotations

import time

import pytest
from places import (
    HOUR_US,
    START_US,
    found,
    listed,
    put,
    turn_pages,
)

from steno.errors import (
    AmbiguousError,
    NotFoundError,
    UsageError,
)
from steno.model import (
    End,
    Verification,
)
from steno.store.protocol import (
    Store,
)


class ListSuite:
    """Finding by id, listing, fields."""

    def test_find_by_id_or_beginning(self, store: Store) -> None:
        """A recording goes by its id, or by a beginning that no other shares."""
        for rec in ("abc", "abcd", "b%_", "bxy"):
            put(store, rec, "x")
        assert store.find("abc").rec == "abc"
        assert store.find("abcd").rec == "abcd"
        assert store.find("b%").rec == "b%_"
        with pytest.raises(AmbiguousError, match="abc"):
            store.find("ab")
        for unknown in ("ABC", "x", "", "abcde"):
            with pytest.raises(NotFoundError):
                store.find(unknown)

    def test_list_in_every_order(self, store: Store) -> None:
        """Lists go by start, duration, size, user or host, up or down, page by page."""
        facts = {
            "a": (START_US + 3, 50, 700, "zoe", "web2"),
            "b": (START_US + 1, 90, 100, "avery", "web2"),
            "c": (START_US + 2, 90, 300, "blake", "db"),
            "d": (START_US + 2, 10, 300, "avery", "web1"),
        }
        for rec, (started, duration, size, user, host) in facts.items():
            put(
                store, rec, "x", started_unix_us=started, duration_us=duration,
                size_bytes=size, user=user, host=host,
            )  # fmt: skip
        for column, sort in enumerate(("started", "duration", "size", "user", "host")):
            expected = sorted(facts, key=lambda rec, column=column: (facts[rec][column], rec))
            for name, order in ((sort, expected), (f"-{sort}", expected[::-1])):
                assert listed(store, sort=name) == order
                pages = list(turn_pages(lambda cursor, name=name: store.recordings(
                    sort=name, limit=1, cursor=cursor)))  # fmt: skip
                assert [item.rec for page in pages for item in page] == order
        assert listed(store) == ["a", "d", "c", "b"]
        with pytest.raises(UsageError):
            store.recordings(sort="colour")

    def test_list_pages_while_recordings_arrive(self, store: Store) -> None:
        """A list goes on where it was, though newer recordings came in."""
        for number in range(6):
            put(store, f"r{number}", "x", started_unix_us=START_US + number * HOUR_US)
        page = store.recordings(limit=3)
        put(store, "new", "x", started_unix_us=START_US + 99 * HOUR_US)
        rest = store.recordings(limit=3, cursor=page.cursor)
        assert [item.rec for item in [*page.items, *rest.items]] == [
            f"r{n}" for n in range(5, -1, -1)
        ]

    FIELDS = (
        ("user:avery", "ad"), ("user:AVERY", "ad"), ("user:av*", "ad"), ("user:av", ""),
        ("login:blake", "b"), ("-login:blake", "acd"), ("host:web*", "abc"), ("host:web1", "ac"),
        ("service:sshd", "ab"), ("remote:192.0.2.*", "a"), ('remote:"2001:db8::1"', "b"),
        ("command:VIM", "c"), ('command:"-c x"', "c"), ("label:audit", "a"), ("label:aud", ""),
        ("label:*2026", "b"), ("rec:a", "a"), ("session:42", "b"), ("longer:10m", "bd"),
        ("shorter:10m", "a"), ("shorter:1h30m longer:10m", "b"), ("status:0", "a"),
        ("status:3", "b"),
        ("-status:0", "bcd"), ("is:live", "c"), ("is:ended", "ab"), ("is:cut", "d"),
        ("is:complete", "a"), ("is:broken", "b"), ("is:unchained", "d"), ("is:damaged", "d"),
        ("is:gaps", "b"), ("user:avery host:web1", "a"), ("user:avery OR host:db", "ad"),
        ("NOT (user:avery OR host:db)", "bc"), ("service:s_hd", ""), ("user:%", ""),
    )  # fmt: skip

    @pytest.mark.parametrize(("query", "expected"), FIELDS)
    def test_fields(self, store: Store, query: str, expected: str) -> None:
        """Each field filters recordings by what docs/find.md says, alone and combined."""
        put(
            store, "a", "x", login_user="avery", host="web1", service="sshd", remote="192.0.2.7",
            labels=["audit", "b"], duration_us=5_000_000, end=End("exit", 0),
            chain=Verification("complete", 3),
        )  # fmt: skip
        put(
            store, "b", "x", user="blake", login_user="blake", host="web2", service="sshd",
            remote="2001:db8::1", labels=["q-2026"], audit_session=42, duration_us=HOUR_US,
            end=End("exit", 3), chain=Verification("broken", 1), notes={"gap": 2},
        )  # fmt: skip
        put(
            store, "c", "x", user="root", host="web1", command=["vim", "-c", "x"],
            duration_us=600_000_000, is_live=True, notes={"delay": 1}, service="su",
        )  # fmt: skip
        put(
            store, "d", "x", host="db", chain=Verification("unchained", 3), damages=1,
            duration_us=2 * HOUR_US,
        )  # fmt: skip
        assert sorted(listed(store, query)) == list(expected)
        assert sorted(rec for rec, _ in found(store, query)) == list(expected)

    def test_a_status_is_what_a_shell_says(self, store: Store) -> None:
        """What a signal ended has 128 and its number, as if a shell had said so."""
        put(store, "killed", "x", end=End("signal", signal=9))
        put(store, "said", "x", end=End("exit", 137))
        put(store, "nine", "x", end=End("exit", 9))
        put(store, "hung-up", "x", end=End("hangup"))
        assert sorted(listed(store, "status:137")) == ["killed", "said"]
        assert listed(store, "status:9") == ["nine"]
        assert sorted(listed(store, "-status:137")) == ["hung-up", "nine"]

    def test_instants(self, store: Store) -> None:
        """after:, before: and at: compare with a recording's time, absolute or relative."""
        now_us = time.time_ns() // 1000
        put(store, "old", "x", started_unix_us=START_US, duration_us=HOUR_US)
        put(store, "new", "x", started_unix_us=now_us - HOUR_US, duration_us=HOUR_US // 2)
        assert listed(store, "after:2h") == ["new"]
        assert listed(store, "before:2h") == ["old"]
        assert listed(store, "after:30m") == []
        # START_US is 2025-10-09T08:53:20Z.
        assert listed(store, "after:2025-10-09T08:53Z before:2025-10-09T08:54Z") == ["old"]
        assert listed(store, "before:2025-10-09T08:53:20Z") == []
        assert listed(store, "at:2025-10-09T09:30Z") == ["old"]
        assert listed(store, "at:2025-10-09T10:30Z") == []
        assert listed(store, "at:2025-10-09T10:53:20+02:00") == ["old"]
