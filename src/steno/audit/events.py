"""What a group of audit records says, as one `Event`. Pure; docs/formats/event.md.

A builder makes some hundred thousand events a second of two processors' time at best, so that what
repeats (who it was, what a title means) is worked out once and remembered, up to a limit.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from steno.audit.coalescing import RecordGroup
from steno.audit.encoding import RecordEncoder
from steno.audit.event import Event, Process, Thing, Who
from steno.audit.likeness import Likenesses
from steno.audit.records import Record
from steno.audit.values.decoding import Decoder, shown
from steno.audit.values.kinds import Kind
from steno.audit.values.names import Names
from steno.audit.values.syscalls import name_of_syscall
from steno.audit.words.actions import CALLS, Report
from steno.audit.words.calls import Deed, Tools, count_arguments, describe_call, describe_uring
from steno.audit.words.doers import Doers
from steno.audit.words.gathering import Gathered, MainFields, Raw, gather, read_main
from steno.audit.words.memory import Memory
from steno.audit.words.outcomes import Outcome, Outcomes
from steno.audit.words.people import People
from steno.audit.words.reports import describe_report, report_of
from steno.audit.words.sentences import Telling, tell
from steno.audit.words.things import Files, number_of, peer_thing, text_of
from steno.model import NO_AUDIT_SESSION

_NO_RECORDS = msgspec.Raw(b"[]")


class EventBuilder:
    """Make events of groups of records.

    Args:
        host: The host's name where the records do not say it.
        boot_id: The boot's id, without dashes; None for files.
        names: Gives ids their names where records are not ENRICHED; None: nobody does.
        with_records: Whether events carry the records underneath.
    """

    def __init__(
        self,
        *,
        host: str = "",
        boot_id: str | None = None,
        names: Names | None = None,
        with_records: bool = True,
    ) -> None:
        self._host = host
        self._boot_id = boot_id
        self._names = names or Names()
        self._decoder = Decoder(self._names)
        self._people = People(self._names)
        self._doers = Doers(self._decoder)
        self._files = Files(self._names)
        self._tools = Tools(self._files, Memory(peer_thing))
        self._call_names = Memory(self._call_name)
        self._outcomes = Outcomes()
        self._keys = Memory(_read_keys)
        self._sessions = Memory(_read_session)
        self._likenesses = Likenesses(Memory(_count_arguments))
        self._encoder = RecordEncoder(self._decoder) if with_records else None

    def build(self, group: RecordGroup) -> Event:
        """Return the event that `group` tells of. Takes any records and raises nothing."""
        return self._build(group, self._encode(group))

    def build_all(self, groups: list[RecordGroup]) -> list[Event]:
        """Return the events of many groups: faster than one by one.

        All JSON of records is written first, so that the processor's caches hold what each step
        needs.
        """
        encoded = [self._encode(group) for group in groups]
        build = self._build
        return [build(group, records) for group, records in zip(groups, encoded, strict=True)]

    def _encode(self, group: RecordGroup) -> msgspec.Raw:
        if self._encoder is None:
            return _NO_RECORDS
        return msgspec.Raw(self._encoder.encode(group.records))

    def _build(self, group: RecordGroup, records: msgspec.Raw) -> Event:
        known = self._likenesses
        like = known.find(group.records)
        if like is None:
            return self._tell(group, records)
        likeness, numbers = like
        told = known.get(likeness)
        if told is not None:
            return told.tell_again(group, numbers, records)
        event = self._tell(group, records)
        known.keep(likeness, numbers, event)
        return event

    def _tell(self, group: RecordGroup, records: msgspec.Raw) -> Event:
        found = gather(group)
        call, lead = found.call, found.lead
        rule = report_of(lead.type) if lead is not None else None
        if rule is not None and call is not None and not rule.leads:
            rule = None
        main = call or lead or group.records[0]
        fields = read_main(main)
        name = "" if call is None else self._call_names[fields.arch, fields.syscall, fields.SYSCALL]
        outcome = self._outcomes.find(
            None if call is None else fields, name, lead if rule else None
        )
        deed = self._deed(found, fields, name, rule, is_failed=outcome.result == "failure")
        who, person = self._people.find(fields)
        process = self._doers.find(found, main, fields)
        host = self._host_of(group.node)
        telling = Telling(
            deed.action,
            _subject(person, rule, process, host),
            "failure" if _is_failure(deed, lead) else outcome.result,
            outcome.reason,
            process,
            self._with_names(deed) if deed.action in _OF_ACCOUNTS else deed.objects,
            deed.detail,
            outcome.exit,
            text_of(lead.get("data")) if deed.action == "typed" and lead is not None else None,
        )
        keys = [] if call is None else self._keys[fields.key]
        return self._make(
            group, telling, outcome, who, host, self._sessions[fields.ses], name, keys, records
        )

    def _make(
        self,
        group: RecordGroup,
        telling: Telling,
        outcome: Outcome,
        who: Who,
        host: str,
        session: int | None,
        syscall: str,
        keys: list[str],
        records: msgspec.Raw,
    ) -> Event:
        # Positional, in the order of `Event`: keywords would take eight times as long.
        return Event(
            group.serial,
            group.at_unix_us,
            telling.action,
            telling.result,
            host,
            self._boot_id,
            session,
            outcome.error,
            outcome.exit,
            _signal(telling),
            syscall or None,
            keys,
            who,
            telling.process,
            telling.objects,
            tell(telling),
            telling.typed,
            group.lost_before,
            records,
        )

    def forget_names(self) -> None:
        """Look names up anew from now on: the host's accounts may have changed."""
        self._names.forget()
        self._people.forget()
        self._files.forget()
        self._likenesses.forget()
        if self._encoder is not None:
            self._encoder.forget()

    def _deed(
        self,
        found: Gathered,
        fields: MainFields,
        name: str,
        rule: Report | None,
        *,
        is_failed: bool,
    ) -> Deed:
        call, lead = found.call, found.lead
        if rule is not None and lead is not None:
            return self._deed_of_lead(lead, rule, found, fields, name)
        if call is not None:
            return describe_call(name, fields, found, self._tools, is_failed=is_failed)
        return Deed("reported", [], "parts of an event")

    def _deed_of_lead(
        self, lead: Record, rule: Report, found: Gathered, fields: MainFields, name: str
    ) -> Deed:
        if lead.type == "URINGOP":
            return describe_uring(lead, found, self._tools)
        deed = describe_report(lead, rule)
        if lead.type == "KERN_MODULE" and name in CALLS:
            return replace(deed, action=CALLS[name].action)
        if deed.action == "was filtered":
            main = read_main(lead)
            filtered = self._call_names[main.arch, main.syscall, main.SYSCALL]
            return replace(deed, objects=[Thing("object", filtered)] if filtered else [])
        if found.call is not None and deed.action in ("was denied", "was granted") and found.paths:
            tried = describe_call(name, fields, found, self._tools, is_failed=True)
            return replace(deed, objects=tried.objects or deed.objects)
        return deed

    def _call_name(self, call: tuple[Raw, Raw, Raw]) -> str:
        arch, number, suffix = call
        if number is None:
            return ""
        known = None if suffix is None else suffix.strip(b'"')
        value = self._decoder.value(Kind.SYSCALL, number, arch or b"", known)
        return shown(number if value is None else value)

    def _host_of(self, node: str) -> str:
        """Return the host; what is no UTF-8 stands in `node` as halves of surrogate pairs."""
        if node.isascii():
            return node or self._host
        return node.encode(errors="surrogateescape").decode(errors="replace")

    def _with_names(self, deed: Deed) -> list[Thing]:
        """Give accounts that stand as numbers their names, where the host knows them."""
        is_group = deed.detail == "group" or "group" in deed.action
        find = self._names.group if is_group else self._names.user
        return [
            Thing("account", find(int(thing.name)) or thing.name, thing.role)
            if thing.kind == "account" and thing.name.isdecimal() and len(thing.name) < 12
            else thing
            for thing in deed.objects
        ]


_OF_ACCOUNTS = frozenset({
    "became", "opened audit session", "raised alarm", "authenticated", "checked account of",
    "logged in", "logged out", "started session", "ended session", "changed password of",
    "added user", "deleted user", "changed user", "locked user", "unlocked user", "added group",
    "deleted group", "changed group", "acquired credentials", "refreshed credentials",
    "gave up credentials",
})  # fmt: skip


def _is_failure(deed: Deed, lead: Record | None) -> bool:
    """Tell what is a failure whatever the records say: a crash, and a denial that was enforced."""
    if deed.action == "was denied" and lead is not None:
        return lead.get("permissive") != b"1"
    return deed.action == "crashed"


def _signal(telling: Telling) -> int | None:
    is_signal = telling.action in ("signalled", "crashed") and telling.detail.isdecimal()
    return int(telling.detail) if is_signal else None


def _count_arguments(call: tuple[bytes, bytes]) -> int:
    return count_arguments(name_of_syscall(*call) or "")


def _read_session(raw: Raw) -> int | None:
    session = number_of(raw)
    return None if session == NO_AUDIT_SESSION else session


def _read_keys(raw: Raw) -> list[str]:
    return [] if raw is None or raw == b"(null)" else text_of(raw).split("\x01")


def _subject(person: str, rule: Report | None, process: Process, host: str) -> str:
    """Return who begins the sentence; where nobody is known, what did it."""
    name = process.name or (process.program or "").rpartition("/")[2]
    subject = "" if rule is None else rule.subject
    if subject == "host":
        return host or "the host"
    if subject == "daemon":
        return "auditd"
    if subject == "program":
        return name or person or "a program"
    return person or name or "the kernel"
