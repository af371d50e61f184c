"""What let a person in, as the parents of their session show it. Does no I/O.

Names of processes can be chosen by whoever starts them, also of programs that run as root (a link
to sudo may be called cron). So the daemons that let people in count only where no user had a hand
in: in processes with all of root's ids whose parents have them too, and that were not started by
anybody who had logged in, as the audit login uid tells (sshd and others set it in the process that
serves a login; then one of its parents by that name has none). Next come programs that change the
user; programs that any user may run count last.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import msgspec

from steno.agent.peers import Process

_DAEMONS = {
    "sshd": "sshd", "sshd-session": "sshd", "sshd-auth": "sshd", "dropbear": "sshd",
    "login": "login", "in.telnetd": "telnet", "telnetd": "telnet", "in.rlogind": "rlogin",
    "cron": "cron", "crond": "cron", "anacron": "cron", "fcron": "cron",
    "atd": "at", "cockpit-session": "cockpit", "cockpit-bridge": "cockpit",
    "gdm-session-wor": "gdm", "gdm3": "gdm", "gdm": "gdm", "lightdm": "lightdm", "sddm": "sddm",
    "sddm-helper": "sddm", "xdm": "xdm", "lxdm": "lxdm", "greetd": "greetd",
    "agetty": "login", "getty": "login",
}  # fmt: skip
"""Daemons that start sessions, by the kernel's name (15 bytes of it), and what we call them."""
_WAYS_IN = frozenset(_DAEMONS.values())
_GRAPHICAL = frozenset({"gdm", "lightdm", "sddm", "xdm", "lxdm", "greetd"})
_CHANGERS = {
    "su": "su", "sudo": "sudo", "sudo-rs": "sudo", "su-rs": "su", "doas": "doas", "runuser": "su",
    "pkexec": "pkexec", "ksu": "su", "run0": "run0", "newgrp": "newgrp", "sg": "newgrp",
}  # fmt: skip
"""Programs with root's rights that start a shell for somebody."""
_TERMINALS = {
    "tmux": "tmux", "tmux: server": "tmux", "screen": "screen", "SCREEN": "screen",
    "zellij": "zellij", "xterm": "terminal", "gnome-terminal-": "terminal", "konsole": "terminal",
    "kgx": "terminal", "gnome-console": "terminal", "ptyxis-agent": "terminal",
    "ptyxis": "terminal", "alacritty": "terminal", "kitty": "terminal", "foot": "terminal",
    "xfce4-terminal": "terminal", "mate-terminal": "terminal", "lxterminal": "terminal",
    "qterminal": "terminal", "urxvt": "terminal", "urxvtd": "terminal", "rxvt": "terminal",
    "st": "terminal", "terminator": "terminal", "tilix": "terminal", "wezterm-gui": "terminal",
    "wezterm-mux-ser": "terminal", "terminology": "terminal", "mlterm": "terminal",
    "guake": "terminal", "yakuake": "terminal", "ghostty": "terminal", "mosh-server": "mosh",
    "code": "terminal", "emacs": "terminal",
}  # fmt: skip
"""What any user may run to have more terminals."""
_DESKTOPS = frozenset(
    {
        "Xorg", "Xwayland", "gnome-shell", "gnome-session-b", "gnome-session", "plasmashell",
        "kwin_wayland", "kwin_x11", "startplasma-way", "startplasma-x11", "xfce4-session",
        "mate-session", "lxsession", "lxqt-session", "cinnamon-sessio", "sway", "weston",
        "gdm-x-session", "gdm-wayland-ses", "i3", "openbox", "labwc", "hyprland",
    }
)  # fmt: skip
SYSTEMD_USER = "systemd-user"


class Service(msgspec.Struct, frozen=True):
    """What let a person in.

    Attributes:
        name: sshd, su, sudo, login, cron, at, tmux, screen, terminal, systemd-user ...; "" when
            nothing is recognised.
        is_graphical: Whether the session is within a graphical login, as far as processes show.
        is_display_manager: Whether a login screen let the person in.
        is_within_desktop: Whether a desktop's programs are around it.
    """

    name: str
    is_graphical: bool = False
    is_display_manager: bool = False
    is_within_desktop: bool = False


def find_service(chain: Sequence[Process]) -> Service:
    """Return what let the person in who runs `chain[0]`; the rest are its parents, in order."""
    parents = chain[1:]
    is_within_desktop = any(process.name in _DESKTOPS for process in parents)
    trusted = next(
        (name for number in range(len(parents)) if (name := _find_trusted(parents[number:]))), ""
    )
    return Service(
        name=_find_name(trusted, parents),
        is_graphical=is_within_desktop or trusted in _GRAPHICAL,
        is_display_manager=trusted in _GRAPHICAL,
        is_within_desktop=is_within_desktop,
    )


def is_within_recorded(chain: Sequence[Process], leaders: Set[int]) -> bool | None:
    """Return whether `chain[0]` is within a session that is being recorded, by what is around it.

    What a terminal's window shows, and what comes through a daemon, is in no other recording,
    although it may belong to the same login: several sessions through one SSH connection do.

    Args:
        chain: A process and its parents.
        leaders: The processes that lead sessions whose terminals are being recorded.

    Returns:
        None where nothing around it tells: it was left by its parents, as what runs in tmux is.
    """
    parents = chain[1:]
    for number, process in enumerate(parents):
        if process.pid in leaders:
            return True
        if _TERMINALS.get(process.name) == "terminal":
            return False
        if _find_trusted(parents[number:]) in _WAYS_IN:
            return False
    return None


def is_within_user_manager(chain: Sequence[Process]) -> bool:
    """Return whether the user's own systemd has started `chain[0]`."""
    return any(_is_user_manager(process) for process in chain[1:])


def _find_name(trusted: str, parents: Sequence[Process]) -> str:
    if trusted and trusted not in _GRAPHICAL:
        return trusted
    for process in parents:
        name = _TERMINALS.get(process.name, "")
        if name:
            return name
    if trusted:
        return trusted
    return SYSTEMD_USER if any(_is_user_manager(process) for process in parents) else ""


def _find_trusted(parents: Sequence[Process]) -> str:
    """Return what the first of `parents` is, if its name can be believed."""
    process = parents[0]
    name = _name(process)
    daemon = _DAEMONS.get(name, "")
    if daemon and all(parent.is_root for parent in parents) and _is_systems(daemon, parents):
        return daemon
    # A program that root's bit on its file makes root's: its effective id shows it.
    return _CHANGERS.get(name, "") if process.uids[1] == 0 else ""


def _is_systems(daemon: str, parents: Sequence[Process]) -> bool:
    """Return whether the system has started this daemon, and not somebody who had logged in."""
    if daemon in ("login", "cockpit"):
        # These have no parent by their name that could tell; they are started by init.
        return parents[0].login_uid is None or parents[0].parent in (0, 1)
    same = (parent for parent in parents if _DAEMONS.get(_name(parent)) == daemon)
    return any(parent.login_uid is None for parent in same)


def _name(process: Process) -> str:
    """Return what a process runs: its program's own name where that may be seen."""
    program = process.program.rpartition("/")[2]
    # What the program is beats what it calls itself; but sshd and others split into many.
    return program[:15] if program[:15] in _DAEMONS or program in _CHANGERS else process.name


def _is_user_manager(process: Process) -> bool:
    return process.name == "systemd" and process.pid != 1
