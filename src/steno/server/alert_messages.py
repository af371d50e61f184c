"""What is sent about alerts: JSON, mails, syslog messages. Does no I/O.

However many alerts there are, a message stays short: what one rule found on one host is one line,
with a count.

Sources: RFC 5424 (syslog), RFC 2104 (HMAC).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import msgspec

from steno.store.alert_batches import Batch
from steno.store.alerts import SEVERITIES, Alert, Severity

GROUPS_LIMIT = 50
"""So many groups are told one by one; of the others only how many there are."""

_SAMPLES = 3
_LINE_CHARACTERS = 300
_FACILITY_AUTHPRIV = 10
_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""
_SYSLOG_SEVERITIES: dict[Severity, int] = {"critical": 2, "high": 3, "medium": 4, "low": 5}


class Group(msgspec.Struct, frozen=True):
    """What one rule found on one host.

    Attributes:
        rule: The rule.
        severity: How bad that is.
        description: What the rule says about it.
        host: Where.
        users: Whose accounts, at most a few.
        count: How often.
        first_unix_us: When it happened first.
        last_unix_us: And last.
        samples: The first few alerts.
    """

    rule: str
    severity: Severity
    description: str
    host: str
    users: list[str]
    count: int
    first_unix_us: int
    last_unix_us: int
    samples: list[Alert]


class Digest(msgspec.Struct, frozen=True):
    """What a webhook gets, as JSON.

    Attributes:
        id: Names it: the same when it is sent again.
        sent_unix_us: When it was made; who checks the signature can refuse old ones.
        alerts: How many alerts it is about.
        groups: Them, the worst first.
        more: How many of them are in no group, because there are too many.
        url: Where they can be looked at; None: the server does not know its own address.
    """

    id: str
    sent_unix_us: int
    alerts: int
    groups: list[Group]
    more: int = 0
    url: str | None = None


def make_digest(batch: Batch, now_unix_us: int, base_url: str | None = None) -> Digest:
    """Return what there is to say about a batch."""
    found: dict[tuple[str, str], list[Alert]] = {}
    for alert in batch.alerts:
        found.setdefault((alert.rule, alert.host), []).append(alert)
    groups = [_group(alerts) for alerts in found.values()]
    groups.sort(key=lambda group: (-SEVERITIES.index(group.severity), group.first_unix_us))
    told, rest = groups[:GROUPS_LIMIT], groups[GROUPS_LIMIT:]
    untold = sum(len(found[group.rule, group.host]) for group in rest)
    return Digest(
        batch.id,
        now_unix_us,
        batch.total,
        told,
        batch.total - len(batch.alerts) + untold,
        f"{base_url.rstrip('/')}/alerts" if base_url else None,
    )


def _group(alerts: Sequence[Alert]) -> Group:
    first = alerts[0]
    users = dict.fromkeys(alert.login_user or alert.user or "" for alert in alerts)
    return Group(
        rule=first.rule,
        severity=first.severity,
        description=first.description,
        host=first.host,
        users=[user for user in users if user][:5],
        count=sum(alert.count for alert in alerts),
        first_unix_us=min(alert.at_unix_us for alert in alerts),
        last_unix_us=max(alert.last_unix_us for alert in alerts),
        samples=list(alerts[:_SAMPLES]),
    )


def sign(secret: bytes, body: bytes) -> str:
    """Return what the header Steno-Signature says of a body: its HMAC."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def compose_mail(digest: Digest, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the mail; the same digest has the same Message-ID."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = _clean(_subject(digest))
    message["Date"] = _moment(digest.sent_unix_us)
    name = hashlib.sha256(f"{digest.id} {' '.join(sorted(to))}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    worst = digest.groups[0].severity if digest.groups else "low"
    if worst in ("high", "critical"):
        message["Importance"] = "high"
    message.set_content("\n".join(_body(digest)) + "\n")
    return message


def _subject(digest: Digest) -> str:
    if not digest.groups:
        return f"{digest.alerts} alerts"
    first = digest.groups[0]
    who = f" by {', '.join(first.users)}" if first.users else ""
    text = f"[{first.severity}] {first.rule} on {first.host}{who}"
    others = len(digest.groups) - 1 + (1 if digest.more else 0)
    return f"{text}, and more" if others else text


def _body(digest: Digest) -> list[str]:
    lines = []
    for group in digest.groups:
        times = f", {group.count} times" if group.count > 1 else ""
        who = f" by {', '.join(group.users)}" if group.users else ""
        lines.append(_clean(f"{group.severity.upper()}  {group.rule} on {group.host}{who}{times}"))
        if group.description:
            lines.append(_clean(f"    {group.description}"))
        for alert in group.samples:
            at = f"{_moment(alert.at_unix_us):%Y-%m-%d %H:%M:%S} UTC"
            lines.append(_clean(f"    {at}  {alert.text}"))
            lines += [_clean(f"    {'':{len(at)}}  {text}") for text in alert.others]
        told = sum(1 + len(alert.others) for alert in group.samples)
        if group.count > told:
            last = f"{_moment(group.last_unix_us):%Y-%m-%d %H:%M:%S} UTC"
            lines.append(f"    and {group.count - told} more, the last at {last}")
        lines.append("")
    if digest.more:
        lines += [f"And {digest.more} more alerts.", ""]
    if digest.url:
        lines.append(digest.url)
    return lines


def syslog_messages(digest: Digest, host: str, process_id: int) -> list[bytes]:
    """Return one message of RFC 5424 for each group; facility authpriv."""
    messages = []
    for group in digest.groups:
        first = group.samples[0]
        facts = {
            "alert": str(first.id),
            "rule": group.rule,
            "severity": group.severity,
            "host": group.host,
            "users": ",".join(group.users),
            "count": str(group.count),
            "rec": first.rec or "",
        }
        said = " ".join(f"{name}={_quoted(value)}" for name, value in facts.items() if value)
        priority = _FACILITY_AUTHPRIV * 8 + _SYSLOG_SEVERITIES[group.severity]
        at = f"{_moment(first.at_unix_us):%Y-%m-%dT%H:%M:%S.%f}Z"
        head = f"<{priority}>1 {at} {_name(host)} steno {process_id} alert - "
        messages.append(f"{head}{said} text={_quoted(first.text)}".encode())
    if digest.more:
        priority = _FACILITY_AUTHPRIV * 8 + _SYSLOG_SEVERITIES["medium"]
        at = f"{_moment(digest.sent_unix_us):%Y-%m-%dT%H:%M:%S.%f}Z"
        head = f"<{priority}>1 {at} {_name(host)} steno {process_id} alert - "
        messages.append(f"{head}more={digest.more}".encode())
    return messages


def _quoted(text: str) -> str:
    return '"' + _clean(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(host: str) -> str:
    kept = "".join(letter for letter in host if "!" <= letter <= "~")
    return kept[:255] or "-"


def _moment(unix_us: int) -> datetime:
    """Return an instant; the nearest that has a date, where a host says something absurd."""
    return _EPOCH + timedelta(microseconds=min(max(unix_us, 0), _LAST_US))


def _clean(text: str) -> str:
    """Return `text` on one line: nothing that a session did may shape a mail or a log."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)[:_LINE_CHARACTERS]
