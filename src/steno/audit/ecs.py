"""Events in the Elastic Common Schema, for those who search them in Elasticsearch or OpenSearch.

Source: ECS 8.17, https://www.elastic.co/guide/en/ecs/8.17/; each pair of `event.category` and
`event.type` is one that its pages on allowed values name. What ECS has no field for stands in
`steno`.
docs/formats/event.md has the table of the fields.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from typing import Any

from steno.audit.event import Event, Thing
from steno.audit.values.numbers import octal

ECS_VERSION = "8.17.0"

Kinds = tuple[tuple[str, ...], tuple[str, ...]]
"""`event.category`, `event.type`."""


def _kinds(category: str, type_: str, *actions: str) -> dict[str, Kinds]:
    return dict.fromkeys(actions, (tuple(category.split()), tuple(type_.split())))


KINDS: dict[str, Kinds] = {
    **_kinds("process", "start", "ran", "started", "ran with sudo"),
    **_kinds("process", "end", "ended", "crashed"),
    **_kinds("process", "access", "signalled", "traced"),
    **_kinds("process", "info", "typed", "called", "opened pipe", "changed directory to"),
    **_kinds("process", "change", "changed root to", "set capabilities", "entered namespace"),
    **_kinds("process", "change", "left namespace", "became", "changed role to"),
    **_kinds("file", "access", "read", "opened", "mapped", "read attributes of"),
    **_kinds("file", "change", "wrote", "renamed", "truncated", "changed mode of"),
    **_kinds("file", "change", "changed owner of", "changed attributes of", "changed times of"),
    **_kinds("file", "creation", "created", "linked"),
    **_kinds("file", "deletion", "deleted"),
    **_kinds("host", "change", "mounted", "unmounted", "started swapping on", "set clock"),
    **_kinds("host", "change", "stopped swapping on", "set host name", "changed runlevel"),
    **_kinds("host", "start", "booted", "loaded kernel"),
    **_kinds("host", "end", "rebooted", "shut down"),
    **_kinds("driver", "start", "loaded module", "loaded BPF program"),
    **_kinds("driver", "end", "unloaded module", "unloaded BPF program"),
    **_kinds("driver", "info", "used BPF"),
    **_kinds("process", "start", "started service", "controlled machine"),
    **_kinds("process", "end", "stopped service"),
    **_kinds("package", "change", "changed software"),
    **_kinds("configuration", "change", "changed firewall", "set promiscuous mode"),
    **_kinds("configuration", "change", "changed audit rules", "changed audit settings"),
    **_kinds("configuration", "change", "changed policy", "changed configuration"),
    **_kinds("configuration", "info", "started auditing", "stopped auditing"),
    **_kinds("configuration", "info", "reported on auditing"),
    **_kinds("network", "connection start", "connected to", "accepted from"),
    **_kinds("network", "connection", "sent to", "received from"),
    **_kinds("network", "info", "bound", "listened on", "opened socket"),
    **_kinds("authentication", "start", "authenticated", "logged in"),
    **_kinds("authentication", "end", "logged out"),
    **_kinds("authentication", "info", "checked account of", "acquired credentials"),
    **_kinds("authentication", "info", "refreshed credentials", "gave up credentials"),
    **_kinds("session", "start", "opened audit session", "started session"),
    **_kinds("session", "end", "ended session"),
    **_kinds("iam", "user change", "changed password of", "changed user", "locked user"),
    **_kinds("iam", "user change", "unlocked user"),
    **_kinds("iam", "user creation", "added user"),
    **_kinds("iam", "user deletion", "deleted user"),
    **_kinds("iam", "group creation", "added group"),
    **_kinds("iam", "group deletion", "deleted group"),
    **_kinds("iam", "group change", "changed group"),
    **_kinds("intrusion_detection", "denied", "was denied", "was filtered"),
    **_kinds("intrusion_detection", "allowed", "was granted"),
    **_kinds("intrusion_detection", "info", "raised alarm", "responded"),
    **_kinds("file", "info", "measured"),
    **_kinds("host", "info", "used cryptography", "reported"),
}
"""By the action; a test holds that each action of `actions.WORDS` has its kinds."""


def to_ecs(event: Event) -> dict[str, Any]:
    """Return `event` as an ECS document; the records underneath are left out."""
    category, type_ = KINDS.get(event.action, (("host",), ("info",)))
    document: dict[str, Any] = {
        "@timestamp": _instant(event.at_unix_us),
        "ecs": {"version": ECS_VERSION},
        "message": event.text,
        "event": {
            "kind": "event",
            "module": "auditd" if not event.source else event.source,
            "dataset": "auditd.log" if not event.source else "system.auth",
            "category": list(category),
            "type": list(type_),
            "action": event.action,
            "outcome": event.result,
            "sequence": event.serial,
        },
    }
    _put(document, "tags", event.keys)
    _put(document, "host", _host(event))
    _put(document, "error", _filled(code=event.error))
    _put(document, "user", _user(event))
    _put(document, "process", _process(event))
    for thing in event.objects:
        _put_thing(document, event, thing)
    _put(document, "related", _related(event))
    _put(document, "steno", _own(event))
    return document


def _instant(at_unix_us: int) -> str:
    seconds, rest_us = divmod(at_unix_us, 1_000_000)
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{rest_us // 1000:03}Z"


def _put(document: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401  # JSON
    if value:
        document[name] = value


def _filled(**values: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    return {name: value for name, value in values.items() if value not in (None, "", {}, [])}


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _host(event: Event) -> dict[str, Any]:
    boot = _filled(id=event.boot_id)
    return _filled(name=event.host, hostname=event.host, boot=boot)


def _user(event: Event) -> dict[str, Any]:
    who = event.who
    group = _filled(id=_text(who.gid), name=who.group)
    effective = _filled(id=_text(who.effective_uid), name=who.effective_user)
    return _filled(id=_text(who.uid), name=who.user, group=group, effective=effective)


def _process(event: Event) -> dict[str, Any]:
    process = event.process
    arguments = process.arguments
    return _filled(
        pid=process.pid,
        parent=_filled(pid=process.parent_pid),
        executable=process.program,
        name=process.name,
        args=arguments,
        args_count=None if arguments is None else len(arguments),
        command_line=None if arguments is None else " ".join(arguments),
        title=process.title,
        working_directory=process.directory,
        exit_code=event.exit if event.action == "ended" else None,
        io=_filled(text=event.typed),
    )


def _own(event: Event) -> dict[str, Any]:
    """Return what ECS has no field for."""
    return _filled(
        audit_session=event.audit_session,
        login=_filled(id=_text(event.who.login_uid), name=event.who.login_user),
        terminal=event.process.terminal,
        syscall=event.syscall,
        exit=event.exit,
        signal=event.signal,
        lost_before=event.lost_before or None,
        objects=[
            _filled(kind=thing.kind, name=thing.name, role=thing.role) for thing in event.objects
        ],
    )


def _related(event: Event) -> dict[str, Any]:
    who = event.who
    accounts = [thing.name for thing in event.objects if thing.kind == "account"]
    users = [who.login_user, who.user, who.effective_user, *accounts]
    addresses = [thing.address for thing in event.objects]
    return _filled(
        user=sorted({name for name in users if name}),
        ip=sorted({ip for address in addresses if (ip := _ip_of(address or ""))}),
        hosts=[event.host] if event.host else [],
    )


def _ip_of(address: str) -> str | None:
    """Return an address without its scope, which Elasticsearch takes for no part of it.

    None for a host's name, which may stand in an address's place.
    """
    plain = address.partition("%")[0]
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        return None
    return plain


def _put_thing(document: dict[str, Any], event: Event, thing: Thing) -> None:
    put = _THINGS.get(thing.kind)
    if put is not None:
        put(document, event, thing)


_FILE_TYPES = {0o040000: "dir", 0o100000: "file", 0o120000: "symlink", 0o020000: "device"}


def _put_file(document: dict[str, Any], event: Event, thing: Thing) -> None:
    file = document.setdefault("file", {})
    if thing.role == "target":
        file["target_path"] = thing.name
        return
    if thing.role in ("directory", "deleted", "interpreter") or (
        "path" in file and thing.role != "to"
    ):
        return
    mode = octal(thing.mode.encode()) if thing.mode else None
    directory, _, name = thing.name.rpartition("/")
    document["file"] = file | _filled(
        path=thing.name,
        name=name,
        directory=directory or ("/" if thing.name[:1] == "/" else None),
        type="dir" if thing.kind == "directory" else _FILE_TYPES.get((mode or 0) & 0o170000),
        inode=_text(thing.inode),
        mode=None if mode is None else f"{mode & 0o7777:04o}",
        owner=thing.owner,
    )


_INCOMING = frozenset({"accepted from", "received from"})
_OUTGOING = frozenset({"connected to", "sent to"})


def _put_address(document: dict[str, Any], event: Event, thing: Thing) -> None:
    address = thing.address or thing.name
    place = _filled(address=address, ip=_ip_of(address), port=thing.port)
    if event.action in _OUTGOING:
        document["destination"] = place
        document["network"] = _network("egress", address)
    elif event.action in _INCOMING or thing.role == "from":
        document["source"] = place
        if event.action in _INCOMING:
            document["network"] = _network("ingress", address)
    else:
        document["server"] = place


def _network(direction: str, address: str) -> dict[str, Any]:
    return {"direction": direction, "type": "ipv6" if ":" in address else "ipv4"}


def _put_account(document: dict[str, Any], event: Event, thing: Thing) -> None:
    if "group" in event.action:
        document["group"] = {"name": thing.name}
        return
    field = "effective" if event.action == "became" else "target"
    user = document.setdefault("user", {})
    user[field] = {"id" if thing.name.isdecimal() else "name": thing.name}


def _put_service(document: dict[str, Any], event: Event, thing: Thing) -> None:
    document["service"] = {"name": thing.name}


_THINGS: dict[str, Callable[[dict[str, Any], Event, Thing], None]] = {
    "file": _put_file,
    "directory": _put_file,
    "address": _put_address,
    "account": _put_account,
    "service": _put_service,
}
