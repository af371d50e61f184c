"""Noticing hosts that fall silent."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from steno.heartbeat import Heartbeat, SpoolFacts
from steno.metrics import Metrics
from steno.server.fleet_watch import FleetWatch, Trouble
from steno.store.accounts_file import AccountsFile
from steno.store.fleet import Heard, Rules
from steno.store.hosts import HostRegistry
from steno.store.protocol import Store

NOW_US = 1_760_000_000_000_000


def test_falling_silent_and_coming_back_are_said_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning when it falls silent, one line when it is back; in between only the numbers."""
    caplog.set_level(logging.INFO)
    file = AccountsFile(tmp_path / "accounts.sqlite")
    registry = HostRegistry(file)
    for name in ("web1", "web2", "web3"):
        registry.enrol(registry.make_code().code, name, None)
    registry.revoke("web3")
    now_us = [NOW_US]
    metrics = Metrics()
    watch = FleetWatch(store, registry, Rules(), metrics, now_unix_us=lambda: now_us[0])

    def say() -> list[str]:
        caplog.clear()
        watch.look()
        return [f"{one.message} {vars(one)['host']}" for one in caplog.records]

    beat = Heartbeat(NOW_US, "b", "s", "1", spool=SpoolFacts(open=("r1", "r2")))
    store.put_heard(Heard("web1", NOW_US, beat))
    assert say() == []
    now_us[0] += 60_000_000
    assert say() == ["host silent web1"]
    assert caplog.records[0].levelname == "WARNING"
    assert vars(caplog.records[0])["silence_s"] == 60
    assert say() == []
    text = metrics.expose()
    for line in ('{state="silent"} 1', '{state="unheard"} 1', '{state="revoked"} 1'):
        assert f"steno_hosts{line}\n" in text
    assert "steno_silent_sessions 2\n" in text
    store.put_heard(Heard("web1", now_us[0], beat))
    assert say() == ["host not silent any more web1"]
    assert "steno_silent_sessions 0\n" in metrics.expose()
    file.close()


def test_trouble_is_told_once_when_it_begins(store: Store, tmp_path: Path) -> None:
    """Silence at once; an agent that is gone when it stays away: it may only be restarted."""
    file = AccountsFile(tmp_path / "accounts.sqlite")
    registry = HostRegistry(file)
    for name in ("web1", "web2"):
        registry.enrol(registry.make_code().code, name, None)
    now_us = [NOW_US]
    told: list[tuple[str, str]] = []

    def tell(trouble: Trouble) -> None:
        told.append((trouble.host, trouble.kind))

    watch = FleetWatch(
        store, registry, Rules(), Metrics(), on_trouble=tell, now_unix_us=lambda: now_us[0]
    )
    beat = Heartbeat(NOW_US, "b", "s", "1", spool=SpoolFacts(open=("r1",)))
    store.put_heard(Heard("web1", NOW_US, beat))
    store.put_heard(Heard("web2", NOW_US, beat, has_had_agent=True))
    watch.look()
    assert told == []
    now_us[0] += 59_000_000
    store.put_heard(Heard("web2", now_us[0], beat, has_had_agent=True))
    watch.look()
    assert told == []
    now_us[0] += 2_000_000
    store.put_heard(Heard("web2", now_us[0], beat, has_had_agent=True))
    watch.look()
    watch.look()
    assert told == [("web1", "silent"), ("web2", "agent")]
    store.put_heard(Heard("web1", now_us[0], beat))
    watch.look()
    now_us[0] += 60_000_000
    store.put_heard(Heard("web2", now_us[0], beat, has_had_agent=True))
    watch.look()
    assert told[2:] == [("web1", "silent")]
    file.close()
