"""What people and programs did in the sample logs is what their events say."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from audit_logs import DATA, F1, F2, F5, read_events, read_raw

from steno.audit.event import Event
from steno.audit.values.names import Names

BUILTINS = {
    "cd",
    "echo",
    "export",
    "unset",
    "wait",
    "read",
    "exit",
    "printf",
    "true",
    "nonexistent-cmd",
}
IDS = {0: "root", 43: "utmp", 42: "shadow", 1501: "avery", 1502: "blake"}


@pytest.fixture(scope="module")
def f1() -> list[Event]:
    """The events of a person's session."""
    return read_events(F1.read_bytes())


@pytest.fixture(scope="module")
def f2() -> list[Event]:
    """The events of a program that does all sorts of odd things."""
    return read_events(F2.read_bytes())


def read_truth(name: str) -> list[dict[str, Any]]:
    """Return what was noted while the log was made."""
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def external_commands(line: str) -> list[str]:
    """Return the names of the programs that a typed line runs."""
    lexer = shlex.shlex(line.strip(), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    names, at_begin = [], True
    for word in lexer:
        if re.fullmatch(r"[();|&]+", word):
            at_begin = True
        elif at_begin and "=" not in word.partition(" ")[0]:
            names.append(word)
            at_begin = word.endswith("$")
        if word == "$" or word.endswith("$"):
            at_begin = False
    return [name for name in names if name not in BUILTINS and not name.endswith("$")]


def test_every_typed_program_ran(f1: list[Event]) -> None:
    """Each program that the person typed has an event that says it ran, after it was typed."""
    runs = [event for event in f1 if event.action == "ran" and event.audit_session == 4]
    typed = [note for note in read_truth("f1/truth-s1-avery.jsonl") if note["kind"] == "command"]
    count = 0
    for note in typed:
        for name in external_commands(note["text"]):
            later = [
                event
                for event in runs
                # The audit trail's clock ticks every 4 ms, and stamps the tick before.
                if note["t"] - 0.005 <= event.at_unix_us / 1e6 <= note["t"] + 0.6
                and (event.process.arguments or [""])[0] == name
            ]
            assert later, (name, note)
            assert later[0].result == "success"
            count += 1
    assert count > 35


HIGHLIGHTS = [
    ("created", "/home/avery/notes.txt~", "success", "vim"),
    ("deleted", "/home/avery/notes.txt~", "success", "vim"),
    ("wrote", "/home/avery/notes.txt", "success", "vim"),
    ("created", "/home/avery/dir/ünïcode", "success", "mkdir"),
    ("created", "/home/avery/dir/ünïcode/file-β.txt", "success", "touch"),
    ("changed mode of", "/home/avery/notes.txt", "success", "chmod"),
    ("linked", "/home/avery/link1", "success", "ln"),
    ("linked", "/home/avery/hard1", "success", "ln"),
    ("deleted", "file-β.txt", "success", "rm"),
    ("connected to", "127.0.0.1:18080", "unknown", "curl"),
    ("connected to", "[::1]:18080", "unknown", "curl"),
    ("connected to", "127.0.0.1:9", "unknown", "curl"),
    ("connected to", "127.0.0.1:5354", "success", "python3"),
    ("created", "/etc/motd-haudit", "success", "sh"),
    ("wrote", "/etc/shadow", "success", "useradd"),
    ("created", "/home/blake/b.txt", "success", "bash"),
    ("created", "/home/blake/up.txt", "success", "sftp-server"),
]


@pytest.mark.parametrize(("action", "name", "result", "program"), HIGHLIGHTS)
def test_what_the_person_did_is_told(
    f1: list[Event], action: str, name: str, result: str, program: str
) -> None:
    """Each remarkable thing of the session has its event: action, object, result, program."""
    assert any(
        event.action == action
        and event.objects[0].name == name
        and event.result == result
        and event.process.name == program
        for event in f1
    )


def find(events: list[Event], action: str, **facts: object) -> list[Event]:
    """Return the events of an action whose process has these facts."""
    return [
        event
        for event in events
        if event.action == action
        and all(getattr(event.process, name) == value for name, value in facts.items())
    ]


def test_a_renamed_file_has_both_names(f1: list[Event]) -> None:
    """The old name, the new one, and what was there before, each with its role."""
    [event] = find(f1, "renamed", name="mv")
    assert [(thing.role, thing.name) for thing in event.objects] == [
        ("from", "/home/avery/name with spaces.txt"),
        ("to", '/home/avery/quote"d.txt'),
    ]
    replaced = next(event for event in find(f1, "renamed", name="useradd"))
    assert [(thing.role, thing.name) for thing in replaced.objects] == [
        ("from", "/etc/passwd+"),
        ("to", "/etc/passwd"),
        ("deleted", "/etc/passwd"),
    ]


def test_links_have_their_targets(f1: list[Event]) -> None:
    """A symbolic link's target starts from where the link is; a hard link's from where one is."""
    symbolic, hard = find(f1, "linked", name="ln")
    assert [thing.role for thing in symbolic.objects] == ["created", "target"]
    assert symbolic.objects[1].name == hard.objects[1].name == "/home/avery/notes.txt"


def test_names_in_an_unknown_directory_stay_relative(f1: list[Event]) -> None:
    """A name relative to a descriptor is not said to be in the working directory."""
    event = next(e for e in find(f1, "deleted", name="rm") if e.objects[0].name == "file-β.txt")
    assert [(thing.kind, thing.role, thing.name) for thing in event.objects] == [
        ("file", "", "file-β.txt"),
        ("directory", "directory", "inode 1556610"),
    ]


def test_sudo_and_su_are_told(f1: list[Event]) -> None:
    """Who told sudo what, whom they became, and that the login stays theirs."""
    told = [event.objects[0].name for event in f1 if event.action == "ran with sudo"]
    assert told[0] == "id -u"
    assert told[-1] == "userdel temp9"
    became = [
        (event.process.program, event.objects[0].name) for event in f1 if event.action == "became"
    ]
    assert became == [("/usr/bin/sudo", "root")] * 4 + [("/usr/bin/su", "blake")]
    [event] = [
        event for event in f1 if event.objects and event.objects[0].name == "/home/blake/b.txt"
    ]
    assert (event.who.login_user, event.who.user, event.audit_session) == ("avery", "blake", 4)
    added = [(event.action, event.objects[0].name) for event in f1 if event.action == "added user"]
    assert added == [("added user", "1599")]


def test_logins_and_wrong_passwords_are_told(f1: list[Event]) -> None:
    """Three audit sessions begin, one login is refused, each with where the person came from."""
    sessions = [event.audit_session for event in f1 if event.action == "opened audit session"]
    assert sessions == [4, 5, 6]
    refused = [event for event in f1 if event.action == "logged in" and event.result == "failure"]
    assert [event.objects[0].name for event in refused] == ["blake"]
    assert refused[0].objects[1].address == "127.0.0.1"
    assert refused[0].audit_session is None


def test_keystrokes_are_told_but_no_secret(f1: list[Event]) -> None:
    """What was typed stands in the events as it was typed; what was typed unseen does not."""
    typed = "".join(event.typed or "" for event in f1 if event.action == "typed")
    assert "Goline from vim\x1b:wq\r" in typed
    assert "mkdir -p dir/ünïcode" in typed
    assert "hunter2secret" not in typed


def test_long_arguments_are_whole(f1: list[Event]) -> None:
    """20000 bytes in one argument, and 2501 arguments, both split by the kernel."""
    echoes = [event.process.arguments or [] for event in find(f1, "ran", name="echo")]
    assert echoes[0] == ["/bin/echo", "x" * 20000]
    assert echoes[1] == ["/bin/echo", *(str(number) for number in range(1, 2501))]
    assert echoes[2][2:] == ["nl\nhere", "", "plain", "sq'q", 'dq"q', "ctl\x01", "héllo"]


ZOO = {
    "bad_utf8": [
        ("created", "/home/avery/zoo/new\nline"),
        ("created", "/home/avery/zoo/bad��name"),
    ],
    "longname": [("renamed", "/home/avery/" + "d" * 200 + "/" + "L" * 255)],
    "unixsock": [
        ("bound", "/home/avery/zoo.sock"),
        ("connected to", "/home/avery/zoo.sock"),
        ("bound", "@zoo-abstract"),
    ],
    "inet": [
        ("bound", "127.0.0.1:18099"),
        ("connected to", "[::1]:5353"),
        ("connected to", "[::ffff:127.0.0.1]:18099"),
        ("bound", "the kernel (netlink)"),
        ("bound", "packets of a device"),
    ],
    "killit": [("signalled", "6435"), ("ran", "/bin/sleep")],
    "segv": [("crashed", "/usr/bin/python3.11")],
    "seccomp_kill": [("was filtered", "getuid"), ("was filtered", "getppid")],
    "bpfload": [("loaded BPF program", "97"), ("unloaded BPF program", "97")],
    "mqipc": [("created", "/tmp/h-audit/zooq"), ("called", None)],
    "fdpair": [("opened pipe", None)],
    "mm": [("mapped", "descriptor 3")],
    "promisc": [("set promiscuous mode", "lo")],
    "capset": [("ran", "/root/.cargo/bin/capsh"), ("ran", "/bin/bash")],
    "landlock": [("was denied", "/etc/hostname")],
    "openat2": [("created", "/home/avery/oa2")],
    "chdir_rel": [("changed mode of", "/home/avery/notes.txt"), ("deleted", "relfile")],
    "i386": [("ran", "/tmp/h-audit/bin/hello32"), ("ran", "/bin/true")],
    "manyargs": [("ran", "/bin/true")],
    "script": [("ran", "/home/avery/s.sh")],
    "threads": [("ran", "/bin/true")],
    "envexec": [("ran", "/bin/true")],
    "memfd_exec": [("ran", "/memfd:evil mem (deleted)")],
    "settime": [("ended", None)],
}


@pytest.mark.parametrize("kind", ZOO)
def test_what_the_zoo_did_is_told(f2: list[Event], kind: str) -> None:
    """Each function of the zoo has its events, by its process or a child of it."""
    truth = read_truth("f2/truth-zoo.jsonl")
    [pid] = {note["cpid"] for note in truth if note["kind"] == f"{kind}-done"}
    family = {pid}
    own: set[tuple[str, str | None]] = set()
    for event in f2:
        process = event.process
        # BPF's and Landlock's records that come alone name no process.
        if process.pid in family or process.parent_pid in family:
            family.add(process.pid or pid)
            names = [thing.name for thing in event.objects] or [None]
            own |= {(event.action, name) for name in names} | {(event.action, None)}
    assert set(ZOO[kind]) <= own


def test_the_zoo_is_complete() -> None:
    """No function of the zoo is without an expectation."""
    truth = read_truth("f2/truth-zoo.jsonl")
    done = {note["kind"].removesuffix("-done") for note in truth if note["kind"].endswith("-done")}
    assert done == set(ZOO)


def test_bytes_that_are_no_text_are_kept(f2: list[Event]) -> None:
    """Names and arguments that are not UTF-8 stand in hexadecimal beside their text."""
    made = next(event for event in f2 if event.serial == 746)
    assert bytes.fromhex(made.objects[0].name_hex or "") == b"/home/avery/zoo/bad\xff\xfename"
    ran = next(event for event in f2 if event.serial == 752)
    assert [bytes.fromhex(word) for word in ran.process.arguments_hex or []][:2] == [
        b"/bin/true",
        b"\xff\xfe",
    ]


def test_a_script_has_its_interpreter(f2: list[Event]) -> None:
    """What was run is the script; the shell stands beside it, the dynamic loader does not."""
    [event] = [
        event
        for event in f2
        if event.objects and event.objects[0].name.endswith("s.sh") and event.action == "ran"
    ]
    assert [(thing.name, thing.role) for thing in event.objects] == [
        ("/home/avery/s.sh", ""),
        ("/bin/sh", "interpreter"),
    ]
    assert event.process.program == "/usr/bin/dash"


def test_how_processes_end_is_told(f2: list[Event]) -> None:
    """Exit statuses, and the signal of a crash."""
    assert [event.signal for event in f2 if event.action == "crashed"] == [11, 31]
    assert next(event.exit for event in find(f2, "ended", name="s.sh")) == 3
    assert next(event.signal for event in f2 if event.action == "signalled") == 15


@pytest.mark.parametrize(("log", "name"), [(F1, "f1"), (F2, "f2"), (F5, "f5")])
def test_sentences_stay_as_they_are(log: Path, name: str) -> None:
    """The plain sentence of every event of the sample logs, as somebody has read and found good."""
    events = read_events(log.read_bytes())
    told = [f"{event.serial} {event.action} | {event.result} | {event.text}" for event in events]
    assert told == (DATA / f"sentences-{name}.txt").read_text().splitlines()


def test_raw_logs_say_the_same(f1: list[Event], f2: list[Event]) -> None:
    """Without what auditd noted, the host's accounts and our tables give the same events."""
    names = Names({**IDS, 1599: "temp9"}.get, IDS.get)
    for log, events in ((F1, f1), (F2, f2)):
        raw = read_events(read_raw(log.read_bytes()), names)
        for one, other in zip(events, raw, strict=True):
            if one.action in ("added user", "started session"):
                continue
            assert strip(other) == strip(one)


def strip(event: Event) -> dict[str, Any]:
    """Return an event without its records, as its JSON says it."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(event))
    del found["records"]
    return found


def test_immutable_mode_is_told() -> None:
    """What was tried against locked rules failed, and says so."""
    events = read_events(F5.read_bytes())
    failed = [
        (event.action, event.objects[0].name) for event in events if event.result == "failure"
    ]
    assert failed == [
        ("changed audit rules", "remove_rule"),
        ("changed audit settings", "audit_enabled=0"),
        ("changed audit settings", "audit_backlog_limit=100"),
        ("opened audit session", "1001"),
    ]
