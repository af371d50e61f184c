"""sshd's configuration, and what in it goes past the login shell.

Sources: sshd_config(5), `sshd -T`; OpenSSH's session.c for what runs without the login shell: only
`internal-sftp`, be it subsystem or forced command, and forwarding. Does no I/O but through what is
handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from steno.policy.checks.finding import Finding

CONFIG = "/etc/ssh/sshd_config"
_DEPTH = 16
_KEYWORD = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+|$)(.*)")
_REPEATED = frozenset({"acceptenv", "subsystem", "setenv", "port", "listenaddress"})
"""Keywords of which all lines count, not the first alone."""


class Value(msgspec.Struct, frozen=True):
    """What one line says."""

    text: str
    place: str


class Block(msgspec.Struct, frozen=True):
    """The settings that hold for some connections.

    Attributes:
        condition: What stands behind `Match`; "" for those that hold unless a Match says otherwise.
        values: By keyword in lower case; the first counts, but for those that add up.
    """

    condition: str
    values: dict[str, list[Value]]

    def first(self, keyword: str) -> Value | None:
        """Return what counts of a keyword's lines."""
        found = self.values.get(keyword)
        return found[0] if found else None


def parse_effective(text: str) -> Block:
    """Return what `sshd -T` prints."""
    values: dict[str, list[Value]] = {}
    for line in text.splitlines():
        keyword, _, rest = line.partition(" ")
        if keyword:
            values.setdefault(keyword.lower(), []).append(Value(rest.strip(), "sshd -T"))
    return Block("", values)


def parse_config(
    read: Callable[[str], str | None], list_files: Callable[[str], list[str]]
) -> list[Block] | None:
    """Return the blocks of sshd_config, includes followed: the general one first; None: no file.

    Args:
        read: Returns a file's text by its absolute name, None if there is none.
        list_files: Returns the names that an absolute pattern fits.
    """
    if read(CONFIG) is None:
        return None
    blocks = [Block("", {})]
    _read_into(blocks, 0, CONFIG, read, list_files, _DEPTH)
    return blocks


def _read_into(
    blocks: list[Block],
    current: int,
    file: str,
    read: Callable[[str], str | None],
    list_files: Callable[[str], list[str]],
    depth: int,
) -> None:
    """Add what `file` says to `blocks`; a Match within an included file ends with that file."""
    for number, line in enumerate((read(file) or "").splitlines(), 1):
        found = _KEYWORD.match(line.strip())
        if not found:
            continue
        keyword, rest = found[1].lower(), _unquoted(found[2])
        if keyword == "match":
            if rest.lower() == "all":
                current = 0 if not blocks[current].condition else _add(blocks, "all")
            else:
                current = _add(blocks, rest)
        elif keyword == "include" and depth:
            for pattern in rest.split():
                name = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
                for included in list_files(name):
                    _read_into(blocks, current, included, read, list_files, depth - 1)
        else:
            value = Value(rest, f"{file}:{number}")
            blocks[current].values.setdefault(keyword, []).append(value)


def _add(blocks: list[Block], condition: str) -> int:
    blocks.append(Block(condition, {}))
    return len(blocks) - 1


def _unquoted(text: str) -> str:
    """Return a line's arguments without comment and quotes."""
    text = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    return text.replace('"', "")


def list_key_files(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return where sshd looks for people's keys, tokens (%h, %u) and all."""
    value = blocks[0].first("authorizedkeysfile") if blocks else None
    if value is None:
        return ".ssh/authorized_keys", ".ssh/authorized_keys2"
    return tuple(word for word in value.text.split() if word.lower() != "none")


def check_sshd(blocks: list[Block], *, notes_logins: bool) -> Iterator[Finding]:
    """Yield what in the configuration goes past the login shell.

    Args:
        blocks: What `parse_config` returns.
        notes_logins: Whether the PAM hook notes logins without a shell: they are counted then.
    """
    general = blocks[0]
    yield from _check_general(general, notes_logins)
    for block in blocks:
        yield from _check_forced(block, notes_logins)
        yield from _check_forwarding(block, blocks, notes_logins)
        yield from _check_windows(block, blocks)
        yield from _check_user_rc(block, blocks)
        yield from _check_environment(block)


def _check_general(general: Block, notes_logins: bool) -> Iterator[Finding]:
    for value in filter(_has_words, general.values.get("subsystem", [])):
        name, *command = value.text.split()
        if command[:1] == ["internal-sftp"]:
            yield Finding(
                "sshd-sftp",
                "gap" if notes_logins else "escape",
                f"subsystem {name} is internal-sftp: files are copied without the login shell, and"
                " what is copied is not noted",
                f"Subsystem {name} /usr/lib/openssh/sftp-server",
                value.place,
            )
    pam = general.first("usepam")
    if pam is None or pam.text.lower() != "yes":
        yield Finding(
            "sshd-pam",
            "lockout",
            "sshd does not use PAM: nobody says who logged in, SSSD's users have no real shell",
            "UsePAM yes",
            pam.place if pam else CONFIG,
        )


def _check_forced(block: Block, notes_logins: bool) -> Iterator[Finding]:
    forced = block.first("forcecommand")
    if forced is not None and forced.text.split()[:1] == ["internal-sftp"]:
        yield Finding(
            "sshd-forcecommand",
            "gap" if notes_logins else "escape",
            f"{_who(block)}: ForceCommand internal-sftp runs without the login shell: what is"
            " copied is not noted",
            "ForceCommand /usr/lib/openssh/sftp-server",
            forced.place,
        )
    chroot = block.first("chrootdirectory")
    if chroot is not None and chroot.text.lower() != "none":
        yield Finding(
            "sshd-chroot",
            "lockout",
            f"{_who(block)}: ChrootDirectory {chroot.text}: a login shell in there does not reach"
            " the agent",
            "bind-mount /run/steno into it, steno-shell and steno-wait; or leave these users out",
            chroot.place,
        )


def _check_forwarding(
    block: Block, blocks: Sequence[Block], notes_logins: bool
) -> Iterator[Finding]:
    if _is_yes(block.first("disableforwarding") or blocks[0].first("disableforwarding")):
        return
    # Whom a Match fits is not known here: it may be all who are recorded.
    closed = [_who(one) for one in blocks if _is_yes(one.first("disableforwarding"))]
    allowed = []
    for keyword, name, default in (
        ("allowtcpforwarding", "AllowTcpForwarding", "yes"),
        ("allowstreamlocalforwarding", "AllowStreamLocalForwarding", "yes"),
        ("permittunnel", "PermitTunnel", "no"),
    ):
        value = block.first(keyword)
        if value is None and block.condition:
            continue
        if (value.text.lower() if value else default) != "no":
            allowed.append((name, value.place if value else CONFIG))
    if allowed:
        names = ", ".join(name for name, _ in allowed)
        yield Finding(
            "sshd-forwarding",
            "hint" if notes_logins else "gap" if closed else "escape",
            f"{_whom(block, closed)}: {names}: connections pass through this host (ssh -N, -J, -L)"
            " without a shell",
            "DisableForwarding yes for recorded users, or have the PAM hook note such logins",
            allowed[0][1],
        )


def _check_windows(block: Block, blocks: Sequence[Block]) -> Iterator[Finding]:
    """Yield that X11 comes through: `ssh -X HOST xterm` has a terminal of its own."""
    forwarded = block.first("x11forwarding")
    if _is_yes(block.first("disableforwarding") or blocks[0].first("disableforwarding")):
        return
    if not _is_yes(forwarded) or forwarded is None:
        return
    closed = [
        _who(one)
        for one in blocks[1:]
        if _is_yes(one.first("disableforwarding")) or _is_no(one.first("x11forwarding"))
    ]
    yield Finding(
        "sshd-x11",
        "hint" if closed and not block.condition else "gap",
        f"{_whom(block, closed)}: X11Forwarding: terminals in windows on another screen (ssh -X,"
        " xterm) run the real shell: that they are started is recorded, and not what they show",
        "X11Forwarding no",
        forwarded.place,
    )


def _check_user_rc(block: Block, blocks: Sequence[Block]) -> Iterator[Finding]:
    """Yield that ~/.ssh/rc runs, as it does unless sshd is told otherwise or forces a command."""
    permitted = block.first("permituserrc")
    if _forces(block) or _is_no(permitted) or (permitted is None and block.condition):
        return
    closed = [_who(one) for one in blocks[1:] if _forces(one) or _is_no(one.first("permituserrc"))]
    yield Finding(
        "sshd-userrc",
        "hint" if closed and not block.condition else "gap",
        f"{_whom(block, closed)}: PermitUserRC: ~/.ssh/rc runs before the login shell; what it"
        " leaves running keeps the terminal, around the recording",
        "PermitUserRC no",
        permitted.place if permitted else CONFIG,
    )


def _check_environment(block: Block) -> Iterator[Finding]:
    permitted = block.first("permituserenvironment")
    if permitted is not None and permitted.text.lower() != "no":
        yield Finding(
            "sshd-environment",
            "gap",
            f"{_who(block)}: PermitUserEnvironment: users choose variables of their login, among"
            " them the one by which SSSD names the real shell",
            "PermitUserEnvironment no",
            permitted.place,
        )
    for value in block.values.get("acceptenv", []):
        wide = [word for word in value.text.split() if _fits_variable(word)]
        if wide:
            yield Finding(
                "sshd-environment",
                "gap",
                f"{_who(block)}: AcceptEnv {' '.join(wide)} lets clients set"
                " TLOG_REC_SESSION_SHELL, by which SSSD names the real shell",
                "AcceptEnv LANG LC_*",
                value.place,
            )


def _fits_variable(pattern: str) -> bool:
    parts = ("." if char == "?" else ".*" if char == "*" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), "TLOG_REC_SESSION_SHELL") is not None


def _has_words(value: Value) -> bool:
    return bool(value.text.split())


def _is_yes(value: Value | None) -> bool:
    return value is not None and value.text.lower() == "yes"


def _is_no(value: Value | None) -> bool:
    return value is not None and value.text.lower() == "no"


def _forces(block: Block) -> bool:
    forced = block.first("forcecommand")
    return forced is not None and forced.text.lower() != "none"


def _whom(block: Block, closed: Sequence[str]) -> str:
    """Return whom a block's setting holds for, where Match blocks close it for some."""
    return f"all but {', '.join(closed)}" if closed and not block.condition else _who(block)


def _who(block: Block) -> str:
    return f"Match {block.condition}" if block.condition else "everybody"
