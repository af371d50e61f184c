"""Running the agent: signals, the service manager, and the order of things at the start and end."""

from __future__ import annotations

import gc
import grp
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from steno.agent.configuration import AgentConfig
from steno.agent.control import ControlServer
from steno.agent.daemon import Agent
from steno.agent.exposition import Exposition
from steno.agent.keep import Keep, StoreKeep, open_keep
from steno.agent.loop import READABLE
from steno.agent.privileges import (
    become,
    find_user,
    missing_capabilities,
    raise_descriptor_limit,
)
from steno.agent.sockets import listen, lock_agent, take_listener
from steno.errors import StenoError, StoreError
from steno.recorder.signals import SignalPipe

AGENT_SOCKET, CONTROL_SOCKET = "agent", "control"
"""The names that steno-agent.socket gives its sockets."""
_SWITCH_S = 0.001
"""How long another thread may hold up the loop."""
_SPARE_GENERATIONS = (5_000, 20, 50)

log = logging.getLogger("steno.agent")


def run_agent(config: AgentConfig, read_config: Callable[[], AgentConfig]) -> None:
    """Be the agent until SIGTERM.

    Raises:
        StenoError: It could not start, and nothing was changed.
    """
    watchdog_us = _take_watchdog()
    keep = open_keep(os.environ)
    raise_descriptor_limit()
    tty_gid = _find_tty_group()
    make_run_directory(config)
    listeners = _open_listeners(config, keep)
    _drop_privileges(config)
    spool = Path(config.spool)
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = lock_agent(spool)
    try:
        agent = Agent(config, keep, tty_gid, read_config)
        try:
            _serve(agent, keep, listeners, watchdog_us)
        finally:
            agent.close()
    finally:
        os.close(lock)


def _serve(
    agent: Agent,
    keep: Keep,
    listeners: dict[str, socket.socket],
    watchdog_us: int | None,
) -> None:
    service = _Service(agent, keep, watchdog_us)
    exposition = Exposition(agent.loop, agent.config.metrics, agent.metrics.expose)
    with SignalPipe(catches_stop=False) as signals:
        agent.loop.watch(signals.fd, READABLE, lambda _events: service.take_signals(signals))
        control = ControlServer(agent.loop, listeners[CONTROL_SOCKET], agent.obey)
        agent.reception.listen(listeners[AGENT_SOCKET])
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_SPARE_GENERATIONS)
        sys.setswitchinterval(_SWITCH_S)
        agent.take_up()
        service.tell_ready()
        agent.loop.run()
        service.tell("STOPPING=1")
        control.close()
        exposition.close()


class _Service:
    """What the agent and the service manager tell each other."""

    def __init__(self, agent: Agent, keep: Keep, watchdog_us: int | None) -> None:
        self._agent = agent
        self._manager = keep if isinstance(keep, StoreKeep) else None
        self._watchdog_us = watchdog_us

    def tell(self, text: str) -> None:
        if self._manager is not None:
            try:
                self._manager.notify(text)
            except StenoError as error:
                log.warning("the service manager does not listen", extra={"why": str(error)})

    def tell_ready(self) -> None:
        log.info("the agent is ready", extra={"socket": self._agent.config.socket})
        self.tell(f"READY=1\n{self._status()}")
        self._feed_watchdog()

    def _status(self) -> str:
        count = len(self._agent.sessions)
        return f"STATUS={count} session{'' if count == 1 else 's'}"

    def _feed_watchdog(self) -> None:
        if self._watchdog_us is not None:
            self.tell(f"WATCHDOG=1\n{self._status()}")
            # By the loop itself: when that hangs, so does this.
            self._agent.loop.call_in(self._watchdog_us // 3, self._feed_watchdog)

    def take_signals(self, signals: SignalPipe) -> None:
        for number in signals.read():
            if number == signal.SIGHUP:
                self._reload()
            elif number in (signal.SIGTERM, signal.SIGINT):
                log.info("the agent ends")
                self._agent.end()

    def _reload(self) -> None:
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._agent.reload()
        except StenoError as error:
            log.error("refused; what was in force stays so", extra={"why": str(error)})
        self.tell(f"READY=1\n{self._status()}")


def _take_watchdog() -> int | None:
    """Return how often the service manager wants a sign of life; None for never."""
    period, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
    if not period.isdigit() or pid not in ("", str(os.getpid())):
        return None
    return int(period) or None


def _open_listeners(config: AgentConfig, keep: Keep) -> dict[str, socket.socket]:
    """Return the sockets: those of the service manager, and our own for what it has not."""
    given = keep.others if isinstance(keep, StoreKeep) else {}
    wanted = (
        (AGENT_SOCKET, config.socket, socket.SOCK_SEQPACKET, 0o666),
        (CONTROL_SOCKET, config.control, socket.SOCK_STREAM, 0o600),
    )
    listeners = {}
    for name, path, kind, mode in wanted:
        fd = given.get(name)
        listeners[name] = listen(path, kind, mode) if fd is None else take_listener(fd, kind)
    return listeners


def make_run_directory(config: AgentConfig) -> None:
    """Make the sockets' directory the agent's own where root makes it: more is written there.

    Raises:
        StenoError: It cannot be made, or there is no such user.
    """
    directory = Path(config.control).parent
    if os.geteuid() != 0 or directory.exists():
        return
    uid, gid = find_user(config.user)
    try:
        directory.mkdir(parents=True)
        directory.chmod(0o755)
        os.chown(directory, uid, gid)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error


def _drop_privileges(config: AgentConfig) -> None:
    if os.geteuid() == 0:
        uid, gid = find_user(config.user)
        if uid:
            for directory in (Path(config.spool), Path(config.numbers)):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                _hand_over(directory, uid, gid)
            os.chown(config.control, uid, gid)
            become(uid, gid)
    missing = missing_capabilities()
    if missing:
        log.warning("the agent lacks rights", extra={"missing": " ".join(missing)})


def _hand_over(directory: Path, uid: int, gid: int) -> None:
    """Give a directory that root has made to the agent's user, with what is in it."""
    os.chown(directory, uid, gid)
    for path in directory.iterdir():
        if path.is_file() and not path.is_symlink():
            os.chown(path, uid, gid)


def _find_tty_group() -> int:
    try:
        return grp.getgrnam("tty").gr_gid
    except KeyError:
        return 5  # what all distributions call it
