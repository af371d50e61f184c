"""Which field of which record holds which kind of value.

Source: libaudit's field dictionary (audit-documentation, specs/fields/field-dictionary.csv), and
what kernel and user space write.
"""

from __future__ import annotations

import re

from steno.audit.values.kinds import Kind
from steno.audit.values.syscalls import arguments_of

_ARGUMENT = re.compile(r"a\d+(?:\[\d+\])?\Z")

_KINDS = {
    name: kind
    for kind, names in {
        Kind.TEXT: (
            "acct apparmor cgroup cmd comm cwd denied_mask device dir exe file grp info"
            " invalid_context name new-chardev new-disk new-fs new-net new-rng new_group ocomm"
            " old-chardev old-disk old-fs old-net old-rng operation path profile requested_mask"
            " root_dir sw vm watch"
        ),
        Kind.KEY: "key",
        Kind.TITLE: "proctitle",
        Kind.UID: ("auid euid fsuid id inode_uid iuid oauid obj_uid old-auid ouid sauid suid uid"),
        Kind.GID: "egid fsgid gid igid inode_gid new_gid obj_gid ogid sgid",
        Kind.SESSION: "oses old-ses ses",
        Kind.ARCH: "arch",
        Kind.SYSCALL: "syscall",
        Kind.URING_OP: "uring_op",
        Kind.EXIT: "exit",
        Kind.ERRNO: "errno",
        Kind.SUCCESS: "res result",
        Kind.MODE: "mode",
        Kind.SOCKADDR: "saddr",
        Kind.SIGNAL: "sig sigev_signo",
        Kind.CAPABILITY: "capability",
        Kind.CAPABILITIES: (
            "cap_fi cap_fp cap_pa cap_pe cap_pi cap_pp fi fp new_pe new_pi new_pp old_pa old_pe"
            " old_pi old_pp pa pe pi pp"
        ),
        Kind.LIST: "list",
        Kind.PERMISSIONS: "perm perm_mask",
        Kind.PROMISCUOUS: "old_prom prom",
        Kind.NETFILTER_FAMILY: "family",
        Kind.NETFILTER_HOOK: "hook",
        Kind.NETFILTER_ACTION: "action",
        Kind.ICMP_TYPE: "icmptype",
        Kind.IP_PROTOCOL: "proto",
        Kind.ETHER_TYPE: "macproto",
        Kind.PERSONALITY: "per",
        Kind.SECCOMP: "code",
        Kind.OPEN_FLAGS: "oflag",
        Kind.RESOLVE_FLAGS: "resolve",
        Kind.IOCTL: "ioctlcmd",
        Kind.FANOTIFY_RESPONSE: "resp",
        Kind.FANOTIFY_TYPE: "fan_type",
        Kind.TRUST: "obj_trust subj_trust",
        Kind.NETLINK_GROUP: "nl-mcgrp",
    }.items()
    for name in names.split()
}

_GROUP_RECORDS = frozenset({"ADD_GROUP", "DEL_GROUP", "GRP_MGMT"})

_BY_TYPE = {
    ("SYSCALL", "a0"): Kind.ARGUMENT_0,
    ("SYSCALL", "a1"): Kind.ARGUMENT_1,
    ("SYSCALL", "a2"): Kind.ARGUMENT_2,
    ("SYSCALL", "a3"): Kind.ARGUMENT_3,
    ("TTY", "data"): Kind.KEYSTROKES,
    ("USER_TTY", "data"): Kind.KEYSTROKES,
    ("MMAP", "flags"): Kind.MMAP_FLAGS,
    ("MQ_OPEN", "mode"): Kind.MODE_SHORT,
    ("CRYPTO_KEY_USER", "fp"): Kind.PLAIN,
    ("NETFILTER_PKT", "saddr"): Kind.PLAIN,
    ("AVC", "saddr"): Kind.PLAIN,
    ("UNKNOWN[1424]", "mode"): Kind.PLAIN,
    ("LANDLOCK_DOMAIN", "mode"): Kind.PLAIN,
    **{(type_, "id"): Kind.GID for type_ in _GROUP_RECORDS},
}


def kind_of(record_type: str, name: str) -> Kind:
    """Return the kind of the field `name` (as it stands in the record) in records of that type."""
    if record_type == "EXECVE":
        return Kind.TEXT if _ARGUMENT.match(name) else Kind.PLAIN
    special = _BY_TYPE.get((record_type, name))
    return _KINDS.get(name, Kind.PLAIN) if special is None else special


def kinds_of_arguments(arch: bytes, syscall: bytes) -> tuple[Kind, Kind, Kind, Kind]:
    """Return the kinds of a0 to a3 of a SYSCALL record; PLAIN: a number or an address, as it is.

    Args:
        arch: The record's `arch` as it stands.
        syscall: The record's `syscall` as it stands.
    """
    return arguments_of(arch, syscall)
