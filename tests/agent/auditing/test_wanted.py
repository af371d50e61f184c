"""Which audit events are kept: the policy's word for their session."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.agent.auditing.wanted import UNDECIDED_US, Wanted
from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.event import Event
from steno.audit.records import LineReader
from steno.policy.decision import AuditWord
from steno.policy.parsing import parse_policy

F1 = Path(__file__).parents[2] / "data" / "audit" / "f1" / "audit-enriched.log"


class Agent:
    """What an agent has decided."""

    def __init__(self) -> None:
        self.is_agent_there = True
        self.levels: dict[int, AuditWord] = {}

    def level_of(self, session: int) -> AuditWord | None:
        """Return what was decided."""
        return self.levels.get(session)


@pytest.fixture(scope="module")
def groups() -> list[RecordGroup]:
    """The events of a real log: sessions 4, 5 and 6, and what is of none."""
    coalescer = Coalescer()
    found = coalescer.feed(LineReader().feed(F1.read_bytes()))
    return found + coalescer.finish()


def session_of(group: RecordGroup) -> str:
    """Return the audit session as the records say it, "" for none."""
    for record in group.records:
        session = record.get("ses")
        if session is not None:
            return "" if session == b"4294967295" else session.decode()
    return ""


def choose(
    groups: list[RecordGroup], policy: str, agent: Agent, *, age_us: int = 0
) -> list[RecordGroup]:
    """Return what is kept of events that come when their sessions are so old."""
    now_us = 0
    parsed = parse_policy(policy.encode(), "policy.toml")
    wanted = Wanted(lambda: parsed, agent, lambda: now_us)
    for group in groups:
        wanted.takes(group)  # so that all sessions were seen
    now_us = age_us
    return [group for group in groups if wanted.takes(group)]


def types_of(groups: list[RecordGroup]) -> set[str]:
    """Return all types of records."""
    return {record.type for group in groups for record in group.records}


def test_without_an_agent_all_is_kept(groups: list[RecordGroup]) -> None:
    """Where nobody decides about sessions, every event is kept, however old its session."""
    agent = Agent()
    agent.is_agent_there = False
    assert choose(groups, "", agent, age_us=10 * UNDECIDED_US) == groups


def test_a_session_is_kept_until_it_is_decided_about(groups: list[RecordGroup]) -> None:
    """In its first seconds a session's events are kept; then those of the level login are."""
    agent = Agent()
    assert choose(groups, "", agent) == groups
    kept = choose(groups, "", agent, age_us=UNDECIDED_US)
    assert {"USER_AUTH", "LOGIN", "USER_START", "USER_END"} <= types_of(kept)
    assert not {"TTY", "EXECVE"} & types_of([group for group in kept if session_of(group)])
    keys = [record.get("key") for group in kept for record in group.records]
    assert b'"steno-identity"' in keys
    assert b'"steno-exec"' not in keys


@pytest.mark.parametrize("level", ["none", "login", "session"])
def test_what_was_decided_of_a_session_counts(groups: list[RecordGroup], level: AuditWord) -> None:
    """Of three sessions each is kept at its own level; what belongs to none is kept."""
    agent = Agent()
    agent.levels = {4: level, 5: "session", 6: "none"}
    kept = choose(groups, "", agent, age_us=UNDECIDED_US)

    def count(session: str, among: list[RecordGroup]) -> int:
        return sum(session_of(group) == session for group in among)

    assert count("", kept) == count("", groups)
    assert count("5", kept) == count("5", groups)
    assert count("6", kept) == 0
    of_four, all_of_four = count("4", kept), count("4", groups)
    assert {"none": of_four == 0, "session": of_four == all_of_four}.get(
        level, 0 < of_four < all_of_four
    )


@pytest.mark.parametrize(
    ("policy", "is_all"),
    [
        ("", False),
        ('audited = "all"', True),
        ('audited = "all"\n[defaults]\naudit = "login"', False),
        ('[defaults]\naudit = "login"\n[[rule]]\nname = "a"\naudit = "session"', False),
    ],
)
def test_who_does_not_come_to_steno(groups: list[RecordGroup], policy: str, is_all: bool) -> None:
    """Sessions that nobody decides about are kept whole only where the file wants all audited."""
    kept = choose(groups, policy, Agent(), age_us=UNDECIDED_US)
    of_sessions = [group for group in groups if session_of(group)]
    assert all(group in kept for group in of_sessions) == is_all
    assert {"USER_AUTH", "LOGIN"} <= types_of(kept)


def test_a_policy_that_wants_nothing_keeps_nothing(groups: list[RecordGroup]) -> None:
    """With the level none for everybody no event is kept, decided about or not."""
    agent = Agent()
    for _ in range(2):
        assert choose(groups, '[defaults]\naudit = "none"', agent) == []
        agent.is_agent_there = False


def test_several_keys_are_all_looked_at() -> None:
    """An event that several rules asked for is of the level login if one of them is."""
    line = (
        "type=SYSCALL msg=audit(1795161871.754:{}): arch=c000003e syscall=59 success=yes exit=0"
        " ppid=1 pid=2 auid=1501 uid=0 ses=9 key={}\n"
    )
    both = b"steno-exec\x01steno-priv".hex().upper()
    others = b"steno-exec\x01mine".hex().upper()
    lines = line.format(1, both) + line.format(2, others) + line.format(3, "(null)")
    coalescer = Coalescer()
    found = coalescer.feed(LineReader().feed(lines.encode())) + coalescer.finish()
    agent = Agent()
    agent.levels = {9: "login"}
    assert [group.serial for group in choose(found, "", agent)] == [1, 3]


def test_what_programs_say_of_logins_is_kept_where_logins_are() -> None:
    """At every level but none, and never for a session of which nothing is wanted."""
    said = [Event(1, 2, "authenticated"), Event(2, 2, "became", audit_session=7)]
    for policy, decided, kept in (
        ('audit = "login"\n', None, [True, True]),
        ('audit = "none"\n', None, [False, False]),
        ('audit = "session"\n', "none", [True, False]),
        ('audit = "session"\n', "login", [True, True]),
    ):
        agent = Agent()
        if decided is not None:
            agent.levels[7] = decided
        parsed = parse_policy(b"[defaults]\n" + policy.encode(), "policy.toml")
        wanted = Wanted(lambda parsed=parsed: parsed, agent, lambda: 0)
        assert [wanted.takes_login(event) for event in said] == kept, policy
