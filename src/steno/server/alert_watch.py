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
from steno.store.accounts_file import AccountsFile
from steno.store.alert_batches import Batches
from steno.store.alerts import Alerts
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


@contextlib.contextmanager
def watching(
    config: ServerConfig, store: Store, file: AccountsFile, metrics: Metrics
) -> Iterator[Alerts]:
    """Look with the rules and send what they find, until the block ends.

    Raises:
        ConfigError: The rules, or a file that says how alerts are sent, are wrong.
    """
    settings = config.alerts
    alerts = Alerts(file)
    if not settings.enabled:
        yield alerts
        return
    rules = load_rules(config.alert_rules_path, must_exist=settings.rules is not None)
    sending_settings = SendingSettings(
        least=settings.send, interval_s=settings.interval_s, base_url=settings.url
    )
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(make_client(settings))
        targets = make_targets(settings, client)
        sending = AlertSending(Batches(file, alerts), targets, sending_settings, metrics)
        stack.callback(sending.stop)
        sending.start()
        alerting = Alerting(store, alerts, rules, metrics, on_alert=lambda _: sending.wake())
        stack.callback(alerting.stop)
        alerting.start()
        yield alerts
