"""What single audit events say of logins."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest
from journal_entries import hear, read_entries
from trails import LOGS, f1_events, read_events

from steno.audit.event import Event
from steno.audit.login_facts import LoginFact, LoginWatch, WatchState
from steno.structs import decode_msgpack

AT_UNIX_US = 1_795_161_731_000_000


def user_record(  # what such records are made of
    record_type: str,
    serial: int,
    *,
    op: str = "PAM:authentication",
    acct: str = '"avery"',
    exe: str = "/usr/sbin/sshd",
    addr: str = "192.0.2.7",
    terminal: str = "ssh",
    res: str = "failed",
    pid: int = 100,
    ses: int = 4294967295,
    after_s: int = 0,
) -> str:
    """Return one record that a program wrote, RAW."""
    seconds = AT_UNIX_US // 1_000_000 + after_s
    return (
        f"type={record_type} msg=audit({seconds}.{serial:03}:{serial}): pid={pid}"
        f' uid=0 auid=4294967295 ses={ses} msg=\'op={op} acct={acct} exe="{exe}"'
        f" hostname={addr} addr={addr} terminal={terminal} res={res}'\n"
    )


def facts(*records: str) -> list[LoginFact]:
    """Return what a log's records say of logins, in order."""
    return look_at(read_events("".join(records).encode()))


def look_at(events: list[Event]) -> list[LoginFact]:
    """Return what events say of logins, in order."""
    watch = LoginWatch()
    return [fact for event in events if (fact := watch.look(event)) is not None]


def attempts(found: list[LoginFact]) -> Counter[str]:
    """Return how many attempts failed, by the account; "" is one that nobody names."""
    failures = {(one.at_unix_us, one.serial): one for one in found if one.kind == "failure"}
    for one in found:
        if one.instead_of is not None:
            before = failures.pop(one.instead_of)
            assert before.user == ("" if one.kind == "failure" else one.user)
    return Counter(one.user for one in failures.values())


def test_a_real_log_s_logins() -> None:
    """Three SSH logins with their ends, and one wrong password, counted once."""
    found = look_at(f1_events())
    told = [(fact.serial, fact.kind, fact.user, fact.service, fact.source, fact.terminal,
             fact.audit_session) for fact in found]  # fmt: skip
    assert told == [
        (84, "open", "avery", "sshd", "", "", 4),
        (86, "start", "avery", "sshd", "127.0.0.1", "", 4),
        (90, "start", "avery", "sshd", "127.0.0.1", "/dev/pts/2", 4),
        (446, "close", "avery", "sshd", "127.0.0.1", "", 4),
        (452, "open", "blake", "sshd", "", "", 5),
        (454, "start", "blake", "sshd", "127.0.0.1", "", 5),
        (469, "close", "blake", "sshd", "127.0.0.1", "", 5),
        (475, "open", "blake", "sshd", "", "", 6),
        (477, "start", "blake", "sshd", "127.0.0.1", "", 6),
        (485, "close", "blake", "sshd", "127.0.0.1", "", 6),
        (488, "failure", "blake", "sshd", "127.0.0.1", "", None),
    ]


F7 = LOGS / "f7"
TRUTH = [json.loads(line) for line in (F7 / "truth.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["what"])
def test_as_often_as_somebody_tried(truth: dict[str, object]) -> None:
    """Each connection of a real log, alone, has as many failures as passwords or keys it tried."""
    pids = truth["pids"]
    assert isinstance(pids, list)
    events = [
        one for one in read_events((F7 / "audit.log").read_bytes()) if one.process.pid in pids
    ]
    assert len(events) >= 1
    assert attempts(look_at(events)) == {truth["account"]: truth["attempts"]}


def test_all_that_somebody_tried_together() -> None:
    """The same one after the other, from one address within minutes."""
    found = look_at(read_events((F7 / "audit.log").read_bytes()))
    tried: Counter[str] = Counter()
    for truth in TRUTH:
        tried[truth["account"]] += truth["attempts"]
    assert attempts(found) == tried
    assert [one.kind for one in found if one.kind in ("open", "close")] == ["open", "close", "open"]


def test_one_attempt_counts_once() -> None:
    """Each password that PAM refused counts; sshd's word at the end only if PAM said nothing."""
    auth, login = "USER_AUTH", "USER_LOGIN"
    three = [user_record(auth, number) for number in (1, 2, 3)]
    assert attempts(facts(*three, user_record(login, 4, op="login"))) == {"avery": 3}
    assert attempts(facts(user_record(login, 4, op="login"))) == {"avery": 1}
    twice = [user_record(auth, 1), user_record(login, 2, pid=101), user_record(login, 3, pid=101)]
    assert attempts(facts(*twice)) == {"avery": 1}, "sshd says it again, from its own process"
    unknown = user_record("USER_ERR", 4, op="PAM:bad_ident", acct="?")
    assert attempts(facts(*twice, unknown)) == {"avery": 1}, "and PAM, at the end, without a name"
    others = [
        user_record(login, 2, addr="192.0.2.8"),
        user_record(login, 2, acct='"blake"'),
        user_record(login, 2, exe="/usr/bin/login"),
    ]
    for other in others:
        assert attempts(facts(user_record(auth, 1), other)).total() == 2
    assert attempts(facts(user_record(auth, 1), user_record(login, 2, after_s=121))) == {"avery": 2}


def test_keys_of_one_connection_are_one_attempt() -> None:
    """Where PAM is not asked, sshd's word on each key counts once, and PAM's at the end not."""
    keys = [user_record("USER_LOGIN", number, op="login") for number in (1, 2, 3)]
    end = user_record("USER_ERR", 4, op="PAM:bad_ident", acct="?")
    assert attempts(facts(*keys, end)) == {"avery": 1}
    other = user_record("USER_LOGIN", 5, op="login", pid=200, after_s=1)
    assert attempts(facts(*keys, end, other)) == {"avery": 2}


def let_in(number: int, *, acct: str = '"avery"', pid: int = 100, after_s: int = 0) -> str:
    """Return what sshd and PAM write of somebody whose key was taken."""
    start = {"acct": acct, "pid": pid, "after_s": after_s, "res": "success"}
    seconds = AT_UNIX_US // 1_000_000 + after_s
    stamp = f"msg=audit({seconds}.{number:03}:{number}):"
    opened = (
        f"type=LOGIN {stamp} pid={pid} uid=0"
        " old-auid=4294967295 auid=1501 tty=(none) old-ses=4294967295 ses=7 res=1\n"
        f"type=PROCTITLE {stamp} proctitle=737368643A206176657279205B707269765D\n"
    )
    checked = user_record("USER_ACCT", number - 1, op="PAM:accounting", **start)
    return checked + opened + user_record("USER_START", number + 1, ses=7, **start)


def test_keys_before_the_one_that_was_taken_are_no_attempt() -> None:
    """A client offers all its keys: only those of a connection that let nobody in are a failure."""
    keys = [user_record("USER_LOGIN", number, op="login") for number in (1, 2, 3)]
    found = facts(*keys, let_in(11))
    assert [one.kind for one in found] == ["failure", "open", "start"], "it is told all the same"
    assert not attempts(found)
    for other in ({"acct": '"blake"'}, {"pid": 101}, {"after_s": 121}):
        assert attempts(facts(*keys, let_in(11, **other))) == {"avery": 1}, other
    wrong = user_record("USER_AUTH", 5, pid=101)
    again = user_record("USER_LOGIN", 6, op="login")
    assert attempts(facts(*keys, wrong, again, let_in(11))) == {"avery": 1}, "a password is one"
    assert attempts(facts(wrong, again, let_in(11))) == {"avery": 1}
    elsewhere = user_record("USER_LOGIN", 1, op="login", addr="192.0.2.8")
    assert attempts(facts(elsewhere, let_in(11))) == {"avery": 1}
    by_login = user_record("USER_LOGIN", 1, op="login", exe="/usr/bin/login")
    assert attempts(facts(by_login, let_in(11))) == {"avery": 1}


def test_a_watch_that_goes_on_knows_of_refused_keys() -> None:
    """Between a refused key and the one that was taken another watch may take over."""
    events = read_events((user_record("USER_LOGIN", 1, op="login") + let_in(11)).encode())
    first = LoginWatch()
    found = [first.look(events[0])]
    kept = decode_msgpack(msgspec.msgpack.encode(first.state()), WatchState)
    second = LoginWatch(kept)
    found += [second.look(event) for event in events[1:]]
    told = [one for one in found if one is not None]
    assert [one.kind for one in told] == ["failure", "open", "start"]
    assert not attempts(told)


@pytest.mark.parametrize("names", ["ghost", "?"])
def test_an_account_that_there_is_not(names: str) -> None:
    """Sshd's words before PAM was asked, without a name, are about the password that follows."""
    nobody = "28696E76616C6964207573657229"
    before = [user_record("USER_LOGIN", number, op="login", acct=nobody) for number in (1, 2)]
    wrong = user_record("USER_AUTH", 3, acct=f'"{names}"', pid=101)
    after = user_record("USER_LOGIN", 4, op="login", acct=nobody)
    again = user_record("USER_AUTH", 5, acct=f'"{names}"', after_s=2)
    name = names.strip("?")
    assert attempts(facts(*before)) == {"": 1}, "who gives up then has failed once"
    assert attempts(facts(*before, wrong, after)) == {name: 1}
    assert attempts(facts(*before, wrong, after, again, after)) == {name: 2}
    elsewhere = user_record("USER_AUTH", 3, acct=f'"{names}"', addr="192.0.2.8")
    assert attempts(facts(*before, elsewhere)).total() == 2
    late = user_record("USER_AUTH", 3, acct=f'"{names}"', after_s=121)
    assert attempts(facts(*before, late)).total() == 2


@pytest.mark.parametrize(
    ("acct", "user"),
    [
        ('"avery"', "avery"),
        ("28756E6B6E6F776E207573657229", ""),
        ('"(unknown)"', ""),
        ("?", ""),
        ("C3A9", "é"),
    ],
)
def test_whose_account(acct: str, user: str) -> None:
    """The account is named as the records say it; placeholders are no names."""
    (fact,) = facts(user_record("USER_AUTH", 1, acct=acct))
    assert (fact.kind, fact.user, fact.service, fact.source) == (
        "failure", user, "sshd", "192.0.2.7",
    )  # fmt: skip


def test_accounts_that_there_are_not_and_accounts_refused() -> None:
    """USER_ERR and a USER_ACCT that failed are failures; what succeeded is none."""
    assert [fact.kind for fact in facts(
        user_record("USER_ERR", 1, op="PAM:bad_ident", acct="?"),
        user_record("USER_ACCT", 2, op="PAM:accounting", addr="192.0.2.8"),
        user_record("USER_AUTH", 3, res="success"),
        user_record("USER_ACCT", 4, op="PAM:accounting", res="success"),
        user_record("CRED_ACQ", 5, op="PAM:setcred"),
    )] == ["failure", "failure"]  # fmt: skip


def test_su_and_sudo_are_no_logins() -> None:
    """They begin and end nothing that counts, but a password that they refuse does."""
    for exe in ("/usr/bin/su", "/usr/bin/sudo"):
        begun = [
            user_record("USER_START", 1, op="PAM:session_open", exe=exe, res="success", ses=4),
            user_record("USER_END", 2, op="PAM:session_close", exe=exe, res="success", ses=4),
        ]
        assert facts(*begun) == []
        (fact,) = facts(user_record("USER_AUTH", 3, exe=exe, addr="?", ses=4, terminal="pts/1"))
        assert (fact.kind, fact.source, fact.terminal) == ("failure", "", "/dev/pts/1")
        assert (fact.service, fact.audit_session) == (exe.rpartition("/")[2], 4)


@pytest.mark.parametrize("piece", ["sshd-session", "sshd-auth", "sshd"])
def test_sshd_in_pieces_is_sshd(piece: str) -> None:
    """From version 9.8 on OpenSSH's server is several programs; they are one service."""
    (fact,) = facts(user_record("USER_AUTH", 1, exe=f"/usr/lib/openssh/{piece}"))
    assert fact.service == "sshd"


def test_a_watch_goes_on_where_another_was() -> None:
    """Who refused already is kept with the state, so that nothing counts twice."""
    first, second = read_events(
        (user_record("USER_AUTH", 1) + user_record("USER_LOGIN", 2, op="login")).encode()
    )
    watch = LoginWatch()
    assert watch.look(first) is not None
    assert LoginWatch(watch.state()).look(second) is None
    assert LoginWatch().look(second) is not None
    nameless, named = read_events(
        (user_record("USER_LOGIN", 1, op="login", acct="?") + user_record("USER_AUTH", 2)).encode()
    )
    watch = LoginWatch()
    assert watch.look(nameless) is not None
    state = decode_msgpack(msgspec.msgpack.encode(watch.state()), WatchState)
    fact = LoginWatch(state).look(named)
    assert fact is not None
    assert fact.instead_of == (nameless.at_unix_us, 1)


def test_a_console_login() -> None:
    """login(1) at a console tells of itself as sshd does, without an address."""
    begun = [
        user_record("USER_START", 1, op="PAM:session_open", exe="/usr/bin/login", addr="?",
                    terminal="/dev/tty1", res="success", ses=9),
        user_record("USER_LOGIN", 2, op="login", exe="/usr/bin/login", addr="?",
                    terminal="/dev/tty1", res="success", ses=9),
    ]  # fmt: skip
    for fact in facts(*begun):
        assert (fact.kind, fact.service, fact.source, fact.terminal, fact.audit_session) == (
            "start", "login", "", "/dev/tty1", 9,
        )  # fmt: skip


def test_what_programs_said_in_the_journal() -> None:
    """Each login of a real journal opens and closes once; an attempt that failed counts once."""
    found = look_at(hear(read_entries()))
    opened = {
        (fact.audit_session, fact.user, fact.service, fact.source, fact.terminal)
        for fact in found
        if fact.kind == "open"
    }
    desk = "10.77.0.10"
    assert opened == {
        (7775, "pat", "sshd", desk, ""), (7777, "pat", "sshd", desk, ""),
        (7778, "pat", "sshd", desk, ""), (7780, "opal", "sshd", desk, ""),
        (7785, "mal", "sshd", desk, ""), (7787, "root", "login", "", "/dev/pts/1"),
    }  # fmt: skip
    closed = [fact.audit_session for fact in found if fact.kind == "close"]
    assert sorted(filter(None, closed)) == sorted(number for number, *_ in opened)
    refused = [
        (fact.user, fact.service, fact.source, fact.login_user)
        for fact in found
        if fact.kind == "failure"
    ]
    assert refused == [
        ("pat", "sshd", desk, ""),  # a wrong password
        ("pat", "sshd", desk, ""),  # a wrong key
        ("nobodyhere", "sshd", desk, ""),
        ("root from 10.0.0.1 port 22 ssh2", "sshd", desk, ""),
        ("pat", "sshd", desk, ""),  # eight wrong keys
        ("pat", "sshd", desk, ""),  # asked by PAM
        ("ghost", "sshd", desk, ""),
        ("pat", "su", "", "opal"),
        ("opal", "sudo", "", "opal"),
        ("pat", "login", "", ""),
        ("", "login", "", ""),
    ]
