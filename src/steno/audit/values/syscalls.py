"""System calls by architecture: their names, and what their first four arguments are.

Source: Linux, include/linux/syscalls.h, and for the order of clone's arguments kernel/fork.c.
"""

from __future__ import annotations

from steno.audit.values.kinds import Kind
from steno.audit.values.numbers import hexadecimal
from steno.audit.values.tables import (
    architectures,
    syscalls_aarch64,
    syscalls_arm,
    syscalls_i386,
    syscalls_loongarch64,
    syscalls_ppc,
    syscalls_ppc64,
    syscalls_riscv64,
    syscalls_s390,
    syscalls_s390x,
    syscalls_x32,
    syscalls_x86_64,
)

Arguments = tuple[Kind, Kind, Kind, Kind]

PLAIN = (Kind.PLAIN,) * 4

_NAMES = {
    "x86_64": syscalls_x86_64.NAMES,
    "i386": syscalls_i386.NAMES,
    "aarch64": syscalls_aarch64.NAMES,
    "arm": syscalls_arm.NAMES,
    "armeb": syscalls_arm.NAMES,
    "ppc": syscalls_ppc.NAMES,
    "ppc64": syscalls_ppc64.NAMES,
    "ppc64le": syscalls_ppc64.NAMES,
    "riscv64": syscalls_riscv64.NAMES,
    "loongarch64": syscalls_loongarch64.NAMES,
    "s390": syscalls_s390.NAMES,
    "s390x": syscalls_s390x.NAMES,
}

_X32_BIT = 0x40000000
"""Source: Linux, arch/x86/include/uapi/asm/unistd.h, __X32_SYSCALL_BIT."""


def name_of_architecture(raw: bytes) -> str | None:
    """Return what the hexadecimal `arch` of a record stands for: `x86_64`."""
    number = hexadecimal(raw)
    return None if number is None else architectures.NAMES.get(number)


def name_of_syscall(arch: bytes, raw: bytes) -> str | None:
    """Return the name of the system call `raw` (decimal) on `arch` (hexadecimal)."""
    name = name_of_architecture(arch)
    if name is None or not raw.isdigit() or len(raw) > 10:
        return None
    number = int(raw)
    if name == "x86_64" and number & _X32_BIT:
        return syscalls_x32.NAMES.get(number & ~_X32_BIT)
    return _NAMES[name].get(number) if name in _NAMES else None


def arguments_of(arch: bytes, raw: bytes) -> Arguments:
    """Return the kinds of a0 to a3 of the system call `raw` on `arch`, both as they stand."""
    name = name_of_syscall(arch, raw)
    kinds = _ARGUMENTS.get(name, PLAIN) if name is not None else PLAIN
    family = _FAMILIES.get(name_of_architecture(arch) or "", "")
    special = _SPECIAL.get((family, name or ""))
    if special is not None:
        return special
    replaced = _REPLACED.get(family)
    if replaced is None or kinds is PLAIN:
        return kinds
    first, second, third, fourth = (replaced.get(kind, kind) for kind in kinds)
    return (first, second, third, fourth)


_FAMILIES = {
    "i386": "i386",
    "aarch64": "arm",
    "arm": "arm",
    "armeb": "arm",
    "ppc": "power",
    "ppc64": "power",
    "ppc64le": "power",
    "s390": "s390",
    "s390x": "s390",
}

_REPLACED = {
    "arm": {Kind.A_OPEN_FLAGS: Kind.A_OPEN_FLAGS_ARM},
    "power": {
        Kind.A_OPEN_FLAGS: Kind.A_OPEN_FLAGS_POWER,
        Kind.A_MMAP_FLAGS: Kind.A_MMAP_FLAGS_POWER,
        Kind.A_SOCKET_OPTION: Kind.A_SOCKET_OPTION_POWER,
        # Its ioctl numbers are all different, and nobody has needed them.
        Kind.A_IOCTL: Kind.PLAIN,
    },
}
"""Kinds that mean other bits or numbers on an architecture."""

_SPECIAL: dict[tuple[str, str], Arguments] = {
    # CONFIG_CLONE_BACKWARDS2: the stack comes first.
    ("s390", "clone"): (Kind.PLAIN, Kind.A_CLONE_FLAGS, Kind.PLAIN, Kind.PLAIN),
    # sys_old_mmap: one pointer to all arguments.
    ("i386", "mmap"): PLAIN,
    ("s390", "mmap"): PLAIN,
}

_WORDS = {
    "-": Kind.PLAIN,
    "number": Kind.A_NUMBER,
    "dir": Kind.A_DIRECTORY,
    "uid": Kind.A_UID,
    "gid": Kind.A_GID,
    "signal": Kind.A_SIGNAL,
    "mode": Kind.A_MODE,
    "node": Kind.A_NODE_MODE,
    "open": Kind.A_OPEN_FLAGS,
    "openmode": Kind.A_OPEN_MODE,
    "clone": Kind.A_CLONE_FLAGS,
    "namespaces": Kind.A_NAMESPACES,
    "access": Kind.A_ACCESS,
    "at": Kind.A_AT_FLAGS,
    "mount": Kind.A_MOUNT_FLAGS,
    "umount": Kind.A_UMOUNT_FLAGS,
    "protection": Kind.A_PROTECTION,
    "mmap": Kind.A_MMAP_FLAGS,
    "family": Kind.A_SOCKET_FAMILY,
    "type": Kind.A_SOCKET_TYPE,
    "protocol": Kind.A_SOCKET_PROTOCOL,
    "level": Kind.A_SOCKET_LEVEL,
    "option": Kind.A_SOCKET_OPTION,
    "message": Kind.A_MESSAGE_FLAGS,
    "socketcall": Kind.A_SOCKETCALL,
    "ipccall": Kind.A_IPC_CALL,
    "shm": Kind.A_SHM_FLAGS,
    "fcntl": Kind.A_FCNTL,
    "fcntlvalue": Kind.A_FCNTL_VALUE,
    "ioctl": Kind.A_IOCTL,
    "prctl": Kind.A_PRCTL,
    "prctlvalue": Kind.A_PRCTL_VALUE,
    "ptrace": Kind.A_PTRACE,
    "personality": Kind.A_PERSONALITY,
    "seek": Kind.A_SEEK,
    "scheduler": Kind.A_SCHEDULER,
    "epoll": Kind.A_EPOLL,
    "clock": Kind.A_CLOCK,
    "limit": Kind.A_LIMIT,
    "wait": Kind.A_WAIT_FLAGS,
    "bpf": Kind.A_BPF,
    "memfd": Kind.A_MEMFD_FLAGS,
    "module": Kind.A_MODULE_FLAGS,
    "descriptor": Kind.A_DESCRIPTOR_FLAGS,
    "socketflags": Kind.A_SOCKET_FLAGS,
    "unlink": Kind.A_UNLINK_FLAGS,
    "flock": Kind.A_FLOCK,
    "ipccommand": Kind.A_IPC_COMMAND,
    "reboot": Kind.A_REBOOT,
    "keyctl": Kind.A_KEYCTL,
    "seccomp": Kind.A_SECCOMP_OPERATION,
}


def _arguments(table: str) -> dict[str, Arguments]:
    found: dict[str, Arguments] = {}
    for line in table.splitlines():
        names, _, kinds = line.partition(":")
        words = [_WORDS[word] for word in kinds.split()]
        first, second, third, fourth = (*words, *PLAIN)[:4]
        for name in names.split():
            found[name] = (first, second, third, fourth)
    return found


_ARGUMENTS = _arguments("""\
open: - open openmode
openat: dir - open openmode
openat2: dir
open_by_handle_at: number - open
creat: - mode
mq_open: - open openmode
access: - access
faccessat faccessat2: dir - access at
chmod: - mode
fchmod: number mode
fchmodat: dir - mode
fchmodat2: dir - mode at
chown lchown chown32 lchown32: - uid gid
fchown fchown32: number uid gid
fchownat: dir - uid gid
mkdir: - mode
mkdirat: dir - mode
mknod: - node
mknodat: dir - node
unlinkat: dir - unlink
renameat: dir - dir
renameat2: dir - dir
linkat: dir - dir
symlinkat: - dir
readlinkat futimesat utimensat utimensat_time64 newfstatat fstatat64: dir
name_to_handle_at: dir
statx: dir - at
execveat: dir
umask: mode
close fsync fdatasync dup fchdir fstat fstat64 ftruncate ftruncate64: number
dup2: number number
dup3: number number descriptor
pipe2: - descriptor
epoll_create1 inotify_init1: descriptor
eventfd2: - descriptor
flock: number flock
read write pread64 pwrite64 readv writev preadv pwritev: number
getdents getdents64: number
lseek: number - seek
fcntl fcntl64: number fcntl fcntlvalue
ioctl: number ioctl
socket socketpair: family type protocol
bind connect accept getsockname getpeername shutdown: number
listen: number number
accept4: number - - socketflags
setsockopt getsockopt: number level option
sendto recvfrom send recv: number - - message
sendmsg recvmsg: number - message
sendmmsg recvmmsg recvmmsg_time64: number - - message
socketcall: socketcall
ipc: ipccall
shmget: - - shm
semget: - - shm
msgget: - shm
shmctl msgctl: number ipccommand
semctl: number - ipccommand
reboot: - - reboot
keyctl: keyctl
seccomp: seccomp
kill: number signal
tkill: number signal
tgkill: number number signal
rt_sigaction rt_sigqueueinfo signal sigaction: signal
rt_tgsigqueueinfo: number number signal
pidfd_send_signal: number signal
pidfd_open: number
exit exit_group: number
wait4 waitpid: number - wait
waitid: - number - wait
setuid setuid32 setfsuid setfsuid32: uid
setgid setgid32 setfsgid setfsgid32: gid
setreuid setreuid32: uid uid
setregid setregid32: gid gid
setresuid setresuid32: uid uid uid
setresgid setresgid32: gid gid gid
setgroups setgroups32: number
setpgid: number number
getpgid getsid: number
getrlimit setrlimit ugetrlimit: limit
prlimit64: number limit
clone: clone
unshare: namespaces
setns: number namespaces
mmap mmap2: - - protection mmap
mprotect pkey_mprotect: - - protection
mount: - - - mount
umount umount2: - umount
personality: personality
prctl: prctl prctlvalue
ptrace: ptrace number
sched_setscheduler: number scheduler
epoll_ctl: number epoll number
clock_settime clock_gettime clock_getres clock_adjtime clock_nanosleep: clock
clock_settime64 clock_gettime64 clock_adjtime64 clock_nanosleep_time64: clock
bpf: bpf
memfd_create: - memfd
finit_module: number - module
process_vm_readv process_vm_writev: number
""")
