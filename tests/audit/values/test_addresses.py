"""Socket addresses of SOCKADDR records."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.values.addresses import SocketAddress, parse_address


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("020046A07F0000010000000000000000", "{ saddr_fam=inet laddr=127.0.0.1 lport=18080 }"),
        ("0A0046A0" + "0" * 39 + "100000000", "{ saddr_fam=inet6 laddr=::1 lport=18080 }"),
        ("0A0046A000000000" + "0" * 20 + "FFFF7F000001",
         "{ saddr_fam=inet6 laddr=::ffff:127.0.0.1 lport=18080 }"),
        ("0A00005000000000FE80" + "0" * 26 + "0102000000",
         "{ saddr_fam=inet6 laddr=fe80::1%2 lport=80 }"),
        ("01002F746D702F7800", "{ saddr_fam=local path=/tmp/x }"),
        ("0100007A6F6F", "{ saddr_fam=local path=@zoo }"),
        ("0100007A006F", "{ saddr_fam=local path=@z@o }"),
        ("0100", "{ saddr_fam=local (unnamed) }"),
        ("010000000000", "{ saddr_fam=local (unnamed) }"),
        ("100000000200000001000000",
         "{ saddr_fam=netlink nlnk-fam=16 nlnk-pid=2 groups=0x1 }"),
        ("110000000100000000000000000000000000FFFF",
         "{ saddr_fam=packet protocol=0x0000 ifindex=1 hatype=0 pkttype=0"
         " addr=00:00:00:00:00:00 }"),
        ("28000000000400000200000000000000", "{ saddr_fam=vsock cid=host port=1024 }"),
        ("0000", "{ saddr_fam=unspec }"),
        ("63000102", "{ saddr_fam=unknown(99) }"),
        ("02000050", "{ saddr_fam=inet cut=yes }"),
    ],
)  # fmt: skip
def test_addresses_of_all_families(raw: str, text: str) -> None:
    """Each family's parts are named; what is cut short or unknown says so."""
    address = parse_address(raw.encode())
    assert address is not None
    assert address.shown().decode() == text


@given(
    st.ip_addresses(),
    st.integers(0, 65535),
    st.sampled_from("<>"),
)
def test_addresses_come_back_as_they_were(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, order: str
) -> None:
    """What a host of either byte order writes is read as that address and port."""
    if address.version == 4:
        data = struct.pack(f"{order}H", 2) + struct.pack(">H", port) + address.packed + bytes(8)
    else:
        data = (
            struct.pack(f"{order}H", 10) + struct.pack(">HI", port, 0) + address.packed + bytes(4)
        )
    found = parse_address(data.hex().upper().encode())
    assert found is not None
    assert found.port == port
    assert found.address is not None
    assert ipaddress.ip_address(found.address) == address


@given(st.binary(max_size=130))
def test_any_bytes_are_an_address_or_none(data: bytes) -> None:
    """Nothing is too short or too strange."""
    found = parse_address(data.hex().encode())
    assert found is None or found.shown().startswith(b"{ saddr_fam=")
    assert parse_address(data) is None or isinstance(parse_address(data), SocketAddress)


def test_what_is_no_address_is_none() -> None:
    """Words, and what AVC records call saddr."""
    assert parse_address(b"192.0.2.1") is None
    assert parse_address(b"(null)") is None
    assert parse_address(b"02") is None
