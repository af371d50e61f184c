"""What system calls and audit records mean, in plain words: the tables that `EventBuilder` follows.

`WORDS` holds every action word, with the words around it that make a sentence of it;
docs/formats/event.md lists them, and a test compares the two. `CALLS` says what a system call does,
`TYPES` what a record that is no system call's reports.

Sources: the kernel's man pages, section 2; include/uapi/linux/audit.h; auditd's list of record
types (lib/msg_typetab.h).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from steno.audit.event import ThingKind

Shape = Literal[
    "open", "at_open", "open2", "queue", "make", "remove", "move", "link", "symbolic", "change",
    "path", "mount",
    "handle", "run", "start", "end", "signal", "trace", "identity", "peer", "plain",
]  # fmt: skip
"""How a system call's records are read:

`open`, `at_open`, `open2`, `queue`: flags in a1, in a2, in an OPENAT2 record, in a1 of mq_open;
`make`, `remove`: the file that the call created or deleted; `move`: from and to; `link`,
`symbolic`: a new name and what it stands for; `change`: a file, not its parent; `path`: the same,
or nothing; `mount`: a directory and what is mounted there; `handle`: a descriptor, whose file a
PATH record names when there is one; `run`: EXECVE; `start`: a child; `end`: the exit status;
`signal`, `trace`: another process, in OBJ_PID or a0 or a1; `identity`: whose rights the process
has afterwards; `peer`: SOCKADDR; `plain`: nothing but the call.
"""


class Word(NamedTuple):
    """An action word's sentence: "avery WORD OBJECT", or "avery could not PLAIN OBJECT: why".

    Attributes:
        plain: The word's infinitive.
        meaning: What it stands for, for the documentation.
    """

    plain: str
    meaning: str


WORDS: dict[str, Word] = {
    # Programs and processes.
    "ran": Word("run", "a program began: execve, execveat"),
    "ran with sudo": Word("run with sudo", "sudo, doas or pkexec was told to run a command"),
    "started": Word("start", "a process started another: fork, clone; `exit` is the child's id"),
    "ended": Word("end", "a process ended by itself, or a thread; `exit` is its status"),
    "crashed": Word("crash", "a signal ended a process that did not expect it"),
    "signalled": Word("signal", "a signal was sent: kill, tkill, tgkill"),
    "traced": Word("trace", "another process was watched or altered: ptrace, process_vm_readv"),
    "typed": Word("type", "what was typed on a terminal under pam_tty_audit"),
    "called": Word("call", "a system call that has no word of its own"),
    # Files.
    "read": Word("read", "a file was opened for reading only"),
    "wrote": Word("write", "a file that existed was opened for writing"),
    "opened": Word("open", "a directory was opened, or a file for neither reading nor writing"),
    "created": Word("create", "a file, directory, device, socket or queue came into being"),
    "deleted": Word("delete", "a name was taken away: unlink, rmdir"),
    "renamed": Word("rename", "a file got another name, `from` and `to`"),
    "linked": Word("link", "a file got one more name, or a symbolic link was made"),
    "truncated": Word("truncate", "a file was cut or lengthened: truncate, ftruncate, fallocate"),
    "changed mode of": Word("change mode of", "chmod and its like"),
    "changed owner of": Word("change owner of", "chown and its like"),
    "changed attributes of": Word("change attributes of", "extended attributes, ACLs among them"),
    "changed times of": Word("change times of", "utime and its like"),
    "read attributes of": Word("read attributes of", "stat, access, getxattr, readlink"),
    "mapped": Word("map", "a file was mapped into memory"),
    "changed directory to": Word("change directory to", "chdir, fchdir"),
    "changed root to": Word("change root to", "chroot, pivot_root"),
    # Devices and the system.
    "mounted": Word("mount", "a file system was mounted, moved or bound"),
    "unmounted": Word("unmount", "a file system was unmounted"),
    "started swapping on": Word("start swapping on", "swapon"),
    "stopped swapping on": Word("stop swapping on", "swapoff"),
    "loaded module": Word("load module", "a kernel module was loaded"),
    "unloaded module": Word("unload module", "a kernel module was unloaded"),
    "loaded BPF program": Word("load BPF program", "a BPF program was loaded"),
    "unloaded BPF program": Word("unload BPF program", "a BPF program was released"),
    "used BPF": Word("use BPF", "another call of bpf"),
    "set clock": Word("set clock", "the clock was set or slewed"),
    "set host name": Word("set host name", "sethostname, setdomainname"),
    "set capabilities": Word("set capabilities", "capset"),
    "entered namespace": Word("enter namespace", "setns"),
    "left namespace": Word("leave namespace", "unshare: from here on in one of its own"),
    "rebooted": Word("reboot", "reboot; also Ctrl-Alt-Del's setting"),
    "loaded kernel": Word("load kernel", "kexec_load, kexec_file_load"),
    "booted": Word("boot", "the system came up"),
    "shut down": Word("shut down", "the system went down"),
    "changed runlevel": Word("change runlevel", "the system's runlevel changed"),
    "started service": Word("start service", "systemd started a unit"),
    "stopped service": Word("stop service", "systemd stopped a unit"),
    "changed firewall": Word("change firewall", "tables, chains and rules of netfilter"),
    "set promiscuous mode": Word("set promiscuous mode", "an interface takes in others' packets"),
    # Network and other sockets.
    "connected to": Word("connect to", "connect"),
    "bound": Word("bind", "a socket took an address: bind"),
    "listened on": Word("listen on", "a socket began to wait for connections: listen"),
    "accepted from": Word("accept from", "a connection was accepted: accept, accept4"),
    "sent to": Word("send to", "sendto, sendmsg, sendmmsg with an address"),
    "received from": Word("receive from", "recvfrom, recvmsg with an address"),
    "opened socket": Word("open socket", "socket"),
    "opened pipe": Word("open pipe", "pipe, pipe2, socketpair"),
    # Accounts and sessions.
    "authenticated": Word("authenticate", "a person proved who they are, or failed to"),
    "checked account of": Word("check account of", "whether the account may be used now"),
    "logged in": Word("log in", "a login program let a person in, or did not"),
    "logged out": Word("log out", "a login program says that the person left"),
    "opened audit session": Word("open audit session", "a process was bound to a login: LOGIN"),
    "started session": Word("start session", "PAM opened a session"),
    "ended session": Word("end session", "PAM closed a session"),
    "became": Word("become", "a process took another's rights: setuid and its like; su, sudo"),
    "acquired credentials": Word("acquire credentials", "PAM set credentials up"),
    "refreshed credentials": Word("refresh credentials", "PAM renewed credentials"),
    "gave up credentials": Word("give up credentials", "PAM removed credentials"),
    "changed password of": Word("change password of", "passwd, chage, PAM's chauthtok"),
    "added user": Word("add user", "an account was made"),
    "deleted user": Word("delete user", "an account was removed"),
    "changed user": Word("change user", "an account was altered"),
    "locked user": Word("lock user", "an account was locked, by hand or after failures"),
    "unlocked user": Word("unlock user", "an account was unlocked"),
    "added group": Word("add group", "a group was made"),
    "deleted group": Word("delete group", "a group was removed"),
    "changed group": Word("change group", "a group was altered"),
    "changed role to": Word("change role to", "SELinux role"),
    # The audit system, and what guards the host.
    "started auditing": Word("start auditing", "auditd started"),
    "stopped auditing": Word("stop auditing", "auditd stopped or gave up"),
    "reported on auditing": Word("report on auditing", "auditd rotated, resumed or failed"),
    "changed audit rules": Word("change audit rules", "a rule or watch was added or removed"),
    "changed audit settings": Word("change audit settings", "enabled, backlog, terminals ..."),
    "was denied": Word("be denied", "SELinux, AppArmor, Landlock or Smack refused"),
    "was granted": Word("be granted", "a security module allowed, and said so"),
    "was filtered": Word("be filtered", "a seccomp filter logged, refused or killed"),
    "changed policy": Word("change policy", "a security module's policy or state"),
    "changed configuration": Word("change configuration", "of a program or the system"),
    "changed software": Word("change software", "a package was installed, updated or removed"),
    "raised alarm": Word("raise alarm", "an anomaly that the kernel or a program noticed"),
    "responded": Word("respond", "what was done about an anomaly"),
    "measured": Word("measure", "integrity measurement"),
    "used cryptography": Word("use cryptography", "keys, sessions, failures"),
    "controlled machine": Word("control machine", "a virtual machine or container"),
    "reported": Word("report", "anything else; the records say what"),
}  # fmt: skip
"""Every action word; see `Word`."""

ARTICLES: dict[str, str] = {
    **dict.fromkeys((
        "changed mode of", "changed owner of", "changed attributes of", "changed times of",
        "read attributes of", "loaded module", "unloaded module", "loaded BPF program",
        "unloaded BPF program", "set clock", "set host name", "changed runlevel",
        "started service", "stopped service", "changed firewall", "checked account of",
        "changed password of", "added user", "deleted user", "changed user", "locked user",
        "unlocked user", "added group", "deleted group", "changed group", "changed role to",
        "changed audit rules", "changed audit settings", "changed policy",
        "changed configuration", "controlled machine",
    ), "the"),
    **dict.fromkeys((
        "loaded kernel", "entered namespace", "left namespace", "opened socket", "opened pipe",
        "started session", "ended session",
    ), "a"),
    "raised alarm": "an",
}  # fmt: skip
"""What a sentence puts behind the first word of an action: "changed the mode of"."""


class Call(NamedTuple):
    """What a system call does."""

    action: str
    shape: Shape
    at: int = -1
    """Which argument is the directory's descriptor that names are relative to; -1: none."""


def _calls(action: str, shape: Shape, **names: int) -> dict[str, Call]:
    return {name: Call(action, shape, at) for name, at in names.items()}


CALLS: dict[str, Call] = {
    **_calls("ran", "run", execve=-1, execveat=0),
    **_calls("started", "start", fork=-1, vfork=-1, clone=-1, clone2=-1, clone3=-1),
    **_calls("ended", "end", exit=-1, exit_group=-1),
    **_calls("signalled", "signal", kill=0, tkill=0, tgkill=0),
    **_calls("signalled", "signal", rt_sigqueueinfo=0, rt_tgsigqueueinfo=0, pidfd_send_signal=-1),
    **_calls("traced", "trace", ptrace=1, process_vm_readv=0, process_vm_writev=0),
    "open": Call("opened", "open"),
    "openat": Call("opened", "at_open", 0),
    "openat2": Call("opened", "open2", 0),
    "creat": Call("wrote", "open"),
    "open_by_handle_at": Call("opened", "at_open"),
    "mq_open": Call("opened", "queue"),
    "mq_unlink": Call("deleted", "remove"),
    **_calls("created", "make", mkdir=-1, mkdirat=0, mknod=-1, mknodat=0),
    **_calls("deleted", "remove", unlink=-1, unlinkat=0, rmdir=-1),
    **_calls("renamed", "move", rename=-1, renameat=0, renameat2=0),
    **_calls("linked", "link", link=-1, linkat=0),
    **_calls("linked", "symbolic", symlink=-1, symlinkat=1),
    **_calls("truncated", "change", truncate=-1, truncate64=-1),
    **_calls("truncated", "handle", ftruncate=-1, ftruncate64=-1, fallocate=-1),
    **_calls("changed mode of", "change", chmod=-1, fchmodat=0, fchmodat2=0),
    **_calls("changed mode of", "handle", fchmod=-1),
    **_calls(
        "changed owner of", "change", chown=-1, lchown=-1, fchownat=0, chown32=-1, lchown32=-1
    ),
    **_calls("changed owner of", "handle", fchown=-1, fchown32=-1),
    **_calls("changed attributes of", "change", setxattr=-1, lsetxattr=-1, removexattr=-1),
    **_calls("changed attributes of", "change", lremovexattr=-1, setxattrat=0, removexattrat=0),
    **_calls("changed attributes of", "handle", fsetxattr=-1, fremovexattr=-1),
    **_calls("changed times of", "change", utime=-1, utimes=-1, futimesat=0, utimensat=0),
    **_calls("changed times of", "change", utimensat_time64=0),
    **_calls("read attributes of", "path", stat=-1, lstat=-1, stat64=-1, lstat64=-1, statx=0),
    **_calls("read attributes of", "path", newfstatat=0, fstatat64=0, access=-1, faccessat=0),
    **_calls("read attributes of", "path", faccessat2=0, getxattr=-1, lgetxattr=-1, listxattr=-1),
    **_calls("read attributes of", "path", llistxattr=-1, readlink=-1, readlinkat=0, statfs=-1),
    **_calls("read attributes of", "handle", fstat=-1, fgetxattr=-1, flistxattr=-1, fstatfs=-1),
    **_calls("mapped", "handle", mmap=-1, mmap2=-1),
    **_calls("changed directory to", "change", chdir=-1),
    **_calls("changed directory to", "handle", fchdir=-1),
    **_calls("changed root to", "change", chroot=-1, pivot_root=-1),
    **_calls("mounted", "mount", mount=-1, move_mount=0, open_tree=0, fsmount=-1, mount_setattr=0),
    **_calls("unmounted", "path", umount=-1, umount2=-1),
    **_calls("started swapping on", "change", swapon=-1),
    **_calls("stopped swapping on", "change", swapoff=-1),
    **_calls("loaded module", "handle", init_module=-1, finit_module=-1),
    **_calls("unloaded module", "handle", delete_module=-1),
    **_calls("used BPF", "plain", bpf=-1),
    **_calls("set clock", "plain", settimeofday=-1, clock_settime=-1, clock_settime64=-1, stime=-1),
    **_calls("set clock", "plain", adjtimex=-1, clock_adjtime=-1, clock_adjtime64=-1),
    **_calls("set host name", "plain", sethostname=-1, setdomainname=-1),
    **_calls("set capabilities", "plain", capset=-1),
    **_calls("entered namespace", "handle", setns=-1),
    **_calls("left namespace", "plain", unshare=-1),
    **_calls("rebooted", "plain", reboot=-1),
    **_calls("loaded kernel", "handle", kexec_load=-1, kexec_file_load=-1),
    **_calls("connected to", "peer", connect=-1),
    **_calls("bound", "peer", bind=-1),
    **_calls("listened on", "peer", listen=-1),
    **_calls("accepted from", "peer", accept=-1, accept4=-1),
    **_calls("sent to", "peer", sendto=-1, sendmsg=-1, sendmmsg=-1, send=-1),
    **_calls("received from", "peer", recvfrom=-1, recvmsg=-1, recvmmsg=-1, recv=-1),
    **_calls("opened socket", "plain", socket=-1),
    **_calls("opened pipe", "plain", pipe=-1, pipe2=-1, socketpair=-1),
    **_calls("became", "identity", setuid=-1, setreuid=-1, setresuid=-1, setfsuid=-1),
    **_calls("became", "identity", setuid32=-1, setreuid32=-1, setresuid32=-1, setfsuid32=-1),
    **_calls("became", "identity", setgid=-1, setregid=-1, setresgid=-1, setfsgid=-1, setgroups=-1),
    **_calls("became", "identity", setgid32=-1, setregid32=-1, setresgid32=-1, setfsgid32=-1),
    **_calls("became", "identity", setgroups32=-1),
}
"""By the system call's name; one that is not here is `called`."""

SOCKETCALLS: tuple[str, ...] = (
    "", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair",
    "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg",
    "recvmsg", "accept4", "recvmmsg", "sendmmsg",
)  # fmt: skip
"""What i386's and s390x's `socketcall` does, by its a0. Source: include/uapi/linux/net.h."""


Subject = Literal["", "host", "program", "daemon"]
"""Who begins the sentence: the person, if there is one; the host; the program; auditd."""


class Report(NamedTuple):
    """What a record says that is no system call's.

    Attributes:
        action: The word.
        kind: What sort of thing the object is.
        fields: Where the object's name stands; the first field that is there counts.
        subject: Who begins the sentence.
        leads: Whether it decides the action of an event that has a system call too.
    """

    action: str
    kind: ThingKind = "object"
    fields: tuple[str, ...] = ()
    subject: Subject = ""
    leads: bool = True


_ACCOUNT = ("acct", "id")

TYPES: dict[str, Report] = {
    "LOGIN": Report("opened audit session", "session", ("ses",)),
    "USER_AUTH": Report("authenticated", "account", _ACCOUNT),
    "USER_ACCT": Report("checked account of", "account", _ACCOUNT),
    "USER_LOGIN": Report("logged in", "account", _ACCOUNT),
    "USER_LOGOUT": Report("logged out", "account", _ACCOUNT),
    "USER_START": Report("started session", "account", _ACCOUNT),
    "USER_END": Report("ended session", "account", _ACCOUNT),
    "CRED_ACQ": Report("acquired credentials", "account", _ACCOUNT),
    "CRED_REFR": Report("refreshed credentials", "account", _ACCOUNT),
    "CRED_DISP": Report("gave up credentials", "account", _ACCOUNT),
    "USER_CMD": Report("ran with sudo", "program", ("cmd",)),
    "USER_CHAUTHTOK": Report("changed password of", "account", _ACCOUNT),
    "USER_MGMT": Report("changed user", "account", _ACCOUNT),
    "ADD_USER": Report("added user", "account", _ACCOUNT),
    "DEL_USER": Report("deleted user", "account", _ACCOUNT),
    "ACCT_LOCK": Report("locked user", "account", _ACCOUNT),
    "ACCT_UNLOCK": Report("unlocked user", "account", _ACCOUNT),
    "RESP_ACCT_LOCK": Report("locked user", "account", _ACCOUNT),
    "RESP_ACCT_LOCK_TIMED": Report("locked user", "account", _ACCOUNT),
    "RESP_ACCT_UNLOCK_TIMED": Report("unlocked user", "account", _ACCOUNT),
    "ADD_GROUP": Report("added group", "account", ("grp", "acct", "id")),
    "DEL_GROUP": Report("deleted group", "account", ("grp", "acct", "id")),
    "GRP_MGMT": Report("changed group", "account", ("grp", "acct", "id")),
    "GRP_CHAUTHTOK": Report("changed group", "account", ("grp", "acct", "id")),
    "CHUSER_ID": Report("became", "account", _ACCOUNT),
    "CHGRP_ID": Report("became", "account", ("grp", "acct", "id")),
    "USER_ROLE_CHANGE": Report("changed role to", "object", ("new-context", "selected-context")),
    "USER_ERR": Report("authenticated", "account", _ACCOUNT),
    "SERVICE_START": Report("started service", "service", ("unit",), "program"),
    "SERVICE_STOP": Report("stopped service", "service", ("unit",), "program"),
    "SYSTEM_BOOT": Report("booted", subject="host"),
    "SYSTEM_SHUTDOWN": Report("shut down", subject="host"),
    "SYSTEM_RUNLEVEL": Report("changed runlevel", "object", ("new-level",), "host"),
    "DAEMON_START": Report("started auditing", subject="daemon"),
    "DAEMON_END": Report("stopped auditing", subject="daemon"),
    "DAEMON_ABORT": Report("stopped auditing", subject="daemon"),
    "DAEMON_CONFIG": Report("reported on auditing", "object", ("op",), "daemon"),
    "DAEMON_RECONFIG": Report("reported on auditing", "object", ("op",), "daemon"),
    "DAEMON_ROTATE": Report("reported on auditing", "object", ("op",), "daemon"),
    "DAEMON_RESUME": Report("reported on auditing", "object", ("op",), "daemon"),
    "DAEMON_ACCEPT": Report("reported on auditing", "object", ("op", "addr"), "daemon"),
    "DAEMON_CLOSE": Report("reported on auditing", "object", ("op", "addr"), "daemon"),
    "DAEMON_ERR": Report("reported on auditing", "object", ("op",), "daemon"),
    "CONFIG_CHANGE": Report("changed audit settings", "rules", ("key", "path", "op")),
    "FEATURE_CHANGE": Report("changed audit settings", "rules", ("feature",)),
    "AVC": Report("was denied"),
    "USER_AVC": Report("was denied"),
    "APPARMOR_DENIED": Report("was denied"),
    "APPARMOR_ALLOWED": Report("was granted"),
    "APPARMOR_AUDIT": Report("was granted"),
    "APPARMOR_STATUS": Report("changed policy", "object", ("name", "profile", "info"), "host"),
    "APPARMOR_HINT": Report("reported", leads=False),
    "APPARMOR_ERROR": Report("reported", leads=False),
    "LANDLOCK_ACCESS": Report("was denied"),
    "LANDLOCK_DOMAIN": Report("reported", "object", ("status",), leads=False),
    "SELINUX_ERR": Report("was denied"),
    "USER_SELINUX_ERR": Report("was denied"),
    "MAC_POLICY_LOAD": Report("changed policy", "object", ("lsm",)),
    "USER_MAC_POLICY_LOAD": Report("changed policy", "object", ("lsm",)),
    "MAC_STATUS": Report("changed policy"),
    "USER_MAC_STATUS": Report("changed policy"),
    "MAC_CONFIG_CHANGE": Report("changed policy", "object", ("bool",)),
    "USER_MAC_CONFIG_CHANGE": Report("changed policy", "object", ("bool", "op")),
    "MAC_CHECK": Report("was granted"),
    "SECCOMP": Report("was filtered", "object"),
    "ANOM_ABEND": Report("crashed", "program", ("exe", "comm")),
    "ANOM_PROMISCUOUS": Report("set promiscuous mode", "object", ("dev",)),
    "BPF": Report("used BPF", "object", ("prog-id",)),
    "KERN_MODULE": Report("loaded module", "module", ("name",)),
    "NETFILTER_CFG": Report("changed firewall", "rules", ("table",)),
    "NETFILTER_PKT": Report("reported", "address", ("saddr",), "host", leads=False),
    "TTY": Report("typed"),
    "USER_TTY": Report("typed"),
    "TIME_INJOFFSET": Report("set clock"),
    "TIME_ADJNTPVAL": Report("set clock"),
    "SOFTWARE_UPDATE": Report("changed software", "object", ("sw",), "program"),
    "USYS_CONFIG": Report("changed configuration", "object", ("op",)),
    "USER": Report("reported", "object", ("text", "op")),
    "KERNEL": Report("reported", subject="host"),
    "URINGOP": Report("called"),
    "EVENT_LISTENER": Report("reported on auditing", "object", ("op",)),
    "FS_RELABEL": Report("changed policy"),
}  # fmt: skip
"""By the record's type; families that begin alike follow in `FAMILIES`."""

FAMILIES: tuple[tuple[str, Report], ...] = (
    ("ANOM_", Report("raised alarm", "object", ("op", "path", "acct"))),
    ("RESP_", Report("responded", "object", ("op", "acct"))),
    ("INTEGRITY_", Report("measured", "file", ("name", "file"), leads=False)),
    ("CRYPTO_", Report("used cryptography", "object", ("op", "kind"), "program")),
    ("VIRT_", Report("controlled machine", "object", ("vm",))),
    ("DAEMON_", Report("reported on auditing", "object", ("op",), "daemon")),
    ("MAC_", Report("changed policy", leads=False)),
    ("USER_", Report("reported", "object", ("op",))),
    ("LABEL_", Report("changed policy", leads=False)),
    ("ROLE_", Report("changed role to", "account", _ACCOUNT)),
)
"""By how the record's type begins."""

PLAIN = Report("reported")
"""What any other record is."""

BECOMING = frozenset({"su", "sudo", "runuser", "doas", "pkexec", "sudo-rs", "machinectl"})
"""Programs whose PAM session means that the person became somebody else."""

SUPPORTING = frozenset({
    "SYSCALL", "PATH", "CWD", "PROCTITLE", "EXECVE", "SOCKADDR", "SOCKETCALL", "IPC",
    "IPC_SET_PERM", "MQ_OPEN", "MQ_SENDRECV", "MQ_NOTIFY", "MQ_GETSETATTR", "FD_PAIR", "OBJ_PID",
    "BPRM_FCAPS",
    "CAPSET", "MMAP", "OPENAT2", "EOE", "CONTAINER_ID", "DM_CTRL", "DM_EVENT", "FANOTIFY",
})  # fmt: skip
"""Records that tell of another's system call, and never lead."""
