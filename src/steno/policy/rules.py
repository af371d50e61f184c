"""A policy's rules, and what they decide together. Does no I/O.

Every setting is decided by itself: of the rules that apply and name it, those with the highest
priority count, and of these the strictest (`Strictness`). What no rule names comes from the file's
`[defaults]`, then from BUILT_IN. Neither depends on the order of the rules in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from steno.formats.cutter import MIN_LIMIT_BYTES
from steno.policy.decision import Action, AuditWord, Decision, FailureWord, InputWord, Limit, Reason
from steno.policy.matching import Conditions, Matcher, Missed, Patterns, names_of_host
from steno.policy.strictness import RANKS, UNITED, unite
from steno.policy.subject import GRAPHICAL, Subject


class Effects(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule, or `[defaults]`, says of sessions; None is: nothing.

    The keys of docs/policy.md.
    """

    sessions: Literal["record", "off"] | None = None
    commands: Literal["command", "capture", "off"] | None = None
    output: bool | None = None
    input: InputWord | None = None
    window: bool | None = None
    notice: str | None = None
    limit: Limit | None = None
    latency_ms: Annotated[int, msgspec.Meta(ge=10, le=3_600_000)] | None = None
    payload_bytes: Annotated[int, msgspec.Meta(ge=MIN_LIMIT_BYTES, le=1 << 20)] | None = None
    capture_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] | None = None
    on_failure: FailureWord | None = None
    audit: AuditWord | None = None
    labels: tuple[str, ...] | None = None
    mail_to: tuple[str, ...] | None = None
    shell: str | None = None


class Rule(Effects, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[rule]]` of the file: whom it concerns (`when`) and what it says of them."""

    name: str
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    when: Conditions = Conditions()


class Contents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy file.

    Attributes:
        defaults: What holds where no rule says otherwise.
        host_groups: Groups of hosts, by name: patterns of host names.
        rule: The rules; their order means nothing.
        audited: Of which sessions audit events are kept as `audit` says: those that are recorded,
            or all. Of the others those of the level `login` are kept.
    """

    defaults: Effects = Effects()
    host_groups: dict[str, tuple[str, ...]] = {}
    rule: tuple[Rule, ...] = ()
    audited: Literal["recorded", "all"] = "recorded"


BUILT_IN = Effects(
    sessions="record",
    commands="command",
    output=True,
    input="none",
    window=True,
    notice="This session is recorded.",
    limit=Limit(),
    latency_ms=1000,
    payload_bytes=16384,
    capture_bytes=1 << 20,
    on_failure="deny",
    audit="session",
    labels=(),
    mail_to=(),
)
"""What holds where the file says nothing."""

SETTINGS = Effects.__struct_fields__


class _Settled(msgspec.Struct):
    value: Any
    reason: Reason


class Policy:
    """All rules of a file, ready to decide. Immutable; holds nothing of the sessions."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.rules = tuple(sorted(contents.rule, key=lambda rule: (-rule.priority, rule.name)))
        """Highest priority first, then by name."""
        self._matchers = tuple(Matcher(rule.when) for rule in self.rules)
        self._host_groups = {
            name: Patterns(patterns, ignores_case=True)
            for name, patterns in contents.host_groups.items()
        }

    def decide(self, subject: Subject) -> Decision:
        """Return how a session of `subject` is recorded, and why."""
        matches = self.compare(subject)
        applying = [rule for rule, missed in matches if missed is None]
        settled = {name: self._settle(name, applying) for name in SETTINGS}
        _overrule(subject, settled)
        action = _choose_action(subject, {name: one.value for name, one in settled.items()})
        if action == "off":
            self._overrule_audit(settled)
        values = {name: one.value for name, one in settled.items()}
        return Decision(
            action=action,
            rules=tuple(rule.name for rule in applying),
            records=_records(values),
            input_mode=values["input"],
            notice=values["notice"] if action == "record" else "",
            limit=values["limit"],
            latency_us=values["latency_ms"] * 1000,
            payload_bytes=values["payload_bytes"],
            capture_bytes=values["capture_bytes"],
            on_failure=values["on_failure"],
            audit=values["audit"],
            labels=values["labels"],
            mail_to=values["mail_to"],
            shell=values["shell"],
            reasons=tuple(one.reason for one in settled.values()),
        )

    @property
    def default_audit(self) -> AuditWord:
        """What is kept of the audit events of sessions that no rule was asked about."""
        return self.contents.defaults.audit or BUILT_IN.audit or "session"

    @property
    def most_audit(self) -> AuditWord:
        """The strictest audit level that any session can have here: what the kernel must tell."""
        levels = [self.default_audit, *(rule.audit for rule in self.rules if rule.audit)]
        return max(levels, key=RANKS["audit"])

    def compare(self, subject: Subject) -> list[tuple[Rule, Missed | None]]:
        """Return each rule with the first condition that `subject` misses, None if it applies."""
        groups = self.groups_of(subject)
        return [
            (rule, matcher.find_missed(subject, groups))
            for rule, matcher in zip(self.rules, self._matchers, strict=True)
        ]

    def groups_of(self, subject: Subject) -> tuple[str, ...]:
        """Return the groups of hosts that the subject's host belongs to, sorted."""
        names = names_of_host(subject.host)
        defined = {name for name, hosts in self._host_groups.items() if hosts.take(names)}
        return tuple(sorted(defined | set(subject.host_groups)))

    def _overrule_audit(self, settled: dict[str, _Settled]) -> None:
        """Keep no more than logins of a session that is not recorded, unless all are audited."""
        if self.contents.audited == "recorded" and settled["audit"].value == "session":
            settled["audit"] = _Settled("login", Reason("audit", "login", source="unrecorded"))

    def _settle(self, setting: str, applying: Sequence[Rule]) -> _Settled:
        saying = [rule for rule in applying if getattr(rule, setting) is not None]
        default = getattr(self.contents.defaults, setting)
        if setting in UNITED:
            return _unite(setting, saying, default)
        if not saying:
            source: Any = "built-in" if default is None else "defaults"
            value = getattr(BUILT_IN, setting) if default is None else default
            return _Settled(value, Reason(setting, _shown(value), source=source))
        top = [rule for rule in saying if rule.priority == saying[0].priority]
        value = _strictest(setting, top)
        agreed = [rule for rule in top if _agrees(setting, getattr(rule, setting), value)]
        yielded = [rule.name for rule in saying if rule not in agreed]
        names = tuple(rule.name for rule in agreed)
        return _Settled(value, Reason(setting, _shown(value), names, yielded=tuple(yielded)))


def _unite(setting: str, saying: Sequence[Rule], default: tuple[str, ...] | None) -> _Settled:
    """Settle a setting to which all add."""
    value = unite([default or (), *(getattr(rule, setting) for rule in saying)])
    names = tuple(rule.name for rule in saying)
    source: Any = "rule" if names else "built-in" if default is None else "defaults"
    return _Settled(value, Reason(setting, value, names, source))


def _strictest(setting: str, top: Sequence[Rule]) -> Any:  # noqa: ANN401  # any setting's value
    """Return what rules of one priority, sorted by name, say together."""
    values = [getattr(rule, setting) for rule in top]
    if setting == "notice":
        return "\n".join(dict.fromkeys(value for value in values if value))
    if setting == "shell":
        return values[0]
    return max(values, key=RANKS[setting])


def _agrees(setting: str, value: object, decided: object) -> bool:
    if setting == "notice":
        return bool(value) or not decided
    return value == decided


def _overrule(subject: Subject, settled: dict[str, _Settled]) -> None:
    """Apply what no rule can change."""
    if subject.uid == 0 and subject.service == "login":
        # Whoever may log in as root at the console must be able to repair the recorder.
        settled["on_failure"] = _Settled("allow", Reason("on_failure", "allow", source="always"))


def _choose_action(subject: Subject, values: Mapping[str, Any]) -> Action:
    if subject.kind == GRAPHICAL:
        # Neither its terminal, if any, nor its streams would show what is done in it.
        return "off" if values["commands"] == "off" else "command"
    if not subject.has_terminal:
        action: Action = values["commands"]
        return action
    return "record" if values["sessions"] == "record" else "off"


def _records(values: Mapping[str, Any]) -> tuple[str, ...]:
    kept = {
        "output": values["output"],
        "input": values["input"] != "none",
        "window": values["window"],
    }
    return tuple(word for word, is_kept in kept.items() if is_kept)


def _shown(value: object) -> object:
    return msgspec.to_builtins(value)
