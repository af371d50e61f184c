"""Making users recorded and unrecorded again: the login shell of local accounts.

The real shell is kept in /etc/steno/shells before the passwd entry changes, and forgotten after
it is back: whatever happens between, the session of a user whose entry says `steno-shell` finds its
real shell. All changes hold /etc/steno/.shells.lock; usermod(8) changes the passwd file, and holds
the lock with us: where we are killed beside it, nobody forgets a shell that it is about to need.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

import msgspec

from steno.errors import NotFoundError, RefusedError, StenoError
from steno.files import lock, replace_file
from steno.policy.passwd import Entry, list_members, parse_passwd
from steno.policy.places import LOGIN_SHELL, HostPlaces
from steno.policy.shells import (
    ShellFacts,
    choose_shell,
    is_recording_shell,
    parse_listed,
    parse_table,
    render_table,
)

_USERMOD_S = 60.0
"""usermod waits for the lock of the passwd file; longer than this something is wrong."""


class Change(msgspec.Struct, frozen=True):
    """What was done with one user.

    Attributes:
        user: The account's name.
        shell: The real shell.
        is_done: Whether anything had to be changed.
    """

    user: str
    shell: bytes
    is_done: bool


def enable(
    places: HostPlaces,
    users: Iterable[str],
    *,
    groups: Iterable[str] = (),
    even_root: bool = False,
    real_shell: bytes | None = None,
) -> list[Change]:
    """Make `steno-shell` the login shell of local users; doing so again changes nothing.

    Args:
        places: The host.
        users: Accounts, which must be local ones.
        groups: Local groups; their local members who may log in are meant too, root left out.
        even_root: Whether root may be one of `users`.
        real_shell: Their real shell, where the passwd entry's shall not be it.

    Raises:
        NotFoundError: An account or group is not local; nothing was changed.
        RefusedError: One may not be recorded (root, no login, no real shell); nothing was changed.
        StenoError: usermod failed; those before are enabled, the real shells of all are kept.
    """
    _require_login_shell(places)
    places.configuration.mkdir(mode=0o755, parents=True, exist_ok=True)
    with lock(places.configuration / ".shells.lock") as locked:
        passwd = parse_passwd(places.passwd.read_bytes())
        table = _read_table(places)
        chosen = _choose(places, passwd, users, groups, even_root)
        shells = {
            user: _find_real(passwd[user], table, real_shell, _read_listed(places))
            for user in chosen
        }
        if table != (new := table | shells):
            replace_file(places.table, render_table(new), 0o644)
        _list_shell(places)
        return [
            Change(user, shell, _set_shell(places, passwd[user], LOGIN_SHELL.encode(), locked))
            for user, shell in shells.items()
        ]


def disable(places: HostPlaces, users: Iterable[str], *, everybody: bool = False) -> list[Change]:
    """Put the real login shell of users back; doing so again changes nothing.

    Args:
        places: The host.
        users: Accounts.
        everybody: All who are enabled are meant.

    Raises:
        NotFoundError: An account is not local; nothing was changed.
        RefusedError: The passwd entry says `steno-shell` and no real shell was kept; nothing was
            changed.
        StenoError: usermod failed; those before are back to their own shell.
    """
    places.configuration.mkdir(mode=0o755, parents=True, exist_ok=True)
    with lock(places.configuration / ".shells.lock") as locked:
        passwd = parse_passwd(places.passwd.read_bytes())
        table = _read_table(places)
        chosen = list(dict.fromkeys([*users, *(table if everybody else ())]))
        for user in chosen:
            if user not in passwd and user not in table:
                raise NotFoundError(f"{user}: no such local user")
            if user not in table and is_recording_shell(passwd[user].shell):
                raise RefusedError(
                    f"{user}: {places.table} does not say which shell was theirs; use usermod -s"
                )
        changes = [_put_back(places, passwd, table, user, locked) for user in chosen]
        left = {user: shell for user, shell in table.items() if user not in chosen}
        if left != table:
            replace_file(places.table, render_table(left), 0o644)
        return changes


def _require_login_shell(places: HostPlaces) -> None:
    if not os.access(places.login_shell, os.X_OK):
        raise NotFoundError(
            f"{places.login_shell}: no such program: with it as login shell nobody could log in"
        )


def _put_back(
    places: HostPlaces,
    passwd: Mapping[str, Entry],
    table: Mapping[str, bytes],
    user: str,
    locked: int,
) -> Change:
    """Give `user` the shell of the table, unless somebody changed the entry meanwhile."""
    entry = passwd.get(user)
    if user not in table:
        return Change(user, passwd[user].shell, is_done=False)
    if entry is None or not is_recording_shell(entry.shell):
        return Change(user, entry.shell if entry else table[user], is_done=True)
    return Change(user, table[user], _set_shell(places, entry, table[user], locked))


def _choose(
    places: HostPlaces,
    passwd: Mapping[str, Entry],
    users: Iterable[str],
    groups: Iterable[str],
    even_root: bool,
) -> list[str]:
    """Return the accounts that are meant, each once."""
    chosen = list(users)
    for user in chosen:
        if user not in passwd:
            raise NotFoundError(
                f"{user}: not in {places.passwd}; users of a directory are recorded through"
                " SSSD (see docs/host.md)"
            )
        if passwd[user].uid == 0 and not even_root:
            raise RefusedError(
                f"{user}: root is recorded only with --even-root: without a way to log in"
                " nobody could repair the host"
            )
    data = places.group.read_bytes() if groups else b""
    for group in groups:
        members = list_members(data, dict(passwd), group)
        if members is None:
            raise NotFoundError(f"{group}: no such group in {places.group}")
        chosen += [name for name in members if passwd[name].uid != 0 and _may_log_in(passwd[name])]
    return list(dict.fromkeys(chosen))


def _may_log_in(entry: Entry) -> bool:
    if is_recording_shell(entry.shell):
        return True
    try:
        choose_shell(ShellFacts(user=entry.name, entry_shell=entry.shell), {}, ())
    except RefusedError:
        return False
    return True


def _find_real(
    entry: Entry,
    table: Mapping[str, bytes],
    real_shell: bytes | None,
    listed: tuple[bytes, ...],
) -> bytes:
    """Return the real shell of an account that shall be recorded."""
    if real_shell is not None:
        if real_shell not in listed:
            raise RefusedError(f"{real_shell.decode(errors='replace')} is not in /etc/shells")
        return real_shell
    # A line that was left from before counts only while the entry does not say otherwise.
    kept = {entry.name: table[entry.name]} if entry.name in table else {}
    if not is_recording_shell(entry.shell):
        kept = {}
    try:
        return choose_shell(ShellFacts(user=entry.name, entry_shell=entry.shell), kept, ())
    except RefusedError as error:
        if is_recording_shell(entry.shell):
            raise RefusedError(f"{error}; name it with --shell") from error
        raise


def _set_shell(places: HostPlaces, entry: Entry, shell: bytes, locked: int) -> bool:
    """Change the shell of a passwd entry; return whether it was another.

    What changes it inherits `locked`, the descriptor of the lock that is held.
    """
    if entry.shell == shell:
        return False
    usermod = shutil.which("usermod", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if usermod is None:
        raise NotFoundError("usermod: no such program (package passwd)")
    prefix = ["--prefix", str(places.root.resolve())] if places.is_image else []
    done = subprocess.run(  # noqa: S603  # a fixed program, its arguments checked
        [usermod, *prefix, "--shell", os.fsdecode(shell), "--", entry.name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_USERMOD_S,
        pass_fds=(locked,),
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise StenoError(f"{entry.name}: the login shell could not be changed: {reason}")
    return True


def _read_table(places: HostPlaces) -> dict[str, bytes]:
    try:
        return parse_table(places.table.read_bytes(), str(places.table))
    except FileNotFoundError:
        return {}


def _read_listed(places: HostPlaces) -> tuple[bytes, ...]:
    try:
        return parse_listed(places.listed.read_bytes())
    except FileNotFoundError:
        return ()


def _list_shell(places: HostPlaces) -> None:
    """Add `steno-shell` to /etc/shells, or programs that look there would refuse its users."""
    if LOGIN_SHELL.encode() in _read_listed(places):
        return
    try:
        data = places.listed.read_bytes()
    except FileNotFoundError:
        data = b""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    replace_file(places.listed, data + LOGIN_SHELL.encode() + b"\n", 0o644)
