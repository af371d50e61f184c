"""What every store must do with recordings' original lines."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import (
    given,
)
from hypothesis import strategies as st
from places import (
    Stores,
)

from steno.errors import (
    FormatError,
    NotFoundError,
    RefusedError,
    StenoError,
)
from steno.store.protocol import (
    OffsetError,
    Store,
)

HOSTILE_RECS = [
    "a", "A", "..", ".", "../../etc/passwd", "a/b", "a\\b", "a b", "a\nb", "a\0b", "-rf", "~",
    "%41",
    "*", "x.0.tail", "lines.zst", "é", "漢字" * 50, "r" * 512, "R" * 512, "{}",
    "'; DROP TABLE", ".new",
]  # fmt: skip


class TruthSuite:
    """Appending and reading."""

    def test_what_was_appended_is_read_back(self, stores: Stores) -> None:
        """Appended bytes come back byte-exact, also from a store that is opened anew."""
        store = stores.open()
        assert store.append("r", 0, b'{"a":1}\n', sender="web1") == 8
        assert store.append("r", 8, b"\xff\x00\n", sender="web1") == 11
        assert store.durable_bytes("r") == 11
        for reader in (store, stores.open()):
            assert b"".join(reader.read("r")) == b'{"a":1}\n\xff\x00\n'
            assert reader.durable_bytes("r") == 11

    def test_repeated_bytes_change_nothing(self, store: Store) -> None:
        """Bytes that are there already are skipped; what goes beyond them is appended."""
        store.append("r", 0, b"one\ntwo\n", sender=None)
        assert store.append("r", 0, b"one\n", sender=None) == 8
        assert store.append("r", 0, b"one\ntwo\n", sender=None) == 8
        assert store.append("r", 4, b"two\nthree\n", sender=None) == 14
        assert b"".join(store.read("r")) == b"one\ntwo\nthree\n"

    @pytest.mark.parametrize(
        ("offset_bytes", "data"),
        [(9, b"x"), (0, b"onE\ntwo\n"), (4, b"twO\nthree\n"), (7, b"\0"), (-1, b"x")],
    )
    def test_wrong_offset_is_refused(self, store: Store, offset_bytes: int, data: bytes) -> None:
        """A gap or a differing overlap is refused with the right offset, and nothing is written."""
        store.append("r", 0, b"one\ntwo\n", sender=None)
        with pytest.raises(OffsetError) as caught:
            store.append("r", offset_bytes, data, sender=None)
        assert caught.value.durable_bytes == 8
        assert b"".join(store.read("r")) == b"one\ntwo\n"

    def test_first_append_begins_at_zero(self, store: Store) -> None:
        """An unknown recording cannot begin in the middle."""
        with pytest.raises(OffsetError) as caught:
            store.append("r", 5, b"x", sender=None)
        assert caught.value.durable_bytes == 0
        assert list(store.recs()) == []

    def test_other_sender_is_refused(self, stores: Stores) -> None:
        """Only the sender that began a recording may go on with it, even byte for byte."""
        stores.open().append("r", 0, b"one\n", sender="web1")
        store = stores.open()
        for sender in ("web2", None):
            for offset_bytes, data in ((4, b"two\n"), (0, b"one\n")):
                with pytest.raises(RefusedError):
                    store.append("r", offset_bytes, data, sender=sender)
        assert store.sender_of("r") == "web1"
        assert b"".join(store.read("r")) == b"one\n"

    def test_unknown_recording(self, store: Store) -> None:
        """Of an unknown recording nothing is durable, nobody is the sender, nothing can be read."""
        assert store.durable_bytes("r") == 0
        assert store.sender_of("r") is None
        with pytest.raises(NotFoundError):
            list(store.read("r"))
        assert store.append("r", 0, b"", sender=None) == 0
        assert list(store.recs()) == []

    def test_hostile_ids_stay_apart(self, stores: Stores) -> None:
        """Whatever an id holds, it names one recording of its own and nothing outside the store."""
        store = stores.open()
        for number, rec in enumerate(HOSTILE_RECS):
            assert store.append(rec, 0, b"%d\n" % number, sender=rec[:20]) > 0
        reopened = stores.open()
        for number, rec in enumerate(HOSTILE_RECS):
            assert b"".join(reopened.read(rec)) == b"%d\n" % number
            assert reopened.sender_of(rec) == rec[:20]
        assert sorted(reopened.recs()) == sorted(HOSTILE_RECS)

    def test_audit_trails_are_no_recordings(self, stores: Stores) -> None:
        """A trail is kept like a recording, and is in no list of recordings."""
        store = stores.open()
        store.append("r", 0, b"one\n", sender="web1")
        store.append("trail-1", 0, b"two\n", sender="web1")
        for opened in (store, stores.open()):
            assert list(opened.recs()) == ["r"]
            assert list(opened.trails()) == ["trail-1"]
            assert opened.recordings().items == []
            assert b"".join(opened.read("trail-1")) == b"two\n"
            assert opened.sender_of("trail-1") == "web1"

    @pytest.mark.parametrize("rec", ["", "r" * 513, "\ud800"])
    def test_impossible_ids_are_refused(self, store: Store, rec: str) -> None:
        """Ids that are empty, too long or no text are refused in one line."""
        with pytest.raises(FormatError):
            store.append(rec, 0, b"x\n", sender=None)
        assert list(store.recs()) == []

    def test_read_ranges_as_bytes_would(self, store: Store) -> None:
        """Any range of a recording, however it was appended, is that range of its bytes."""
        numbers = itertools.count()

        @given(
            pieces=st.lists(
                st.tuples(st.integers(1, 400_000), st.integers(0, 255)), min_size=1, max_size=4
            ),
            ranges=st.lists(
                st.tuples(st.integers(0, 900_000), st.none() | st.integers(0, 900_000)),
                min_size=1,
                max_size=6,
            ),
        )
        def check(pieces: list[tuple[int, int]], ranges: list[tuple[int, int | None]]) -> None:
            rec = f"r{next(numbers)}"
            model = b""
            for size, seed in pieces:
                data = (bytes([seed]) + b"%d" % len(model)) * size
                data = data[:size]
                assert store.append(rec, len(model), data, sender=None) == len(model) + size
                model += data
            for start, end in ranges:
                assert b"".join(store.read(rec, start, end)) == model[start:end]

        check()

    def test_threads_append_side_by_side(self, store: Store) -> None:
        """Two threads that send the same recording at once leave it whole, once."""
        lines = [b"line %d\n" % number for number in range(60)]
        errors: list[Exception] = []

        def send() -> None:
            offset = 0
            for line in lines:
                try:
                    store.append("r", offset, line, sender=None)
                except StenoError as error:
                    errors.append(error)
                offset += len(line)

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert b"".join(store.read("r")) == b"".join(lines)

    def test_two_stores_append_to_one_recording(self, stores: Stores) -> None:
        """Stores that share a place, as two processes do, take turns on one recording."""
        one, other = stores.open(), stores.open()
        model = b""
        for number in range(8):
            data = b"%d" % number * 100_000
            writer, reader = (one, other) if number % 2 else (other, one)
            assert writer.append("r", len(model), data, sender="h") == len(model) + len(data)
            model += data
            assert reader.durable_bytes("r") == len(model)
            assert b"".join(reader.read("r")) == model

    def test_a_reader_sees_what_was_there(self, store: Store) -> None:
        """A read that has begun ends where the recording ended then, whatever is appended."""
        store.append("r", 0, b"a" * 600_000, sender=None)
        pieces = store.read("r", 100)
        first = next(pieces)
        store.append("r", 600_000, b"b" * 600_000, sender=None)
        assert first + b"".join(pieces) == b"a" * 599_900
