"""`steno audit rules`: which audit rules Steno wants, and whether the kernel has them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from steno.audit.rules.levels import LEVELS, AuditRule, Difference, Level, RuleSet, compare
from steno.audit.rules.sets import rule_set
from steno.audit.rules.text import AuditStatus, parse_rules, parse_status
from steno.cli.lazy import LazyGroup
from steno.cli.messages import escape_controls
from steno.cli.numbers import WholeRange
from steno.cli.options import examples, json_option
from steno.errors import NotFoundError, RefusedError, StenoError, UnsafeHostError
from steno.files import replace_file

RULES_FILE = Path("/etc/audit/rules.d/30-steno.rules")

_NOT_ROOT = ("You must be root", "Operation not permitted")
"""How auditctl says that its caller lacks CAP_AUDIT_CONTROL; its exit status says less."""

_COMMANDS: dict[str, tuple[str, str]] = {
    "print": ("audit_rules:print_command", "Print the rules of a level."),
    "check": ("audit_rules:check_command", "Compare the rules with what the kernel has."),
    "install": ("audit_rules:install_command", "Write the rules of a level to rules.d."),
}


@click.group("rules", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Print, check and install the kernel's audit rules.

    The levels: `none` (no rules), `login` (accounts, privileges, the audit trail itself), `session`
    (also commands, files, connections, refusals).
    """


def _for_a_level(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        level = click.argument(
            "level",
            type=click.Choice(LEVELS),
            metavar="LEVEL" if default is None else "[LEVEL]",
            default=default,
            required=default is None,
        )
        machine = click.option(
            "--machine",
            metavar="NAME",
            default=lambda: os.uname().machine,
            help="For a processor: x86_64, aarch64, ppc64le or s390x [default: this one].",
        )
        min_uid = click.option(
            "--min-uid",
            type=WholeRange(min=0),
            metavar="UID",
            default=1000,
            show_default=True,
            help="Login users from this number on are people; 0: root's own sessions, too.",
        )
        return level(machine(min_uid(function)))

    return decorate


@click.command(
    "print",
    epilog=examples(
        "steno audit rules print session", "steno audit rules print login --machine aarch64"
    ),
)
@_for_a_level(None)
@click.option("--immutable", is_flag=True, help="End with what forbids changes until a reboot.")
def print_command(level: Level, machine: str, min_uid: int, *, immutable: bool) -> None:
    """Print the rules of LEVEL (none, login or session) as a rules file."""
    wanted = rule_set(level, machine, min_uid=min_uid)
    click.echo(wanted.text(immutable=immutable), nl=False)


@click.command(
    "check", epilog=examples("steno audit rules check", "steno audit rules check login --json")
)
@_for_a_level("session")
@json_option
def check_command(level: Level, machine: str, min_uid: int, *, as_json: bool) -> int:
    """Compare what the kernel has loaded with the rules of LEVEL [default: session].

    Asks auditctl, as root (others get 12); changes nothing. Ends with 0 if all rules of the level
    and none of another level are loaded and auditing is on (for `none`: if no rule of Steno's is
    loaded), else with 16. The rule of a directory that this host lacks is shown, not judged. Rules
    of others are counted, not judged, unless they stop system calls from being audited.
    """
    status = parse_status(_auditctl("-s"))
    loaded = parse_rules(_auditctl("-l").splitlines())
    wanted = rule_set(level, machine, min_uid=min_uid)
    difference = compare(wanted, loaded, os.path.isdir)
    is_off = status.enabled == 0 and level != "none"
    if as_json:
        click.echo(_json(wanted, difference, status))
    else:
        for line in _report(wanted, difference, status):
            click.echo(escape_controls(line))
    return 0 if difference.is_none and not is_off else UnsafeHostError.exit_code


@click.command("install", epilog=examples("steno audit rules install session", "augenrules --load"))
@_for_a_level("session")
@click.option("--immutable", is_flag=True, help="End with what forbids changes until a reboot.")
@click.option("--for-next-boot", is_flag=True, help="Write also where a reboot is needed.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("/"),
    metavar="DIRECTORY",
    help="Write into the image of a host in DIRECTORY.",
)
def install_command(
    level: Level, machine: str, min_uid: int, root: Path, *, immutable: bool, for_next_boot: bool
) -> None:
    """Write the rules of LEVEL [default: session] to /etc/audit/rules.d/30-steno.rules.

    The file is there whole or not at all. Loads nothing: `augenrules --load` does. Where rules can
    no longer be changed it writes nothing, ends with 12 and says what to do.
    """
    path = root / RULES_FILE.relative_to("/")
    if not path.parent.is_dir():
        raise NotFoundError(f"{path.parent}: no such directory; is auditd installed?")
    is_image = root.resolve() != Path("/")
    is_fixed = not is_image and is_fixed_until_boot(
        parse_status(_auditctl("-s")), is_wanted=for_next_boot
    )
    wanted = rule_set(level, machine, min_uid=min_uid)
    replace_file(path, wanted.text(immutable=immutable).encode(), mode=0o640)
    click.echo(f"{path}: {_count(len(wanted.rules), 'rule')}")
    if is_fixed:
        click.echo("they are in force after the next boot")
    elif not is_image:
        click.echo("to load them: augenrules --load; then: steno audit rules check " + level)


def is_fixed_until_boot(status: AuditStatus, *, is_wanted: bool) -> bool:
    """Return whether rules cannot be changed any more until the next boot.

    Raises:
        RefusedError: They cannot, and `is_wanted` does not say that it is known.
    """
    if status.is_immutable and not is_wanted:
        raise RefusedError(
            "the audit rules of this host cannot be changed until it is rebooted (enabled 2); "
            "--for-next-boot writes the file all the same"
        )
    return status.is_immutable


def _auditctl(option: str) -> str:
    """Return what auditctl prints.

    Its exit status says little: in immutable mode it is 0 where nothing was done.
    """
    command_line = ["auditctl", option]
    environment = os.environ | {
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    }
    try:
        done = subprocess.run(  # noqa: S603  # a fixed name
            command_line, capture_output=True, text=True, env=environment, check=False
        )
    except FileNotFoundError:
        raise NotFoundError("auditctl is not installed: it comes with auditd") from None
    if done.returncode and any(words in done.stderr + done.stdout for words in _NOT_ROOT):
        raise RefusedError(
            "the kernel's audit rules are root's to see and to change: run it as root"
        )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        why = lines[-1] if lines else f"ended with {done.returncode}"
        raise StenoError(f"auditctl {option}: {why}")
    return done.stdout


def _report(wanted: RuleSet, difference: Difference, status: AuditStatus) -> list[str]:
    lines = [f"missing: {rule}" for rule in difference.missing]
    lines += [f"no {rule.directory} here: {rule}" for rule in difference.unneeded]
    lines += [f"not of this level: {rule}" for rule in difference.superfluous]
    lines += [f"stops all auditing of system calls: {rule}" for rule in difference.silencing]
    total = len(wanted.rules)
    loaded = total - len(difference.missing) - len(difference.unneeded)
    lines.append(f"level {wanted.level}: {loaded} of {_count(total, 'rule')} loaded")
    if difference.others:
        lines.append(f"others' rules: {len(difference.others)}")
    lines += _say_status(wanted.level, status)
    if not difference.is_none:
        lines.append(
            "the rules cannot be changed until this host is rebooted (enabled 2)"
            if status.is_immutable
            else f"to load them: steno audit rules install {wanted.level} && augenrules --load"
        )
    return lines


def _say_status(level: Level, status: AuditStatus) -> list[str]:
    states = {0: "off", 1: "on", 2: "on, and cannot be changed until the next boot"}
    lines = [f"auditing is {states.get(status.enabled, str(status.enabled))}"]
    if level != "none" and status.enabled == 0:
        lines.append("to switch it on: start auditd, or auditctl -e 1")
    if level != "none" and status.daemon_pid == 0:
        lines.append("auditd does not run: no program takes the events")
    if status.lost:
        lines.append(f"{_count(status.lost, 'event')} lost since the boot")
    return lines


def _json(wanted: RuleSet, difference: Difference, status: AuditStatus) -> str:
    def texts(rules: tuple[AuditRule, ...]) -> list[str]:
        return [str(rule) for rule in rules]

    return msgspec.json.encode(
        {
            "level": wanted.level,
            "wanted": len(wanted.rules),
            "missing": texts(difference.missing),
            "unneeded": texts(difference.unneeded),
            "superfluous": texts(difference.superfluous),
            "silencing": texts(difference.silencing),
            "others": texts(difference.others),
            "enabled": status.enabled,
            "immutable": status.is_immutable,
            "auditd": status.daemon_pid != 0,
            "backlog_limit": status.backlog_limit,
            "lost": status.lost,
        }
    ).decode()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
