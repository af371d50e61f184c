"""A real auditd with Steno's plugin on this machine, whose kernel's audit system it borrows.

There is one audit system for the whole machine, and auditd must run in its first process id
namespace: whoever uses it holds a lock, and leaves all as it was found: off, without rules.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from waiting import wait_for

from steno.agent.auditing.kernel import read_status
from steno.audit.rules.text import AuditStatus
from steno.delivery.audit_state import read_audit_state
from steno.errors import StenoError
from steno.heartbeat import AuditFacts

LOCK = Path("/tmp/audit.lock")  # the machine's, agreed upon
STENO = [sys.executable, "-m", "steno.cli"]
_CONFIGURATION = """\
local_events = yes
write_logs = yes
log_file = {directory}/log/audit.log
log_group = root
log_format = {log_format}
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 64
num_logs = 3
max_log_file_action = ROTATE
name_format = NONE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
q_depth = 2000
overflow_action = IGNORE
max_restarts = 10
plugin_dir = {directory}/plugins.d
"""
_PLUGIN = """\
active = yes
direction = out
path = {directory}/steno-audit
type = always
format = string
"""


class UnavailableError(Exception):
    """This machine's audit system cannot be borrowed; the text says why."""


class KernelAudit:
    """The machine's audit system, locked; the fixture `kernel_audit` gives it.

    Whoever borrows the system needs this: so pytest knows those tests by their fixture.
    """

    def __init__(self) -> None:
        """Wait until nobody else has it.

        Raises:
            UnavailableError: This machine cannot run auditd for a test.
        """
        if os.geteuid() != 0:
            raise UnavailableError("auditd needs root")
        for program in ("auditd", "auditctl"):
            if shutil.which(program) is None:
                raise UnavailableError(f"{program} is missing (Debian package auditd)")
        self.lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            if read_status().daemon_pid:
                raise UnavailableError("an auditd runs on this machine")
        except StenoError as error:
            self.close()
            reason = f"this is not the machine's own process id namespace: {error}"
            raise UnavailableError(reason) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it."""
        os.close(self.lock)

    @contextmanager
    def borrow(self) -> Iterator[None]:
        """Have it for a while; it is put back as it was, also when the test is killed."""
        before = read_status()
        guard = _guard(before, self.lock)
        try:
            yield
        finally:
            _restore(before)
            guard.communicate(b"done\n")


def _guard(before: AuditStatus, lock: int) -> subprocess.Popen[bytes]:
    """Start what puts the audit system back if the test is killed; it keeps the lock until then."""
    back = f"auditctl -D; sleep 1; auditctl -b {before.backlog_limit}; auditctl -e {before.enabled}"
    return subprocess.Popen(
        ["sh", "-c", f'read -r word; [ "$word" = done ] || {{ {back}; }} >/dev/null 2>&1'],
        stdin=subprocess.PIPE,
        pass_fds=[lock],
        start_new_session=True,
    )


def _restore(before: AuditStatus) -> None:
    auditctl("-D")
    auditctl("-b", str(before.backlog_limit))
    auditctl("-e", str(before.enabled))


class AuditHost:
    """The machine's audit system in a test's hands, for as long as the `with` block lasts.

    Args:
        audit: The audit system.
        directory: Where auditd's and the plugin's files go, the `spool` among them.
        level: Which rules are loaded.
        policy: The policy file's text.
        log_format: auditd's: ENRICHED or RAW.
        spool: The spool to write to, in place of one of its own.
        control: The control socket of an agent that decides about sessions.
        options: More options for `steno audit follow`.
        inside: Words that run auditd and auditctl in a mount namespace whose accounts they see.

    Attributes:
        directory: Where everything is.
        spool: The spool that the plugin writes to.
        control: The agent's control socket, whether there is an agent or not.
        policy_file: The policy; it may be written anew.
    """

    def __init__(
        self,
        audit: KernelAudit,
        directory: Path,
        *,
        level: str = "session",
        policy: str = "",
        log_format: str = "ENRICHED",
        spool: Path | None = None,
        control: Path | None = None,
        options: tuple[str, ...] = (),
        inside: tuple[str, ...] = (),
    ) -> None:
        self._audit = audit
        self._inside = inside
        self.directory = directory
        self.spool = spool or directory / "spool"
        self.control = control or directory / "run" / "control.sock"
        self.policy_file = directory / "policy.toml"
        self._level = level
        self._policy = policy
        self._log_format = log_format
        self._options = options
        self._before: AuditStatus | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AuditHost:
        try:
            self._before = read_status()
            self._guard = _guard(self._before, self._audit.lock)
            self._lay_out()
            self.start_daemon()
            self.load_rules(self._level)
        except BaseException:
            self._put_back()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._put_back()

    def _lay_out(self) -> None:
        for name in ("plugins.d", "log", "run"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        text = _CONFIGURATION.format(directory=self.directory, log_format=self._log_format)
        self._write("auditd.conf", text)
        self._write("plugins.d/steno.conf", _PLUGIN.format(directory=self.directory))
        self._write("policy.toml", self._policy)
        self._write("agent.toml", '[log]\nstyle = "text"\n')
        words = [
            *(*STENO, "audit", "follow", "--user", "root", "--spool", str(self.spool)),
            *("--config", str(self.directory / "agent.toml"), "--control", str(self.control)),
            *("--policy", str(self.directory / "policy.toml"), *self._options),
        ]
        quoted = " ".join(f"'{word}'" for word in words)
        program = f"#!/bin/sh\nexec {quoted} 2>>'{self.directory}/plugin.log'\n"
        self._write("steno-audit", program, 0o755)

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)

    # auditd.

    def start_daemon(self) -> None:
        """Start auditd, and wait until its plugin is there."""
        with (self.directory / "auditd.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                # It ends with the test, however that ends.
                [
                    *("setpriv", "--pdeathsig", "TERM", *self._inside),
                    *("auditd", "-n", "-c", str(self.directory)),
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: read_status().daemon_pid, lambda: self.explain("auditd does not start"))
        wait_for(self.state, lambda: self.explain("the plugin does not start"))

    def stop_daemon(self) -> None:
        """Stop auditd in good order, and wait until its plugin has ended, too."""
        if self._daemon is None:
            return
        plugin = self.plugin_pid()
        self._daemon.send_signal(signal.SIGTERM)
        self._daemon.wait(60)
        self._daemon = None
        if plugin is not None:
            wait_for(lambda: not Path(f"/proc/{plugin}").exists(), "the plugin does not end")

    def signal_daemon(self, number: int) -> None:
        """Send auditd a signal; SIGHUP makes it read its configuration again."""
        assert self._daemon is not None
        self._daemon.send_signal(number)

    def plugin_pid(self) -> int | None:
        """Return the plugin's process; None: there is none."""
        assert self._daemon is not None
        # Any of its threads may have started it.
        threads = Path(f"/proc/{self._daemon.pid}/task").iterdir()
        children = [pid for thread in threads for pid in _read(thread / "children").split()]
        return int(children[0]) if children else None

    def load_rules(self, level: str) -> None:
        """Load the rules of a level in place of those that are loaded."""
        printed = subprocess.run(
            [*STENO, "audit", "rules", "print", level], capture_output=True, check=True
        )
        rules = self.directory / "rules"
        rules.write_bytes(printed.stdout)
        auditctl("-D")
        if level != "none":
            # A path in a rule is the file that auditctl sees there. It ends with 1 where one is a
            # directory that is not; whether all others are loaded, the check says.
            load = [*self._inside, "auditctl", "-R", str(rules)]
            loaded = subprocess.run(load, capture_output=True, text=True, check=False)
            check = [*self._inside, *STENO, "audit", "rules", "check", level]
            checked = subprocess.run(check, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, self.explain(loaded.stderr + checked.stdout)

    def state(self) -> AuditFacts | None:
        """Return what the plugin says of itself."""
        return read_audit_state(self.control.with_name("audit.json"))

    def explain(self, what: str) -> str:
        """Return a text for a failed test."""
        logs = [self.directory / name for name in ("auditd.log", "plugin.log")]
        texts = [log.read_text() for log in logs if log.exists()]
        return "\n".join([what, *texts])

    def _put_back(self) -> None:
        try:
            if self._daemon is not None:
                auditctl("-D")
                self.stop_daemon()
            if self._before is not None:
                _restore(self._before)
        finally:
            if self._daemon is not None:
                self._daemon.kill()
                self._daemon.wait()
            if self._guard is not None:
                self._guard.communicate(b"done\n")


class Session:
    """A login's processes: a program that runs under a login uid and an audit session of its own.

    Attributes:
        number: The audit session.
        process: What runs there.
    """

    def __init__(self, uid: int, *words: str) -> None:
        read_end, write_end = os.pipe()

        def log_in() -> None:
            Path("/proc/self/loginuid").write_text(str(uid))
            os.write(write_end, Path("/proc/self/sessionid").read_bytes())

        self.process = subprocess.Popen(
            words,
            preexec_fn=log_in,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.close(write_end)
        with os.fdopen(read_end) as told:
            self.number = int(told.read())

    def finish(self) -> bytes:
        """Let it come to its end; return what it printed."""
        printed, _ = self.process.communicate(timeout=120)
        return printed


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def auditctl(*words: str) -> str:
    """Run auditctl; return what it printed."""
    done = subprocess.run(["auditctl", *words], capture_output=True, text=True, check=True)
    return done.stdout
