"""Rules decide together: priorities, strictness, conditions."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.policy.decision import AuditWord, Limit
from steno.policy.matching import Conditions
from steno.policy.rules import SETTINGS, Contents, Effects, Policy, Rule
from steno.policy.strictness import RANKS, UNITED
from steno.policy.subject import Subject
from steno.structs import convert

ANN = Subject(
    user="ann",
    uid=1000,
    groups=("ann", "staff"),
    service="sshd",
    host="web1.example.org",
)

NAMES = st.sampled_from(["ann", "ben", "a*", "!ann", "staff", "!staff", "sshd", "web*", "*"])
LISTS = st.none() | st.lists(NAMES, min_size=1, max_size=3).map(tuple)
CONDITIONS = st.builds(
    Conditions,
    users=LISTS,
    groups=LISTS,
    services=LISTS,
    hosts=LISTS,
    terminal=st.none() | st.booleans(),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "sessions": st.sampled_from(["record", "off"]),
    "commands": st.sampled_from(["command", "capture", "off"]),
    "output": st.booleans(),
    "input": st.sampled_from(["none", "seen", "all"]),
    "window": st.booleans(),
    "notice": st.sampled_from(["", "one", "two"]),
    "limit": st.builds(
        Limit,
        st.integers(1, 4),
        st.integers(1, 4),
        st.sampled_from(["pass", "delay", "drop"]),
    ),
    "latency_ms": st.integers(10, 13),
    "payload_bytes": st.integers(256, 259),
    "capture_bytes": st.integers(0, 3),
    "on_failure": st.sampled_from(["deny", "allow"]),
    "audit": st.sampled_from(["none", "login", "session"]),
    "labels": st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    "mail_to": st.lists(st.sampled_from(["a@b", "c@d"]), max_size=2).map(tuple),
    "shell": st.sampled_from(["/bin/sh", "/bin/bash"]),
}
EFFECTS = {name: st.none() | values for name, values in VALUES.items()}
RULES = st.lists(
    st.builds(
        Rule,
        name=st.text("xyz", min_size=1, max_size=4),
        priority=st.integers(0, 2),
        when=CONDITIONS,
        **EFFECTS,
    ),
    max_size=6,
    unique_by=lambda rule: rule.name,
)
DEFAULTS = st.builds(Effects, **EFFECTS)
SUBJECTS = st.builds(
    Subject,
    user=st.sampled_from(["ann", "ben"]),
    uid=st.integers(0, 2),
    groups=st.sampled_from([(), ("staff",), ("staff", "ann")]),
    service=st.sampled_from(["sshd", "login"]),
    has_terminal=st.booleans(),
    host=st.sampled_from(["web1.example.org", "db"]),
    kind=st.sampled_from(["shell", "graphical"]),
)


def policy(*rules: Rule, defaults: Effects | None = None) -> Policy:
    """Return a policy of these rules."""
    return Policy(Contents(rule=rules, defaults=defaults or Effects()))


def values_of(policy: Policy, subject: Subject) -> dict[str, Any]:
    """Return what each setting is decided to be, as the rules write it."""
    found = {reason.setting: reason.value for reason in policy.decide(subject).reasons}
    found["limit"] = policy.decide(subject).limit
    return found


@given(DEFAULTS, RULES, SUBJECTS, st.randoms())
def test_order_means_nothing(
    defaults: Effects, rules: list[Rule], subject: Subject, random: Random
) -> None:
    """However the rules of a file are ordered, every session is decided alike, reasons included."""
    shuffled = [*rules]
    random.shuffle(shuffled)
    assert policy(*rules, defaults=defaults).decide(subject) == policy(
        *shuffled, defaults=defaults
    ).decide(subject)


@given(DEFAULTS, RULES, SUBJECTS, st.builds(Rule, name=st.just("new"), **EFFECTS))
@example(
    Effects(),
    [Rule(name="x", audit="session")],
    msgspec.structs.replace(ANN, has_terminal=False),
    Rule(name="new", commands="off"),
)
def test_a_rule_of_the_deciding_priority_never_weakens(
    defaults: Effects, rules: list[Rule], subject: Subject, new: Rule
) -> None:
    """Whatever a further rule of the priority that decides a setting says, it gets no weaker."""
    before = policy(*rules, defaults=defaults)
    was = before.decide(subject)
    priorities = {rule.name: rule.priority for rule in rules}
    for reason in was.reasons:
        if reason.setting not in RANKS or reason.source != "rule":
            continue
        added = Rule(
            name="new",
            priority=priorities[reason.rules[0]],
            **{name: getattr(new, name) for name in SETTINGS},
        )
        then = policy(*rules, added, defaults=defaults)
        rank = RANKS[reason.setting]
        least = rank(values_of(before, subject)[reason.setting])
        if reason.setting == "audit" and then.decide(subject).action == "off":
            # It may have switched recording off where nobody of that priority had a say.
            least = min(least, rank("login"))
        assert rank(values_of(then, subject)[reason.setting]) >= least


@given(DEFAULTS, RULES, SUBJECTS, st.integers(-1, 3))
def test_a_rule_as_strict_as_the_outcome_never_weakens(
    defaults: Effects, rules: list[Rule], subject: Subject, priority: int
) -> None:
    """A rule that says what is decided already changes no value, of whatever priority it is."""
    before = values_of(policy(*rules, defaults=defaults), subject)
    same = {
        name: tuple(value) if name in UNITED else value
        for name, value in before.items()
        if name != "on_failure"
    }
    added = Rule(name="new", priority=priority, **same)
    after = values_of(policy(*rules, added, defaults=defaults), subject)
    for setting in RANKS:
        assert after[setting] == before[setting]


@given(DEFAULTS, RULES, SUBJECTS)
def test_labels_and_addresses_only_grow(
    defaults: Effects, rules: list[Rule], subject: Subject
) -> None:
    """What any rule that applies, or the defaults, add is in the outcome."""
    whole = policy(*rules, defaults=defaults)
    decision = whole.decide(subject)
    for rule, missed in whole.compare(subject):
        if missed is None:
            assert set(rule.labels or ()) <= set(decision.labels)
            assert set(rule.mail_to or ()) <= set(decision.mail_to)
    assert set(defaults.labels or ()) <= set(decision.labels)


@given(DEFAULTS, RULES, SUBJECTS)
def test_reasons_name_rules_that_say_so(
    defaults: Effects, rules: list[Rule], subject: Subject
) -> None:
    """Each setting has one reason; a rule that it names applies and says that, or adds to it."""
    decision = policy(*rules, defaults=defaults).decide(subject)
    assert [reason.setting for reason in decision.reasons] == list(SETTINGS)
    by_name = {rule.name: rule for rule in rules}
    for reason in decision.reasons:
        assert set(reason.rules) <= set(decision.rules)
        for name in reason.rules:
            said = getattr(by_name[name], reason.setting)
            if reason.setting in UNITED:
                assert set(said) <= set(reason.value)  # type: ignore[call-overload]
            elif reason.setting == "limit":
                assert said == decision.limit
            elif reason.setting == "notice":
                assert said in str(reason.value)
            else:
                assert said == reason.value


def test_the_highest_priority_outdoes_stricter_rules() -> None:
    """An exception with a higher priority records less, where the others would record more."""
    both = policy(
        Rule(name="all", priority=10, commands="capture", on_failure="deny"),
        Rule(name="exception", priority=20, commands="off"),
    )
    decision = both.decide(Subject(user="ann", uid=1, has_terminal=False))
    assert decision.action == "off"
    assert decision.on_failure == "deny"
    reason = next(reason for reason in decision.reasons if reason.setting == "commands")
    assert reason.rules == ("exception",)
    assert reason.yielded == ("all",)


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        (Conditions(), True),
        (Conditions(users=("ann",)), True),
        (Conditions(users=("#1000",)), True),
        (Conditions(users=("a??",)), True),
        (Conditions(users=("ben",)), False),
        (Conditions(users=("!ben",)), True),
        (Conditions(users=("*", "!ann")), False),
        (Conditions(groups=("wheel", "staff")), True),
        (Conditions(groups=("*", "!staff")), False),
        (Conditions(groups=("wheel",)), False),
        (Conditions(services=("su", "sshd")), True),
        (Conditions(services=("su",)), False),
        (Conditions(hosts=("web1",)), True),
        (Conditions(hosts=("WEB*",)), True),
        (Conditions(hosts=("*.example.com",)), False),
        (Conditions(host_groups=("web",)), True),
        (Conditions(host_groups=("db",)), False),
        (Conditions(kinds=("shell",)), True),
        (Conditions(kinds=("scp",)), False),
        (Conditions(terminal=True, graphical=False), True),
        (Conditions(terminal=False), False),
        (Conditions(graphical=True), False),
        (Conditions(users=("ann",), services=("su",)), False),
    ],
)
def test_conditions(when: Conditions, applies: bool) -> None:
    """A rule applies to a session that meets all its conditions, and to no other."""
    whole = Policy(
        Contents(
            host_groups={"web": ("web*", "!web2"), "db": ("db*",)},
            rule=(Rule(name="r", when=when),),
        )
    )
    assert (whole.decide(ANN).rules == ("r",)) is applies


def test_groups_that_the_host_has_count_beside_those_of_the_file() -> None:
    """A host's group that a server told of fits as one of the file does."""
    whole = policy(Rule(name="r", when=Conditions(host_groups=("told",)), input="all"))
    told = Subject(user="ann", uid=1000, host_groups=("told",))
    assert whole.decide(told).input_mode == "all"
    assert whole.decide(ANN).input_mode == "none"


def test_root_at_the_console_is_never_locked_out() -> None:
    """No rule can deny root a login at the console when recording fails."""
    strict = policy(Rule(name="strict", on_failure="deny", priority=1000))
    assert strict.decide(Subject(user="root", uid=0, service="login")).on_failure == "allow"
    assert strict.decide(Subject(user="root", uid=0, service="sshd")).on_failure == "deny"
    assert strict.decide(Subject(user="ann", uid=1, service="login")).on_failure == "deny"


def test_a_graphical_login_is_noted_and_not_recorded() -> None:
    """A graphical login itself is a command, also where streams or terminals are recorded."""
    strict = policy(Rule(name="strict", commands="capture", sessions="record"))
    login = Subject(user="ann", uid=1, kind="graphical", is_graphical=True)
    assert strict.decide(login).action == "command"
    assert strict.decide(Subject(user="ann", uid=1, is_graphical=True)).action == "record"
    silent = policy(Rule(name="silent", commands="off"))
    assert silent.decide(login).action == "off"


def test_notices_of_one_priority_are_all_shown_once_by_name() -> None:
    """No notice of the deciding priority is left out, and none without a terminal."""
    whole = policy(
        Rule(name="b", notice="two"),
        Rule(name="a", notice="one"),
        Rule(name="c", notice=""),
        Rule(name="d", notice="one"),
        Rule(name="low", notice="low", priority=-1),
    )
    assert whole.decide(ANN).notice == "one\ntwo"
    assert whole.decide(Subject(user="ann", uid=1, has_terminal=False)).notice == ""


@pytest.mark.parametrize(
    ("weaker", "stricter"),
    [
        (Limit(9, 9, "drop"), Limit(1, 1, "pass")),
        (Limit(9, 9, "pass"), Limit(1, 1, "delay")),
        (Limit(1, 1, "drop"), Limit(2, 1, "drop")),
        (Limit(2, 1, "delay"), Limit(1, 1, "delay")),
        (Limit(2, 2, "delay"), Limit(2, 1, "delay")),
    ],
)
def test_limits(weaker: Limit, stricter: Limit) -> None:
    """Of two limits the one under which less is lost wins, then the one that holds back more."""
    whole = policy(Rule(name="a", limit=weaker), Rule(name="b", limit=stricter))
    assert whole.decide(ANN).limit == stricter


def test_the_audit_of_unrecorded_sessions_is_chosen_for_the_file() -> None:
    """Of what is not recorded logins are kept at most, unless the file wants all audited."""
    rules = (Rule(name="off", sessions="off"), Rule(name="b", priority=1, audit="session"))
    subject = Subject(user="ann", uid=1)
    for audited, expected in (("recorded", "login"), ("all", "session")):
        contents = convert({"audited": audited}, Contents)
        decision = Policy(msgspec.structs.replace(contents, rule=rules)).decide(subject)
        assert (decision.action, decision.audit) == ("off", expected)
    none = Policy(Contents(rule=(Rule(name="off", sessions="off", audit="none"),)))
    assert none.decide(subject).audit == "none"
    assert Policy(Contents(rule=(rules[1],))).decide(subject).audit == "session"


@pytest.mark.parametrize(
    ("default", "of_rules", "expected"),
    [(None, [], "session"), ("none", [], "none"), ("none", ["login"], "login"),
     ("login", ["none"], "login"), ("none", ["login", "session"], "session")],
)  # fmt: skip
def test_the_host_needs_the_strictest_level(
    default: AuditWord | None, of_rules: list[AuditWord], expected: AuditWord
) -> None:
    """What the kernel must tell is the strictest level that a rule or the defaults ask for."""
    rules = tuple(Rule(name=f"{level}", audit=level) for level in of_rules)
    decided = Policy(Contents(defaults=Effects(audit=default), rule=rules))
    assert decided.most_audit == expected
