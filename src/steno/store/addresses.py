"""Network addresses in a query: `addr:` and what it asks for. Does no I/O."""

from __future__ import annotations

import ipaddress
import re

import msgspec

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressPattern(msgspec.Struct, frozen=True):
    """What `addr:` asks for; what is None may be anything.

    Attributes:
        network: The address lies in it; IPv4 as itself.
        port: The port.
        name: Of a socket that has no such address, folded, `*` for anything.
    """

    network: Network | None = None
    port: int | None = None
    name: str | None = None


def parse_address(value: str) -> AddressPattern:
    """Read `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1:443`, `[::1]:443`, `:443` or a socket's name.

    Raises:
        ValueError: It looks like one of these and is none.
    """
    if match := re.fullmatch(r"(?:\[([^]]*)\]|([^:]*)):(\d{1,5})", value, re.ASCII):
        port = int(match[3])
        if port > 65535:
            raise ValueError("a port is at most 65535")
        inner = match[1] if match[1] is not None else match[2]
        if not inner or inner == "*":
            return AddressPattern(port=port)
        if match[1] is not None or re.match(r"[\d.]+$", inner):
            return AddressPattern(_network(inner), port)
        return AddressPattern(name=value.casefold())
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if re.fullmatch(r"[\d.]+(/\d+)?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(/\d+)?", bare, re.ASCII):
        return AddressPattern(_network(bare))
    return AddressPattern(name=value.casefold())


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "not an address; write 192.0.2.1, 192.0.2.0/24, 192.0.2.1:443, [::1]:443, :443"
        ) from None


def plain_address(text: str) -> Address | None:
    """Return an address, one of IPv4 in IPv6's clothes as itself; None when it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address, network: Network) -> bool:
    """Return whether an address lies in a network, one of IPv4 also in IPv6's clothes."""
    if address.version == network.version:
        return address in network
    if address.version == 4:
        return ipaddress.IPv6Address(f"::ffff:{address}") in network
    return False
