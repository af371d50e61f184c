"""All of a server's alerting: rules, looking, sending; opened and closed as one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path

from steno.config import ServerConfig
from steno.errors import ConfigError
from steno.metrics import Metrics
from steno.server.alert_rules import Rule, parse_rules
from steno.server.alert_sending import AlertSending, SendingSettings
from steno.server.alert_targets import make_client, make_targets
from steno.server.alerting import Alerting
from steno.server.fleet_watch import Trouble, TroubleKind
from steno.store.accounts_file import AccountsFile
from steno.store.alert_batches import Batches
from steno.store.alerts import Alerts, Finding, Severity
from steno.store.protocol import Store

OWN_RULES = "alerts.toml"


def read_own_rules() -> bytes:
    """Return the file of the rules that come with Steno."""
    return resources.files("steno.server").joinpath(OWN_RULES).read_bytes()


def load_rules(path: Path, *, must_exist: bool) -> tuple[Rule, ...]:
    """Return the rules of a file; Steno's own where there is none and none need be.

    Raises:
        ConfigError: It is missing, unreadable or wrong.
    """
    now = datetime.now().astimezone()
    try:
        return parse_rules(path.read_bytes(), str(path), now)
    except FileNotFoundError as error:
        if must_exist:
            raise ConfigError("no such file", file=str(path)) from error
        return parse_rules(read_own_rules(), OWN_RULES, now)
    except OSError as error:
        raise ConfigError(error.strerror or str(error), file=str(path)) from error


class RulesFile:
    """A file of rules, read anew when it changes.

    Args:
        path: The file.
        must_exist: Whether Steno's own rules do not stand in for it.
    """

    def __init__(self, path: Path, *, must_exist: bool) -> None:
        self._path = path
        self._must_exist = must_exist
        self._seen: tuple[int, ...] | None = None

    def read(self) -> tuple[Rule, ...] | None:
        """Return the rules if the file is another than at the last call; None: it is not.

        Raises:
            ConfigError: It is missing, unreadable or wrong; once per change.
        """
        seen = self._look()
        if seen == self._seen:
            return None
        self._seen = seen
        return load_rules(self._path, must_exist=self._must_exist)

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


class AlertWatch:
    """What is open for the rest of the server.

    Attributes:
        alerts: The alerts.
    """

    def __init__(self, alerts: Alerts, alerting: Alerting | None) -> None:
        self.alerts = alerts
        self._alerting = alerting

    def note_trouble(self, trouble: Trouble) -> None:
        """Raise an alert about a host, unless nobody has seen to the one before. Any thread."""
        if self._alerting is not None:
            self._alerting.raise_unless_open(_trouble_finding(trouble))


_TROUBLES: dict[TroubleKind, tuple[str, Severity, str, str]] = {
    "silent": (
        "host-silent",
        "critical",
        "No heartbeats come from a host on which sessions are being recorded: the host, its network"
        " or its courier is down, or was stopped.",
        "no heartbeat for {silence_s} s; recordings that were open: {open}",
    ),
    "agent": (
        "agent-stopped",
        "critical",
        "The recorder's agent on a host answered before and answers no more: stopped, or it hangs.",
        "the agent does not answer; open recordings: {open}",
    ),
    "number": (
        "numbers-back",
        "high",
        "A host's running number of recordings went back: its state was put back, or recordings"
        " were taken away.",
        "the running number of recordings went back",
    ),
}
"""What hosts' troubles are called: rule, severity, description, text."""


def _trouble_finding(trouble: Trouble) -> Finding:
    rule, severity, description, text = _TROUBLES[trouble.kind]
    health = trouble.health
    said = text.format(silence_s=(health.silence_us or 0) // 1_000_000, open=health.open)
    return Finding(
        rule=rule,
        severity=severity,
        description=description,
        at_unix_us=trouble.noticed_unix_us,
        text=f"{trouble.host}: {said}",
        host=trouble.host,
        sender=trouble.host,
    )


@contextlib.contextmanager
def watching(
    config: ServerConfig, store: Store, file: AccountsFile, metrics: Metrics
) -> Iterator[AlertWatch]:
    """Look with the rules and send what they find, until the block ends.

    Raises:
        ConfigError: The rules, or a file that says how alerts are sent, are wrong.
    """
    settings = config.alerts
    alerts = Alerts(file)
    if not settings.enabled:
        yield AlertWatch(alerts, None)
        return
    file_of_rules = RulesFile(config.alert_rules_path, must_exist=settings.rules is not None)
    rules = file_of_rules.read() or ()
    sending_settings = SendingSettings(
        least=settings.send, interval_s=settings.interval_s, base_url=settings.url
    )
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(make_client(settings))
        targets = make_targets(settings, client)
        sending = AlertSending(Batches(file, alerts), targets, sending_settings, metrics)
        stack.callback(sending.stop)
        sending.start()
        alerting = Alerting(
            store,
            alerts,
            rules,
            metrics,
            on_alert=lambda _: sending.wake(),
            reload=file_of_rules.read,
        )
        stack.callback(alerting.stop)
        alerting.start()
        yield AlertWatch(alerts, alerting)
