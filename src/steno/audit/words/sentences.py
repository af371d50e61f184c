"""One plain English sentence for each event.

"avery wrote /etc/passwd with useradd", "avery as root could not read /etc/shadow with cat:
permission denied". Names that hold blanks, quotes or control characters are quoted as a shell
would have them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from steno.audit.event import Process, Result, Thing
from steno.audit.values.tables import choices
from steno.audit.words.actions import ARTICLES, BECOMING, WORDS
from steno.audit.words.quoting import cut, escape, join_arguments, name_of, quote


class Telling(msgspec.Struct, frozen=True, gc=False):
    """What a sentence is made of.

    Attributes:
        action: A key of `actions.WORDS`.
        subject: Who did it.
        result: How it went.
        reason: Why it did not work, in words; "" where nobody says.
        process: What did it.
        objects: What it was done to.
        detail: See `calls.Deed`.
        exit: What the system call returned.
        typed: What was typed.
    """

    action: str
    subject: str
    result: Result
    reason: str
    process: Process
    objects: list[Thing]
    detail: str
    exit: int | None
    typed: str | None


def tell(telling: Telling) -> str:
    """Return the sentence."""
    special = _SPECIAL.get(telling.action)
    if special is not None:
        return special(telling)
    return _say(telling, _what(telling) + _by(telling))


def _what(telling: Telling) -> str:
    """Return the object, and where it is if its name does not say it."""
    objects = telling.objects
    if not objects:
        return ""
    if objects[0].role == "directory":
        return f" something in directory {name_of(objects[0])}"
    what = f" {name_of(objects[0])}"
    if len(objects) > 1 and objects[1].role == "directory":
        what += f" in directory {name_of(objects[1])}"
    return what


def _with_article(action: str, words: str) -> str:
    first, _, rest = words.partition(" ")
    article = ARTICLES.get(action)
    return words if article is None else f"{first} {article} {rest}"


_TOLD = {action: _with_article(action, action) for action in WORDS}
_PLAIN = {action: _with_article(action, word.plain) for action, word in WORDS.items()}


def _say(telling: Telling, rest: str, plain: str = "") -> str:
    """Return "SUBJECT WORD REST", or "SUBJECT could not PLAIN REST: REASON"."""
    action = telling.action
    if telling.result != "failure":
        return f"{telling.subject} {_TOLD[action]}{rest}"
    reason = f": {telling.reason}" if telling.reason else ""
    return f"{telling.subject} could not {plain or _PLAIN[action]}{rest}{reason}"


def _ran(telling: Telling) -> str:
    arguments = telling.process.arguments
    objects = telling.objects
    if arguments:
        what = join_arguments(arguments) + (" …" if telling.process.is_cut else "")
        program = objects[0].name if len(objects) == 1 else ""
        if program and program.rpartition("/")[2] != arguments[0].rpartition("/")[2].lstrip("-"):
            what += f" ({quote(program)})"
    else:
        what = name_of(objects[0]) if objects else "a program"
    return _say(telling, " " + what)


def _ran_through(telling: Telling) -> str:
    program = (telling.process.program or "sudo").rpartition("/")[2]
    command = telling.objects[0].name if telling.objects else "a command"
    reason = " and was refused" if telling.result == "failure" else ""
    return f"{telling.subject} told {program} to run {cut(command)}{reason}"


def _started(telling: Telling) -> str:
    child = f" {telling.objects[0].name}" if telling.objects else ""
    return _say(telling, f" process{child}{_by(telling)}", "start")


def _by(telling: Telling) -> str:
    program = telling.process.name
    return f" with {quote(program)}" if program and program != telling.subject else ""


def _own(telling: Telling, program: str) -> str:
    """Return "avery's PROGRAM as root"."""
    person, as_, account = telling.subject.partition(" as ")
    return f"{person}'s {program}{as_}{account}"


def _ended(telling: Telling) -> str:
    status = f" with status {telling.exit}" if telling.exit is not None else ""
    name = telling.process.name or "a process"
    # exit ends a thread, exit_group a process; a program without threads may use either.
    thread = "a thread of " if telling.detail == "exit" else ""
    return f"{thread}{_own(telling, quote(name))} ended{status}"


def _renamed(telling: Telling) -> str:
    names = [name_of(thing) for thing in telling.objects[:2]]
    replaced = ", replacing what was there" if len(telling.objects) > 2 else ""
    if telling.result == "failure":
        replaced = ""
    return _say(telling, f" {' to '.join(names)}{_by(telling)}{replaced}")


def _linked(telling: Telling) -> str:
    names = [name_of(thing) for thing in telling.objects[:2]]
    return _say(telling, f" {' to '.join(names)}{_by(telling)}")


def _connected(telling: Telling) -> str:
    what = name_of(telling.objects[0]) if telling.objects else "something"
    if telling.result == "unknown" and telling.reason:
        return f"{telling.subject} began to connect to {what}{_by(telling)}"
    return _say(telling, f" {what}{_by(telling)}")


def _signalled(telling: Telling) -> str:
    who = ", ".join(_call_process(thing) for thing in telling.objects[:4]) or "a process"
    signal = signal_name(telling.detail)
    verb = "could not send" if telling.result == "failure" else "sent"
    reason = f": {telling.reason}" if telling.result == "failure" and telling.reason else ""
    return f"{telling.subject} {verb} {signal} to {who}{_by(telling)}{reason}"


def signal_name(number: str) -> str:
    """Return the name of a signal that stands as a decimal number; 0 only asks who is there."""
    if number == "0":
        return "nothing"
    name = choices.SIGNAL.get(int(number)) if number.isdecimal() else None
    return name or f"signal {number}"


def _call_process(thing: Thing) -> str:
    """Return who gets a signal. Source: kill(2)."""
    pid = thing.name
    if pid == "-1":
        return "every process"
    if pid == "0":
        return "its process group"
    process = f"process group {pid[1:]}" if pid.startswith("-") else f"process {pid}"
    return f"{quote(thing.program)} ({process})" if thing.program else process


def _mounted(telling: Telling) -> str:
    names = [name_of(thing) for thing in telling.objects[:2]]
    what = " from ".join(names) or "a file system"
    return _say(telling, f" {what}{_by(telling)}")


def _traced(telling: Telling) -> str:
    who = _call_process(telling.objects[0]) if telling.objects else "a process"
    return _say(telling, f" {who}{_by(telling)} ({telling.detail})")


def _became(telling: Telling) -> str:
    group = "group " if telling.detail == "group" else ""
    who = name_of(telling.objects[0]) if telling.objects else "somebody else"
    # Who it is by now is what the event says.
    person = telling.subject.partition(" as ")[0]
    return _say(replace(telling, subject=person), f" {group}{who}{_by(telling)}")


def _by_program(telling: Telling) -> str:
    """What a login program reports: the account is the subject."""
    account = _account(telling)
    program = (telling.process.program or telling.process.name or "").rpartition("/")[2]
    by = "to" if telling.action == "authenticated" else "through"
    through = f" {by} {quote(program)}" if program else ""
    if program in BECOMING and account != telling.subject:
        # Who is logged in already, and wants to be somebody else.
        account, through = telling.subject, f" as {account}{through}"
    terminal = f" on {telling.process.terminal}" if telling.process.terminal else ""
    return _say(replace(telling, subject=account), through + _from(telling) + terminal)


def _from(telling: Telling) -> str:
    origin = next((thing.name for thing in telling.objects if thing.role == "from"), "")
    return f" from {quote(origin)}" if origin else ""


def _account(telling: Telling) -> str:
    accounts = (thing for thing in telling.objects if thing.kind == "account")
    thing = next(accounts, None)
    return "somebody" if thing is None else name_of(thing)


def _of_account(telling: Telling) -> str:
    """What PAM reports of a program: the program is the subject."""
    program = (telling.process.program or "").rpartition("/")[2] or "a program"
    account = _account(telling)
    between = "" if telling.action.endswith(" of") else " for"
    return _say(replace(telling, subject=program), f"{between} {account}{_from(telling)}")


def _audit_session(telling: Telling) -> str:
    session = next((thing.name for thing in telling.objects if thing.kind == "session"), "")
    account = _account(telling)
    program = telling.process.name or "the kernel"
    return _say(
        replace(telling, subject=quote(program)),
        f"{' ' + session if session else ''} for {account}",
    )


def _typed(telling: Telling) -> str:
    where = f" on {telling.process.terminal}" if telling.process.terminal else ""
    keys = "".join(escape(char) for char in (telling.typed or "")[:80])
    more = "…" if len(telling.typed or "") > 80 else ""
    into = f" into {quote(telling.process.name)}" if telling.process.name else ""
    return f"{telling.subject} typed {keys}{more}{into}{where}"


def _called(telling: Telling) -> str:
    name = telling.detail or "a system call that has no name here"
    if name.isdecimal():
        name = f"system call {name}"
    what = f" on {name_of(telling.objects[0])}" if telling.objects else ""
    return _say(telling, f" {name}{what}{_by(telling)}")


def _bare(telling: Telling) -> str:
    return _say(telling, _by(telling))


def _alone(telling: Telling) -> str:
    return _say(telling, "")


def _crashed(telling: Telling) -> str:
    program = telling.objects[0].name if telling.objects else "a program"
    return f"{_own(telling, quote(program))} crashed: {signal_name(telling.detail)}"


def _denied(telling: Telling) -> str:
    what = f" {telling.detail}" if telling.detail else ""
    on = f" on {name_of(telling.objects[0])}" if telling.objects else ""
    return f"{telling.subject} {_TOLD[telling.action]}{what}{on}{_by(telling)}"


def _filtered(telling: Telling) -> str:
    name = telling.objects[0].name if telling.objects else "a system call"
    program = quote(telling.process.name or "program")
    return f"{_own(telling, program)} called {name}, and its filter {telling.detail}"


def _promiscuous(telling: Telling) -> str:
    device = telling.objects[0].name if telling.objects else "a device"
    return f"{telling.subject} switched promiscuous mode of {quote(device)} {telling.detail}"


def _changed(telling: Telling) -> str:
    what = f" {name_of(telling.objects[0])}" if telling.objects else ""
    is_said = what == f" {telling.detail}"
    detail = f" ({telling.detail})" if telling.detail and not is_said else ""
    return _say(telling, f"{':' if what else ''}{what}{detail}{_by(telling)}")


def _reported(telling: Telling) -> str:
    """What is told whether it is good or bad: there is nothing that somebody could not do."""
    thing = next((thing for thing in telling.objects if thing.role != "from"), None)
    what = "" if thing is None else f": {cut(thing.name)}"
    detail = f" {telling.detail}" if telling.detail and what != f": {telling.detail}" else ""
    if telling.action in ("stopped auditing", "raised alarm") and detail:
        detail = f" ({telling.detail})"
    failed = " (failed)" if telling.result == "failure" else ""
    begin = f"{telling.subject} {_TOLD[telling.action]}"
    return f"{begin}{detail}{what}{_by(telling)}{_from(telling)}{failed}"


_SPECIAL: dict[str, Callable[[Telling], str]] = {
    "ran": _ran,
    "ran with sudo": _ran_through,
    "started": _started,
    "ended": _ended,
    "renamed": _renamed,
    "linked": _linked,
    "connected to": _connected,
    "signalled": _signalled,
    "traced": _traced,
    "became": _became,
    "authenticated": _by_program,
    "logged in": _by_program,
    "logged out": _by_program,
    "checked account of": _of_account,
    "started session": _of_account,
    "ended session": _of_account,
    "acquired credentials": _of_account,
    "refreshed credentials": _of_account,
    "gave up credentials": _of_account,
    "opened audit session": _audit_session,
    "typed": _typed,
    "called": _called,
    "booted": _alone,
    "shut down": _alone,
    "set clock": _bare,
    "set host name": _bare,
    "set capabilities": _bare,
    "left namespace": _bare,
    "entered namespace": _bare,
    "rebooted": _bare,
    "used BPF": _bare,
    "opened socket": _bare,
    "opened pipe": _bare,
    "crashed": _crashed,
    "was denied": _denied,
    "was granted": _denied,
    "was filtered": _filtered,
    "set promiscuous mode": _promiscuous,
    "changed audit rules": _changed,
    "changed audit settings": _changed,
    "changed policy": _changed,
    "changed firewall": _changed,
    "changed software": _changed,
    "changed configuration": _changed,
    "mounted": _mounted,
    "reported": _reported,
    "reported on auditing": _reported,
    "stopped auditing": _reported,
    "measured": _reported,
    "raised alarm": _reported,
}
