"""Each new event and each new line is looked at once, whatever is restarted or built anew."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from indexed_recordings import make_lines
from journal_entries import hear, read_entries
from waiting import wait_for

from steno.audit.event import Event, Process, Who
from steno.audit.trail import TrailEncoder, TrailHead, make_trail_id
from steno.files import replace_file
from steno.metrics import Metrics
from steno.model import End, Output, Window
from steno.server.alert_rules import parse_rules
from steno.server.alert_watch import RulesFile
from steno.server.alerting import Alerting
from steno.server.indexer import Indexer, reindex
from steno.store.accounts_file import AccountsFile
from steno.store.alerts import Alert, AlertQuery, Alerts
from steno.store.opening import open_store
from steno.store.protocol import Store

BOOT_ID = "0123456789abcdef0123456789abcdef"
TRAIL = make_trail_id(BOOT_ID, "a1")
START_US = 1_760_000_000_000_000
RULES = parse_rules(
    b"""
[[rule]]
name = "nc"
severity = "high"
query = 'ran:nc'
description = "netcat"

[[rule]]
name = "secret"
severity = "low"
query = '"top secret" user:*'
""",
    "alerts.toml",
    datetime(2026, 11, 20, tzinfo=UTC),
)


class Site:
    """A store with its alerts, and what looks at it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store: Store = open_store(directory / "store")
        self.file = AccountsFile(directory / "accounts.sqlite")
        self.alerts = Alerts(self.file)
        self.metrics = Metrics()
        self.encoder = TrailEncoder()
        self.serial = 0

    def look(self) -> None:
        """Look at all that is new, as a server that was just started does."""
        Alerting(self.store, self.alerts, RULES).look_at_all()

    def found(self) -> list[tuple[str, int, str]]:
        """Return rule, count and text of all alerts, oldest first."""
        items = self.alerts.page(AlertQuery()).items
        return [(alert.rule, alert.count, alert.text) for alert in reversed(items)]

    def begin_trail(self) -> bytes:
        """Return a trail's first line."""
        return self.encoder.encode(TrailHead(TRAIL, "web1", BOOT_ID, START_US, "steno test"))

    def event(self, program: str, *, at_s: int, **others: int) -> bytes:
        """Return the line of an event; `others` are members that are to be other ones."""
        self.serial += 1
        event = Event(
            self.serial,
            START_US + at_s * 1_000_000,
            "ran",
            "success",
            audit_session=4,
            who=Who(login_uid=1501, login_user="avery", uid=1501, user="avery"),
            process=Process(pid=7, program=f"/usr/bin/{program}", arguments=[program, "-l"]),
            text=f"avery ran {program} -l",
        )
        return self.encoder.encode(msgspec.structs.replace(event, **others))

    def append(self, rec: str, data: bytes) -> None:
        """Append to a trail or recording."""
        self.store.append(rec, self.store.durable_bytes(rec), data, sender="web1")

    def close(self) -> None:
        """Close all."""
        self.store.close()
        self.file.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty site that is followed from now on."""
    site = Site(tmp_path)
    site.look()
    yield site
    site.close()


def recording(rec: str, texts: list[str]) -> bytes:
    """Return a recording's lines: each text a second."""
    pieces = [Window(0, 80, 24)]
    outputs = [
        Output(second * 1_000_000, f"{text}\r\n".encode()) for second, text in enumerate(texts)
    ]
    return b"".join(make_lines(rec, *pieces, *outputs, end=End("exit", 0)))


def test_an_event_raises_an_alert_with_all_that_leads_to_it(site: Site) -> None:
    """Rule, severity, instant, who, where, session, and the event's place in its trail."""
    site.append(TRAIL, site.begin_trail() + site.event("ls", at_s=1) + site.event("nc", at_s=2))
    site.look()
    (alert,) = site.alerts.page(AlertQuery()).items
    assert (alert.rule, alert.severity, alert.description) == ("nc", "high", "netcat")
    assert (alert.at_unix_us, alert.text) == (START_US + 2_000_000, "avery ran nc -l")
    assert (alert.host, alert.sender, alert.boot_id, alert.audit_session) == (
        "web1", "web1", BOOT_ID, 4,
    )  # fmt: skip
    assert (alert.user, alert.login_user, alert.trail, alert.serial) == ("avery", "avery", TRAIL, 2)


def test_each_event_is_looked_at_once_however_the_trail_grows(site: Site) -> None:
    """Cut anywhere, with a restart after each piece: counted exactly as often as it happened."""
    data = site.begin_trail()
    data += b"".join(
        site.event("nc" if number % 3 == 0 else "ls", at_s=number) for number in range(30)
    )
    for start in range(0, len(data), 701):
        site.append(TRAIL, data[start : start + 701])
        site.look()
        site.look()
    assert site.found() == [("nc", 10, "avery ran nc -l")]


def test_a_damaged_line_costs_no_other(site: Site) -> None:
    """What cannot be read is passed over."""
    site.append(TRAIL, site.begin_trail() + b"{nonsense\n" + site.event("nc", at_s=1))
    site.look()
    assert site.found() == [("nc", 1, "avery ran nc -l")]


@pytest.mark.parametrize("member", ["at_unix_us", "serial", "audit_session"])
@pytest.mark.parametrize("number", [2**62, 2**80, -(2**80)])
def test_no_number_that_a_host_says_hides_what_follows(
    site: Site, member: str, number: int
) -> None:
    """An event with absurd numbers is an alert, or else damage; the one after it is an alert."""
    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=1, **{member: number}))
    site.append(TRAIL, site.event("nc", at_s=500))
    site.look()
    is_damage = member == "at_unix_us" or abs(number) >= 2**63
    assert sum(count for _, count, _ in site.found()) == (1 if is_damage else 2)


def test_a_line_on_a_screen_raises_an_alert_at_its_instant(site: Site) -> None:
    """With the recording and the place in it."""
    site.append("rec-1", recording("rec-1", ["hello", "this is top secret", "bye"]))
    Indexer(site.store).drain()
    site.look()
    (alert,) = site.alerts.page(AlertQuery()).items
    assert (alert.rule, alert.rec, alert.text) == ("secret", "rec-1", "this is top secret")
    summary = site.store.find("rec-1")
    assert alert.at_us is not None
    assert alert.at_unix_us == summary.started_unix_us + alert.at_us


def test_an_index_that_is_built_anew_raises_nothing_again(site: Site) -> None:
    """Neither for recordings nor for trails; what comes afterwards is looked at."""
    site.append("rec-1", recording("rec-1", ["top secret", "x", "y"]))
    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=1))
    Indexer(site.store).drain()
    site.look()
    before = site.found()
    assert len(before) == 2
    site.store.clear_derived("rec-1")
    site.look()
    reindex(site.store)
    site.look()
    assert site.found() == before
    site.append(TRAIL, site.event("nc", at_s=500))
    site.look()
    assert len(site.found()) == 3


def test_what_was_there_before_rules_were_is_left_alone(tmp_path: Path) -> None:
    """A server that begins to alert does not tell of years."""
    site = Site(tmp_path)
    site.append("rec-1", recording("rec-1", ["top secret"]))
    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=1))
    Indexer(site.store).drain()
    site.look()
    assert site.found() == []
    site.append(TRAIL, site.event("nc", at_s=2))
    site.look()
    assert site.found() == [("nc", 1, "avery ran nc -l")]
    site.close()


def test_two_that_look_at_once_find_each_thing_once(site: Site) -> None:
    """Several servers may look after one store."""
    site.append(TRAIL, site.begin_trail())
    for number in range(5):
        site.append(TRAIL, b"".join(site.event("nc", at_s=number) for _ in range(200)))
        others = [threading.Thread(target=site.look) for _ in range(3)]
        for other in others:
            other.start()
        for other in others:
            other.join()
    assert [(rule, count) for rule, count, _ in site.found()] == [("nc", 1000)]


def test_a_running_server_notices_what_grows(site: Site) -> None:
    """Told of at once, and counted."""
    told: list[Alert] = []
    came = threading.Event()

    def tell(alert: Alert) -> None:
        told.append(alert)
        came.set()

    metrics = Metrics()
    alerting = Alerting(site.store, site.alerts, RULES, metrics, on_alert=tell)
    alerting.start()
    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=1))
    assert came.wait(60)
    alerting.stop()
    assert [alert.rule for alert in told] == ["nc"]
    assert 'steno_alerts_total{severity="high"} 1' in metrics.expose()
    assert metrics.value("steno_alerts_open") == 1


def test_what_cannot_be_looked_at_keeps_nothing_else_waiting(site: Site) -> None:
    """Trails with damaged files are tried again later, and the others have their turns."""
    for number in range(30):
        trail = make_trail_id(BOOT_ID, f"d{number}")
        site.append(trail, site.begin_trail() + site.event("ls", at_s=1))
        (header,) = (site.directory / "store").glob(f"recordings/*/{trail}/header.json")
        header.write_bytes(b"rubbish")
    site.append(make_trail_id(BOOT_ID, "a2"), site.begin_trail() + site.event("nc", at_s=1))
    site.store.close()
    site.store = open_store(site.directory / "store")  # it remembers no header
    came = threading.Semaphore(0)
    metrics = Metrics()
    alerting = Alerting(site.store, site.alerts, RULES, metrics, on_alert=lambda _: came.release())
    alerting.start()
    assert came.acquire(timeout=60)
    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=2))
    assert came.acquire(timeout=60)
    wait_for(lambda: metrics.value("steno_alert_failures_total") >= 30, "some are not tried")
    alerting.stop()


def test_where_nothing_is_found_nothing_is_written_at_once(site: Site) -> None:
    """Hosts deliver every second; what is synced to disk each time is only what was found."""
    came = threading.Semaphore(0)
    begun = threading.Event()
    alerting = Alerting(
        site.store,
        site.alerts,
        RULES,
        on_alert=lambda _: came.release(),
        reload=begun.set,
        monotonic_s=lambda: 0.0,
    )
    alerting.start()
    # Its first round keeps what it has looked at; by this clock no later one does.
    assert begun.wait(60)
    quiet = site.begin_trail() + site.event("ls", at_s=1)
    other = make_trail_id(BOOT_ID, "a2")
    site.append(TRAIL, quiet)
    site.append(other, site.begin_trail() + site.event("nc", at_s=2))
    assert came.acquire(timeout=60)
    assert site.alerts.position(TRAIL) is None
    site.append(TRAIL, site.event("nc", at_s=3))
    assert came.acquire(timeout=60)
    assert site.alerts.position(TRAIL) == site.store.size_bytes(TRAIL)
    site.append(TRAIL, site.event("ls", at_s=4))
    alerting.stop()
    site.look()
    assert site.alerts.position(TRAIL) == site.store.size_bytes(TRAIL)
    assert [(rule, count) for rule, count, _ in site.found()] == [("nc", 1), ("nc", 1)]


def test_other_rules_count_from_their_first_moment(site: Site, tmp_path: Path) -> None:
    """A changed file is read anew; a wrong one leaves the rules before it in force."""
    file = tmp_path / "alerts.toml"
    text = "[[rule]]\nname = 'one'\nseverity = 'low'\nquery = 'ran:{}'\n"
    file.write_text(text.format("nc"))
    rules = RulesFile(file, must_exist=True)
    first = rules.read()
    assert first is not None
    assert rules.read() is None
    alerting = Alerting(site.store, site.alerts, first, reload=rules.read)
    alerting.start()

    def wait_for_alerts(number: int) -> None:
        wait_for(lambda: len(site.alerts.page(AlertQuery()).items) >= number, f"no {number} alerts")

    site.append(TRAIL, site.begin_trail() + site.event("nc", at_s=0))
    wait_for_alerts(1)
    replace_file(file, text.format("nc'\nhm = 'x").encode())
    site.append(TRAIL, site.event("nc", at_s=1000))
    wait_for_alerts(2)
    replace_file(file, text.format("ls").replace("one", "two").encode())
    steps = itertools.count()

    def is_found() -> bool:
        site.append(TRAIL, site.event("ls", at_s=2000 + 100 * next(steps)))
        time.sleep(0.1)
        return any(rule == "two" for rule, _, _ in site.found())

    wait_for(is_found, "the new rules find nothing")
    alerting.stop()
    assert {rule for rule, _, _ in site.found()} == {"one", "two"}


def test_what_a_program_says_of_itself_raises_alerts(site: Site) -> None:
    """Refusals that only sshd's word tells of are found by rules, and say whose word it is."""
    rules = parse_rules(
        b"""
[[rule]]
name = "refused"
severity = "low"
query = 'action:authenticated result:failure addr:10.77.0.0/16'
""",
        "alerts.toml",
        datetime(2026, 11, 20, tzinfo=UTC),
    )
    lines = [site.encoder.encode(event) for event in hear(read_entries())]
    site.append(TRAIL, site.begin_trail() + b"".join(lines))
    Alerting(site.store, site.alerts, rules).look_at_all()
    found = site.alerts.page(AlertQuery()).items
    assert sum(alert.count for alert in found) == 7
    assert all("sshd's word" in alert.text for alert in found)
