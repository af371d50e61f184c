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
        yield alerts
