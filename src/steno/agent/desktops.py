"""Whether a session belongs to a graphical login, and whether it is that login itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steno.agent.logind import GRAPHICAL_TYPES, Login
from steno.agent.peers import Process
from steno.agent.services import Service, is_within_user_manager


class Graphics(msgspec.Struct, frozen=True):
    """What a session has to do with a graphical login.

    Attributes:
        is_within: Whether a graphical login is around it.
        is_login: Whether it is the graphical login itself: the program behind the login screen.
    """

    is_within: bool = False
    is_login: bool = False


def judge(
    service: Service, login: Login, chain: Sequence[Process], *, has_terminal: bool
) -> Graphics:
    """Return what a session has to do with a graphical login.

    Args:
        service: What let the person in.
        login: What logind knows.
        chain: The caller and its parents.
        has_terminal: Whether the session has a terminal.
    """
    # Terminals of a desktop run under the user's own systemd, whose audit session is another.
    is_desktops = bool(login.desktop) and is_within_user_manager(chain)
    is_within = service.is_graphical or login.kind in GRAPHICAL_TYPES or is_desktops
    is_behind_screen = service.is_display_manager and not service.is_within_desktop
    return Graphics(is_within, is_login=is_behind_screen and not has_terminal)
