"""Audit events of a made-up session, one after the other."""

from __future__ import annotations

from steno.audit.event import Event, Process, Thing, Who

START_US = 1_700_000_000_000_000
SHELL = 1000


class Session:
    """Makes events of one audit session; instants are seconds since it began.

    `events` holds them in the order in which they were made, which is the kernel's.
    """

    def __init__(self, *, exits: bool = True) -> None:
        self.events: list[Event] = []
        self._exits = exits
        self._names: dict[int, tuple[str, str]] = {}
        self._parents: dict[int, int] = {}
        self._terminals: dict[int, str | None] = {}

    def shell(self, pid: int = SHELL, parent: int = 999, at: float = 0, user: str = "avery") -> int:
        """A login shell begins."""
        return self.run(pid, parent, ["-bash"], at, program="/usr/bin/bash", user=user)

    def run(
        self,
        pid: int,
        parent: int,
        arguments: list[str],
        at: float,
        *,
        program: str | None = None,
        user: str = "avery",
        effective: str | None = None,
        terminal: str | None = "pts/2",
        error: str | None = None,
    ) -> int:
        """A process runs a program; its name is the first argument's."""
        program = program or "/usr/bin/" + arguments[0].rpartition("/")[2]
        name = program.rpartition("/")[2][:15]
        before = self._names.get(pid, ("/usr/bin/bash", "bash"))
        if error is None:
            self._names[pid] = program, name
        self._parents[pid] = parent
        self._terminals[pid] = terminal
        shown = before if error else (program, name)
        self._add(
            at, pid, parent, "ran", "execve", shown, user=user, effective=effective,
            arguments=None if error else arguments, error=error,
            objects=[Thing("program", program)],
        )  # fmt: skip
        return pid

    def fork(self, parent: int, child: int, at: float) -> int:
        """A process forks another."""
        self._names[child] = self._names.get(parent, ("/usr/bin/bash", "bash"))
        self._add(at, parent, self._parents.get(parent, 999), "started", "clone",
                  self._names.get(parent), exit_=child)  # fmt: skip
        return child

    def end(
        self,
        pid: int,
        at: float,
        status: int = 0,
        *,
        parent: int | None = None,
        program: str | None = None,
    ) -> None:
        """A process ends, which only some rule sets tell."""
        if self._exits:
            parent = self._parents.get(pid, SHELL) if parent is None else parent
            names = self._names.get(pid, ("/usr/bin/bash", "bash"))
            if program is not None:
                names = program, program.rpartition("/")[2]
            self._add(at, pid, parent, "ended", "exit_group", names, exit_=status)

    def write(self, pid: int, path: str, at: float, *, parent: int | None = None) -> None:
        """A process creates a file."""
        parent = self._parents.get(pid, SHELL) if parent is None else parent
        self._add(at, pid, parent, "created", "openat", self._names.get(pid),
                  objects=[Thing("file", path, "created")])  # fmt: skip

    def kill(self, pid: int, target: int, at: float) -> None:
        """A process kills another."""
        self._add(at, pid, self._parents.get(pid, SHELL), "signalled", "kill", self._names.get(pid),
                  signal=9, objects=[Thing("process", str(target))])  # fmt: skip

    def crash(self, pid: int, signal: int, at: float) -> None:
        """A signal ends a process, which the kernel reports."""
        self._add(at, pid, None, "crashed", None, self._names.get(pid), signal=signal)

    def type(self, pid: int, typed: str, at: float, name: str = "bash") -> None:
        """What was typed into a program is written to the log."""
        self._add(at, pid, None, "typed", None, (None, name), typed=typed)

    def _add(
        self,
        at: float,
        pid: int,
        parent: int | None,
        action: str,
        syscall: str | None,
        names: tuple[str | None, str] | None,
        *,
        user: str = "avery",
        effective: str | None = None,
        arguments: list[str] | None = None,
        error: str | None = None,
        exit_: int | None = None,
        signal: int | None = None,
        typed: str | None = None,
        objects: list[Thing] | None = None,
    ) -> None:
        program, name = names or (None, None)
        uids = {"avery": 1501, "blake": 1502, "root": 0}
        who = Who(login_uid=1501, login_user="avery", uid=uids[user], user=user,
                  effective_uid=None if effective is None else uids[effective],
                  effective_user=effective)  # fmt: skip
        process = Process(
            pid, parent, program, name, self._terminals.get(pid, "pts/2"), arguments=arguments
        )
        self.events.append(
            Event(
                serial=len(self.events) + 1,
                at_unix_us=START_US + int(at * 1_000_000),
                action=action,
                result="failure" if error else "success",
                audit_session=7,
                error=error,
                exit=exit_,
                signal=signal,
                syscall=syscall,
                who=who,
                process=process,
                objects=objects or [],
                typed=typed,
            )
        )
