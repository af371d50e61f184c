"""`steno policy check`: mistakes in a policy file, before it is in force."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from steno.cli.messages import say
from steno.cli.options import examples
from steno.errors import NotFoundError
from steno.policy.file import PolicyFile
from steno.policy.places import HostPlaces
from steno.policy.rules import Policy, Rule

_WILD = frozenset("*?[")


@click.command(
    "check", epilog=examples("steno policy check", "steno policy check new.toml --strict")
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Fail for names that this host does not know, too.")
def check_command(file: Path | None, strict: bool) -> int:
    """Look for mistakes in FILE [default: /etc/steno/policy.toml].

    Ends with 0 if the file can be in force, else with 3 and a line that says what is wrong where.
    Users, groups and shells that this host does not know get a line each: they may be of other
    hosts that share the file. With --strict they end the command with 5.
    """
    path = file or HostPlaces().policy
    if not path.exists():
        raise NotFoundError(f"{path}: no such file")
    policy = PolicyFile(path).reload()
    unknown = list(find_unknown(policy))
    for text in unknown:
        say(f"{path}: {text}")
    count, is_wrong = len(policy.rules), bool(unknown) and strict
    verdict = f"{len(unknown)} unknown" if is_wrong else "no mistake"
    click.echo(f"{path}: {count} rule{'' if count == 1 else 's'}, {verdict}")
    return NotFoundError.exit_code if is_wrong else 0


def find_unknown(policy: Policy) -> Iterator[str]:
    """Yield a text for each name in the policy's rules that this host does not know."""
    for rule in policy.rules:
        yield from _unknown(rule, "users", rule.when.users, _is_user)
        yield from _unknown(rule, "groups", rule.when.groups, _is_group)
        known = policy.contents.host_groups
        if rule.when.host_groups is not None:
            yield from _unknown(rule, "host_groups", rule.when.host_groups, known.__contains__)
        if rule.shell is not None and not Path(rule.shell).exists():
            yield f"rule {rule.name}: shell: there is no {rule.shell} on this host"


def _unknown(
    rule: Rule, key: str, words: tuple[str, ...] | None, is_known: Callable[[str], bool]
) -> Iterator[str]:
    for word in words or ():
        name = word.removeprefix("!")
        if not _WILD & set(name) and not is_known(name):
            yield f"rule {rule.name}: when.{key}: {name} is not known on this host"


def _is_user(name: str) -> bool:
    if name.startswith("#"):
        return True
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
