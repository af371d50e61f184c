"""Which rules belong to which level, on which processor. Does no I/O.

System calls differ: aarch64 has only the `...at` forms, s390x and i386 no `accept`, and i386's
sockets may come through `socketcall`. Source of the names: audit 4.2, lib/*_table.h.
"""

from __future__ import annotations

from collections.abc import Iterator

from steno.audit.rules.levels import AuditRule, Field, Level, RuleSet
from steno.errors import UsageError

MACHINES = ("x86_64", "aarch64", "ppc64le", "s390x")
"""Where Steno's rules are known to be right: what uname(2) calls the machine."""

BACKLOG = 16384

_LACKS: dict[tuple[str, str], frozenset[str]] = {
    ("x86_64", "b64"): frozenset(["socketcall", "stime", "clock_settime64"]),
    ("x86_64", "b32"): frozenset(["accept", "kexec_load", "kexec_file_load"]),
    ("aarch64", "b64"): frozenset(
        ["open", "creat", "unlink", "rename", "rmdir", "mkdir", "link", "symlink", "chmod", "chown",
         "lchown", "socketcall", "stime", "clock_settime64"]
    ),
    ("ppc64le", "b64"): frozenset(["clock_settime64"]),
    ("s390x", "b64"): frozenset(["accept", "stime", "clock_settime64"]),
}  # fmt: skip

_LOADING_MODULES = ("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load")

_OPENING = ("open", "openat", "openat2", "creat", "truncate")
_CHANGING = (
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link",
    "linkat", "symlink", "symlinkat", "chmod", "fchmodat", "chown", "lchown", "fchownat",
)  # fmt: skip

_WATCHED_TREES = ("/boot", "/etc", "/home", "/opt", "/root", "/srv", "/usr", "/var")
_ACCOUNT_FILES = (
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid",
)  # fmt: skip
_PRIVILEGE_FILES = ("/etc/sudoers", "/etc/sudoers.d", "/etc/pam.d", "/etc/security")
_OWN_FILES = ("/etc/audit", "/etc/steno", "/var/log/audit")

_SIGKILL = "0x9"
_PTRACE_REQUESTS = ("0x4", "0x5", "0x6", "0x10", "0x4206")
"""POKETEXT, POKEDATA, POKEUSR, ATTACH, SEIZE."""

_BPF_PROG_LOAD = "0x5"


def rule_set(level: Level, machine: str, *, min_uid: int = 1000) -> RuleSet:
    """Return the rules of `level`.

    Args:
        level: Which.
        machine: One of MACHINES.
        min_uid: Login users from this number on are people; 0: root's sessions count, too.

    Raises:
        UsageError: For another `machine`.
    """
    if machine not in MACHINES:
        known = ", ".join(MACHINES)
        raise UsageError(f"no audit rules are known for {machine}: only for {known}")
    if level == "none":
        return RuleSet(level, ())
    rules = tuple(_login_rules(min_uid))
    if level == "session":
        rules += tuple(_session_rules(machine, min_uid))
    return RuleSet(level, rules, BACKLOG)


def _people(min_uid: int) -> tuple[Field, ...]:
    """Return what makes a rule one for what people did, not daemons."""
    at_least: tuple[Field, ...] = (("auid", ">=", str(min_uid)),) if min_uid else ()
    return (*at_least, ("auid", "!=", "unset"))


def _login_rules(min_uid: int) -> Iterator[AuditRule]:
    purpose = "Accounts and their passwords written, by whomever."
    for path in _ACCOUNT_FILES:
        yield _watch(path, "steno-identity", purpose)
    purpose = "Who may become whom: sudo's rules and PAM's."
    for path in _PRIVILEGE_FILES:
        yield _watch(path, "steno-priv", purpose)
    purpose = "The audit trail and the recorder themselves, changed by people."
    for path in _OWN_FILES:
        yield _watch(path, "steno-self", purpose, _people(min_uid), name="dir")


def _watch(
    path: str, key: str, purpose: str, more: tuple[Field, ...] = (), *, name: str = ""
) -> AuditRule:
    name = name or ("dir" if path.endswith(".d") or path == "/etc/security" else "path")
    return AuditRule(((name, "=", path), ("perm", "=", "wa"), *more), key, purpose)


class _Calls:
    """Makes rules for system calls, on all the ABIs that a machine has."""

    def __init__(self, machine: str, people: tuple[Field, ...]) -> None:
        self._machine = machine
        self._people = people

    def rules(
        self, key: str, purpose: str, calls: tuple[str, ...], *fields: Field, anybody: bool = False
    ) -> Iterator[AuditRule]:
        """Yield a rule for each ABI; `anybody`: also for what no person did."""
        people = () if anybody else self._people
        for arch in ("b64", "b32") if self._machine == "x86_64" else ("b64",):
            lacking = _LACKS[self._machine, arch]
            known = tuple(call for call in calls if call not in lacking)
            yield AuditRule((*fields, *people), key, purpose, arch, known)


def _session_rules(machine: str, min_uid: int) -> Iterator[AuditRule]:
    people = _people(min_uid)
    calls = _Calls(machine, people)
    yield from _process_rules(calls)
    purpose = "Sockets of IPv4 (2) and IPv6 (10): connected, listening, sent to."
    sockets = ("connect", "bind", "sendto", "sendmsg", "sendmmsg", "socketcall")
    for family in ("2", "10"):
        yield from calls.rules("steno-net", purpose, sockets, ("saddr_fam", "=", family))
    purpose = "Connections taken."
    accepts = ("accept", "accept4")
    yield from calls.rules("steno-net", purpose, accepts, ("success", "=", "1"))
    purpose = "Files written, made, deleted, renamed; owners and modes changed; by people."
    for tree in _WATCHED_TREES:
        fields: tuple[Field, ...] = (("dir", "=", tree), ("perm", "=", "wa"), ("success", "=", "1"))
        yield AuditRule((*fields, *people), "steno-file", purpose)
    purpose = "What people were refused."
    for error in ("-EACCES", "-EPERM"):
        refused = (*_OPENING, *_CHANGING)
        yield from calls.rules("steno-denied", purpose, refused, ("exit", "=", error))
    yield from _escape_rules(calls)


def _process_rules(calls: _Calls) -> Iterator[AuditRule]:
    purpose = "Commands, also those that could not be started."
    yield from calls.rules("steno-exec", purpose, ("execve", "execveat"))
    purpose = (
        "Their ends and exit codes (about one event for each process; killed ones do not show)."
    )
    yield from calls.rules("steno-exit", purpose, ("exit_group",))
    purpose = "Killed with SIGKILL."
    first, second = ("a1", "=", _SIGKILL), ("a2", "=", _SIGKILL)
    yield from calls.rules("steno-kill", purpose, ("kill", "tkill"), first)
    yield from calls.rules("steno-kill", purpose, ("tgkill",), second)


def _escape_rules(calls: _Calls) -> Iterator[AuditRule]:
    purpose = "Getting into another process."
    for request in _PTRACE_REQUESTS:
        yield from calls.rules("steno-inject", purpose, ("ptrace",), ("a0", "=", request))
    yield from calls.rules("steno-inject", purpose, ("process_vm_writev",))
    purpose = "Changing the kernel: modules, another kernel, programs for it."
    yield from calls.rules("steno-kernel", purpose, _LOADING_MODULES, anybody=True)
    yield from calls.rules("steno-kernel", purpose, ("bpf",), ("a0", "=", _BPF_PROG_LOAD))
    purpose = "Mounts and namespaces."
    spaces = ("mount", "umount2", "move_mount", "setns", "pivot_root")
    yield from calls.rules("steno-ns", purpose, spaces)
    purpose = "The clock set."
    clocks = ("clock_settime", "settimeofday", "stime", "clock_settime64")
    yield from calls.rules("steno-time", purpose, clocks, anybody=True)
