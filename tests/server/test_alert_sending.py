"""Alerts reach a webhook, a mailbox and a syslog daemon: each once, a flood as a count."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest
from mail_server import MailServer
from waiting import wait_for
from webhook_receiver import Receiver

from steno.config import AlertSettings
from steno.delivery.mail.settings import MailSettings
from steno.errors import UnreachableError
from steno.metrics import Metrics
from steno.server.alert_messages import (
    Digest,
    compose_mail,
    make_digest,
    sign,
    syslog_messages,
)
from steno.server.alert_sending import AlertSending, SendingSettings
from steno.server.alert_targets import Mail, Syslog, Target, Webhook, make_client, make_targets
from steno.store.accounts_file import AccountsFile
from steno.store.alert_batches import Batch, Batches
from steno.store.alerts import Alerts, Finding, Severity

NOW_US = 1_760_000_000_000_000
SECRET = b"a shared secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    """A client for webhooks."""
    with make_client(AlertSettings()) as client:
        yield client


@pytest.fixture
def alerts(accounts_file: AccountsFile) -> Alerts:
    """No alerts yet."""
    return Alerts(accounts_file)


def finding(
    number: int, rule: str = "sudoers-written", severity: Severity = "high", text: str = "what"
) -> Finding:
    """Return what a rule found; one of another number is an alert of its own."""
    return Finding(
        rule, severity, "why it matters", NOW_US + number, text, "web1", login_user="avery",
        audit_session=number, trail="trail-1", serial=number,
    )  # fmt: skip


def batch_of(*findings: Finding, total: int | None = None, directory: Path) -> Batch:
    """Return a batch of these findings."""
    accounts_file = AccountsFile(directory / "batch.sqlite")
    alerts = Alerts(accounts_file, now_unix_us=lambda: NOW_US)
    found = alerts.put("trail-1", 0, 1, list(findings))
    accounts_file.close()
    return Batch("webhook", 1, len(found), found, len(found) if total is None else total)


def put(alerts: Alerts, *findings: Finding) -> None:
    """Raise alerts."""
    start = alerts.position("trail-1") or 0
    alerts.put("trail-1", start, start + 1, list(findings))


def test_a_webhook_gets_json_with_a_signature(
    receiver: Receiver, client: httpx2.Client, tmp_path: Path
) -> None:
    """Who shares the secret can tell that it is Steno's, and not an old one sent again."""
    digest = make_digest(batch_of(finding(1), directory=tmp_path), NOW_US, "https://steno.example/")
    Webhook(receiver.url, SECRET, client).send(digest)
    (body,), (headers,) = receiver.bodies, receiver.headers
    said = json.loads(body)
    assert headers["Steno-Signature"] == sign(SECRET, body)
    assert headers["Steno-Signature"] != sign(b"another", body)
    assert headers["Steno-Delivery"] == said["id"] == "webhook-1-1"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("steno/")
    assert (said["alerts"], said["more"], said["sent_unix_us"]) == (1, 0, NOW_US)
    assert said["url"] == "https://steno.example/alerts"
    (group,) = said["groups"]
    assert (group["rule"], group["severity"], group["host"]) == ("sudoers-written", "high", "web1")
    assert (group["users"], group["count"]) == (["avery"], 1)
    assert group["samples"][0]["serial"] == 1


@pytest.mark.parametrize("status", [301, 404, 500])
def test_what_is_not_taken_is_an_error(
    receiver: Receiver, client: httpx2.Client, tmp_path: Path, status: int
) -> None:
    """Anything but 2xx; redirections are not followed."""
    receiver.status = status
    digest = make_digest(batch_of(finding(1), directory=tmp_path), NOW_US)
    with pytest.raises(UnreachableError, match=str(status)):
        Webhook(receiver.url, None, client).send(digest)


def test_a_flood_is_one_message_with_counts(tmp_path: Path) -> None:
    """However many alerts: a line for each rule and host, three samples, the worst first."""
    flood = [finding(number, "quiet", "low") for number in range(1, 400)]
    flood += [finding(number, "loud", "critical") for number in range(400, 500)]
    digest = make_digest(batch_of(*flood, total=10_000, directory=tmp_path), NOW_US)
    assert [(group.rule, group.count) for group in digest.groups] == [("loud", 100), ("quiet", 399)]
    assert all(len(group.samples) == 3 for group in digest.groups)
    assert (digest.alerts, digest.more) == (10_000, 9501)


def test_more_rules_than_can_be_told_are_counted(tmp_path: Path) -> None:
    """Fifty groups, and how many alerts there are beside them."""
    many = [finding(number, f"rule-{number}") for number in range(1, 71)]
    digest = make_digest(batch_of(*many, directory=tmp_path), NOW_US)
    assert (len(digest.groups), digest.more) == (50, 20)
    assert len(syslog_messages(digest, "steno1", 1)) == 51


def test_a_mail_says_what_happened_and_nothing_can_shape_it(tmp_path: Path) -> None:
    """To all addresses; what a session printed stays on its line."""
    nasty = finding(1, text="ls\r\nBcc: victim@example.org\x1b[2J")
    server = MailServer(tmp_path, by="smtp")
    try:
        settings = MailSettings(
            sender="steno@example.org", by="smtp", server="127.0.0.1", port=server.port
        )
        mail = Mail(settings, ["one@example.org", "two@example.org"])
        digest = make_digest(
            batch_of(nasty, finding(2), directory=tmp_path), NOW_US, "https://s.example"
        )
        mail.send(digest)
        mail.send(digest)
    finally:
        server.close()
    (message, again) = server.handler.messages
    assert server.handler.recipients[0] == ["one@example.org", "two@example.org"]
    assert message["Subject"] == "[high] sudoers-written on web1 by avery"
    assert message["Message-ID"] == again["Message-ID"]
    assert message["Bcc"] is None
    assert message["Importance"] == "high"
    text = message.get_content()
    assert "HIGH  sudoers-written on web1 by avery, 2 times" in text
    assert "\ufffd\ufffdBcc: victim@example.org\ufffd[2J" in text
    assert "https://s.example/alerts" in text


def test_a_syslog_daemon_gets_rfc_5424(tmp_path: Path) -> None:
    """Through a local socket, UDP, and TCP with its octets counted; priority by severity."""
    batch = batch_of(finding(1, severity="critical", text='say "hi"\n'), directory=tmp_path)
    digest = make_digest(batch, NOW_US)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    local.bind(str(tmp_path / "log"))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    tcp = socket.create_server(("127.0.0.1", 0))
    with local, udp, tcp:
        Syslog(str(tmp_path / "log")).send(digest)
        Syslog(f"udp://127.0.0.1:{udp.getsockname()[1]}").send(digest)
        Syslog(f"tcp://127.0.0.1:{tcp.getsockname()[1]}").send(digest)
        message = local.recv(65536)
        assert udp.recv(65536) == message
        connection, _ = tcp.accept()
        with connection:
            size, _, rest = connection.makefile("rb").read().partition(b" ")
    assert rest == message
    assert int(size) == len(message)
    assert message.startswith(b"<82>1 2025-10-09T08:53:20.000001Z ")
    assert b" alert - alert=" in message
    assert b'severity="critical" host="web1" users="avery" count="1"' in message
    assert b'text="say \\"hi\\"\xef\xbf\xbd"' in message


@pytest.mark.parametrize("at_unix_us", [-(2**63), 2**63 - 1])
def test_an_absurd_instant_can_be_told(tmp_path: Path, at_unix_us: int) -> None:
    """A host may say that something happened in any year; mails and logs have a date for it."""
    absurd = msgspec.structs.replace(finding(1), at_unix_us=at_unix_us)
    digest = make_digest(batch_of(absurd, finding(2), directory=tmp_path), NOW_US)
    year = "1970-01-01" if at_unix_us < 0 else "9999-12-31"
    (message,) = syslog_messages(digest, "steno1", 1)
    assert f" {year}T".encode() in message
    assert year in compose_mail(digest, "a@example.org", ["b@example.org"]).get_content()


def test_a_webhooks_answer_may_be_of_any_length(client: httpx2.Client, tmp_path: Path) -> None:
    """Its status says that it took the message; nobody waits for the rest."""
    digest = make_digest(batch_of(finding(1), directory=tmp_path), NOW_US)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
                while True:
                    connection.sendall(bytes(65536))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", None, client).send(digest)
        thread.join(60)
        assert not thread.is_alive()


def test_nobody_listening_is_an_error(tmp_path: Path) -> None:
    """So that it is tried again."""
    digest = make_digest(batch_of(finding(1), directory=tmp_path), NOW_US)
    with pytest.raises(UnreachableError, match="syslog"):
        Syslog(str(tmp_path / "nobody")).send(digest)


def sending(
    accounts_file: AccountsFile,
    alerts: Alerts,
    target: Target,
    metrics: Metrics | None = None,
    **given: float,
) -> AlertSending:
    """Return what sends to one target, quickly."""
    settings = SendingSettings(first_retry_s=0.05, **{"interval_s": 0.05, **given})  # type: ignore[arg-type]
    return AlertSending(Batches(accounts_file, alerts), [target], settings, metrics)


def test_every_alert_is_sent_once_over_restarts_and_outages(
    accounts_file: AccountsFile, alerts: Alerts, receiver: Receiver, client: httpx2.Client
) -> None:
    """The receiver fails, the sender is stopped and started: each alert arrives, none twice."""
    metrics = Metrics()
    hook = Webhook(receiver.url, SECRET, client)
    first = sending(accounts_file, alerts, hook, metrics)
    first.start()
    Batches(accounts_file, alerts).begin("webhook", "low", 1)
    receiver.status = 503
    put(alerts, finding(1), finding(2, severity="low"))
    first.wake()
    receiver.wait(lambda: receiver.attempts >= 3)
    first.stop()
    put(alerts, finding(3))
    receiver.status = 200
    second = sending(accounts_file, alerts, hook)
    second.start()
    receiver.wait(lambda: len(receiver.bodies) >= 2)
    put(alerts, finding(4))
    second.wake()
    receiver.wait(lambda: len(receiver.bodies) >= 3)
    second.stop()
    serials = [
        sample["serial"]
        for body in receiver.bodies
        for group in json.loads(body)["groups"]
        for sample in group["samples"]
    ]
    assert serials == [1, 3, 4]  # 2 is not bad enough to be sent
    failed = 'steno_alert_messages_failed_total{target="webhook"}'
    assert failed in metrics.expose()


class Broken:
    """A target with a fault that nobody foresaw, for its first message."""

    name = "webhook"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._first: str | None = None

    def send(self, digest: Digest) -> None:
        """Fail, or send it."""
        self._first = self._first or digest.id
        if digest.id == self._first:
            raise ValueError("not foreseen")
        self._target.send(digest)


def test_a_message_that_cannot_be_sent_is_given_up(
    accounts_file: AccountsFile, alerts: Alerts, receiver: Receiver, client: httpx2.Client
) -> None:
    """Whatever the reason: the alerts after it are sent."""
    target = Broken(Webhook(receiver.url, None, client))
    one = sending(accounts_file, alerts, target, give_up_s=0.1)
    Batches(accounts_file, alerts).begin("webhook", "low", 1)
    put(alerts, finding(1))
    one.start()
    wait_for(
        lambda: Batches(accounts_file, alerts).begin("webhook", "low", 1) is None,
        "it is not given up",
    )
    put(alerts, finding(2))
    one.wake()
    receiver.wait(lambda: len(receiver.bodies) >= 1)
    one.stop()
    (body,) = receiver.bodies
    assert json.loads(body)["groups"][0]["samples"][0]["serial"] == 2


def test_ten_thousand_alerts_are_a_handful_of_messages(
    accounts_file: AccountsFile, alerts: Alerts, receiver: Receiver, client: httpx2.Client
) -> None:
    """What comes within the interval goes together."""
    one = sending(accounts_file, alerts, Webhook(receiver.url, None, client), interval_s=0.5)
    one.start()
    Batches(accounts_file, alerts).begin("webhook", "low", 1)
    put(alerts, finding(1))
    one.wake()
    receiver.wait(lambda: len(receiver.bodies) == 1)
    for step in range(10):
        put(alerts, *(finding(number) for number in range(2 + 1000 * step, 1002 + 1000 * step)))
        one.wake()
    receiver.wait(lambda: sum(json.loads(body)["alerts"] for body in receiver.bodies) == 10_001)
    one.stop()
    assert len(receiver.bodies) < 30


def test_the_configuration_says_where_alerts_go(tmp_path: Path, client: httpx2.Client) -> None:
    """Nothing, unless something is named; a secret's file is read once."""
    assert make_targets(AlertSettings(), client) == []
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    (tmp_path / "mail.toml").write_text('from = "steno@example.org"\n')
    settings = AlertSettings(
        webhook="http://127.0.0.1:1/",
        webhook_secret_file=str(tmp_path / "secret"),
        mail_to=["one@example.org"],
        mail_settings=str(tmp_path / "mail.toml"),
        syslog="/dev/log",
    )
    found = make_targets(settings, client)
    assert [target.name for target in found] == ["webhook", "mail", "syslog"]
