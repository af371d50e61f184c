"""What every store must do with what is derived from recordings."""

from __future__ import annotations

import pytest
from places import (
    Stores,
    found,
    listed,
    put,
    summary,
    text_lines,
)
from waiting import wait_for

from steno.errors import (
    NotFoundError,
    StenoError,
)
from steno.model import (
    Command,
    Damage,
    End,
    Keyframe,
)
from steno.store.protocol import (
    Change,
    Counts,
    Derived,
    DerivedState,
    StaleError,
    Store,
)


class IndexSuite:
    """Putting, reading, forgetting; being told."""

    def test_derived_comes_back(self, stores: Stores) -> None:
        """Summary, lines, keyframes, commands, damages and activity come back as they were put."""
        store = stores.open()
        frames = [
            Keyframe(number * 10_000_000, number * 100, number, 80, 24, b"\x1b[H" * 100 * number)
            for number in range(3)
        ]
        first = Derived(
            upto_bytes=100,
            summary=summary("r", is_live=True, notes={"gap": 1}, labels=["x"]),
            state=b"\x00state",
            lines=text_lines("one", "zwei é", ""),
            keyframes=frames[:2],
            commands=[Command(5, "ls -l")],
            damages=[Damage(2, 10, 20, "no JSON")],
            activity=[(0, 10), (2, 5)],
        )
        last = summary("r", end=End("exit", exit_status=3), command=["bash", "-c", "x"])
        second = Derived(
            upto_bytes=250,
            summary=last,
            from_bytes=100,
            from_serial=1,
            state=b"more",
            lines=text_lines("four"),
            keyframes=frames[2:],
            commands=[Command(9, "exit", "screen")],
            damages=[Damage(7, 50, 2, "torn")],
            activity=[(2, 6), (3, 1)],
        )
        store.put_derived("r", first)
        assert store.derived_state("r") == DerivedState(100, 1, b"\x00state")
        store.put_derived("r", second)
        for reader in (store, stores.open()):
            assert reader.find("r") == last
            assert reader.derived_bytes("r") == 250
            assert reader.derived_state("r") == DerivedState(250, 2, b"more")
            assert list(reader.lines("r")) == [*first.lines, *second.lines]
            assert reader.lines_count("r") == 4
            assert reader.commands("r") == [*first.commands, *second.commands]
            assert reader.damages("r") == [*first.damages, *second.damages]
            assert reader.activity("r") == [(0, 10), (2, 11), (3, 1)]
            assert [frame.at_us for frame in reader.keyframes("r")] == [0, 10_000_000, 20_000_000]
            assert {frame.data for frame in reader.keyframes("r")} == {b""}
            assert [reader.keyframe("r", number) for number in range(3)] == frames

    def test_slower_indexer_is_told(self, store: Store) -> None:
        """Of two indexers at work on the same bytes only the first one's lines are kept."""
        put(store, "r", "one", is_live=True)
        for stale in (
            Derived(20, summary("r"), 0, 0, lines=text_lines("twice")),
            Derived(20, summary("r"), 10, 0, lines=text_lines("twice")),
            Derived(20, summary("r"), 5, 1, lines=text_lines("twice")),
        ):
            with pytest.raises(StaleError):
                store.put_derived("r", stale)
        assert store.derived_state("r").upto_bytes == 10
        assert [line.text for line in store.lines("r")] == ["one"]
        assert found(store, "twice") == []

    def test_cleared_is_forgotten(self, store: Store) -> None:
        """After clearing, the recording is derived from nothing, others are untouched."""
        store.append("r", 0, b"bytes\n", sender=None)
        put(store, "r", *["needle in r"] * 200)
        put(store, "s", "needle in s")
        store.clear_derived("r")
        assert store.derived_state("r") == DerivedState()
        assert listed(store) == ["s"]
        assert found(store, "needle") == [("s", 0)]
        assert list(store.lines("r")) == []
        assert (store.commands("r"), store.damages("r"), store.activity("r")) == ([], [], [])
        assert (store.keyframes("r"), store.lines_count("r")) == ([], 0)
        with pytest.raises(NotFoundError):
            store.find("r")
        assert b"".join(store.read("r")) == b"bytes\n"
        store.clear_derived("r")
        put(store, "r", "needle again")
        assert sorted(found(store, "needle")) == [("r", 0), ("s", 0)]

    def test_what_the_index_lacks(self, store: Store) -> None:
        """A look at all recordings tells which of them the index has whole and ended."""
        long_rec = "l" * 500
        for rec, size_bytes in (("new", 10), ("whole", 10), ("grown", 10), ("live", 10)):
            store.append(rec, 0, b"x" * size_bytes, sender=None)
        store.append(long_rec, 0, b"x" * 300_000, sender=None)
        for rec in ("whole", "grown", long_rec):
            put(store, rec)
        put(store, "live", is_live=True)
        store.append("grown", 10, b"y", sender=None)
        assert dict(store.index_states()) == {
            "new": False,
            "whole": True,
            "grown": False,
            "live": False,
            long_rec: False,
        }
        assert store.counts() == Counts(recordings=4, live=1)

    def test_missing_keyframe(self, store: Store) -> None:
        """A keyframe that does not exist is named as such."""
        put(store, "r", "one")
        for rec, number in (("r", 0), ("r", -1), ("r", 1 << 40), ("unknown", 0)):
            with pytest.raises(NotFoundError):
                store.keyframe(rec, number)

    def test_lines_from_anywhere(self, store: Store) -> None:
        """Lines can be read from any number on, as many as wanted, however they came in."""
        texts = [f"line {number}" for number in range(300)]
        for start in range(0, 300, 7):
            put(store, "r", *texts[start : start + 7], is_live=True)
        for first, limit in ((0, None), (0, 1), (63, 2), (64, 64), (100, 150), (299, 5), (300, 1)):
            end = None if limit is None else first + limit
            got = [line.text for line in store.lines("r", first, limit)]
            assert got == texts[first:end]

    def test_listeners_are_told(self, stores: Stores) -> None:
        """Changes reach listeners in this and in other stores, until these unsubscribe."""
        here, there = stores.open(), stores.open()
        heard: dict[str, list[Change]] = {"here": [], "there": []}
        ends = [here.subscribe(heard["here"].append), there.subscribe(heard["there"].append)]
        here.append("r", 0, b"one\n", sender=None)
        put(here, "r", "one")
        expected = [Change("r", "appended", 4), Change("r", "derived", 10)]
        assert heard["here"] == expected
        wait_for(lambda: len(heard["there"]) >= 2, "both changes")
        assert heard["there"] == expected
        for end in ends:
            end()
        here.append("r", 4, b"two\n", sender=None)
        assert heard["here"] == expected

    def test_closed_store_cannot_be_used(self, stores: Stores) -> None:
        """A closed store says so instead of hanging or crashing; closing twice is fine."""
        store = stores.open()
        put(store, "r", "x")
        store.close()
        store.close()
        with pytest.raises(StenoError):
            store.find("r")
