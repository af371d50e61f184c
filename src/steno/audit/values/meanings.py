"""Which kind of value is read how: one function for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from steno.audit.values import numbers
from steno.audit.values.addresses import parse_address
from steno.audit.values.escaping import decode_string, text_of
from steno.audit.values.keystrokes import spell_keystrokes
from steno.audit.values.kinds import Kind
from steno.audit.values.names import UNSET
from steno.audit.values.tables import choices, flags

Value = str | bytes | None
"""What a value means: text; bytes, for a string that is not UTF-8; None: what stands there."""


def decode_text(raw: bytes) -> Value:
    """Return a string that is quoted or in hexadecimal."""
    data = decode_string(raw)
    return None if data is None else text_of(data)


def _decode_title(raw: bytes) -> Value:
    data = decode_string(raw)
    return None if data is None else text_of(data.replace(b"\0", b" ").rstrip(b" "))


def _decode_keystrokes(raw: bytes) -> Value:
    data = decode_string(raw)
    return None if data is None else spell_keystrokes(data)


def _decode_address(raw: bytes) -> Value:
    address = parse_address(raw)
    return None if address is None else text_of(address.shown())


def _decode_session(raw: bytes) -> Value:
    return "unset" if numbers.decimal(raw) in UNSET else None


def _decode_number(raw: bytes) -> Value:
    number = numbers.hexadecimal(raw)
    shown = None if number is None else str(numbers.signed(number))
    return None if shown is None or shown.encode() == raw else shown


Reader = Callable[[bytes], int | None]


def _read(reader: Reader, name: Callable[[int], str | None]) -> Callable[[bytes], Value]:
    """Read a number and name it."""

    def decode(raw: bytes) -> Value:
        number = reader(raw)
        return None if number is None else name(number)

    return decode


def _argument(name: Callable[[int], str | None]) -> Callable[[bytes], Value]:
    """Read an argument that is an int, whatever stands above its 32 bits."""
    return _read(numbers.hexadecimal, lambda number: name(number & 0xFFFFFFFF))


def _bits(names: Mapping[int, str]) -> Callable[[bytes], Value]:
    """Read flags that are an unsigned long; none at all stands as it is."""
    return _read(
        numbers.hexadecimal,
        lambda number: numbers.names_of_bits(number, names) if number else None,
    )


def _name_level(number: int) -> str | None:
    """Name a socket option's level; 1 is the socket's own."""
    return "SOL_SOCKET" if number == 1 else choices.SOCKET_LEVEL.get(number)


_DESCRIPTOR_FLAGS = {0x800: "O_NONBLOCK", 0x80000: "O_CLOEXEC"}
_SOCKET_FLAGS = {0x800: "SOCK_NONBLOCK", 0x80000: "SOCK_CLOEXEC"}
_TRUST = {0: "no", 1: "yes", 2: "unknown"}
_SUCCESS = {0: "no", 1: "yes"}
_PROMISCUOUS = {0: "no"}
_NETLINK_GROUPS = {0: "audit-none", 1: "audit-netlink-multicast"}
_FANOTIFY_TYPES = {0: "none", 1: "rule"}

MEANINGS: dict[int, Callable[[bytes], Value]] = {
    Kind.TEXT: decode_text,
    Kind.KEY: decode_text,
    Kind.TITLE: _decode_title,
    Kind.KEYSTROKES: _decode_keystrokes,
    Kind.SESSION: _decode_session,
    Kind.URING_OP: _read(numbers.decimal, choices.URING.get),
    Kind.EXIT: _read(numbers.decimal, numbers.name_exit),
    Kind.ERRNO: _read(numbers.decimal, lambda number: numbers.name_error(abs(number))),
    Kind.SUCCESS: _read(numbers.decimal, _SUCCESS.get),
    Kind.MODE: _read(numbers.octal, numbers.name_mode),
    Kind.MODE_SHORT: _read(numbers.octal, numbers.name_short_mode),
    Kind.SOCKADDR: _decode_address,
    Kind.SIGNAL: _read(numbers.decimal, numbers.name_signal),
    Kind.CAPABILITY: _read(numbers.decimal, choices.CAPABILITY.get),
    Kind.CAPABILITIES: _read(numbers.hexadecimal, numbers.name_capabilities),
    Kind.LIST: _read(numbers.decimal, choices.LIST.get),
    Kind.PERMISSIONS: _read(numbers.decimal, numbers.name_permissions),
    Kind.PROMISCUOUS: _read(numbers.decimal, lambda number: _PROMISCUOUS.get(number, "yes")),
    Kind.NETFILTER_FAMILY: _read(numbers.decimal, choices.NETFILTER_FAMILY.get),
    Kind.NETFILTER_HOOK: _read(numbers.hexadecimal, choices.NETFILTER_HOOK.get),
    Kind.NETFILTER_ACTION: _read(numbers.hexadecimal, choices.NETFILTER_ACTION.get),
    Kind.ICMP_TYPE: _read(numbers.decimal, choices.ICMP_TYPE.get),
    Kind.IP_PROTOCOL: _read(numbers.decimal, choices.IP_PROTOCOL.get),
    Kind.ETHER_TYPE: _read(numbers.hexadecimal, choices.ETHER_TYPE.get),
    Kind.PERSONALITY: _read(numbers.hexadecimal, numbers.name_personality),
    Kind.SECCOMP: _read(numbers.hexadecimal, numbers.name_seccomp),
    Kind.OPEN_FLAGS: _read(numbers.c_number, numbers.name_open_flags),
    Kind.MMAP_FLAGS: _read(numbers.hexadecimal, numbers.name_mmap_flags),
    Kind.RESOLVE_FLAGS: _bits(flags.RESOLVE),
    Kind.IOCTL: _read(numbers.hexadecimal, choices.IOCTL.get),
    Kind.FANOTIFY_RESPONSE: _read(numbers.decimal, lambda number: choices.FANOTIFY.get(number & 3)),
    Kind.FANOTIFY_TYPE: _read(numbers.decimal, _FANOTIFY_TYPES.get),
    Kind.TRUST: _read(numbers.decimal, _TRUST.get),
    Kind.NETLINK_GROUP: _read(numbers.decimal, _NETLINK_GROUPS.get),
    Kind.A_NUMBER: _decode_number,
    Kind.A_DIRECTORY: _argument(numbers.name_directory),
    Kind.A_SIGNAL: _argument(numbers.name_signal),
    Kind.A_MODE: _argument(lambda number: numbers.name_short_mode(number & 0o7777)),
    Kind.A_NODE_MODE: _argument(lambda number: numbers.name_mode(number & 0o177777)),
    Kind.A_OPEN_FLAGS: _argument(numbers.name_open_flags),
    Kind.A_OPEN_FLAGS_ARM: _argument(
        lambda number: numbers.name_open_flags(number, flags.OPEN_ARM)
    ),
    Kind.A_OPEN_FLAGS_POWER: _argument(
        lambda number: numbers.name_open_flags(number, flags.OPEN_POWER)
    ),
    Kind.A_CLONE_FLAGS: _read(numbers.hexadecimal, numbers.name_clone_flags),
    Kind.A_NAMESPACES: _bits(flags.NAMESPACE),
    Kind.A_ACCESS: _argument(numbers.name_access),
    Kind.A_AT_FLAGS: _bits(flags.AT),
    Kind.A_MOUNT_FLAGS: _bits(flags.MOUNT),
    Kind.A_UMOUNT_FLAGS: _bits(flags.UMOUNT),
    Kind.A_PROTECTION: _argument(
        lambda number: numbers.names_of_bits(number, flags.PROTECTION, none="PROT_NONE")
    ),
    Kind.A_MMAP_FLAGS: _argument(numbers.name_mmap_flags),
    Kind.A_MMAP_FLAGS_POWER: _argument(
        lambda number: numbers.name_mmap_flags(number, flags.MMAP_POWER)
    ),
    Kind.A_SOCKET_FAMILY: _argument(choices.ADDRESS_FAMILY.get),
    Kind.A_SOCKET_TYPE: _argument(numbers.name_socket_type),
    Kind.A_SOCKET_LEVEL: _argument(_name_level),
    Kind.A_MESSAGE_FLAGS: _bits(flags.MESSAGE),
    Kind.A_SOCKETCALL: _argument(choices.SOCKETCALL.get),
    Kind.A_IPC_CALL: _argument(lambda number: choices.IPC_CALL.get(number & 0xFFFF)),
    Kind.A_SHM_FLAGS: _argument(numbers.name_shm_flags),
    Kind.A_FCNTL: _argument(choices.FCNTL.get),
    Kind.A_IOCTL: _argument(choices.IOCTL.get),
    Kind.A_PRCTL: _argument(choices.PRCTL.get),
    Kind.A_PTRACE: _read(numbers.hexadecimal, choices.PTRACE.get),
    Kind.A_PERSONALITY: _argument(numbers.name_personality),
    Kind.A_SEEK: _argument(choices.SEEK.get),
    Kind.A_SCHEDULER: _argument(numbers.name_scheduler),
    Kind.A_EPOLL: _argument(choices.EPOLL.get),
    Kind.A_CLOCK: _argument(choices.CLOCK.get),
    Kind.A_LIMIT: _argument(choices.LIMIT.get),
    Kind.A_WAIT_FLAGS: _bits(flags.WAIT),
    Kind.A_BPF: _argument(choices.BPF.get),
    Kind.A_MEMFD_FLAGS: _bits(flags.MEMFD),
    Kind.A_MODULE_FLAGS: _bits(flags.MODULE),
    Kind.A_DESCRIPTOR_FLAGS: _bits(_DESCRIPTOR_FLAGS),
    Kind.A_SOCKET_FLAGS: _bits(_SOCKET_FLAGS),
    Kind.A_UNLINK_FLAGS: _bits({0x200: "AT_REMOVEDIR"}),
    Kind.A_FLOCK: _bits(flags.FLOCK),
    Kind.A_IPC_COMMAND: _argument(lambda number: choices.IPC_COMMAND.get(number & ~0x100)),
    Kind.A_REBOOT: _argument(choices.REBOOT.get),
    Kind.A_KEYCTL: _argument(choices.KEYCTL.get),
    Kind.A_SECCOMP_OPERATION: _argument(choices.SECCOMP_OPERATION.get),
}
"""The kinds that need nothing but the value as it stands."""


def _name_open_mode(before: int, number: int) -> str | None:
    """Name the mode of a file that open may create; without O_CREAT and O_TMPFILE it is noise."""
    creates = before & (0x40 | 0x400000)
    return numbers.name_short_mode(number & 0o7777) if creates else None


_OPTIONS = {
    0: choices.IP_OPTION,
    6: choices.TCP_OPTION,
    17: choices.UDP_OPTION,
    41: choices.IPV6_OPTION,
    263: choices.PACKET_OPTION,
}


_IP_PROTOCOLS = {1: (6, 132, 262), 2: (1, 17, 58, 136), 3: (58, 255)}
"""By the socket's type: protocols that mean the same in no other family (netlink has 6, too)."""


def _name_protocol(before: int, number: int) -> str | None:
    known = _IP_PROTOCOLS.get(before & 0xF, ())
    return choices.IP_PROTOCOL.get(number) if number in known else None


def _name_socket_option(before: int, number: int) -> str | None:
    options = choices.SOCKET_OPTION if before == 1 else _OPTIONS.get(before, {})
    return options.get(number & 0xFFFFFFFF)


def _name_socket_option_of_power(before: int, number: int) -> str | None:
    if before == 1:
        return choices.SOCKET_OPTION_POWER.get(number & 0xFFFFFFFF)
    return _name_socket_option(before, number)


_FCNTL_VALUES: dict[str, Callable[[int], str | None]] = {
    "F_SETFD": {1: "FD_CLOEXEC"}.get,
    "F_SETFL": lambda number: numbers.names_of_bits(number, flags.OPEN),
    "F_SETOWN": lambda number: str(numbers.signed(number)),
    "F_SETSIG": numbers.name_signal,
    "F_SETLEASE": {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}.get,
    "F_ADD_SEALS": lambda number: numbers.names_of_bits(number, choices.SEAL),
    "F_DUPFD": lambda number: str(numbers.signed(number)),
    "F_DUPFD_CLOEXEC": lambda number: str(numbers.signed(number)),
}

_PRCTL_VALUES: dict[str, Callable[[int], str | None]] = {
    "PR_SET_PDEATHSIG": numbers.name_signal,
    "PR_CAPBSET_READ": choices.CAPABILITY.get,
    "PR_CAPBSET_DROP": choices.CAPABILITY.get,
}


def _name_fcntl_value(before: int, number: int) -> str | None:
    name = _FCNTL_VALUES.get(choices.FCNTL.get(before & 0xFFFFFFFF, ""))
    return None if name is None else name(number & 0xFFFFFFFF)


def _name_prctl_value(before: int, number: int) -> str | None:
    name = _PRCTL_VALUES.get(choices.PRCTL.get(before & 0xFFFFFFFF, ""))
    return None if name is None else name(number)


DEPENDENT: dict[int, Callable[[int, int], str | None]] = {
    Kind.A_OPEN_MODE: _name_open_mode,
    Kind.A_SOCKET_PROTOCOL: _name_protocol,
    Kind.A_SOCKET_OPTION: _name_socket_option,
    Kind.A_SOCKET_OPTION_POWER: _name_socket_option_of_power,
    Kind.A_FCNTL_VALUE: _name_fcntl_value,
    Kind.A_PRCTL_VALUE: _name_prctl_value,
}
"""The kinds that need the argument before."""
