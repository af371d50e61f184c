"""The agent's configuration: /etc/steno/agent.toml, as frozen structs.

Every key is documented in docs/agent.md; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from steno.delivery.writers.journal import DEFAULT_PATH as JOURNAL_SOCKET
from steno.delivery.writers.syslog import DEFAULT_PATH as SYSLOG_SOCKET
from steno.delivery.writers.syslog import FACILITIES, PRIORITIES
from steno.errors import ConfigError, UsageError
from steno.formats.charset import find_charset
from steno.settings import Log, convert_settings, read_toml

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**40)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
FILE = "file:"
SPOOL, SYSLOG, JOURNAL = "spool", "syslog", "journal"
AuditSource = Literal["auto", "records", "words"]
"""What of the journal is taken into the audit trail; see `AgentConfig.audit_source`."""
DEFAULT_FILE = Path("/etc/steno/agent.toml")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [limits].

    Attributes:
        sessions: So many sessions at a time; more are not recorded, see `on_failure`.
        sessions_per_user: So many of one user.
        starting: So many that are being started at a time; more wait in the socket's queue.
        rate_bytes: Bytes a second that all sessions together may record; 0: no limit.
        burst_bytes: Bytes by which that may be exceeded for a moment.
        action: What happens beyond it: `delay` slows the terminals down, `drop` doesn't record.
    """

    sessions: Positive = 10_000
    sessions_per_user: Positive = 1_000
    starting: Positive = 256
    rate_bytes: Count = 0
    burst_bytes: Positive = 16 << 20
    action: Literal["delay", "drop"] = "delay"


class MetricsPlaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [metrics]: where Prometheus finds the numbers; nowhere unless one is set.

    Attributes:
        listen: A loopback address and port, HOST:PORT.
        socket: A Unix socket's path.
        textfile: A file for the node exporter, written every 15 s.
    """

    listen: str = ""
    socket: str = ""
    textfile: str = ""


class SyslogPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [syslog]: how recordings go to syslog.

    Attributes:
        socket: The daemon's socket.
        facility: A facility's name.
        priority: A priority's name.
    """

    socket: str = SYSLOG_SOCKET
    facility: str = "authpriv"
    priority: str = "info"


class JournalPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [journal]: how recordings go to systemd's journal.

    Attributes:
        socket: The journal's socket.
        priority: A priority's name.
    """

    socket: str = JOURNAL_SOCKET
    priority: str = "info"


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `steno agent` goes by.

    Attributes:
        socket: Where `steno-shell` asks.
        control: Where root and the agent's user look after it.
        user: Whom the agent runs as when root starts it.
        policy: The policy file.
        shells: The table of real shells.
        listed_shells: The shells that this host allows, usually /etc/shells.
        spool: The spool's directory.
        numbers: The directory in which recordings are counted.
        to: Where recordings go: `spool`, `syslog`, `journal`, `file:PATH`.
        nested: What becomes of a session within one that is recorded: `unrecorded` or `record`.
        on_failure: Whether a session starts whose policy cannot be known: `deny` or `allow`.
        charset: What terminals speak, in the words of `locale charmap`.
        audit_source: Where there is no auditd, what of the journal tells of logins: the kernel's
            audit `records`, programs' own `words`, or `auto`, words while no records come.
        host_groups: Groups of hosts that this host belongs to, for the policy.
        limits: How much at a time.
        metrics: Where Prometheus finds the numbers.
        syslog: How recordings go there.
        journal: How recordings go there.
        log: What is logged, and how.
    """

    socket: str = "/run/steno/agent.sock"
    control: str = "/run/steno/control.sock"
    user: str = "steno"
    policy: str = "/etc/steno/policy.toml"
    shells: str = "/etc/steno/shells"
    listed_shells: str = "/etc/shells"
    spool: str = "/var/lib/steno/spool"
    numbers: str = "/var/lib/steno"
    to: tuple[str, ...] = (SPOOL,)
    nested: Literal["unrecorded", "record"] = "unrecorded"
    on_failure: Literal["deny", "allow"] = "deny"
    charset: str = "UTF-8"
    audit_source: AuditSource = "auto"
    host_groups: tuple[str, ...] = ()
    limits: Limits = Limits()
    metrics: MetricsPlaces = MetricsPlaces()
    syslog: SyslogPlace = SyslogPlace()
    journal: JournalPlace = JournalPlace()
    log: Log = Log()


def load_agent_config(file: Path | None = None, flags: dict[str, Any] | None = None) -> AgentConfig:
    """Read the configuration.

    Args:
        file: The TOML file; None: /etc/steno/agent.toml, if there is one.
        flags: Options from the command line, dotted (`log.level`); None: not given.

    Raises:
        ConfigError: The file is unreadable or no TOML, or holds an unknown key or a wrong value;
            the text names file and key.
    """
    path = file or DEFAULT_FILE
    try:
        values = read_toml(path)
    except FileNotFoundError as error:
        if file is not None:
            raise ConfigError(str(error.strerror), file=str(file)) from error
        values = {}
    config = convert_settings(values, AgentConfig, str(path))
    _check(config, str(path))
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    if given:
        for key, value in given.items():
            section, _, option = key.rpartition(".")
            target = values.setdefault(section, {}) if section else values
            target[option] = value
        config = convert_settings(values, AgentConfig, "command line")
        _check(config, "command line")
    return config


def _check(config: AgentConfig, file: str) -> None:
    """Raise ConfigError for values whose types are right and whose text is not."""
    for place in config.to:
        if place not in (SPOOL, SYSLOG, JOURNAL) and not place.removeprefix(FILE).startswith("/"):
            reason = f"{place!r} is no place; there are spool, syslog, journal and file:/PATH"
            raise ConfigError(reason, file=file, key="to")
    if not config.to or len(set(config.to)) < len(config.to):
        raise ConfigError("each place once, and at least one", file=file, key="to")
    _check_charset(config.charset, file)
    if config.syslog.facility not in FACILITIES:
        known = ", ".join(FACILITIES)
        raise ConfigError(f"there are {known}", file=file, key="syslog.facility")
    for key, priority in (
        ("syslog.priority", config.syslog.priority),
        ("journal.priority", config.journal.priority),
    ):
        if priority not in PRIORITIES:
            raise ConfigError(f"there are {', '.join(PRIORITIES)}", file=file, key=key)
    host, _, port = config.metrics.listen.rpartition(":")
    if config.metrics.listen and (
        host not in ("127.0.0.1", "[::1]", "localhost") or not port.isdigit() or int(port) > 65535
    ):
        reason = f"{config.metrics.listen!r} is no loopback address and port"
        raise ConfigError(reason, file=file, key="metrics.listen")
    for key in ("socket", "control", "policy", "shells", "listed_shells", "spool", "numbers"):
        if not getattr(config, key).startswith("/"):
            raise ConfigError("must be an absolute path", file=file, key=key)


def _check_charset(name: str, file: str) -> None:
    try:
        find_charset(name)
    except UsageError as error:
        raise ConfigError(str(error), file=file, key="charset") from error
