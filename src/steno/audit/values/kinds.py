"""What sorts of values the fields of audit records hold; docs/formats/event.md lists them.

A kind says how a value is decoded, and whether that needs a fact from elsewhere in the same
record. Kinds are small integers, so that C can keep them in tables.
"""

from __future__ import annotations

import enum


class Kind(enum.IntEnum):
    """How a field's value is decoded.

    The numbers hold for one run of a program only: they are neither stored nor sent.
    """

    PLAIN = 0
    """Stands as it is, but for quotes around it (see `decoding.Decoder.value`)."""
    TEXT = enum.auto()
    """Quoted, or hexadecimal: names of files, arguments, comm, exe, acct ..."""
    KEY = enum.auto()
    """The same, several rules' keys with 0x01 between them."""
    TITLE = enum.auto()
    """The same, NULs between arguments: PROCTITLE."""
    KEYSTROKES = enum.auto()
    """Hexadecimal: what TTY and USER_TTY records hold."""
    UID = enum.auto()
    GID = enum.auto()
    SESSION = enum.auto()
    ARCH = enum.auto()
    SYSCALL = enum.auto()
    """A system call's number; the fact is `arch`, as it stands in the record."""
    URING_OP = enum.auto()
    EXIT = enum.auto()
    ERRNO = enum.auto()
    SUCCESS = enum.auto()
    MODE = enum.auto()
    MODE_SHORT = enum.auto()
    SOCKADDR = enum.auto()
    SIGNAL = enum.auto()
    CAPABILITY = enum.auto()
    CAPABILITIES = enum.auto()
    """A hexadecimal mask of them."""
    LIST = enum.auto()
    PERMISSIONS = enum.auto()
    PROMISCUOUS = enum.auto()
    NETFILTER_FAMILY = enum.auto()
    NETFILTER_HOOK = enum.auto()
    NETFILTER_ACTION = enum.auto()
    ICMP_TYPE = enum.auto()
    IP_PROTOCOL = enum.auto()
    ETHER_TYPE = enum.auto()
    PERSONALITY = enum.auto()
    SECCOMP = enum.auto()
    OPEN_FLAGS = enum.auto()
    """Hexadecimal where it begins with 0x, octal where it begins with 0."""
    MMAP_FLAGS = enum.auto()
    RESOLVE_FLAGS = enum.auto()
    IOCTL = enum.auto()
    FANOTIFY_RESPONSE = enum.auto()
    FANOTIFY_TYPE = enum.auto()
    TRUST = enum.auto()
    NETLINK_GROUP = enum.auto()
    ARGUMENT_0 = enum.auto()
    """a0 to a3 of SYSCALL records: ask `fields.kinds_of_arguments` for the kind."""
    ARGUMENT_1 = enum.auto()
    ARGUMENT_2 = enum.auto()
    ARGUMENT_3 = enum.auto()
    # From here on: arguments of system calls, hexadecimal without 0x.
    A_NUMBER = enum.auto()
    """A process's id, a descriptor, an exit status: signed, shown decimal."""
    A_DIRECTORY = enum.auto()
    A_UID = enum.auto()
    A_GID = enum.auto()
    A_SIGNAL = enum.auto()
    A_MODE = enum.auto()
    A_NODE_MODE = enum.auto()
    A_OPEN_FLAGS = enum.auto()
    A_OPEN_FLAGS_ARM = enum.auto()
    A_OPEN_FLAGS_POWER = enum.auto()
    A_OPEN_MODE = enum.auto()
    """Meant only where a file may be created; the fact is the argument before."""
    A_CLONE_FLAGS = enum.auto()
    A_NAMESPACES = enum.auto()
    A_ACCESS = enum.auto()
    A_AT_FLAGS = enum.auto()
    A_MOUNT_FLAGS = enum.auto()
    A_UMOUNT_FLAGS = enum.auto()
    A_PROTECTION = enum.auto()
    A_MMAP_FLAGS = enum.auto()
    A_MMAP_FLAGS_POWER = enum.auto()
    A_SOCKET_FAMILY = enum.auto()
    A_SOCKET_TYPE = enum.auto()
    A_SOCKET_PROTOCOL = enum.auto()
    """The fact is the argument before, the type."""
    A_SOCKET_LEVEL = enum.auto()
    A_SOCKET_OPTION = enum.auto()
    """The fact is the argument before, the level."""
    A_SOCKET_OPTION_POWER = enum.auto()
    A_MESSAGE_FLAGS = enum.auto()
    A_SOCKETCALL = enum.auto()
    A_IPC_CALL = enum.auto()
    A_SHM_FLAGS = enum.auto()
    A_FCNTL = enum.auto()
    A_FCNTL_VALUE = enum.auto()
    """The fact is the argument before, the command."""
    A_IOCTL = enum.auto()
    A_PRCTL = enum.auto()
    A_PRCTL_VALUE = enum.auto()
    """The fact is the argument before, the option."""
    A_PTRACE = enum.auto()
    A_PERSONALITY = enum.auto()
    A_SEEK = enum.auto()
    A_SCHEDULER = enum.auto()
    A_EPOLL = enum.auto()
    A_CLOCK = enum.auto()
    A_LIMIT = enum.auto()
    A_WAIT_FLAGS = enum.auto()
    A_BPF = enum.auto()
    A_MEMFD_FLAGS = enum.auto()
    A_MODULE_FLAGS = enum.auto()
    A_DESCRIPTOR_FLAGS = enum.auto()
    """What pipe2 and its like take of open's flags."""
    A_SOCKET_FLAGS = enum.auto()
    A_UNLINK_FLAGS = enum.auto()
    A_FLOCK = enum.auto()
    A_IPC_COMMAND = enum.auto()
    A_REBOOT = enum.auto()
    A_KEYCTL = enum.auto()
    A_SECCOMP_OPERATION = enum.auto()


NEEDS_ARCH = frozenset({Kind.SYSCALL})
"""The fact to hand to `Decoder.value` is the record's `arch`, as it stands."""

NEEDS_ARGUMENT_BEFORE = frozenset(
    {
        Kind.A_OPEN_MODE,
        Kind.A_SOCKET_PROTOCOL,
        Kind.A_SOCKET_OPTION,
        Kind.A_SOCKET_OPTION_POWER,
        Kind.A_FCNTL_VALUE,
        Kind.A_PRCTL_VALUE,
    }
)
"""The fact to hand to `Decoder.value` is the argument before (a0 for a1 ...), as it stands."""

NEEDS_NAMES = frozenset({Kind.UID, Kind.GID, Kind.A_UID, Kind.A_GID})
"""What is decoded depends on the host's accounts; the record's ENRICHED suffix knows better."""
