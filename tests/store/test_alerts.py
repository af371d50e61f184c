"""Alerts are kept once, acknowledged with who and when, and sent on in batches."""

from __future__ import annotations

import msgspec
import pytest

from steno.errors import NotFoundError, UsageError
from steno.store.accounts import Signed
from steno.store.accounts_file import AccountsFile
from steno.store.alert_batches import Batches
from steno.store.alerts import AlertQuery, Alerts, Finding, Severity

NOW_US = 1_760_000_000_000_000
AUDREY = Signed("audrey", "auditor", "session", "k")


@pytest.fixture
def alerts(accounts_file: AccountsFile) -> Alerts:
    """No alerts yet."""
    return Alerts(accounts_file, now_unix_us=lambda: NOW_US)


def finding(
    at_s: float = 0, rule: str = "r", severity: Severity = "high", rec: str = "rec-1"
) -> Finding:
    """Return what a rule found."""
    return Finding(
        rule,
        severity,
        "why",
        NOW_US + int(at_s * 1e6),
        "what",
        "web1",
        rec=rec,
        at_us=int(at_s * 1e6),
    )


def test_what_was_looked_at_is_not_looked_at_again(alerts: Alerts) -> None:
    """A second look at the same stretch keeps nothing: somebody else was there meanwhile."""
    (alert,) = alerts.put("rec-1", 0, 10, [finding()])
    assert alerts.put("rec-1", 0, 10, [finding(200)]) is None
    alerts.move([("rec-1", 0, 5), ("rec-2", 0, 7)])
    assert alerts.position("rec-2") == 7
    assert alerts.position("rec-1") == 10
    assert alerts.page(AlertQuery()).items == [alert]
    assert alert.raised_unix_us == NOW_US
    assert (alert.count, alert.rec, alert.acknowledged_by) == (1, "rec-1", None)


def test_a_beginning_leaves_out_what_was_before(alerts: Alerts) -> None:
    """It is set once; what is known already keeps its place."""
    assert not alerts.is_begun
    alerts.put("a", 0, 5, [])
    alerts.begin([("a", 100), ("b", 7)])
    assert alerts.is_begun
    assert (alerts.position("a"), alerts.position("b"), alerts.position("c")) == (5, 7, None)


def test_the_same_again_within_a_minute_is_counted(alerts: Alerts) -> None:
    """Of one rule in one recording; another rule, a pause, an hour in all begin a new alert."""
    new = alerts.put("rec-1", 0, 1, [finding(0), finding(30), finding(80), finding(81, "other")])
    assert [(alert.rule, alert.count) for alert in new] == [("r", 3), ("other", 1)]
    assert new[0].last_unix_us == NOW_US + 80_000_000
    assert len(alerts.put("rec-1", 1, 2, [finding(139)])) == 0
    assert len(alerts.put("rec-1", 2, 3, [finding(200)])) == 1
    steady = [finding(300 + 50 * number) for number in range(100)]
    assert len(alerts.put("rec-1", 3, 4, steady)) == 2
    assert len(alerts.put("rec-2", 0, 1, [finding(5000, rec="rec-2")])) == 1


def test_what_is_counted_says_the_first_few_of_what_it_was(alerts: Alerts) -> None:
    """Each text once; of a flood, five in all."""
    texts = ["first", "second", "first", "second", *(f"more {number}" for number in range(9))]
    same = [msgspec.structs.replace(finding(1), text=text) for text in texts]
    (alert,) = alerts.put("rec-1", 0, 1, same)
    assert (alert.text, alert.count) == ("first", 13)
    assert alert.others == ["second", "more 0", "more 1", "more 2"]


def test_what_comes_after_an_acknowledgement_is_news(alerts: Alerts) -> None:
    """An auditor who has seen to an alert is told when it happens again."""
    (first,) = alerts.put("rec-1", 0, 1, [finding(0)])
    alerts.acknowledge(AUDREY, [first.id], "asked her")
    (second,) = alerts.put("rec-1", 1, 2, [finding(1)])
    assert second.id != first.id


def test_an_acknowledgement_says_who_when_and_what(alerts: Alerts) -> None:
    """The first one stays; a later one changes nothing."""
    (alert,) = alerts.put("rec-1", 0, 1, [finding()])
    (seen,) = alerts.acknowledge(AUDREY, [alert.id], "it was planned")
    assert (seen.acknowledged_by, seen.acknowledged_unix_us) == ("audrey", NOW_US)
    assert seen.comment == "it was planned"
    other = Signed("ada", "admin", "token t1", "k")
    assert alerts.acknowledge(other, [alert.id], "mine") == [seen]


def test_unknown_alerts_and_long_comments_change_nothing(alerts: Alerts) -> None:
    """All or nothing."""
    (alert,) = alerts.put("rec-1", 0, 1, [finding()])
    with pytest.raises(NotFoundError, match="no alert 99"):
        alerts.acknowledge(AUDREY, [alert.id, 99], "")
    with pytest.raises(UsageError, match="1000"):
        alerts.acknowledge(AUDREY, [alert.id], "x" * 1001)
    assert alerts.find(alert.id).acknowledged_by is None


def test_lists_are_filtered_and_paged(alerts: Alerts) -> None:
    """By severity or worse, open or not, rule, host and time; newest first."""
    for number, severity in enumerate(["low", "medium", "high", "critical"] * 3):
        one = finding(number * 1000, f"rule-{severity}", severity)  # type: ignore[arg-type]
        alerts.put("rec-1", number, number + 1, [one])
    assert alerts.count_open() == {"low": 3, "medium": 3, "high": 3, "critical": 3}
    assert len(alerts.page(AlertQuery("high")).items) == 6
    first = alerts.page(AlertQuery(rule="rule-low"), limit=2)
    assert [alert.id for alert in first.items] == [9, 5]
    assert first.cursor == "5"
    rest = alerts.page(AlertQuery(rule="rule-low"), before_id=5, limit=2)
    assert ([alert.id for alert in rest.items], rest.cursor) == ([1], None)
    alerts.acknowledge(AUDREY, [9], "")
    assert [a.id for a in alerts.page(AlertQuery(is_open=False)).items] == [9]
    assert 9 not in [a.id for a in alerts.page(AlertQuery(is_open=True)).items]
    assert alerts.page(AlertQuery(host="web2")).items == []
    late = AlertQuery(from_unix_us=NOW_US + 11_000_000_000)
    assert [a.id for a in alerts.page(late).items] == [12]
    assert alerts.count_open()["low"] == 2


def test_a_recordings_alerts_are_its_own_and_its_sessions(alerts: Alerts) -> None:
    """Events count while it was made, of the same sender, boot and session; lines are its own."""

    def event(at_s: int, sender: str, session: int, boot_id: str = "b1") -> Finding:
        return Finding(
            rule=f"e{at_s}{sender}{session}{boot_id}",
            severity="low",
            description="",
            at_unix_us=NOW_US + at_s * 1_000_000,
            text="ran x",
            host="web1",
            sender=sender,
            boot_id=boot_id,
            audit_session=session,
            trail="trail-1",
            serial=at_s,
        )

    events = [
        event(5, "web1", 4), event(50, "web1", 4), event(6, "web2", 4), event(7, "web1", 5),
        event(8, "web1", 4, "b2"),
    ]  # fmt: skip
    alerts.put("trail-1", 0, 1, events)
    alerts.put("rec-1", 0, 1, [finding(3)])
    alerts.put("rec-2", 0, 1, [finding(3, rec="rec-2")])
    end_us = NOW_US + 10_000_000
    found = alerts.of_recording("rec-1", ("web1", "b1", 4), NOW_US, end_us)
    assert [(alert.rec, alert.serial) for alert in found] == [("rec-1", None), (None, 5)]
    assert [a.rec for a in alerts.of_recording("rec-2", None, NOW_US, end_us)] == ["rec-2"]


def test_a_target_gets_each_alert_once(accounts_file: AccountsFile, alerts: Alerts) -> None:
    """What is on its way is the same batch until it is finished, also after a restart."""
    alerts.put("rec-0", 0, 1, [finding(rec="rec-0")])
    batches = Batches(accounts_file, alerts)
    assert batches.begin("webhook", "low", 10) is None  # what was there before it
    alerts.put("rec-1", 0, 1, [finding(0), finding(1, "quiet", "low")])
    batch = batches.begin("webhook", "medium", 10)
    assert batch is not None
    assert (batch.id, batch.total, [a.rule for a in batch.alerts]) == ("webhook-2-3", 1, ["r"])
    alerts.put("rec-2", 0, 1, [finding(rec="rec-2")])
    assert Batches(accounts_file, alerts).begin("webhook", "medium", 10) == batch
    batches.finish("webhook", batch.last_id)
    after = batches.begin("webhook", "medium", 10)
    assert after is not None
    assert [alert.rec for alert in after.alerts] == ["rec-2"]
    batches.finish("webhook", after.last_id)
    assert batches.begin("webhook", "medium", 10) is None
    other = batches.begin("mail", "low", 10)
    assert other is None


def test_a_batch_is_bounded_and_says_how_many_there_are(
    accounts_file: AccountsFile, alerts: Alerts
) -> None:
    """So that a flood is one message."""
    batches = Batches(accounts_file, alerts)
    batches.begin("mail", "low", 10)
    flood = [finding(number, f"rule-{number}") for number in range(50)]
    alerts.put("rec-1", 0, 1, flood)
    batch = batches.begin("mail", "low", 10)
    assert batch is not None
    assert (len(batch.alerts), batch.total) == (10, 50)


def test_what_is_noticed_of_a_host_is_raised_until_somebody_sees_to_it(alerts: Alerts) -> None:
    """Once, however often it is noticed; after an acknowledgement it is news again."""
    noticed = Finding("host-silent", "critical", "", NOW_US, "web1: no heartbeat", "web1")
    alert = alerts.put_unless_open(noticed)
    assert alert is not None
    assert alerts.put_unless_open(noticed) is None
    assert alerts.put_unless_open(msgspec.structs.replace(noticed, host="web2")) is not None
    alerts.acknowledge(AUDREY, [alert.id], "")
    again = alerts.put_unless_open(noticed)
    assert again is not None
    assert again.id != alert.id
