"""The server's configuration: one TOML file, overridden by flags, as frozen structs.

Every option is documented in docs/operate.md; a test compares the two.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from steno.errors import ConfigError
from steno.settings import Log, convert_settings, expand_home, home_directory, read_toml

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**40)]


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [tls].

    Attributes:
        mode: `auto` (HTTPS, but plain HTTP on loopback addresses), `on`, or `off` (behind a
            proxy that does HTTPS).
        certificate: The server's certificate and chain, PEM; None: the one in ca/.
        key: Its private key, PEM; None: the one in ca/.
        clients_ca: Who may have signed hosts' certificates, PEM; None: the CA in ca/.
    """

    mode: Literal["auto", "on", "off"] = "auto"
    certificate: str | None = None
    key: str | None = None
    clients_ca: str | None = None


class Sessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [sessions].

    Attributes:
        idle_minutes: A session without a request for so long ends.
        absolute_hours: So long after the sign-in it ends in any case.
        link_minutes: A one-time link not used for so long ends.
    """

    idle_minutes: Positive = 60
    absolute_hours: Positive = 12
    link_minutes: Positive = 10


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [login].

    Attributes:
        per_name: Failed sign-ins per name and window; then 429.
        per_address: Failed sign-ins per address (IPv6: per /64) and window; then 429.
        window_minutes: The window.
        parallel_checks: Passwords checked at the same time; each takes 64 MiB for a moment.
    """

    per_name: Positive = 10
    per_address: Positive = 30
    window_minutes: Positive = 15
    parallel_checks: Positive = 2


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [limits].

    Attributes:
        body_bytes: Largest JSON body of a request; larger ones get 413.
        ingest_body_bytes: Largest body of an upload.
        streams: Live streams open at the same time.
        streams_per_user: The same for one user.
    """

    body_bytes: Positive = 64 * 1024
    ingest_body_bytes: Positive = 16 * 1024 * 1024
    streams: Positive = 500
    streams_per_user: Positive = 20


class Hosts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [hosts].

    Attributes:
        silent_after_s: A host with open sessions that was not heard of for so long is silent.
        clock_offset_s: A clock that is off by more is warned of.
    """

    silent_after_s: Positive = 60
    clock_offset_s: Positive = 5


class Orders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [orders].

    Attributes:
        kill: Who may end sessions: admins only, or auditors too.
        message: Who may send messages to terminals: admins only, or auditors too.
        expire_s: An order that its host has not carried out after so long is given up.
    """

    kill: Literal["admin", "auditor"] = "admin"
    message: Literal["admin", "auditor"] = "admin"
    expire_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [alerts].

    Attributes:
        enabled: Whether rules are looked with.
        rules: The file of rules; None: `alerts.toml` in the directory, or else Steno's own.
        send: What is sent: alerts of this severity and worse ones.
        interval_s: A target gets at most one message in so many seconds, with all that came.
        webhook: An address that gets a POST with JSON; None: none.
        webhook_secret_file: A file that holds the key of its signature.
        webhook_ca: The file of certificates that vouch for it; None: the system's.
        mail_to: Addresses that get mail.
        mail_settings: The file that says how mail is sent.
        syslog: `/dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`; None: none.
        url: The server's own address, for links in messages.
    """

    enabled: bool = True
    rules: str | None = None
    send: Literal["low", "medium", "high", "critical"] = "medium"
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=86400)] = 60
    webhook: str | None = None
    webhook_secret_file: str | None = None
    webhook_ca: str | None = None
    mail_to: list[str] = []
    mail_settings: str = "/etc/steno/mail.toml"
    syslog: str | None = None
    url: str | None = None


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `steno serve` goes by.

    Attributes:
        directory: Where recordings, index, accounts and certificates are kept.
        listen: Address and port, HOST:PORT; an IPv6 host in brackets.
        names: Names (and addresses) by which browsers and hosts may call the server; empty: any,
            but on loopback only loopback's own.
        trusted_proxies: Addresses of proxies whose X-Forwarded-For and -Proto are believed.
        tls: Certificates.
        sessions: How long people stay signed in.
        login: How often they may try.
        limits: What a request may cost.
        hosts: When a host is warned of.
        orders: Who may do what to sessions that are being recorded.
        alerts: What rules look for, and who is told.
        log: What is logged, and how.
    """

    directory: str
    listen: str = "127.0.0.1:8040"
    names: list[str] = []
    trusted_proxies: list[str] = []
    tls: Tls = Tls()
    sessions: Sessions = Sessions()
    login: Login = Login()
    limits: Limits = Limits()
    hosts: Hosts = Hosts()
    orders: Orders = Orders()
    alerts: AlertSettings = AlertSettings()
    log: Log = Log()

    @property
    def address(self) -> tuple[str, int]:
        """The host, without brackets, and the port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        host = self.address[0]
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def is_https(self) -> bool:
        """Whether the server itself speaks HTTPS."""
        return self.tls.mode == "on" or (self.tls.mode == "auto" and not self.is_loopback)

    @property
    def base(self) -> Path:
        """The directory; `~` in it is the home directory."""
        return expand_home(Path(self.directory))

    @property
    def store_directory(self) -> Path:
        """Where the embedded store keeps its files."""
        return self.base / "store"

    @property
    def accounts_path(self) -> Path:
        """The database of people, hosts and viewings."""
        return self.base / "accounts.sqlite"

    @property
    def alert_rules_path(self) -> Path:
        """The file of alert rules; it need not be there unless the configuration names it."""
        rules = self.alerts.rules
        return self.base / "alerts.toml" if rules is None else expand_home(Path(rules))

    @property
    def ca_directory(self) -> Path:
        """Where `steno server init` puts certificates."""
        return self.base / "ca"


SYSTEM_FILE = Path("/etc/steno/server.toml")
"""Where the packaged server has its configuration; counts for root only."""


def default_directory(system_file: Path = SYSTEM_FILE) -> Path:
    """Return the server's directory where nobody names one.

    For root, what `system_file` says, else /var/lib/steno; for others, $XDG_DATA_HOME/steno or
    ~/.local/share/steno.

    Raises:
        ConfigError: `system_file` is there, and wrong.
    """
    if os.geteuid() == 0:
        if system_file.exists():
            return load_config(system_file).base
        return Path("/var/lib/steno")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else home_directory() / ".local/share") / "steno"


def load_config(
    file: Path | None = None,
    *,
    directory: Path | None = None,
    flags: dict[str, Any] | None = None,
    system_file: Path = SYSTEM_FILE,
) -> ServerConfig:
    """Read the configuration.

    Args:
        file: The TOML file; None: for root without `directory`, `system_file`; else
            `server.toml` in the directory; if there is one.
        directory: The server's directory; it wins over the file's.
        flags: Options from the command line, dotted (`tls.mode`); None values count as not given.
        system_file: The packaged server's configuration.

    Raises:
        ConfigError: The file is unreadable or no TOML, or holds an unknown key or a wrong value;
            the text names file and key.
    """
    if file is None and directory is None and os.geteuid() == 0 and system_file.exists():
        file = system_file
    if file is None:
        beside = (directory or default_directory()) / "server.toml"
        try:
            values = read_toml(beside)
        except FileNotFoundError:
            values = {}
        name = str(beside)
    else:
        try:
            values = read_toml(file)
        except FileNotFoundError as error:
            raise ConfigError(str(error.strerror), file=str(file)) from error
        name = str(file)
    if directory is not None:
        values["directory"] = str(directory)
    if "directory" not in values:
        # For root: of a file that names no directory, not of that file again.
        values["directory"] = "/var/lib/steno" if os.geteuid() == 0 else str(default_directory())
    config = convert_settings(values, ServerConfig, name)
    _check(config, name)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    if given:
        for key, value in given.items():
            section, _, option = key.rpartition(".")
            target = values.setdefault(section, {}) if section else values
            target[option] = value
        config = convert_settings(values, ServerConfig, "command line")
        _check(config, "command line")
    return config


def _check(config: ServerConfig, file: str) -> None:
    """Raise ConfigError for values whose types are right and whose text is not."""
    expand_home(Path(config.directory), file=file, key="directory")
    host, _, port = config.listen.rpartition(":")
    is_number = port.isascii() and port.isdigit() and int(port) < 65536
    if not is_number or not host or (":" in host and host[:1] + host[-1:] != "[]"):
        raise ConfigError(
            f"{config.listen!r} is not HOST:PORT (an IPv6 host goes in brackets)",
            file=file,
            key="listen",
        )
    for name in config.names:
        # One colon is a port's; more are an IPv6 address.
        if not name or "/" in name or name.count(":") == 1:
            raise ConfigError(f"{name!r} is no name: no scheme, no port", file=file, key="names")
    for address in config.trusted_proxies:
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            raise ConfigError(str(error), file=file, key="trusted_proxies") from error
    _check_alerts(config.alerts, file)
    if (config.tls.certificate is None) != (config.tls.key is None):
        missing = "key" if config.tls.key is None else "certificate"
        raise ConfigError(
            "certificate and key go together; this one is missing", file=file, key=f"tls.{missing}"
        )


def _check_alerts(alerts: AlertSettings, file: str) -> None:
    for key in ("webhook", "url"):
        address = getattr(alerts, key)
        if address is not None and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", address):
            raise ConfigError(f"{address!r} is no http address", file=file, key=f"alerts.{key}")
    syslog = alerts.syslog
    if syslog is not None and not re.fullmatch(r"/\S+|(udp|tcp)://[^/\s@]+:[0-9]{1,5}", syslog):
        reason = f"{syslog!r}: a socket's path, udp://HOST:PORT or tcp://HOST:PORT"
        raise ConfigError(reason, file=file, key="alerts.syslog")
    for address in alerts.mail_to:
        if not re.fullmatch(r"[^\s@<>,;:\"-][^\s@<>,;:\"]*@[^\s@<>,;:\"]+", address):
            raise ConfigError(
                f"{address!r} is no plain mail address", file=file, key="alerts.mail_to"
            )
