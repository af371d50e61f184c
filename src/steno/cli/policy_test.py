"""`steno policy test`: how a session would be recorded, and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from steno.cli.messages import escape_controls
from steno.cli.options import examples, json_option
from steno.errors import NotFoundError, RefusedError
from steno.policy.accounts import Account, look_up
from steno.policy.checks.sssd import RECORDER
from steno.policy.decision import Decision, Reason
from steno.policy.file import PolicyFile, ShellFiles
from steno.policy.matching import Missed
from steno.policy.places import HostPlaces
from steno.policy.rules import Policy, Rule
from steno.policy.shells import ShellFacts, choose_shell, is_recording_shell
from steno.policy.subject import GRAPHICAL, Subject
from steno.recorder.kinds import find_kind

_ACTIONS = {
    "record": "recorded",
    "command": "noted: who, which command, when, how it ended",
    "capture": "noted, and its streams kept",
    "off": "not recorded",
}


class Verdict(msgspec.Struct, frozen=True):
    """What `steno policy test` says.

    Attributes:
        subject: What was asked about.
        decision: What the policy decides.
        missed: The rules that do not apply, each with the first condition that is not met.
        reaches_steno: Whether the account's login shell brings its sessions to Steno at all.
        shell: The real shell of the session; None if it gets none.
        no_shell: Why it gets none.
    """

    subject: Subject
    decision: Decision
    missed: dict[str, Missed]
    reaches_steno: bool
    shell: str | None
    no_shell: str | None


@click.command(
    "test",
    epilog=examples(
        "steno policy test ann --service sshd",
        "steno policy test ann --command 'scp -t /tmp' --json",
    ),
)
@click.argument("user")
@click.option(
    "--service", metavar="NAME", default="sshd", show_default=True, help="What lets the person in."
)
@click.option("--host", metavar="NAME", help="The host's name [default: this one's].")
@click.option(
    "--host-group",
    "host_groups",
    multiple=True,
    metavar="NAME",
    help="A group of hosts that the host is in, beside those of the file; repeatable.",
)
@click.option(
    "--terminal/--no-terminal",
    "has_terminal",
    default=None,
    help="Whether there is a terminal [default: unless there is a command].",
)
@click.option(
    "--command", "command_line", metavar="TEXT", help="The command that is run instead of a shell."
)
@click.option(
    "--kind", metavar="NAME", help="The kind of command, instead of what --command looks like."
)
@click.option("--graphical", is_flag=True, help="Within a graphical login.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The policy file [default: /etc/steno/policy.toml].",
)
@json_option
def test_command(
    user: str,
    service: str,
    host: str | None,
    host_groups: tuple[str, ...],
    has_terminal: bool | None,
    command_line: str | None,
    kind: str | None,
    graphical: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Explain how a session of USER would be recorded: which rules apply, and which say what.

    Rules say nothing of who comes to Steno at all: that is what the login shell says, and is shown
    too.
    """
    account = look_up(user)
    if account is None:
        raise NotFoundError(f"{user}: the system knows no such user")
    given = [] if command_line is None else [b"-c", os.fsencode(command_line)]
    subject = Subject(
        user=account.name,
        uid=account.uid,
        groups=account.groups,
        service=service,
        has_terminal=command_line is None if has_terminal is None else has_terminal,
        host=host or socket.gethostname(),
        host_groups=host_groups,
        kind=kind or find_kind(given).value,
        is_graphical=graphical or kind == GRAPHICAL,
    )
    policy = PolicyFile(file or HostPlaces().policy).reload()
    verdict = judge(policy, subject, account, HostPlaces())
    if as_json:
        click.echo(msgspec.json.encode(verdict).decode())
        return
    for line in explain(policy, verdict):
        click.echo(escape_controls(line))


def judge(policy: Policy, subject: Subject, account: Account, places: HostPlaces) -> Verdict:
    """Return what becomes of a session of `subject`.

    Raises:
        ConfigError: /etc/steno/shells is wrong.
    """
    decision = policy.decide(subject)
    files = ShellFiles(places.table, places.listed)
    files.refresh()
    entry_shell = os.fsencode(account.shell)
    facts = ShellFacts(user=subject.user, entry_shell=entry_shell, policy_shell=decision.shell)
    shell = reason = None
    try:
        shell = os.fsdecode(choose_shell(facts, files.table.value, files.listed.value))
    except RefusedError as error:
        is_untold = subject.user not in files.table.value and decision.shell is None
        is_sssd = is_untold and entry_shell.startswith(os.fsencode(RECORDER))
        reason = "what SSSD tells when the session starts" if is_sssd else str(error)
    return Verdict(
        subject=subject,
        decision=decision,
        missed={rule.name: missed for rule, missed in policy.compare(subject) if missed},
        reaches_steno=is_recording_shell(entry_shell),
        shell=shell,
        no_shell=reason,
    )


def explain(policy: Policy, verdict: Verdict) -> Iterator[str]:
    """Yield what people are told."""
    subject, decision = verdict.subject, verdict.decision
    terminal = "with a terminal" if subject.has_terminal else "without a terminal"
    yield (
        f"{subject.user} by {subject.service} on {subject.host}, {terminal}, kind {subject.kind}:"
        f" {_ACTIONS[decision.action]}"
    )
    yield f"  groups       {', '.join(subject.groups) or 'none'}"
    yield f"  host groups  {', '.join(policy.groups_of(subject)) or 'none'}"
    if not verdict.reaches_steno:
        yield "  NOTE: the login shell is not steno-shell: such a session does not reach Steno"
    yield f"  real shell   {verdict.shell or verdict.no_shell}"
    yield "settings:"
    for reason in decision.reasons:
        yield f"  {reason.setting:13} {_text(reason.value)}  ({_source(reason)})"
    yield "rules:" if policy.rules else "rules: none"
    for rule in policy.rules:
        yield f"  {rule.priority:5} {rule.name}: {_outcome(rule, verdict.missed)}"


def _source(reason: Reason) -> str:
    if reason.source == "rule":
        text = f"rule {', '.join(reason.rules)}"
    elif reason.source == "defaults":
        text = "[defaults]"
    elif reason.source == "unrecorded":
        text = 'it is not recorded, and audited = "recorded"'
    elif reason.source == "always":
        text = "always so: root at the console must be able to repair the host"
    else:
        text = "built in"
    return f"{text}, not {', '.join(reason.yielded)}" if reason.yielded else text


def _outcome(rule: Rule, missed: dict[str, Missed]) -> str:
    miss = missed.get(rule.name)
    return "applies" if miss is None else f"does not apply: {miss.condition}: {miss.reason}"


def _text(value: object) -> str:
    if value is None or value in ("", (), []):
        return "-"
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
