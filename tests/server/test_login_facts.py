"""What single audit events say of logins."""

from __future__ import annotations

import pytest
from journal_entries import hear, read_entries
from trails import f1_events, read_events

from steno.audit.event import Event
from steno.server.login_facts import LoginWatch
from steno.store.events import LoginFact

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
    watch = LoginWatch()
    events: list[Event] = read_events("".join(records).encode())
    return [fact for event in events if (fact := watch.look(event)) is not None]


def test_a_real_log_s_logins() -> None:
    """Three SSH logins with their ends, and one wrong password, counted once."""
    watch = LoginWatch()
    found = [fact for event in f1_events() if (fact := watch.look(event)) is not None]
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


def test_one_attempt_counts_once() -> None:
    """Each password that PAM refused counts; sshd's word at the end only if PAM said nothing."""
    auth, login = "USER_AUTH", "USER_LOGIN"
    three = [user_record(auth, number) for number in (1, 2, 3)]
    assert len(facts(*three, user_record(login, 4, op="login"))) == 3
    assert len(facts(user_record(login, 4, op="login"))) == 1
    twice = [user_record(auth, 1), user_record(login, 2, pid=101), user_record(login, 3, pid=101)]
    assert len(facts(*twice)) == 1, "sshd says it again, from a process of its own"
    unknown = user_record("USER_ERR", 4, op="PAM:bad_ident", acct="?")
    assert len(facts(*twice, unknown)) == 1, "and PAM, at the end, without a name"
    others = [
        user_record(login, 2, addr="192.0.2.8"),
        user_record(login, 2, acct='"blake"'),
        user_record(login, 2, exe="/usr/bin/login"),
    ]
    for other in others:
        assert len(facts(user_record(auth, 1), other)) == 2
    assert len(facts(user_record(auth, 1), user_record(login, 2, after_s=121))) == 2


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
        user_record("USER_ACCT", 2, op="PAM:accounting"),
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
    assert LoginWatch(watch.refused).look(second) is None
    assert LoginWatch().look(second) is not None


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
    watch = LoginWatch()
    found = [fact for event in hear(read_entries()) if (fact := watch.look(event)) is not None]
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
