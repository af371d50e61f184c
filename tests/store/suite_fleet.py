"""What every store must do with hosts' heartbeats."""

from __future__ import annotations

from places import Stores, put

from steno.heartbeat import AgentFacts, Heartbeat, OpenSession, SpoolFacts
from steno.store.fleet import Heard, Liveness, Numbers
from steno.store.protocol import Change, Store

NOW_US = 1_760_000_000_000_000


def heard(
    *recs: str, host: str = "web1", source: str = "s1", at_us: int = NOW_US, agent: str = ""
) -> Heard:
    """Return a heartbeat whose spool, and whose agent if it has one, name these recordings."""
    sessions = tuple(OpenSession(rec) for rec in agent.split())
    beat = Heartbeat(
        sent_unix_us=at_us,
        boot_id="b",
        source=source,
        version="1",
        spool=SpoolFacts(open=recs),
        agent=AgentFacts("1", sessions=sessions) if agent else None,
    )
    return Heard(host, at_us, beat)


class FleetSuite:
    """Heartbeats, what is open, and which running numbers there are."""

    def test_the_last_heartbeat_of_each_source_is_kept(self, stores: Stores) -> None:
        """A newer one takes the place of the one before; other sources' and hosts' stay."""
        store = stores.open()
        first, other = heard("r1"), heard("r2", source="s2")
        elsewhere = heard("r3", host="web2")
        for one in (first, other, elsewhere, heard("r1", "r4", at_us=NOW_US + 1)):
            store.put_heard(one)
        seen = stores.open()
        assert seen.heard("web1") == [heard("r1", "r4", at_us=NOW_US + 1), other]
        assert seen.heard("web2") == [elsewhere]
        assert [one.host for one in seen.heard()] == ["web1", "web1", "web2"]
        assert seen.heard("web") == []

    def test_a_recording_is_open_while_its_host_says_so(self, store: Store) -> None:
        """By the spool's word or the agent's; afterwards it is known since when it is not."""
        put(store, "r1", sender="web1")
        put(store, "r2", sender="web1")
        assert store.liveness("r1") is None
        store.put_heard(heard("r1", agent="r2"))
        store.put_heard(heard("r1", agent="r2", at_us=NOW_US + 15))
        assert store.liveness("r1") == Liveness(is_open=True, at_unix_us=NOW_US + 15)
        assert store.liveness("r2") == Liveness(is_open=True, at_unix_us=NOW_US + 15)
        store.put_heard(heard("r1", at_us=NOW_US + 30))
        store.put_heard(heard("r1", at_us=NOW_US + 45))
        assert store.liveness("r1") == Liveness(is_open=True, at_unix_us=NOW_US + 45)
        assert store.liveness("r2") == Liveness(is_open=False, at_unix_us=NOW_US + 30)

    def test_a_source_says_nothing_about_anothers_recordings(self, store: Store) -> None:
        """A spool without a recording ends only what it named itself; a host only its own."""
        put(store, "r1", sender="web1")
        store.put_heard(heard("r1"))
        store.put_heard(heard(source="s2"))
        store.put_heard(heard("r1", host="web2"))
        store.put_heard(heard(host="web2", at_us=NOW_US + 1))
        assert store.liveness("r1") == Liveness(is_open=True, at_unix_us=NOW_US)
        put(store, "imported", sender=None)
        store.put_heard(heard("r1", "imported"))
        assert store.liveness("imported") is None

    def test_a_spool_that_is_gone_for_a_day_is_forgotten(self, store: Store) -> None:
        """While its host is heard of otherwise: else nothing would ever end its silence."""
        day_us = 24 * 3600 * 1_000_000
        store.put_heard(heard("r1"))
        store.put_heard(heard("r9", host="web2"))
        store.put_heard(heard("r2", source="s2", at_us=NOW_US + day_us))
        assert len(store.heard("web1")) == 2
        store.put_heard(heard("r2", source="s2", at_us=NOW_US + day_us + 1))
        assert [one.heartbeat.source for one in store.heard("web1")] == ["s2"]
        assert len(store.heard("web2")) == 1

    def test_news_of_what_is_open_is_told(self, store: Store) -> None:
        """Listeners hear of recordings that opened or closed, and of nothing twice."""
        told: list[Change] = []
        store.subscribe(told.append)
        store.put_heard(heard("r1", "r2"))
        store.put_heard(heard("r1", "r2", at_us=NOW_US + 1))
        store.put_heard(heard("r2", at_us=NOW_US + 2))
        assert [(one.rec, one.kind) for one in told] == [
            ("r1", "heard"),
            ("r2", "heard"),
            ("r1", "heard"),
        ]

    def test_missing_numbers_are_found(self, store: Store) -> None:
        """Gaps are counted from the lowest number that came, per sender, up to the one given."""
        for number in (5, 6, 9, 9, 12):
            put(store, f"r{number}-{store.counts().recordings}", sender="web1", number=number)
        put(store, "other", sender="web2", number=7)
        put(store, "unnumbered", sender="web1", number=None)
        put(store, "imported", sender=None, number=8)
        assert store.numbers() == {"web1": Numbers(5, 12, 4), "web2": Numbers(7, 7, 1)}
        assert store.number_gaps("web1", 14) == [(7, 8), (10, 11), (13, 14)]
        assert store.number_gaps("web1", 10) == [(7, 8), (10, 10)]
        assert store.number_gaps("web1", 6) == []
        assert store.number_gaps("web1", 4) == []
        assert store.number_gaps("web9", 100) == []

    def test_no_number_that_a_host_sends_is_too_large(self, store: Store) -> None:
        """Whatever number a host claims, the gaps can be had."""
        for number in (1, 1 << 80):
            put(store, f"r{number % 7}", sender="web1", number=number)
        assert store.number_gaps("web1", 1 << 90)[0][0] == 2
