"""The files of local accounts, passwd(5) and group(5), as text. Does no I/O.

Only for what is about the files themselves: which accounts are local, and which shell their lines
hold. Who an account is, NSS says (steno.policy.accounts).
"""

from __future__ import annotations

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One line of passwd(5).

    Attributes:
        name: The account's name.
        uid: Its numeric id.
        gid: Its first group's numeric id.
        home: Its home directory.
        shell: Its login shell; b"" means /bin/sh to those who read it.
    """

    name: str
    uid: int
    gid: int
    home: str
    shell: bytes


def parse_passwd(data: bytes) -> dict[str, Entry]:
    """Return the accounts of a passwd file by name; the first line of a name counts.

    Lines that are none (comments, `+` of NIS, too few fields) are passed over, as libc does.
    """
    found: dict[str, Entry] = {}
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) != 7 or not fields[0] or fields[0][:1] in (b"#", b"+", b"-"):
            continue
        if not (fields[2].isdigit() and fields[3].isdigit()):
            continue
        name, home = _text(fields[0]), _text(fields[5])
        found.setdefault(name, Entry(name, int(fields[2]), int(fields[3]), home, fields[6].strip()))
    return found


def list_members(groups: bytes, passwd: dict[str, Entry], group: str) -> list[str] | None:
    """Return the local accounts in `group` of a group file, also by first group; None: no group."""
    for line in groups.split(b"\n"):
        fields = line.split(b":")
        if len(fields) != 4 or _text(fields[0]) != group or not fields[2].isdigit():
            continue
        named = {_text(name) for name in fields[3].strip().split(b",") if name}
        gid = int(fields[2])
        return [name for name, entry in passwd.items() if name in named or entry.gid == gid]
    return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
