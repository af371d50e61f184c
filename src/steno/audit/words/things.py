"""What an event is about, out of PATH, SOCKADDR and what names an account or a process."""

from __future__ import annotations

import ipaddress

from steno.audit.event import Thing, ThingKind
from steno.audit.records import Record
from steno.audit.values.addresses import parse_address
from steno.audit.values.escaping import decode_string
from steno.audit.values.fields import kind_of
from steno.audit.values.kinds import Kind
from steno.audit.values.names import Names
from steno.audit.words.gathering import PathFields
from steno.audit.words.memory import Memory

_DIRECTORY = 0o040000
_TYPE_MASK = 0o170000

_NO_NAMES = frozenset({b"(null)", b"(none)", b"?", b""})


def text_of(raw: bytes | None) -> str:
    """Return the string that a field holds, U+FFFD for what is not UTF-8; "": none."""
    if raw is None or raw in _NO_NAMES:
        return ""
    return bytes_of(raw).decode(errors="replace")


def bytes_of(raw: bytes) -> bytes:
    """Return the bytes that a field holds."""
    if raw[:1] == b'"' == raw[-1:]:
        return raw[1:-1]
    data = decode_string(raw)
    return raw if data is None else data


def field_text(record: Record, name: str) -> str:
    """Return what the field `name` holds, decoded if it is of those that may be hexadecimal.

    What auditd wrote for an id (`UID="root"`) counts more than the id.
    """
    known = known_name(record.get(name.upper()))
    if known:
        return known
    raw = record.get(name)
    if raw is None or raw[:1] == b'"' or kind_of(record.type, name) not in _HEXADECIMAL:
        return plain_text(raw)
    return text_of(raw)


_HEXADECIMAL = frozenset({Kind.TEXT, Kind.KEY, Kind.TITLE})


def plain_text(raw: bytes | None) -> str:
    """Return a field that is never hexadecimal, without quotes; "" where there is none."""
    if raw is None or raw in _NO_NAMES:
        return ""
    if raw[:1] == b'"':
        raw = raw[1:-1]
    return raw.decode(errors="replace")


def known_name(raw: bytes | None) -> str:
    """Return the name that auditd wrote for an id; "" where it had none: `unknown(1599)`."""
    name = plain_text(raw)
    return "" if name.startswith("unknown(") else name


def number_of(raw: bytes | None, base: int = 10) -> int | None:
    """Return a field's number; None where it is not one."""
    # 64 bits have 20 decimal digits, and no more.
    if raw is None or len(raw) > 20:
        return None
    try:
        # Without a base it takes half the time.
        number = int(raw) if base == 10 else int(raw, base)
    except ValueError:
        return None
    return number if number < _TOO_LARGE else None


_TOO_LARGE = 1 << 64


def signed(number: int) -> int:
    """Return an argument of a system call, 32 or 64 bits of it, as a signed number."""
    if number >= 1 << 63:
        return number - (1 << 64)
    return number - (1 << 32) if 1 << 31 <= number < 1 << 32 else number


def resolve(name: bytes, directory: bytes | None) -> bytes:
    """Return `name` as an absolute path, without `.`, `..` and doubled slashes.

    A `..` after a symbolic link is resolved as if the link were a directory, since nobody
    can know any more. Without `directory` a relative name stays relative.
    """
    if name[:1] != b"/":
        if not directory or directory[:1] != b"/":
            return name
        name = directory + b"/" + name
    if b"//" not in name and b"/." not in name and name[-1:] != b"/":
        return name
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
        elif part and part != b".":
            parts.append(part)
    return b"/" + b"/".join(parts)


class Files:
    """Make things of PATH records.

    Args:
        names: Gives owners their names where records do not.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._modes = Memory(_read_mode)
        self._owners = Memory(self._find_owner)
        self._paths = Memory(_find_path)

    def forget(self) -> None:
        """Ask for owners anew from now on."""
        self._owners.clear()

    def thing(
        self,
        path: PathFields,
        directory: bytes | None,
        role: str = "",
        kind: ThingKind | None = None,
    ) -> Thing:
        """Return the file that a PATH record names.

        Args:
            path: What the record says.
            directory: What a relative name starts from; None where nobody knows.
            role: See `Thing`.
            kind: What it is; None: a file or a directory, as its mode says.
        """
        inode = number_of(path.inode)
        text, hexadecimal = self._paths[path.name, directory]
        if not text:
            text = f"inode {inode}" if inode is not None else "?"
        shown, known_kind = self._modes[path.mode]
        owner = self._owners[(path.ouid, path.OUID)]
        return Thing(kind or known_kind, text, role, hexadecimal, inode, shown, owner)

    def process(self, record: Record) -> Thing:
        """Return the process that an OBJ_PID record tells of."""
        owner = self.owner(record.get("ouid"), record.get("OUID"))
        program = field_text(record, "ocomm") or None
        return Thing("process", field_text(record, "opid"), owner=owner, program=program)

    def owner(self, uid: bytes | None, known: bytes | None) -> str | None:
        """Return the name of whom something belongs to, else the number."""
        return self._owners[uid, known]

    def _find_owner(self, owner: tuple[bytes | None, bytes | None]) -> str | None:
        uid, known = owner
        name = known_name(known)
        number = number_of(uid)
        if not name and number is not None:
            name = self._names.user(number) or ""
        return name or plain_text(uid) or None


def _find_path(path: tuple[bytes | None, bytes | None]) -> tuple[str, str | None]:
    """Return a name that starts from a directory, as `decode` does; "" where there is none."""
    raw, directory = path
    if raw is None or raw in _NO_NAMES or raw == b'""':
        return "", None
    data = bytes_of(raw)
    if data[:1] != b"/" or b"/." in data or b"//" in data or data[-1:] == b"/":
        data = resolve(data, directory)
    return decode(data)


def _read_mode(raw: bytes | None) -> tuple[str | None, ThingKind]:
    number = number_of(raw, 8)
    is_directory = number is not None and number & _TYPE_MASK == _DIRECTORY
    text = None if raw is None else raw.decode(errors="replace")
    return text, "directory" if is_directory else "file"


def peer_thing(raw: bytes) -> Thing | None:
    """Return what a SOCKADDR record's `saddr` names; None where it names nothing."""
    peer = parse_address(raw)
    if peer is None:
        return None
    if peer.address is not None:
        return _ip_thing(peer.address, peer.port)
    if peer.path is not None:
        if not peer.path:
            return Thing("object", "a socket without a name")
        name, hexadecimal = decode(peer.path)
        return Thing("object" if name[:1] == "@" else "file", name, name_hex=hexadecimal)
    return Thing("object", _FAMILIES.get(peer.family, f"{peer.family} address"))


_FAMILIES = {
    "netlink": "the kernel (netlink)",
    "packet": "packets of a device",
    "alg": "kernel cryptography",
    "unspec": "no address",
}


def _ip_thing(address: str, port: int | None) -> Thing:
    """One that stands for an IPv4 address is found under that: `[::ffff:192.0.2.1]:80`."""
    if not address.startswith("::ffff:"):
        return address_thing(address, port)
    mapped = ipaddress.IPv6Address(address.partition("%")[0]).ipv4_mapped
    if mapped is None:
        return address_thing(address, port)
    return Thing("address", f"[::ffff:{mapped}]:{port}", address=str(mapped), port=port)


def decode(data: bytes) -> tuple[str, str | None]:
    """Return text, and where it cannot stand for the bytes, those in hexadecimal."""
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode(errors="replace"), data.hex()


def address_thing(address: str, port: int | None = None, role: str = "") -> Thing:
    """Return an IP address, or the name of a host, with its port."""
    shown = f"[{address}]" if ":" in address and port is not None else address
    name = shown if port is None else f"{shown}:{port}"
    return Thing(kind="address", name=name, role=role, address=address, port=port)
