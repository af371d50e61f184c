"""Values of audit records: numbers, strings and names to what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.values.decoding import Decoder, shown
from steno.audit.values.escaping import decode_string, encode_string
from steno.audit.values.fields import kind_of, kinds_of_arguments
from steno.audit.values.kinds import NEEDS_ARCH, NEEDS_ARGUMENT_BEFORE, Kind
from steno.audit.values.names import Names
from steno.audit.values.numbers import names_of_bits
from steno.audit.values.tables import flags

X86_64 = b"c000003e"
PLAIN_DECODER = Decoder(Names())


def meaning(record_type: str, name: str, raw: bytes, fact: bytes = b"") -> str | bytes | None:
    """Decode one field without any names."""
    return PLAIN_DECODER.value(kind_of(record_type, name), raw, fact)


def argument(
    call: bytes, number: int, raw: bytes, before: bytes = b"", arch: bytes = X86_64
) -> object:
    """Decode one argument of a system call."""
    kind = kinds_of_arguments(arch, call)[number]
    return PLAIN_DECODER.value(kind, raw, before)


@given(
    kind=st.sampled_from(Kind),
    raw=st.binary(max_size=60) | st.from_regex(rb'"?[0-9a-fA-Fx-]{0,40}"?', fullmatch=True),
    fact=st.binary(max_size=10) | st.from_regex(rb"[0-9a-f]{0,20}", fullmatch=True),
    suffix=st.none() | st.binary(max_size=10),
)
def test_no_bytes_are_too_strange(
    kind: Kind, raw: bytes, fact: bytes, suffix: bytes | None
) -> None:
    """Any bytes in any field give text, bytes or nothing; what is shown of them is UTF-8."""
    value = Decoder(Names(lambda _: None, str)).value(kind, raw, fact, suffix)
    assert value is None or shown(value).encode().decode() == shown(value)
    assert not isinstance(value, bytes) or "\ufffd" in shown(value)


@given(st.binary())
def test_strings_come_back_as_they_were(data: bytes) -> None:
    """What the kernel writes of any string is read as that string."""
    assert decode_string(encode_string(data)) == (data if data else b"")


@given(st.integers(0, 2**32 - 1), st.sampled_from([flags.OPEN, flags.MOUNT, flags.CLONE, flags.AT]))
def test_no_bit_gets_lost(number: int, names: dict[int, str]) -> None:
    """Flags are named so that the number can be made of them again, unknown bits too."""
    numbers = {name: bits for bits, name in names.items()}
    parts = names_of_bits(number, names).split("|")
    assert sum(numbers[part] if part in numbers else int(part, 16) for part in parts) == number


@pytest.mark.parametrize(
    ("record_type", "name", "raw", "value"),
    [
        ("PATH", "name", b'"/etc/passwd"', "/etc/passwd"),
        ("PATH", "name", b"2F746D702F6120C3A9", "/tmp/a é"),
        ("PATH", "name", b"2F746D702FFF", b"/tmp/\xff"),
        ("PATH", "name", b"(null)", None),
        ("PATH", "mode", b"0104755", "file,suid,755"),
        ("PATH", "mode", b"041777", "dir,sticky,777"),
        ("PATH", "ouid", b"4294967295", "unset"),
        ("PATH", "cap_fp", b"0000000000003000", "net_admin,net_raw"),
        ("PATH", "cap_fp", b"0", "none"),
        ("PATH", "cap_fp", b"8000000000000000", "0x8000000000000000"),
        ("PATH", "inode", b"12", None),
        ("SYSCALL", "arch", X86_64, "x86_64"),
        ("SYSCALL", "exit", b"-13", "EACCES(Permission denied)"),
        ("SYSCALL", "exit", b"-512", "ERESTARTSYS"),
        ("SYSCALL", "exit", b"3", None),
        ("SYSCALL", "key", b"610162", "a\x01b"),
        ("SYSCALL", "key", b"(null)", None),
        ("SYSCALL", "ses", b"4294967295", "unset"),
        ("SYSCALL", "pid", b"12", None),
        ("SYSCALL", "ppid", b"4142", None),
        ("SYSCALL", "per", b"8", "PER_LINUX32"),
        ("PROCTITLE", "proctitle", b"636174002F657463", "cat /etc"),
        ("PROCTITLE", "proctitle", b'"-bash"', "-bash"),
        ("USER_LOGIN", "acct", b"6E6F2073756368", "no such"),
        ("USER_LOGIN", "acct", b'"(unknown user)"', "(unknown user)"),
        ("USER_LOGIN", "acct", b"root", None),
        ("USER_LOGIN", "res", b"failed", None),
        ("USER_CMD", "cmd", b"6964202D75", "id -u"),
        ("EXECVE", "a0", b"6120", "a "),
        ("EXECVE", "a1[2]", b'"b"', "b"),
        ("EXECVE", "a1_len", b"1234", None),
        ("EXECVE", "argc", b"20", None),
        ("LOGIN", "old-auid", b"4294967295", "unset"),
        ("CONFIG_CHANGE", "res", b"0", "no"),
        ("CONFIG_CHANGE", "list", b"4", "exit"),
        ("ANOM_PROMISCUOUS", "prom", b"256", "yes"),
        ("ANOM_ABEND", "sig", b"11", "SIGSEGV"),
        ("SECCOMP", "sig", b"0", "SIG0"),
        ("SECCOMP", "code", b"0x7ffc0000", "log"),
        ("SECCOMP", "code", b"0x80000000", "kill-process"),
        ("SECCOMP", "code", b"0x50001", "errno"),
        ("MQ_OPEN", "oflag", b"0x42", "O_RDWR|O_CREAT"),
        ("MQ_OPEN", "mode", b"0600", "0600"),
        ("OPENAT2", "oflag", b"0102", "O_RDWR|O_CREAT"),
        ("OPENAT2", "resolve", b"0x8", "RESOLVE_BENEATH"),
        ("OPENAT2", "resolve", b"0x0", None),
        ("MMAP", "flags", b"0x22", "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("CAPSET", "cap_pi", b"1", "chown"),
        ("AVC", "capability", b"21", "sys_admin"),
        ("AVC", "info", b'"AppArmor sha1 policy hashing enabled"',
         "AppArmor sha1 policy hashing enabled"),
        ("AVC", "ioctlcmd", b"0x5401", "TCGETS"),
        ("AVC", "dev", b'"vda"', "vda"),
        ("UNKNOWN[1424]", "mode", b"enforcing", None),
        ("FANOTIFY", "resp", b"2", "deny"),
        ("NETFILTER_CFG", "family", b"10", "ipv6"),
        ("NETFILTER_PKT", "proto", b"17", "udp"),
        ("NETFILTER_PKT", "saddr", b"192.0.2.1", None),
        ("URINGOP", "uring_op", b"18", "openat"),
        ("KERN_MODULE", "name", b'"dummy"', "dummy"),
        ("EVENT_LISTENER", "nl-mcgrp", b"1", "audit-netlink-multicast"),
        ("CRYPTO_KEY_USER", "fp", b"SHA256:aa", None),
        ("NOBODY_KNOWS", "what", b"616263", None),
    ],
)  # fmt: skip
def test_fields(record_type: str, name: str, raw: bytes, value: str | bytes | None) -> None:
    """A field means what its record's writer meant; a number that is no string stays one."""
    assert meaning(record_type, name, raw) == value


@pytest.mark.parametrize(
    ("arch", "number", "name"),
    [
        (X86_64, b"257", "openat"),
        (X86_64, b"469", "file_setattr"),
        (X86_64, b"1073742344", "execve"),  # x32
        (b"40000003", b"11", "execve"),
        (b"c00000b7", b"221", "execve"),
        (b"40000028", b"11", "execve"),
        (b"c0000015", b"286", "openat"),
        (b"80000016", b"288", "openat"),
        (b"16", b"11", "execve"),
        (b"c00000f3", b"221", "execve"),
        (X86_64, b"4294967295", None),
        (b"99", b"1", None),
        (b"", b"", None),
    ],
)
def test_system_calls_have_the_names_of_their_architecture(
    arch: bytes, number: bytes, name: str | None
) -> None:
    """The same number is another call elsewhere."""
    assert meaning("SYSCALL", "syscall", number, arch) == name


@pytest.mark.parametrize(
    ("call", "number", "raw", "before", "value"),
    [
        (b"257", 0, b"ffffff9c", b"", "AT_FDCWD"),
        (b"257", 0, b"ffffffffffffff9c", b"", "AT_FDCWD"),
        (b"257", 2, b"80241", b"7ffd", "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"),
        (b"257", 2, b"0", b"7ffd", "O_RDONLY"),
        (b"257", 3, b"1b6", b"241", "0666"),
        (b"257", 3, b"1b6", b"0", None),
        (b"2", 2, b"1c0", b"42", "0700"),
        (b"59", 1, b"7ffd1234", b"7ffd1230", None),
        (b"62", 0, b"ffffffffffffffff", b"", "-1"),
        (b"62", 1, b"9", b"2", "SIGKILL"),
        (b"41", 0, b"a", b"", "inet6"),
        (b"41", 1, b"80002", b"a", "SOCK_DGRAM|SOCK_CLOEXEC"),
        (b"41", 2, b"11", b"80002", "udp"),
        (b"41", 2, b"9", b"3", None),  # netlink's own
        (b"54", 1, b"1", b"3", "SOL_SOCKET"),
        (b"54", 2, b"2", b"1", "SO_REUSEADDR"),
        (b"54", 2, b"1", b"6", "TCP_NODELAY"),
        (b"56", 0, b"1200011", b"", "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"),
        (b"72", 1, b"4", b"3", "F_SETFL"),
        (b"72", 2, b"802", b"4", "O_RDWR|O_NONBLOCK"),
        (b"72", 2, b"7ffd1234", b"6", None),
        (b"157", 0, b"18", b"", "PR_CAPBSET_DROP"),
        (b"157", 1, b"15", b"18", "sys_admin"),
        (b"157", 1, b"7ffd", b"f", None),
        (b"101", 0, b"4206", b"", "PTRACE_SEIZE"),
        (b"16", 1, b"5413", b"3", "TIOCGWINSZ"),
        (b"165", 3, b"1001", b"", "MS_RDONLY|MS_BIND"),
        (b"272", 0, b"40020000", b"", "CLONE_NEWNS|CLONE_NEWNET"),
        (b"90", 1, b"9ed", b"7ffd", "suid,0755"),
        (b"9", 3, b"3", b"1", "MAP_SHARED_VALIDATE"),
        (b"231", 0, b"7f", b"", "127"),
        (b"92", 1, b"ffffffff", b"7ffd", "unset"),
    ],
)  # fmt: skip
def test_arguments(call: bytes, number: int, raw: bytes, before: bytes, value: str | None) -> None:
    """Arguments are named by their system call, and by the argument before where that decides."""
    assert argument(call, number, raw, before) == value


@pytest.mark.parametrize(
    ("arch", "call", "number", "raw", "value"),
    [
        (b"c00000b7", b"56", 2, b"4000", "O_RDONLY|O_DIRECTORY"),
        (b"c0000015", b"286", 2, b"20000", "O_RDONLY|O_DIRECT"),
        (b"c0000015", b"90", 3, b"62", "MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE"),
        (b"c0000015", b"339", 2, b"10", "SO_RCVLOWAT"),
        (b"80000016", b"120", 1, b"11", "SIGCHLD"),
        (b"80000016", b"120", 0, b"7ffd", None),
        (b"40000003", b"90", 3, b"2", None),
        (b"40000003", b"192", 3, b"2", "MAP_PRIVATE"),
        (b"40000003", b"102", 0, b"3", "connect"),
    ],
)
def test_architectures_have_their_own_numbers(
    arch: bytes, call: bytes, number: int, raw: bytes, value: str | None
) -> None:
    """Flags, options and the order of arguments differ where the kernel's headers differ."""
    assert argument(call, number, raw, b"1", arch) == value


def test_facts_are_asked_for_where_they_count() -> None:
    """A kind that changes its value with the fact says that it needs one."""
    asking = NEEDS_ARCH | NEEDS_ARGUMENT_BEFORE
    facts = (b"", b"1", b"6", b"18", b"42", X86_64)
    for kind in Kind:
        changes = [
            len({PLAIN_DECODER.value(kind, raw, fact) for fact in facts}) > 1
            for raw in (b"1", b"2", b"11")
        ]
        assert any(changes) == (kind in asking)
