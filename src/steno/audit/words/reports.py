"""What a record says that is no system call's: `actions.TYPES`, and the exceptions to it."""

from __future__ import annotations

from collections.abc import Callable

from steno.audit.event import Thing
from steno.audit.record_types import number_of
from steno.audit.records import Record
from steno.audit.values.tables.records import NAMES
from steno.audit.words.actions import BECOMING, FAMILIES, PLAIN, TYPES, Report
from steno.audit.words.calls import Deed
from steno.audit.words.things import (
    address_thing,
    bytes_of,
    decode,
    field_text,
    plain_text,
    resolve,
    text_of,
)


def report_of(record_type: str) -> Report:
    """Return the rule for records of that type; newer types than auditd's go by their number."""
    rule = TYPES.get(record_type)
    if rule is not None:
        return rule
    name = NAMES.get(number_of(record_type) or -1, record_type)
    if name in TYPES:
        return TYPES[name]
    return next((rule for prefix, rule in FAMILIES if name.startswith(prefix)), PLAIN)


def describe_report(record: Record, rule: Report) -> Deed:
    """Return what `record` says, and to what it was done."""
    special = _SPECIAL.get(rule.action)
    if special is not None:
        return special(record, rule)
    return Deed(rule.action, _objects(record, rule), field_text(record, "op"))


def _objects(record: Record, rule: Report) -> list[Thing]:
    name = ""
    for field in rule.fields:
        name = field_text(record, field)
        if name:
            break
    if name in _NOBODY or (not name and rule.kind == "account"):
        name = _second_uid(record)
    objects = [Thing(rule.kind, name)] if name else []
    if rule.kind == "account":
        objects += _origin(record)
    return objects


_NOBODY = frozenset({"?", "(null)", "(none)"})


def _second_uid(record: Record) -> str:
    """Return the account that pam_faillock speaks of: its `uid`, behind that of the program."""
    uids = [value for name, value in record.pairs if name == "uid"]
    return plain_text(uids[1]) if len(uids) > 1 else ""


def _origin(record: Record) -> list[Thing]:
    """Where a person came from. `hostname` alone is what useradd calls its own host."""
    address = field_text(record, "addr")
    return [address_thing(address, role="from")] if address else []


def program_of(record: Record) -> str:
    """Return the last part of the program's path that a user's message names."""
    return field_text(record, "exe").rpartition("/")[2]


def _session(record: Record, rule: Report) -> Deed:
    """A session that su or sudo opens makes a person somebody else."""
    program = program_of(record)
    objects = _objects(record, rule)
    if rule.action == "started session" and program in BECOMING:
        return Deed("became", objects[:1])
    return Deed(rule.action, objects, field_text(record, "op"))


def _login_session(record: Record, rule: Report) -> Deed:
    session = field_text(record, "ses")
    account = field_text(record, "auid")
    objects = [] if session in ("", "4294967295") else [Thing("session", session)]
    return Deed(rule.action, [*objects, Thing("account", account)] if account else objects)


def _settings(record: Record, rule: Report) -> Deed:
    operation = field_text(record, "op")
    if record.type == "FEATURE_CHANGE":
        name = field_text(record, "feature")
        return Deed(rule.action, [Thing("rules", name)], _change_of(record, "old", "new"))
    if "rule" in operation or "watch" in operation:
        name = field_text(record, "key") or field_text(record, "path")
        return Deed("changed audit rules", [Thing("rules", name or operation)], operation)
    for field, value in record.pairs:
        if field.startswith("audit_") or field in ("new-enabled", "lost", "actions"):
            name = f"{field}={value.decode(errors='replace')}"
            if field == "new-enabled":
                name = f"terminal auditing={value.decode(errors='replace')}"
            old = plain_text(record.get("old") or record.get("old-enabled"))
            return Deed(rule.action, [Thing("rules", name)], f"was {old}" if old else "")
    return Deed(rule.action, [Thing("rules", operation)] if operation else [])


def _change_of(record: Record, old: str, new: str) -> str:
    if record.get(new) is None:
        return ""
    return f"{field_text(record, old)} to {field_text(record, new)}"


def _denial(record: Record, rule: Report) -> Deed:
    """SELinux, AppArmor, Landlock and Smack say the same in fields of their own."""
    verdict = field_text(record, "seresult") or field_text(record, "apparmor").lower()
    if verdict == "status":
        name = field_text(record, "name") or field_text(record, "info")
        return Deed(
            "changed policy",
            [Thing("object", name)] if name else [],
            field_text(record, "operation"),
        )
    action = rule.action
    if verdict in ("granted", "allowed", "audit"):
        action = "was granted"
    what = (
        field_text(record, "seperms")
        or field_text(record, "operation")
        or field_text(record, "blockers")
        or field_text(record, "requested")
    )
    if record.get("permissive") == b"1":
        what = f"{what} (permissive: not enforced)".strip()
    return Deed(action, _denied_objects(record), what)


def _denied_objects(record: Record) -> list[Thing]:
    """Return the file that a security module names, else what class of thing it was."""
    raw = record.get("path") or record.get("name")
    if raw is not None and text_of(raw):
        name, hexadecimal = decode(resolve(bytes_of(raw), None))
        return [Thing("file", name, name_hex=hexadecimal)]
    name = field_text(record, "tclass")
    return [Thing("object", name)] if name else []


_SECCOMP_ACTIONS = {
    0x80000000: "killed the process", 0x00000000: "killed the thread", 0x00030000: "trapped it",
    0x00050000: "refused it", 0x7FC00000: "asked another process", 0x7FF00000: "told a tracer",
    0x7FFC0000: "logged it", 0x7FFF0000: "allowed it",
}  # fmt: skip
"""Source: include/uapi/linux/seccomp.h."""


def _filtered(record: Record, rule: Report) -> Deed:
    code = field_text(record, "code")
    try:
        number = int(code, 16) & 0xFFFF0000
    except ValueError:
        number = -1
    return Deed(rule.action, [], _SECCOMP_ACTIONS.get(number, code))


def _bpf(record: Record, rule: Report) -> Deed:
    operation = field_text(record, "op")
    action = {"LOAD": "loaded BPF program", "UNLOAD": "unloaded BPF program"}.get(
        operation, rule.action
    )
    number = field_text(record, "prog-id")
    return Deed(action, [Thing("object", number)] if number else [])


def _crash(record: Record, rule: Report) -> Deed:
    return Deed(rule.action, _objects(record, rule), field_text(record, "sig"))


def _promiscuous(record: Record, rule: Report) -> Deed:
    is_on = field_text(record, "prom") not in ("0", "")
    return Deed(rule.action, _objects(record, rule), "on" if is_on else "off")


def _alarm(record: Record, rule: Report) -> Deed:
    what = record.type.removeprefix("ANOM_").replace("_", " ").lower()
    uid = _second_uid(record)
    objects = [Thing("account", uid)] if uid else _objects(record, rule)
    return Deed(rule.action, objects + _origin(record), what)


def _policy(record: Record, rule: Report) -> Deed:
    """SELinux' switch and its booleans: what they are now, and what they were."""
    enforcing = record.get("enforcing")
    if enforcing is not None:
        was = field_text(record, "old_enforcing")
        return Deed(
            rule.action, [Thing("rules", f"enforcing={plain_text(enforcing)}")], f"was {was}"
        )
    return Deed(rule.action, _objects(record, rule), _change_of(record, "old_val", "val"))


def _report(record: Record, rule: Report) -> Deed:
    """Whatever else: what kind of record it is, and what it says if that is one thing."""
    words = record.words.decode(errors="replace")
    objects = _objects(record, rule) or ([Thing("object", words)] if words else [])
    return Deed(rule.action, objects, record.type)


def _service(record: Record, rule: Report) -> Deed:
    return Deed(rule.action, _objects(record, rule))


_SPECIAL: dict[str, Callable[[Record, Report], Deed]] = {
    "started session": _session,
    "opened audit session": _login_session,
    "changed audit settings": _settings,
    "was denied": _denial,
    "was granted": _denial,
    "was filtered": _filtered,
    "used BPF": _bpf,
    "crashed": _crash,
    "set promiscuous mode": _promiscuous,
    "raised alarm": _alarm,
    "changed policy": _policy,
    "reported": _report,
    "started service": _service,
    "stopped service": _service,
}
