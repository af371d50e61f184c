"""From a deed in a real login to a webhook: kernel, auditd, plugin, delivery, server, alert."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_host import STENO, AuditHost, KernelAudit, Session
from live_server import LiveServer
from webhook_receiver import Receiver

from steno.server.alert_messages import sign

pytestmark = pytest.mark.lab

UID = 1501
SECRET = b"shared"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where alerts are posted."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def host(
    kernel_audit: KernelAudit, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AuditHost]:
    """This machine with auditd and the plugin, delivering to a server with Steno's own rules."""
    directory = tmp_path_factory.mktemp("alerted")
    server = LiveServer(directory)
    (directory / "secret").write_bytes(SECRET)
    (server.directory / "server.toml").write_text(
        f'[alerts]\nsend = "low"\ninterval_s = 1\nwebhook = "{receiver.url}"\n'
        f'webhook_secret_file = "{directory / "secret"}"\n'
    )
    with server, AuditHost(kernel_audit, directory / "audit") as host:
        state = server.enrol("web1", directory / "state")
        words = ("deliver", "--follow", "--quiet", "--spool", str(host.spool))
        with subprocess.Popen([*STENO, *words, "--host-directory", str(state)]) as deliver:
            yield host
            deliver.send_signal(signal.SIGTERM)
            deliver.wait(60)


def groups_of(receiver: Receiver) -> list[dict[str, Any]]:
    """Return all that was told so far."""
    return [group for body in receiver.bodies for group in json.loads(body)["groups"]]


def test_a_deleted_log_is_told_while_the_session_goes_on(
    host: AuditHost, receiver: Receiver
) -> None:
    """Signed, with who and where, seconds after it was done."""
    log = Path(f"/var/log/steno-test-{os.getpid()}.log")
    log.write_text("evidence")
    try:
        session = Session(UID, "sh", "-c", f"rm {log}; read wait")
        receiver.wait(lambda: any(one["rule"] == "log-deleted" for one in groups_of(receiver)))
        assert session.process.poll() is None, "it was told only when the session was over"
        session.finish()
    finally:
        log.unlink(missing_ok=True)
    (group,) = [one for one in groups_of(receiver) if one["rule"] == "log-deleted"]
    assert group["host"] == os.uname().nodename, host.explain("another host")
    (alert,) = group["samples"]
    assert (alert["sender"], alert["audit_session"]) == ("web1", session.number)
    assert str(log) in alert["text"]
    assert alert["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text()[:36].replace(
        "-", ""
    )
    for body, headers in receiver.posts:
        assert headers["Steno-Signature"] == sign(SECRET, body)


def test_rules_being_removed_are_told(host: AuditHost, receiver: Receiver) -> None:
    """Somebody who logged in and took the audit rules away has said so."""
    session = Session(UID, "sh", "-c", "auditctl -D -k steno-time; read wait")
    receiver.wait(lambda: any(one["rule"] == "audit-rules-changed" for one in groups_of(receiver)))
    session.finish()
    host.load_rules("session")
