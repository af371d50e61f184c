"""What systemd-logind knows of a login: whether it is X11's, Wayland's or a terminal's.

Source: systemd, src/login/logind-session.c (session_save: TYPE=) and logind-user.c (DISPLAY=, the
user's graphical session). The files are those that sd-login(3) reads, a line NAME=VALUE for each
fact. A session's name is the number of its audit session where it has one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

_STATE = Path("/run/systemd")
GRAPHICAL_TYPES = frozenset({"x11", "wayland", "mir"})


class Login(msgspec.Struct, frozen=True):
    """What logind knows.

    Attributes:
        kind: The type of the login session that the caller is in: `tty`, `x11`, `wayland`, `mir`,
            `unspecified`; "" when it is not known.
        desktop: The type of the user's graphical login, if there is one; else "".
    """

    kind: str = ""
    desktop: str = ""


def read_login(audit_session: int | None, uid: int, state: Path = _STATE) -> Login:
    """Return what logind knows; nothing where there is no logind.

    Args:
        audit_session: The caller's audit session.
        uid: The caller's user.
        state: The directory of systemd's state.
    """
    kind = ""
    if audit_session is not None:
        kind = _read_facts(state / "sessions" / str(audit_session)).get("TYPE", "")
    display = _read_facts(state / "users" / str(uid)).get("DISPLAY", "")
    desktop = ""
    if display and "/" not in display:
        found = _read_facts(state / "sessions" / display).get("TYPE", "")
        desktop = found if found in GRAPHICAL_TYPES else ""
    return Login(kind, desktop)


def _read_facts(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
