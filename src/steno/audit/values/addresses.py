"""Socket addresses: the bytes of SOCKADDR records.

Source: Linux, include/uapi/linux/{un,in,in6,netlink,if_packet,vm_sockets,if_alg,can}.h, and
include/linux/socket.h. Numbers are in the host's order, but for ports and protocols.
"""

from __future__ import annotations

import ipaddress
from typing import Literal

import msgspec

from steno.audit.values.escaping import decode_string
from steno.audit.values.tables.choices import ADDRESS_FAMILY


class SocketAddress(msgspec.Struct, frozen=True):
    """What a socket is bound to or connected with.

    Attributes:
        family: `inet`, `local`, `netlink` ...; `unknown(99)` for a number without a name.
        address: An IP address, with its scope behind a `%` where it has one.
        port: Its port; that of a vsock.
        path: A Unix socket's path; an abstract one begins with `@`; b"": unnamed.
        details: Names and values of other families, as they are shown.
    """

    family: str
    address: str | None = None
    port: int | None = None
    path: bytes | None = None
    details: tuple[tuple[str, str], ...] = ()

    def shown(self) -> bytes:
        """Write it as auparse does: `{ saddr_fam=inet laddr=127.0.0.1 lport=80 }`."""
        parts = [f"saddr_fam={self.family}".encode()]
        if self.address is not None:
            parts.append(f"laddr={self.address} lport={self.port}".encode())
        elif self.path is not None:
            parts.append(b"path=" + self.path if self.path else b"(unnamed)")
        parts += [f"{name}={value}".encode() for name, value in self.details]
        return b"{ " + b" ".join(parts) + b" }"


def parse_address(raw: bytes) -> SocketAddress | None:
    """Read the hexadecimal `saddr` of a SOCKADDR record; None where it holds no address.

    Addresses that are cut short come with what is there.
    """
    data = decode_string(raw)
    if data is None or len(data) < 2 or raw[:1] == b'"':
        return None
    # Families are below 256: the byte that is not zero tells the host's order.
    order: Literal["little", "big"] = "big" if data[0] == 0 and data[1] else "little"
    number = int.from_bytes(data[:2], order)
    family = ADDRESS_FAMILY.get(number, "unspec" if number == 0 else f"unknown({number})")
    body = data[2:]
    if family == "local":
        return SocketAddress(family, path=_read_path(body))
    if family in ("inet", "inet6"):
        return _read_ip(family, body, order)
    fields = _LAYOUTS.get(family, ())
    details = [
        (name, shown)
        for name, offset, size, way in fields
        if (shown := _read(body[offset : offset + size], size, way, order)) is not None
    ]
    return SocketAddress(family, details=tuple(details))


def _read_path(body: bytes) -> bytes:
    if body[:1] == b"\0" and body.rstrip(b"\0"):
        return b"@" + body[1:].replace(b"\0", b"@")
    return body.partition(b"\0")[0]


def _read_ip(family: str, body: bytes, order: Literal["little", "big"]) -> SocketAddress:
    port = int.from_bytes(body[:2], "big")
    if family == "inet":
        if len(body) < 6:
            return SocketAddress(family, details=(("cut", "yes"),))
        return SocketAddress(family, str(ipaddress.IPv4Address(body[2:6])), port)
    if len(body) < 22:
        return SocketAddress(family, details=(("cut", "yes"),))
    whole = ipaddress.IPv6Address(body[6:22])
    mapped = whole.ipv4_mapped  # newer Pythons write these so by themselves
    address = str(whole) if mapped is None else f"::ffff:{mapped}"
    scope = int.from_bytes(body[22:26], order)
    return SocketAddress(family, f"{address}%{scope}" if scope else address, port)


_LAYOUTS: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "netlink": (("nlnk-fam", -2, 2, "family"), ("nlnk-pid", 2, 4, "host"), ("groups", 6, 4, "set")),
    "packet": (
        ("protocol", 0, 2, "protocol"),
        ("ifindex", 2, 4, "signed"),
        ("hatype", 6, 2, "host"),
        ("pkttype", 8, 1, "host"),
        ("addr", 10, 8, "hardware"),
    ),
    "vsock": (("cid", 6, 4, "cid"), ("port", 2, 4, "host")),
    "can": (("ifindex", 2, 4, "signed"),),
    "alg": (("type", 0, 14, "text"), ("name", 22, 64, "text")),
    "bluetooth": (("data", 0, 30, "bytes"),),
    "xdp": (("ifindex", 2, 4, "host"), ("queue", 6, 4, "host")),
    "tipc": (("data", 0, 14, "bytes"),),
}
"""For each family: name, where it begins behind the family, its size in bytes, how it is read."""

_CIDS = {0xFFFFFFFF: "any", 0: "hypervisor", 1: "local", 2: "host"}


def _read(part: bytes, size: int, way: str, order: Literal["little", "big"]) -> str | None:
    if way == "family":
        return "16"
    if way == "text":
        return part.partition(b"\0")[0].decode(errors="replace") or None
    if way == "bytes":
        return part.hex() or None
    if way == "hardware":
        return part[:6].hex(":") or None
    if len(part) < size:
        return None
    if way == "protocol":
        return f"0x{int.from_bytes(part, 'big'):04x}"
    number = int.from_bytes(part, order, signed=way == "signed")
    if way == "set":
        return f"{number:#x}" if number else None
    return _CIDS.get(number, str(number)) if way == "cid" else str(number)
