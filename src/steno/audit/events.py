"""What a group of audit records says, as one `Event`. Pure; docs/formats/event.md.

A builder makes some hundred thousand events a second of two processors' time at best, so that what
repeats (who it was, what a title means) is worked out once and remembered, up to a limit.
"""

from __future__ import annotations

import errno
import os

import msgspec

from steno.audit.actions import Report
from steno.audit.arguments import join_arguments
from steno.audit.calls import Deed, describe_call
from steno.audit.coalescing import RecordGroup
from steno.audit.decoding import Decoder, shown
from steno.audit.event import Event, Process, Result, Thing, Who
from steno.audit.fields import kind_of
from steno.audit.gathering import Gathered, gather
from steno.audit.kinds import Kind
from steno.audit.names import UNSET, Names
from steno.audit.records import Record
from steno.audit.reports import describe_report, report_of
from steno.audit.sentences import Telling, tell
from steno.audit.things import number_of, plain_text, text_of
from steno.model import NO_AUDIT_SESSION

_MEMORY_LIMIT = 8192
"""So many of each sort of thing are remembered; then all are forgotten."""


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
        self._with_records = with_records
        self._people: dict[tuple[bytes | None, ...], tuple[Who, str]] = {}
        self._titles: dict[bytes, str] = {}

    def build(self, group: RecordGroup) -> Event:
        """Return the event that `group` tells of. Takes any records and raises nothing."""
        found = gather(group)
        call, lead = found.call, found.lead
        rule = report_of(lead.type) if lead is not None else None
        if rule is not None and not rule.leads and call is not None:
            rule = None
        main = call or lead or group.records[0]
        result, error, reason, exit_ = self._outcome(call, lead if rule else None)
        name = self._call_name(call) if call is not None else None
        if rule is not None and lead is not None:
            deed = self._deed_of_lead(lead, rule, found)
        elif call is not None:
            deed = describe_call(name or "", found, call, is_failed=result == "failure")
        else:
            deed = Deed("reported", [], group.records[0].type)
        typed = self._typed(lead) if deed.action == "typed" and lead is not None else None
        if deed.action == "ended" and call is not None:
            exit_, result = (number_of(call.get("a0"), 16) or 0) & 0xFF, "success"
        if deed.action == "crashed":
            result = "failure"
        who, subject = self._person(call, lead)
        process = self._process(found, call, lead)
        objects = deed.objects
        telling = Telling(
            deed.action,
            subject or self._stand_in(rule, group, process),
            result,
            reason,
            process,
            objects,
            deed.detail,
            exit_,
            typed,
        )
        session = number_of(main.get("ses"))
        return Event(
            serial=group.serial,
            at_unix_us=group.at_unix_us,
            action=deed.action,
            result=result,
            host=_host_of(group.node) or self._host,
            boot_id=self._boot_id,
            audit_session=None if session == NO_AUDIT_SESSION else session,
            error=error,
            exit=exit_,
            signal=_signal(deed),
            syscall=name,
            keys=_keys(call or main),
            who=who,
            process=process,
            objects=objects,
            text=tell(telling),
            typed=typed,
            lost_before=group.lost_before,
            records=self._records(group) if self._with_records else msgspec.Raw(b"[]"),
        )

    def _deed_of_lead(self, lead: Record, rule: Report, found: Gathered) -> Deed:
        deed = describe_report(lead, rule)
        if deed.action == "was filtered":
            name = self._syscall_name(lead.get("arch"), lead.get("syscall"), lead)
            return deed._replace(objects=[Thing("object", name)] if name else [])
        if found.call is not None and deed.action in ("was denied", "was granted") and found.paths:
            name = self._call_name(found.call) or ""
            better = describe_call(name, found, found.call, is_failed=True)
            return deed._replace(objects=better.objects or deed.objects)
        return deed

    def _call_name(self, call: Record) -> str | None:
        return self._syscall_name(call.get("arch"), call.get("syscall"), call)

    def _syscall_name(self, arch: bytes | None, number: bytes | None, record: Record) -> str | None:
        if number is None:
            return None
        suffix = plain_text(record.get("SYSCALL")).encode() or None
        value = self._decoder.value(Kind.SYSCALL, number, arch or b"", suffix)
        return shown(value) if value is not None else plain_text(suffix or number)

    def _outcome(
        self, call: Record | None, lead: Record | None
    ) -> tuple[Result, str | None, str, int | None]:
        """Return result, errno's name, its words, and what the call returned."""
        if lead is not None:
            raw = lead.get("res") or lead.get("result")
            if raw is not None:
                word = raw.strip(b'"')
                result: Result = "success" if word in (b"success", b"1", b"yes") else "failure"
                return result, None, "", None
        if call is None:
            return "unknown", None, "", None
        exit_ = number_of(call.get("exit"))
        success = call.get("success")
        if success == b"yes":
            return "success", None, "", exit_
        if success != b"no":
            return "unknown", None, "", exit_
        number = -exit_ if exit_ is not None and exit_ < 0 else 0
        if number == errno.EINPROGRESS or 512 <= number <= 516:
            return "unknown", errno.errorcode.get(number), "in progress", exit_
        reason = os.strerror(number).lower() if number else ""
        return "failure", errno.errorcode.get(number), reason, exit_

    def _person(self, call: Record | None, lead: Record | None) -> tuple[Who, str]:
        record = call or lead
        if record is None:
            return Who(), ""
        key = (
            record.get("auid"), record.get("uid"), record.get("euid"), record.get("gid"),
            record.get("AUID"), record.get("UID"), record.get("EUID"), record.get("GID"),
        )  # fmt: skip
        known = self._people.get(key)
        if known is None:
            if len(self._people) >= _MEMORY_LIMIT:
                self._people.clear()
            known = self._people[key] = self._make_person(record)
        return known

    def _make_person(self, record: Record) -> tuple[Who, str]:
        login_uid, login_user = self._user(record, "auid")
        uid, user = self._user(record, "uid")
        effective_uid, effective_user = self._user(record, "euid")
        if effective_uid == uid:
            effective_uid = effective_user = None
        gid, group = self._group(record)
        who = Who(login_uid, login_user, uid, user, effective_uid, effective_user, gid, group)
        login = login_user or (f"uid {login_uid}" if login_uid is not None else "")
        account = effective_user or user
        now = account or (f"uid {uid}" if uid is not None else "")
        if login and now and login != now:
            return who, f"{login} as {now}"
        return who, login or now

    def _user(self, record: Record, field: str) -> tuple[int | None, str | None]:
        number = number_of(record.get(field))
        if number is None or number in UNSET:
            return None, None
        name = plain_text(record.get(field.upper())) or self._names.user(number)
        return number, None if not name or name.startswith("unknown(") else name

    def _group(self, record: Record) -> tuple[int | None, str | None]:
        number = number_of(record.get("gid"))
        if number is None or number in UNSET:
            return None, None
        name = plain_text(record.get("GID")) or self._names.group(number)
        return number, None if not name or name.startswith("unknown(") else name

    def _process(self, found: Gathered, call: Record | None, lead: Record | None) -> Process:
        record = call or lead
        if record is None:
            return Process(title=self._title(found.title))
        arguments, hexadecimal = self._arguments(found.runs)
        directory = found.directory.get("cwd") if found.directory is not None else None
        return Process(
            pid=number_of(record.get("pid")),
            parent_pid=number_of(record.get("ppid")),
            program=text_of(record.get("exe")) or None,
            name=text_of(record.get("comm")) or None,
            terminal=_terminal(record),
            directory=text_of(directory) or None,
            arguments=arguments,
            arguments_hex=hexadecimal,
            title=self._title(found.title),
        )

    def _arguments(self, runs: list[Record]) -> tuple[list[str] | None, list[str] | None]:
        if not runs:
            return None, None
        words, _ = join_arguments(field for record in runs for field in record.pairs)
        try:
            return [word.decode() for word in words], None
        except UnicodeDecodeError:
            texts = [word.decode(errors="replace") for word in words]
            return texts, [word.hex() for word in words]

    def _title(self, record: Record | None) -> str | None:
        raw = record.get("proctitle") if record is not None else None
        if raw is None:
            return None
        title = self._titles.get(raw)
        if title is None:
            if len(self._titles) >= _MEMORY_LIMIT:
                self._titles.clear()
            value = self._decoder.value(Kind.TITLE, raw)
            title = self._titles[raw] = shown(value) if value is not None else shown(raw)
        return title

    def _typed(self, lead: Record) -> str:
        raw = lead.get("data") or b""
        try:
            return bytes.fromhex(raw.decode("ascii")).decode(errors="replace")
        except ValueError:
            return text_of(raw)

    def _stand_in(self, rule: Report | None, group: RecordGroup, process: Process) -> str:
        """Return who begins the sentence where no account is known."""
        host = _host_of(group.node) or self._host
        if rule is not None and rule.subject == "host":
            return host or "the host"
        return process.name or (process.program or "").rpartition("/")[2] or host or "somebody"

    def _records(self, group: RecordGroup) -> msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode([self._record(record) for record in group.records]))

    def _record(self, record: Record) -> dict[str, object]:
        fields: dict[str, dict[str, str]] = {}
        known = record.fields
        for name, raw in record.pairs:
            if name.isupper():
                continue
            suffix = known.get(name.upper())
            fact = known.get("arch", b"")
            entry = fields[name] = {"raw": shown(raw)}
            suffix = None if suffix is None else suffix.strip(b'"')
            value = self._decoder.value(kind_of(record.type, name), raw, fact, suffix)
            if value is not None:
                entry["value"] = shown(value)
        return {"type": record.type, "fields": fields}


def _signal(deed: Deed) -> int | None:
    is_signal = deed.action in ("signalled", "crashed") and deed.detail.isdecimal()
    return int(deed.detail) if is_signal else None


def _host_of(node: str) -> str:
    """Return `node` as text: what is not UTF-8 in it stands there as halves of surrogate pairs."""
    return (
        node if node.isascii() else node.encode(errors="surrogateescape").decode(errors="replace")
    )


def _keys(record: Record) -> list[str]:
    raw = record.get("key")
    if raw is None or raw == b"(null)":
        return []
    return text_of(raw).split("\x01")


def _terminal(record: Record) -> str | None:
    """Return `pts/2`: SYSCALL writes pts2, programs /dev/pts/2, TTY the device's numbers."""
    raw = plain_text(record.get("tty")) or plain_text(record.get("terminal"))
    if raw in ("tty", "") and (major := record.get("major")) is not None:
        minor = plain_text(record.get("minor"))
        return {b"136": f"pts/{minor}", b"4": f"tty{minor}"}.get(major)
    name = raw.removeprefix("/dev/")
    if name.startswith("pts"):
        return name if name[3:4] == "/" else f"pts/{name[3:]}"
    return name if name.startswith(("tty", "console", "hvc")) else None
