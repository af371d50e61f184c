"""Names of users and groups."""

from __future__ import annotations

from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.values.decoding import Decoder
from steno.audit.values.kinds import Kind
from steno.audit.values.names import Names


class Directory:
    """A directory of accounts that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def find(self, number: int) -> str | None:
        """Return root for 0; nobody else is there."""
        self.asked.append(number)
        return "root" if number == 0 else None


def test_nobody_is_looked_up_twice() -> None:
    """Who is there and who is not: each id is asked for once, however often it comes."""
    users, groups = Directory(), Directory()
    decoder = Decoder(Names(users.find, groups.find))
    for _ in range(3):
        assert decoder.value(Kind.UID, b"0") == "root"
        assert decoder.value(Kind.UID, b"1599") == "unknown(1599)"
        assert decoder.value(Kind.A_UID, b"63f") == "unknown(1599)"
        assert decoder.value(Kind.GID, b"7") == "unknown(7)"
    assert users.asked == [0, 1599]
    assert groups.asked == [7]


def test_nobody_is_looked_up_where_auditd_has_said_who_it_is() -> None:
    """An ENRICHED record's names are those of its host, at that time."""
    users = Directory()
    decoder = Decoder(Names(users.find))
    assert decoder.value(Kind.UID, b"0", suffix=b"toor") == "toor"
    assert decoder.value(Kind.UID, b"1501", suffix=b"avery") == "avery"
    assert users.asked == []


def test_unset_is_nobody() -> None:
    """What the kernel says for no login uid is no id to look up."""
    users = Directory()
    decoder = Decoder(Names(users.find, users.find))
    assert decoder.value(Kind.UID, b"4294967295") == "unset"
    assert decoder.value(Kind.A_GID, b"ffffffffffffffff") == "unset"
    assert users.asked == []


def test_numbers_stand_where_nobody_may_be_asked() -> None:
    """Without lookups ids stay numbers."""
    names = Names()
    assert (names.user(0), names.group(0)) == (None, None)
    assert Decoder(names).value(Kind.UID, b"0") is None


def test_changed_accounts_are_seen_once_names_are_forgotten() -> None:
    """What runs for months asks again, for all parts of an event: an id may be another's then."""
    accounts = {1501: "avery"}
    builder = EventBuilder(names=Names(accounts.get, accounts.get))

    def read() -> tuple[str | None, str, bytes]:
        line = (
            b"type=SYSCALL msg=audit(1795161724.590:84): arch=c000003e syscall=257 success=yes"
            b" exit=3 pid=2 auid=1501 uid=1501 gid=1501 euid=1501 ses=3\n"
        )
        path = b'type=PATH msg=audit(1795161724.590:84): name="/x" ouid=1501 nametype=CREATE\n'
        reader = EventReader(builder)
        (event,) = reader.feed(line + path) + reader.finish()
        assert event.objects[0].owner == event.who.group == event.who.user
        return event.who.user, event.text, bytes(event.records)

    first = read()
    assert first[0] == "avery"
    accounts[1501] = "blake"
    assert read() == first
    builder.forget_names()
    user, text, records = read()
    assert user == "blake"
    assert text.startswith("blake ")
    assert b"avery" not in records


def test_memory_has_an_end() -> None:
    """More ids than are remembered are looked up again, and no more are kept."""
    users = Directory()
    names = Names(users.find, limit=2)
    for number in (1, 2, 3, 1):
        names.user(number)
    assert users.asked == [1, 2, 3, 1]
