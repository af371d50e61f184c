"""The zoo: what each of its programs did, and what the decoded records of it say."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from steno.audit.reading import EventReader

ZOO = Path(__file__).parents[2] / "data/audit/f2"

DEEDS = {
    "bad_utf8": [
        "SYSCALL syscall=openat",
        "SYSCALL a0=AT_FDCWD",
        "SYSCALL a2=O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC",
        "SYSCALL a3=0666",
        "SYSCALL a1=O_CLOEXEC",
        "PATH name=/home/avery/zoo/bad\ufffd\ufffdname",
        "PATH name=/home/avery/zoo/new\nline",
        "PATH name=/home/avery/zoo/(null)",
        "PATH name=/home/avery/zoo/DEADBEEF",
        "PATH name=/home/avery/zoo/del\x7f",
        "PATH nametype=DELETE",
    ],
    "longname": ["PATH name=" + "L" * 255],
    "unixsock": [
        "SOCKADDR saddr={ saddr_fam=local path=/home/avery/zoo.sock }",
        "SOCKADDR saddr={ saddr_fam=local path=@zoo-abstract }",
        "SOCKADDR saddr={ saddr_fam=local (unnamed) }",
        "SYSCALL a3=SOCK_CLOEXEC",
    ],
    "inet": [
        "SOCKADDR saddr={ saddr_fam=inet6 laddr=::1 lport=5353 }",
        "SOCKADDR saddr={ saddr_fam=inet6 laddr=::ffff:127.0.0.1 lport=18099 }",
        "SOCKADDR saddr={ saddr_fam=netlink nlnk-fam=16 nlnk-pid=0 }",
        "SOCKADDR saddr={ saddr_fam=packet protocol=0x0000 ifindex=1 hatype=0 pkttype=0"
        " addr=00:00:00:00:00:00 }",
    ],
    "killit": [
        "SYSCALL a0=6435",
        "SYSCALL a1=SIGTERM",
        "OBJ_PID ocomm=sleep",
        "OBJ_PID oauid=avery",
    ],
    "segv": ["ANOM_ABEND sig=SIGSEGV"],
    "seccomp_kill": [
        "SECCOMP syscall=getuid",
        "SECCOMP code=log",
        "SECCOMP code=kill-process",
        "SECCOMP sig=SIGSYS",
    ],
    "bpfload": ["BPF op=LOAD", "BPF prog-id=97", "SYSCALL a0=BPF_PROG_LOAD"],
    "mqipc": [
        "MQ_OPEN oflag=O_RDWR|O_CREAT",
        "MQ_OPEN mode=0600",
        "SYSCALL a2=IPC_CREAT|0600",
        "SYSCALL a1=IPC_STAT",
        "SYSCALL a1=IPC_SET",
        "SYSCALL a1=IPC_RMID",
        "IPC_SET_PERM mode=0600",
    ],
    "fdpair": ["SYSCALL a0=local", "SYSCALL a1=SOCK_STREAM|SOCK_CLOEXEC", "FD_PAIR fd1=4"],
    "mm": ["SYSCALL a2=PROT_READ", "SYSCALL a3=MAP_SHARED", "MMAP flags=MAP_SHARED"],
    "promisc": ["ANOM_PROMISCUOUS prom=yes", "SYSCALL a2=PACKET_ADD_MEMBERSHIP"],
    "landlock": [
        "UNKNOWN[1423] blockers=fs.read_file",
        "UNKNOWN[1423] path=/etc/hostname",
        "UNKNOWN[1423] dev=vda",
        "UNKNOWN[1424] mode=enforcing",
        "SYSCALL exit=EACCES(Permission denied)",
    ],
    "openat2": ["OPENAT2 oflag=O_RDWR|O_CREAT", "OPENAT2 mode=0600", "OPENAT2 resolve=0x0"],
    "chdir_rel": ["SYSCALL a1=0640", "SYSCALL a3=0600", "PATH name=../home/avery/notes.txt"],
}
"""Each child's name, and some of what its records say."""


@pytest.fixture(scope="module")
def said() -> dict[str, set[str]]:
    """What the records of each child of the zoo say, as `TYPE field=value`."""
    truths = [json.loads(line) for line in (ZOO / "truth-zoo.jsonl").read_text().splitlines()]
    children = {
        truth["cpid"]: truth["kind"].removesuffix("-done") for truth in truths if "cpid" in truth
    }
    reader = EventReader()
    events = reader.feed((ZOO / "audit-enriched-zoo.log").read_bytes()) + reader.finish()
    found: dict[str, set[str]] = defaultdict(set)
    for event in events:
        for record in json.loads(bytes(event.records)):
            for name, entry in record["fields"].items():
                value = entry.get("value", entry["raw"])
                found[children.get(event.process.pid, "")].add(f"{record['type']} {name}={value}")
    return found


@pytest.mark.parametrize("child", sorted(DEEDS))
def test_records_say_what_was_done(child: str, said: dict[str, set[str]]) -> None:
    """Each child's deeds stand in its records, in words."""
    assert set(DEEDS[child]) - said[child] == set()


def test_i386_programs_are_read_as_such(said: dict[str, set[str]]) -> None:
    """A 32-bit program's execve is system call 11."""
    everything = set().union(*said.values())
    assert {"SYSCALL arch=i386", "SYSCALL per=PER_LINUX|READ_IMPLIES_EXEC"} <= everything
    assert not any("unknown" in word for word in everything if word.startswith("SYSCALL syscall="))
