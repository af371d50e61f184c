"""Audit rules: what they say, and what auditctl gives back for them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.rules.levels import AuditRule, Level, compare
from steno.audit.rules.sets import MACHINES, rule_set
from steno.audit.rules.text import parse_rules, parse_status
from steno.errors import FormatError, UsageError

DATA = Path(__file__).parents[2] / "data/audit"
AUDITCTL = DATA / "auditctl"


def has_all(directory: str) -> bool:
    """Say that a host has all directories."""
    return bool(directory)


@pytest.mark.parametrize("level", ["login", "session"])
def test_what_the_kernel_gives_back_is_what_was_loaded(level: Level) -> None:
    """The listing of a level that was loaded for real differs in words and not in meaning."""
    loaded = parse_rules((AUDITCTL / f"listed-{level}.txt").read_text().splitlines())
    difference = compare(rule_set(level, "x86_64"), loaded, has_all)
    assert difference.is_none
    assert difference.others == ()
    assert len(loaded) == len(rule_set(level, "x86_64").rules)


def test_a_rules_file_reads_back_as_its_rules() -> None:
    """For every machine and level, printed and read again, settings passed over."""
    for machine in MACHINES:
        for level in get_args(Level):
            wanted = rule_set(level, machine)
            rules = parse_rules(wanted.text(immutable=True).splitlines())
            assert [rule.meaning for rule in rules] == [rule.meaning for rule in wanted.rules]


def test_rules_of_another_level_and_of_others_are_told_apart() -> None:
    """What Steno put there and the level does not want is superfluous; the rest is others'."""
    loaded = parse_rules((AUDITCTL / "listed-session.txt").read_text().splitlines())
    others = parse_rules(["-w /etc/hosts -p wa -k hosts"])
    difference = compare(rule_set("login", "x86_64"), loaded + others, has_all)
    assert difference.missing == ()
    assert {rule.key for rule in difference.superfluous} >= {"steno-exec", "steno-net"}
    assert difference.others == others
    assert not difference.is_none


def test_a_missing_rule_is_named() -> None:
    """One rule less in the kernel is one rule that is missing."""
    lines = (AUDITCTL / "listed-session.txt").read_text().splitlines()
    gone = next(line for line in lines if "execve" in line)
    lines.remove(gone)
    difference = compare(rule_set("session", "x86_64"), parse_rules(lines), has_all)
    assert [rule.meaning for rule in difference.missing] == [
        rule.meaning for rule in parse_rules([gone])
    ]


def test_a_directory_that_a_host_lacks_needs_no_rule() -> None:
    """The kernel takes no rule for it: that is told, and all is well; a file needs its rule."""
    lines = (AUDITCTL / "listed-login.txt").read_text().splitlines()
    wanted = rule_set("login", "x86_64")
    loaded = parse_rules([line for line in lines if "/etc/sudoers.d" not in line])

    def has_no_sudo(directory: str) -> bool:
        return directory != "/etc/sudoers.d"

    difference = compare(wanted, loaded, has_no_sudo)
    assert [rule.directory for rule in difference.unneeded] == ["/etc/sudoers.d"]
    assert difference.is_none
    there = compare(wanted, loaded, has_all)
    assert [rule.directory for rule in there.missing] == ["/etc/sudoers.d"]
    assert not there.is_none
    loaded = parse_rules([line for line in lines if "/etc/shadow" not in line])
    assert [str(rule) for rule in compare(wanted, loaded, lambda _: False).missing] == [
        "-a always,exit -F path=/etc/shadow -F perm=wa -k steno-identity"
    ]


def test_a_rule_that_silences_all_is_found() -> None:
    """Red Hat's default `-a never,task` means that no system call is audited at all."""
    lines = (AUDITCTL / "listed-session.txt").read_text().splitlines()
    wanted = rule_set("session", "x86_64")
    difference = compare(wanted, parse_rules(["-a never,task", *lines]), has_all)
    assert [str(rule) for rule in difference.silencing] == ["-a never,task"]
    assert not difference.is_none
    silenced = compare(rule_set("login", "x86_64"), parse_rules(["-a never,task"]), has_all)
    assert silenced.silencing == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-w /etc/passwd -p wa -k k", "-a always,exit -S all -F path=/etc/passwd -F perm=aw -k k"),
        ("-w /etc/audit/ -p wa -k k", "-a exit,always -F dir=/etc/audit -F perm=wa -F key=k"),
        ("-a always,exit -F arch=b64 -S open,openat -F exit=-13 -F auid!=-1 -F key=k",
         "-a always,exit -F arch=b64 -S openat -S open -F auid!=unset -F exit=-EACCES -k k"),
        ("-a always,exit -S ptrace -F a0=0x10 -F success=1 -k k",
         "-a always,exit -S ptrace -F a0=16 -F success=yes -k k"),
    ],
)  # fmt: skip
def test_ways_to_say_the_same_mean_the_same(one: str, other: str) -> None:
    """Watches and rules, numbers and names, any order."""
    (left,), (right,) = parse_rules([one]), parse_rules([other])
    assert left.meaning == right.meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-w /etc/passwd -p wa -k k", "-w /etc/passwd -p w -k k"),
        ("-w /etc/passwd -p wa -k k", "-w /etc/passwd -p wa -k j"),
        ("-a always,exit -F arch=b64 -S open", "-a always,exit -F arch=b32 -S open"),
        ("-a always,exit -S open -F auid>=1000", "-a always,exit -S open -F auid>1000"),
        ("-a always,exit -S open -C uid!=obj_uid", "-a always,exit -S open"),
    ],
)
def test_what_differs_means_something_else(one: str, other: str) -> None:
    """Permissions, keys, architectures, operators and comparisons count."""
    (left,), (right,) = parse_rules([one]), parse_rules([other])
    assert left.meaning != right.meaning


def test_what_cannot_be_understood_equals_no_rule_of_ours() -> None:
    """A newer kernel's words are somebody else's rule, and no failure."""
    (rule,) = parse_rules(["-a always,io_uring -S openat -F somethingnew -k theirs"])
    assert not rule.is_stenos
    assert rule.list_name == "io_uring"
    assert compare(rule_set("none", "x86_64"), (rule,), has_all).others == (rule,)


def test_no_rules_is_no_rule() -> None:
    """What auditctl prints for an empty list."""
    assert parse_rules(["No rules"]) == ()


def test_immutable_mode_is_seen_in_the_status() -> None:
    """`enabled 2`, as a kernel 6.1 said it; there auditctl returned 0 for a rule it did not add."""
    transcript = (DATA / "f5/auditctl-transcript.txt").read_text()
    status = parse_status(transcript.split("### -s\n")[1].split("###")[0])
    assert status.is_immutable
    assert (status.daemon_pid, status.backlog_limit, status.lost) == (83, 8192, 0)
    assert status.loginuid_is_immutable
    refused = transcript.split("### -a\n")[1].split("###")[0]
    assert "immutable mode" in refused
    assert "rc=0" in refused


def test_a_host_without_auditing_is_off() -> None:
    """`enabled 0`, no auditd."""
    status = parse_status((AUDITCTL / "status-off.txt").read_text())
    assert (status.enabled, status.is_immutable, status.daemon_pid) == (0, False, 0)


def test_an_answer_that_says_nothing_is_an_error() -> None:
    """It is not taken for `off`."""
    with pytest.raises(FormatError, match="enabled"):
        parse_status("You must be root to run this program.\n")


def test_system_calls_are_those_that_the_machine_has() -> None:
    """aarch64 has no open(2); i386 has no accept(2), and sockets through socketcall(2)."""

    def calls(machine: str, arch: str) -> set[str]:
        rules = rule_set("session", machine).rules
        return {call for rule in rules if rule.arch == arch for call in rule.syscalls}

    assert "open" not in calls("aarch64", "b64")
    assert {"openat", "openat2", "accept"} <= calls("aarch64", "b64")
    assert "accept" not in calls("x86_64", "b32") | calls("s390x", "b64")
    assert "socketcall" in calls("x86_64", "b32") & calls("ppc64le", "b64") & calls("s390x", "b64")
    assert calls("aarch64", "b32") == set()


def test_no_rule_is_without_key_and_purpose() -> None:
    """Every event can be traced to its rule, and every rule says what it is for."""
    for machine in MACHINES:
        for rule in rule_set("session", machine).rules:
            assert rule.is_stenos, rule
            assert rule.purpose, rule
            assert not rule.arch or rule.syscalls, rule


def test_daemons_are_not_audited_for_their_work() -> None:
    """Only what changes accounts, privileges, the kernel or the clock counts for everybody."""
    for_all = {"steno-identity", "steno-priv", "steno-kernel", "steno-time"}
    for rule in rule_set("session", "x86_64").rules:
        is_for_people = ("auid", "!=", "unset") in rule.fields
        assert is_for_people or rule.key in for_all, rule


def test_roots_own_sessions_count_when_asked() -> None:
    """--min-uid 0: whoever logged in, but no daemon."""
    for rule in rule_set("session", "x86_64", min_uid=0).rules:
        assert not any(field[1] == ">=" for field in rule.fields), rule


def test_sigkill_is_looked_for_where_the_call_has_it() -> None:
    """kill(2) and tkill(2) have the signal second, tgkill(2) third."""
    rules = [rule for rule in rule_set("session", "x86_64").rules if rule.key == "steno-kill"]
    places = {call: rule.fields[0][0] for rule in rules for call in rule.syscalls}
    assert places == {"kill": "a1", "tkill": "a1", "tgkill": "a2"}


def test_immutable_is_the_last_word() -> None:
    """Nothing after `-e 2` could be loaded."""
    text = rule_set("session", "x86_64").text(immutable=True)
    assert text.endswith("--loginuid-immutable\n-e 2\n")
    assert "-e 2" not in rule_set("session", "x86_64").text()


def test_an_unknown_machine_is_refused() -> None:
    """Wrong system calls would be worse than none."""
    with pytest.raises(UsageError, match="riscv64"):
        rule_set("session", "riscv64")


def test_a_rule_says_itself_as_auditctl_takes_it() -> None:
    """In the order that auditctl wants: architecture before system calls before fields."""
    rule = AuditRule((("a1", "=", "0x9"),), "steno-kill", arch="b64", syscalls=("kill", "tkill"))
    assert str(rule) == "-a always,exit -F arch=b64 -S kill,tkill -F a1=0x9 -k steno-kill"


LINES = st.one_of(
    st.sampled_from((AUDITCTL / "listed-session.txt").read_text().splitlines()),
    st.text(alphabet="-aAFSCkwp =,!<>&bxyz0123/", max_size=60),
)


@given(st.lists(st.tuples(LINES, LINES, st.integers(0, 80)), max_size=6))
def test_no_listing_breaks_the_comparison(pieces: list[tuple[str, str, int]]) -> None:
    """Rules cut and put together anyhow are others' rules, or missing ones; nothing fails."""
    lines = [first[:cut] + second for first, second, cut in pieces]
    loaded = parse_rules(lines)
    wanted = rule_set("session", "x86_64")
    difference = compare(wanted, loaded, has_all)
    assert len(difference.missing) <= len(wanted.rules)
    known = {rule.meaning for rule in wanted.rules} & {rule.meaning for rule in loaded}
    unknown = [rule for rule in loaded if rule.meaning not in known]
    assert len(difference.superfluous) + len(difference.others) == len(unknown)
    for rule in loaded:
        assert str(rule)
