"""What heartbeats mean."""

from __future__ import annotations

import msgspec
import pytest

from steno.heartbeat import AgentFacts, AuditFacts, Heartbeat, OpenSession, OrderResult, SpoolFacts
from steno.store.fleet import SETTLED_US, Health, Heard, Rules, hear, judge, missing_ranges, newest

NOW_US = 1_760_000_000_000_000
SECOND_US = 1_000_000
RULES = Rules()


def beat(**facts: object) -> Heartbeat:
    """Return a heartbeat with everything that need not be given."""
    plain = Heartbeat(sent_unix_us=NOW_US, boot_id="b", source="s", version="1")
    return msgspec.structs.replace(plain, **facts)


def heard(silence_s: float = 0, **facts: object) -> Heard:
    """Return what is kept of a heartbeat that came so long ago."""
    return hear(None, "web1", beat(**facts), NOW_US - round(silence_s * SECOND_US))


def agent(*recs: str, **facts: object) -> AgentFacts:
    """Return what an agent says that records these."""
    return AgentFacts("1", sessions=tuple(OpenSession(rec) for rec in recs), **facts)  # type: ignore[arg-type]


def state(*all_heard: Heard, rules: Rules = RULES) -> str:
    """Return the state of a host that was heard so."""
    return judge(all_heard, NOW_US, rules).state


def test_a_host_is_silent_only_if_something_was_open() -> None:
    """Without open recordings it is away, or has left if it said goodbye."""
    assert judge([], NOW_US, RULES) == Health("unheard")
    assert state(heard(59, agent=agent("r"))) == "good"
    assert state(heard(60, agent=agent("r"))) == "silent"
    assert state(heard(60, spool=SpoolFacts(open=("r",)))) == "silent"
    assert state(heard(60, agent=agent())) == "away"
    assert state(heard(5, is_leaving=True)) == "left"
    assert state(heard(60, is_leaving=True, agent=agent("r"))) == "silent"
    assert judge([heard(90, agent=agent("r"))], NOW_US, RULES, is_revoked=True).state == "revoked"


def test_one_silent_spool_makes_its_host_silent() -> None:
    """Another courier of the same host does not hide it."""
    quiet, loud = heard(90, agent=agent("r")), heard(1, source="other")
    assert state(quiet, loud) == "silent"
    assert state(heard(90), loud) == "good"
    found = judge([quiet, loud], NOW_US, RULES)
    assert (found.open, found.silence_us) == (1, SECOND_US)
    assert newest([quiet, loud]) is quiet


def test_nobody_is_silent_before_the_server_listened_long_enough() -> None:
    """A server that was away gives all hosts their time anew."""
    lost = heard(3600, agent=agent("r"))
    assert state(lost, rules=Rules(since_unix_us=NOW_US - 59 * SECOND_US)) == "good"
    assert state(lost, rules=Rules(since_unix_us=NOW_US - 60 * SECOND_US)) == "silent"


def test_half_the_round_trip_is_taken_off_the_clock() -> None:
    """The offset is the host's clock minus the server's at the instant of arrival."""
    late = hear(None, "web1", beat(round_trip_us=400_000), NOW_US + 200_000)
    assert late.clock_offset_us == 0
    assert hear(None, "web1", beat(), NOW_US - 7 * SECOND_US).clock_offset_us == 7 * SECOND_US


def test_warnings_name_what_somebody_should_look_at() -> None:
    """Lag, clock, a full spool, failures and a number that went back; nothing when all is well."""
    assert judge([heard(1)], NOW_US, RULES).warnings == ()
    spool = SpoolFacts(
        used_bytes=950,
        limit_bytes=1000,
        free_bytes=1 << 40,
        oldest_undelivered_unix_us=NOW_US - 61 * SECOND_US,
        undelivered_bytes=1,
    )
    bad = heard(10, spool=spool, failures=("no",))
    found = judge([bad], NOW_US, RULES)
    assert found.warnings == ("lag", "clock", "full", "failures")
    assert found.lag_us == 61 * SECOND_US
    tight = SpoolFacts(limit_bytes=1000, free_bytes=1099, least_free_bytes=1000)
    assert judge([heard(1, spool=tight)], NOW_US, RULES).warnings == ("full",)
    first = heard(30, spool=SpoolFacts(number=9))
    back = hear(first, "web1", beat(spool=SpoolFacts(number=3)), NOW_US)
    assert judge([back], NOW_US, RULES).warnings == ("number",)
    assert judge([heard(60, agent=agent("r"))], NOW_US, RULES).warnings == ("silent", "clock")


def test_an_agent_that_answers_no_more_is_missed() -> None:
    """Hosts that never had one are well without; a goodbye is no loss."""
    assert judge([heard(1)], NOW_US, RULES).warnings == ()
    kept = hear(heard(30, agent=agent()), "web1", beat(), NOW_US - 15 * SECOND_US)
    kept = hear(kept, "web1", beat(), NOW_US)
    assert judge([kept], NOW_US, RULES).warnings == ("agent",)
    left = hear(kept, "web1", beat(is_leaving=True), NOW_US)
    assert judge([left], NOW_US, RULES).warnings == ()
    assert judge([hear(kept, "web1", beat(agent=agent()), NOW_US)], NOW_US, RULES).warnings == ()


@pytest.mark.parametrize(
    ("changes", "is_missed"),
    [
        ({}, False),
        ({"updated_unix_us": NOW_US - 90 * SECOND_US}, True),
        ({"updated_unix_us": NOW_US - 90 * SECOND_US, "level": "none"}, False),
        ({"enabled": 0}, True),
        ({"enabled": None}, False),
        ({"is_deaf": True}, True),
        ({"is_deaf": True, "level": "none"}, False),
    ],
)
def test_an_audit_trail_that_is_written_no_more_is_missed(
    changes: dict[str, object], is_missed: bool
) -> None:
    """A writer that has fallen silent, a kernel that tells nothing, a deaf journald: a warning."""
    well = AuditFacts("auditd", NOW_US - 2 * SECOND_US, "trail-1", "session", enabled=1)
    facts = msgspec.structs.replace(well, **changes)
    assert ("audit" in judge([heard(audit=facts)], NOW_US, RULES).warnings) == is_missed
    assert "audit" not in judge([heard()], NOW_US, RULES).warnings


def test_a_number_is_missed_a_while_after_it_was_given() -> None:
    """Numbers given in the last half minute are not settled, however many heartbeats come."""
    kept: Heard | None = None
    settled = []
    for second in range(0, 100, 10):
        spool = SpoolFacts(number=10 + second)
        kept = hear(kept, "web1", beat(spool=spool), NOW_US + second * SECOND_US)
        settled.append(kept.settled_number)
    assert SETTLED_US == 30 * SECOND_US
    assert settled == [None, None, None, 10, 10, 10, 40, 40, 40, 70]


def test_what_waits_on_the_host_is_not_missing() -> None:
    """Numbers of undelivered recordings and of open sessions are taken out of the gaps."""
    sessions = (OpenSession("r", number=12),)
    one = heard(spool=SpoolFacts(waiting_numbers=(4, 8)), agent=AgentFacts(sessions=sessions))
    assert missing_ranges([(3, 5), (8, 8), (10, 13)], [one]) == [(3, 3), (5, 5), (10, 11), (13, 13)]
    assert missing_ranges([(3, 5)], []) == [(3, 5)]


def test_results_of_orders_are_not_kept() -> None:
    """They are settled where orders are."""
    one = heard(results=(OrderResult("1", "done"),))
    assert one.heartbeat.results == ()
