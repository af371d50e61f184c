"""From the journal's messages to events: who they are about, and which of them say the same.

One login is told by several programs: sshd who came from where and how, PAM that a session began,
systemd-logind which audit session that is. They are put together by the process that all of them
name. Pure: what is remembered between two messages can be kept and given back.

Sources: systemd 252, src/login/logind-session.c, session_start() and session_stop().
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from steno.audit.event import FIRST_OF_JOURNAL, JOURNAL, Event, Process, Result, Thing, Who
from steno.audit.values.names import Names
from steno.audit.witness.program_messages import read_login, read_pam, read_su, read_sudo
from steno.audit.witness.said import NOTHING, SUMMARY, Said
from steno.audit.witness.speakers import (
    Entry,
    Speaker,
    number_of,
    session_of,
    speaker_of,
    terminal_of,
)
from steno.audit.witness.sshd_messages import read_sshd
from steno.audit.words.actions import BECOMING
from steno.audit.words.quoting import cut
from steno.audit.words.sentences import Telling, tell
from steno.audit.words.things import address_thing

MOST_KNOWN = 512
"""So many processes are remembered, those that said something last."""

_SAME_ATTEMPT_US = 120_000_000
"""So long after a refusal its other words may come: sshd's LoginGraceTime."""
_NUMBER = re.compile(r"(?:.*;)?i=([0-9a-f]{1,12})(?:;.*)?")
_SESSION_BEGAN = b"8d45620c1a4348dbb17410da57c60c66"
_SESSION_ENDED = b"3354939424b4456d9802ca8333ed424a"
_KEPT = (
    b"MESSAGE", b"_UID", b"_EXE", b"_COMM", b"_SYSTEMD_UNIT", b"_AUDIT_SESSION", b"_AUDIT_LOGINUID",
    b"SESSION_ID", b"USER_ID", b"LEADER",
)  # fmt: skip
_OWN_WORDS: dict[str, Callable[[str], Said | None]] = {
    "sshd": read_sshd,
    "login": read_login,
    "su": read_su,
    "runuser": read_su,
    "sudo": read_sudo,
}
"""Programs that tell of refusals themselves; of the others, only PAM does."""

_TALKATIVE = ("cron", "crond", "systemd")
"""Programs that have much else to say."""


class Known(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """What is known of a process that lets somebody in.

    Attributes:
        pid: The process.
        service: What it is called among logins.
        path: Its program.
        account: Whose account it is about.
        address: Where the person is.
        port: And the port there.
        method: How they proved who they are.
        terminal: On which terminal.
        session: The audit session that it opened.
        rank: How the last refusal was worded; 0: there was none.
        refused_unix_us: When that was.
        is_open: Whether its session goes on.
        program: The last part of its path.
        uid: Its real user.
        login_uid: Who had logged in before.
        heard_unix_us: When it spoke last.
    """

    pid: int
    service: str = ""
    path: str | None = None
    account: str = ""
    address: str = ""
    port: int | None = None
    method: str = ""
    terminal: str = ""
    session: int | None = None
    rank: int = 0
    refused_unix_us: int = 0
    is_open: bool = False
    program: str = ""
    uid: int = 0
    login_uid: int | None = None
    heard_unix_us: int = 0


class Heard(msgspec.Struct):
    """How much was heard.

    Attributes:
        told: Messages that became events.
        unread: Messages of programs that let people in, whose wording is not known.
        distrusted: Messages whose sender only calls itself such a program.
    """

    told: int = 0
    unread: int = 0
    distrusted: int = 0


class Witness:
    """Make events of what login programs say.

    Args:
        names: Gives uids their names.
        known: What another one knew that went before.

    Attributes:
        heard: How much was heard.
    """

    def __init__(self, names: Names, known: list[Known] | None = None) -> None:
        self.heard = Heard()
        self._names = names
        self._known: OrderedDict[int, Known] = OrderedDict((one.pid, one) for one in known or [])

    @property
    def known(self) -> list[Known]:
        """Return what to begin another one with."""
        return [*self._known.values()]

    def look(self, entry: Entry) -> Event | None:
        """Return the event that an entry tells of; None: it tells nothing, or nothing new."""
        at_unix_us = _instant_of(entry)
        speaker = speaker_of(entry, lambda pid: self._was(pid, at_unix_us))
        if speaker is None:
            self.heard.distrusted += 1
            return None
        message = entry.get(b"MESSAGE", b"").decode(errors="replace")
        if speaker.program == "systemd-logind":
            event = self._look_at_session(entry, at_unix_us)
        else:
            said = _read(speaker, message)
            if said is None:
                self.heard.unread += 1
                return None
            event = self._take(speaker, said, entry, at_unix_us)
        self.heard.told += event is not None
        return event

    # What a program says.

    def _take(self, speaker: Speaker, said: Said, entry: Entry, at_unix_us: int) -> Event | None:
        known = self._of(speaker, entry, at_unix_us)
        match said.deed:
            case "nothing":
                self._remember(known)
                return None
            case "refused":
                return self._refuse(speaker, said, known, entry, at_unix_us)
            case "let in":
                if speaker.is_of_root and speaker.program not in BECOMING:
                    self._known.pop(speaker.pid, None)
                    known = replace(
                        self._of(speaker, entry, at_unix_us),
                        account=said.account,
                        address=said.address,
                        port=said.port,
                        method=said.method,
                    )
                    self._remember(known)
                return self._tell("authenticated", "success", speaker, said, known, entry)
            case "told":
                result: Result = "failure" if said.reason else "success"
                return self._tell("ran with sudo", result, speaker, said, known, entry)
            case "opened":
                known = replace(
                    known,
                    account=said.account,
                    terminal=known.terminal or terminal_of(entry),
                    is_open=True,
                    rank=0,
                )
                self._remember(known)
                action = "became" if speaker.program in BECOMING else "started session"
                return self._tell(action, "success", speaker, said, known, entry)
            case "closed":
                event = self._tell("ended session", "success", speaker, said, known, entry)
                self._known.pop(speaker.pid, None)
                return event

    def _refuse(
        self, speaker: Speaker, said: Said, known: Known, entry: Entry, at_unix_us: int
    ) -> Event | None:
        """Tell of an attempt that failed once, however many messages say so."""
        is_known = known.rank and at_unix_us - known.refused_unix_us <= _SAME_ATTEMPT_US
        is_same = is_known and (said.rank > known.rank or said.rank == SUMMARY)
        if known.is_open and said.rank == SUMMARY:
            return None
        self._remember(replace(known, rank=said.rank, refused_unix_us=at_unix_us))
        if is_same:
            return None
        return self._tell("authenticated", "failure", speaker, said, known, entry)

    def _tell(
        self,
        action: str,
        result: Result,
        speaker: Speaker,
        said: Said,
        known: Known,
        entry: Entry,
    ) -> Event:
        process = Process(
            pid=speaker.pid,
            program=speaker.path,
            name=speaker.program if speaker.path is None else None,
            terminal=said.terminal or known.terminal or None,
        )
        if action == "ran with sudo":
            objects = [Thing("program", said.command)] if said.command else []
            objects += [Thing("account", said.account)] if said.account else []
        else:
            objects = [Thing("account", said.account)] if said.account else []
        is_let_in = action in ("authenticated", "started session") and result == "success"
        place = known if is_let_in and not said.address else said
        if place.address:
            objects.append(address_thing(place.address, place.port, "from"))
        return self._event(
            entry,
            action,
            result,
            process,
            objects,
            known.session,
            said.reason,
            said.method if action == "authenticated" else "",
            self._who(speaker, known.login_uid),
            speaker.program,
        )

    def _who(self, speaker: Speaker, login_uid: int | None) -> Who:
        return Who(
            login_uid,
            None if login_uid is None else self._names.user(login_uid),
            speaker.uid,
            self._names.user(speaker.uid),
        )

    # What systemd-logind says.

    def _look_at_session(self, entry: Entry, at_unix_us: int) -> Event | None:
        """Tell which audit session a process opened: logind calls a session after it."""
        kind, leader = entry.get(b"MESSAGE_ID"), number_of(entry.get(b"LEADER"))
        session = number_of(entry.get(b"SESSION_ID"))
        account = entry.get(b"USER_ID", b"").decode(errors="replace")
        if kind not in (_SESSION_BEGAN, _SESSION_ENDED) or leader is None:
            self.heard.unread += kind is None and b"SESSION_ID" not in entry
            return None
        known = self._known.get(leader, Known(leader))
        if kind == _SESSION_ENDED:
            self._known.pop(leader, None)
            # What PAM said before was nearer to it: programs left running keep a session open.
            if not known.is_open:
                return None
        else:
            known = replace(known, session=session, account=known.account or account, is_open=True)
            self._remember(known)
            if session is None:
                return None
        process = Process(
            pid=leader,
            program=known.path,
            name=None if known.path else known.service or None,
            terminal=known.terminal or None,
        )
        objects = [Thing("account", account)] if account else []
        if kind == _SESSION_BEGAN:
            objects.insert(0, Thing("session", str(session)))
            if known.address:
                objects.append(address_thing(known.address, known.port, "from"))
        return self._event(
            entry,
            "opened audit session" if kind == _SESSION_BEGAN else "ended session",
            "success",
            process,
            objects,
            known.session,
            "",
            "",
            Who(login_user=account or None),
            "systemd-logind",
        )

    # Both.

    def _event(
        self,
        entry: Entry,
        action: str,
        result: Result,
        process: Process,
        objects: list[Thing],
        session: int | None,
        reason: str,
        method: str,
        who: Who,
        by: str,
    ) -> Event:
        program = (process.program or process.name or "").rpartition("/")[2]
        people = [name for name in (who.login_user, who.user) if name]
        person = " as ".join(dict.fromkeys(people)) or program or "a program"
        # What a sentence calls the process is its name, as the kernel would call it.
        named = replace(process, name=program or None)
        told = tell(Telling(action, person, result, "", named, objects, "", None, None))
        told += f" with {method}" if method else ""
        because = f": {cut(reason)}" if reason else ""
        return Event(
            serial=_serial_of(entry),
            at_unix_us=_instant_of(entry),
            action=action,
            result=result,
            audit_session=session,
            who=who,
            process=named,
            objects=objects,
            text=f"{told}{because} ({by}'s word)",
            records=_records_of(entry),
            source=JOURNAL,
            method=method or None,
        )

    def _of(self, speaker: Speaker, entry: Entry, at_unix_us: int) -> Known:
        """Return what is known of a speaker by now."""
        known = self._known.get(speaker.pid)
        if known is None or known.service not in ("", speaker.service) or known.uid != speaker.uid:
            known = Known(speaker.pid, uid=speaker.uid)
        session, login_uid = session_of(entry), number_of(entry.get(b"_AUDIT_LOGINUID"))
        return replace(
            known,
            service=speaker.service,
            program=speaker.program,
            path=speaker.path or known.path,
            session=known.session if session is None else session,
            login_uid=known.login_uid if login_uid is None else login_uid,
            heard_unix_us=at_unix_us,
        )

    def _was(self, pid: int, at_unix_us: int) -> Speaker | None:
        """Return who a process was that spoke a short while ago."""
        known = self._known.get(pid)
        if known is None or at_unix_us - known.heard_unix_us > _SAME_ATTEMPT_US:
            return None
        return Speaker(known.program, known.service, known.path, pid, known.uid)

    def _remember(self, known: Known) -> None:
        self._known[known.pid] = known
        self._known.move_to_end(known.pid)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _read(speaker: Speaker, message: str) -> Said | None:
    own = _OWN_WORDS.get(speaker.service)
    found = read_pam(message, tells_refusals=own is None)
    if found is not None:
        return found
    if own is None:
        return NOTHING if speaker.service in _TALKATIVE else None
    return own(message)


def _serial_of(entry: Entry) -> int:
    """Return the journal's own number of an entry, which its cursor begins with."""
    found = _NUMBER.fullmatch(entry.get(b"__CURSOR", b"").decode(errors="replace"))
    return FIRST_OF_JOURNAL + (0 if found is None else int(found[1], 16))


def _instant_of(entry: Entry) -> int:
    for field in (b"_SOURCE_REALTIME_TIMESTAMP", b"__REALTIME_TIMESTAMP"):
        value = entry.get(field, b"")
        if value.isdigit() and len(value) < 18:
            return int(value)
    return 0


def _records_of(entry: Entry) -> msgspec.Raw:
    """Return the entry's fields, in the form that audit's records have."""
    fields = {
        name.decode(): {"raw": value.decode(errors="replace")}
        for name in _KEPT
        if (value := entry.get(name)) is not None
    }
    return msgspec.Raw(msgspec.json.encode([{"type": "JOURNAL", "fields": fields}]))
