"""People's accounts: users, sessions, tokens, links, and the limits on attempts."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import NotFoundError, StoreError, UsageError
from steno.store.accounts import Accounts, SessionLimits, lesser_role
from steno.store.accounts_file import SCHEMA_VERSION, AccountsFile
from steno.store.viewings import Attempts, Viewings

SECOND_US = 1_000_000


class Clock:
    """A calendar that a test sets."""

    def __init__(self) -> None:
        self.now_us = 1_000_000 * SECOND_US

    def __call__(self) -> int:
        """Return the instant."""
        return self.now_us

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.now_us += int(seconds * SECOND_US)


@pytest.fixture
def clock() -> Clock:
    """The clock that the accounts go by."""
    return Clock()


@pytest.fixture
def accounts(accounts_file: AccountsFile, clock: Clock) -> Accounts:
    """Accounts with one user, alice; sessions idle for 60 s and last 600 s."""
    limits = SessionLimits(idle_us=60 * SECOND_US, absolute_us=600 * SECOND_US)
    accounts = Accounts(accounts_file, limits=limits, now_unix_us=clock)
    accounts.add_user("alice", "auditor", "hash")
    return accounts


def test_use_keeps_a_session_and_idling_ends_it(accounts: Accounts, clock: Clock) -> None:
    """Each use gives it another idle time; after one without use it is gone for good."""
    secret = accounts.begin_session("alice", "here")
    for _ in range(5):
        clock.go_on(50)
        assert accounts.find_session(secret) is not None
    clock.go_on(61)
    assert accounts.find_session(secret) is None
    clock.now_us -= 60 * SECOND_US
    assert accounts.find_session(secret) is None


def test_a_look_without_touch_does_not_keep_a_session(accounts: Accounts, clock: Clock) -> None:
    """What happens by itself, like a stream's heartbeat, is no use of the session."""
    secret = accounts.begin_session("alice", "here")
    for _ in range(2):
        clock.go_on(29)
        assert accounts.find_session(secret, touch=False) is not None
    clock.go_on(3)
    assert accounts.find_session(secret, touch=False) is None


def test_a_session_ends_however_much_it_is_used(accounts: Accounts, clock: Clock) -> None:
    """After the absolute time the person signs in again."""
    secret = accounts.begin_session("alice", "here")
    for _ in range(20):
        clock.go_on(30)
        assert accounts.find_session(secret) is not None
    clock.go_on(1)
    assert accounts.find_session(secret) is None


def test_a_role_counts_at_once_and_bounds_tokens(accounts: Accounts) -> None:
    """A session has the user's role of now; a token the lesser of its own and that."""
    session = accounts.begin_session("alice", "here")
    _, strong = accounts.add_token("alice", role="admin")
    _, weak = accounts.add_token("alice", role="user")

    def roles() -> list[str]:
        signed = [accounts.find_session(session)]
        signed += [accounts.find_token(secret) for secret in (strong, weak)]
        return [found.role for found in signed if found is not None]

    assert roles() == ["auditor", "auditor", "user"]
    accounts.set_role("alice", "admin")
    assert roles() == ["admin", "admin", "user"]
    accounts.set_role("alice", "user")
    assert roles() == ["user", "user", "user"]


def test_a_link_works_once_and_in_time(accounts: Accounts, clock: Clock) -> None:
    """The first use in time gives the user; a second, a late and an unknown one nothing."""
    once, late = accounts.add_link("alice", 10), accounts.add_link("alice", 10)
    assert accounts.use_link(once) == "alice"
    assert accounts.use_link(once) is None
    clock.now_us += 10
    assert accounts.use_link(late) is None
    assert accounts.use_link("unknown") is None


def test_removing_a_user_removes_what_signs_them_in(accounts: Accounts) -> None:
    """Sessions, tokens and links go with the user, also if one of the same name comes again."""
    session = accounts.begin_session("alice", "here")
    _, token = accounts.add_token("alice", role="user")
    link = accounts.add_link("alice", SECOND_US)
    accounts.remove_user("alice")
    accounts.add_user("alice", "user", None)
    assert accounts.find_session(session) is None
    assert accounts.find_token(token) is None
    assert accounts.use_link(link) is None


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a\n", "a\x00", "x" * 129])
def test_names_that_would_mislead_are_refused(accounts: Accounts, name: str) -> None:
    """Blanks, slashes, control characters, a leading dash, nothing, too much."""
    with pytest.raises(UsageError):
        accounts.add_user(name, "user", None)


@pytest.mark.parametrize("name", ["avery", "avery@example.org", "CORP\\avery", "svc$", "Ævar"])
def test_names_that_systems_use_are_taken(accounts: Accounts, name: str) -> None:
    """Domain users, machine accounts, names that are not ASCII."""
    assert accounts.add_user(name, "user", None) == accounts.user(name)


def test_who_is_not_there_is_named(accounts: Accounts) -> None:
    """Every call about an unknown user or token says so, and writes nothing."""
    with pytest.raises(NotFoundError, match="no user bob"):
        accounts.set_password("bob", "hash")
    with pytest.raises(NotFoundError, match="no user bob"):
        accounts.remove_user("bob")
    with pytest.raises(NotFoundError, match="no user bob"):
        accounts.add_token("bob", role="user")
    with pytest.raises(NotFoundError, match="no user bob"):
        accounts.add_link("bob", 1)
    with pytest.raises(NotFoundError, match="no token x"):
        accounts.revoke_token("x")
    with pytest.raises(UsageError, match="alice exists"):
        accounts.add_user("alice", "user", None)


def test_a_hash_is_not_refreshed_over_a_new_password(accounts: Accounts) -> None:
    """A sign-in that was under way while the password changed does not bring the old one back."""
    accounts.set_password("alice", "new")
    accounts.refresh_hash("alice", "hash", "rehashed")
    assert accounts.password_hash("alice") == "new"


def test_another_process_sees_and_may_write(
    accounts: Accounts, accounts_file: AccountsFile
) -> None:
    """The command line changes accounts while a server has them open."""
    other = AccountsFile(accounts_file.path)
    Accounts(other).add_user("bob", "user", None)
    other.close()
    assert [user.name for user in accounts.users()] == ["alice", "bob"]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """The error says so; nothing in the file changes."""
    path = tmp_path / "accounts.sqlite"
    AccountsFile(path).close()
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        AccountsFile(path)


@pytest.mark.parametrize("content", [b"this is no database, but long enough to be one" * 9])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    """One line with the file's name; the file stays as it is."""
    path = tmp_path / "accounts.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"accounts\.sqlite"):
        AccountsFile(path)
    assert path.read_bytes() == content


def test_a_write_that_fails_leaves_nothing(accounts_file: AccountsFile, accounts: Accounts) -> None:
    """All of a transaction is undone when anything in it fails; the next one works."""
    with pytest.raises(StoreError, match="nonsense"), accounts_file.writing() as db:
        db.execute("DELETE FROM users; SELECT nonsense")
    assert [user.name for user in accounts.users()] == ["alice"]
    accounts.add_user("bob", "user", None)


@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["a", "b"]), st.booleans())),
)
def test_attempts_are_counted_as_a_naive_list_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, bool]]
) -> None:
    """At most 3 failures of a name and 5 of the address in 60 s; a success frees the name."""
    opened = AccountsFile(tmp_path_factory.mktemp("attempts") / "accounts.sqlite")
    clock = Clock()
    attempts = Attempts(opened, window_us=60 * SECOND_US, now_unix_us=clock)
    counted: dict[str, list[int]] = {"name a": [], "name b": [], "address x": []}
    limits = {"name a": 3, "name b": 3, "address x": 5}
    for pause_s, name, is_right in steps:
        clock.go_on(pause_s)
        since_us = clock.now_us - 60 * SECOND_US
        subjects = [f"name {name}", "address x"]
        recent = {who: [at for at in counted[who] if at > since_us] for who in subjects}
        is_full = any(len(recent[who]) >= limits[who] for who in subjects)
        wait_us = attempts.begin({who: limits[who] for who in subjects})
        assert (wait_us is not None) == is_full
        if wait_us is not None:
            assert 0 < wait_us <= 60 * SECOND_US
        elif is_right:
            counted[subjects[0]].clear()
            attempts.succeed(*subjects)
        else:
            for who in subjects:
                counted[who].append(clock.now_us)
    opened.close()


def test_a_viewing_goes_on_until_a_pause(
    accounts: Accounts, accounts_file: AccountsFile, clock: Clock
) -> None:
    """Requests within ten minutes of each other are one entry, later ones another."""
    viewings = Viewings(accounts_file, now_unix_us=clock)
    secret = accounts.begin_session("alice", "here")
    signed = accounts.find_session(secret)
    assert signed is not None
    begun_us = clock.now_us
    for pause_s in (0, 300, 599, 601):
        clock.go_on(pause_s)
        viewings.add(signed, "segments", "rec1", "", "here")
    newer, older = viewings.page().items
    assert (older.first_unix_us, older.last_unix_us) == (begun_us, begun_us + 899 * SECOND_US)
    assert older.requests == 3
    assert newer.first_unix_us == clock.now_us


def test_the_lesser_role_is_the_one_that_may_less() -> None:
    """A user may less than an auditor, an auditor less than an admin, whichever comes first."""
    assert lesser_role("admin", "user") == lesser_role("user", "admin") == "user"
    assert lesser_role("auditor", "admin") == "auditor"
