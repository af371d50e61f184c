"""What login, su and sudo say of logins, and PAM in any program's name. Pure.

Names of accounts that there are hold no blanks; what a person typed may hold anything, so that it
is what lies between words that are the program's, from both ends. Where that leaves two readings,
who and what are left out.

Sources: shadow 4.13, src/login.c; util-linux 2.38 to 2.41, login-utils/login.c and su-common.c,
log_syslog(); shadow, src/su.c; sudo 1.9, lib/eventlog/eventlog.c, new_logline(), and
plugins/sudoers/logging.c; Linux-PAM 1.5, modules/pam_unix/pam_unix_sess.c and support.c.
"""

from __future__ import annotations

import re

from steno.audit.witness.said import NOTHING, OWN, SUMMARY, Said

_FAILED_LOGIN = re.compile(
    r"FAILED LOGIN \(\d+\)(?: on '(?P<tty>[^']*)')?(?: from '(?P<host>[^']*)')?"
    r" FOR '(?P<user>.*)', (?P<reason>[^']*)",
    re.DOTALL,
)
_FAILED_LOGIN_FROM = re.compile(
    r"FAILED LOGIN (?:\d+|SESSION) FROM (?P<place>\S+) FOR (?P<user>.*), (?P<reason>[^,]*)",
    re.DOTALL,
)
_LOGIN_NOTHING = re.compile(
    r"(?:TOO MANY LOGIN TRIES|ROOT LOGIN|LOGIN ON|DIALUP AT|'\S+' logged in)"
)
_SU = re.compile(
    r"(?P<failed>FAILED (?:SU|RUNUSER) )?\(to (?P<to>.*)\) (?P<by>\S*) on (?P<tty>\S+)", re.DOTALL
)
_SHADOW_SU = re.compile(r"(?P<how>Successful|FAILED) su for (?P<to>.*) by (?P<by>\S+)", re.DOTALL)
_SUDO = re.compile(
    r" *(?P<by>\S+) : (?:(?P<reason>[^;=]+) ; )?(?:HOST=\S+ ; )?(?:TTY=(?P<tty>\S+) ; )?"
    r"(?P<rest>(?:CHROOT|PWD|USER)=.*)",
    re.DOTALL,
)
_SUDO_ORDER = re.compile(
    r"(?:.* ; )?USER=(?P<user>[^ ]+) ; (?:.* ; )?COMMAND=(?P<command>.*)", re.DOTALL
)
_WRONG_PASSWORDS = re.compile(r"\d+ incorrect password attempts?")
_PAM = re.compile(
    r"pam_\w+\((?P<service>[^():]+):(?P<kind>auth|account|session|setcred)\): (?P<text>.*)",
    re.DOTALL,
)
_OPENED = re.compile(r"session opened for user (?P<user>[^ ]+?)(?:\(uid=[^)]*\))? by .*", re.DOTALL)
_CLOSED = re.compile(r"session closed for user (?P<user>[^ ]+)")
_REFUSED = re.compile(
    r"authentication failure; logname=.* uid=\d+ euid=\d+ tty=(?P<tty>\S*) ruser=.*"
    r" rhost=(?P<host>\S*) *(?: user=(?P<user>\S+))?",
    re.DOTALL,
)
_NOBODY = ("UNKNOWN", "(unknown)")


def read_login(message: str) -> Said | None:
    """Return what a message of login's says; None: its wording is not known here."""
    found = _FAILED_LOGIN.fullmatch(message)
    if found is not None:
        return Said(
            "refused",
            _known(found["user"]),
            found["host"] or "",
            terminal=_terminal(found["tty"]),
            reason=_lower(found["reason"]),
        )
    found = _FAILED_LOGIN_FROM.fullmatch(message)
    if found is not None:
        place = found["place"]
        terminal = _terminal(place) if place.startswith(("tty", "pts/", "/dev/", "hvc")) else ""
        return Said(
            "refused",
            _known(found["user"]),
            "" if terminal else place,
            terminal=terminal,
            reason=_lower(found["reason"]),
            rank=SUMMARY if " SESSION FROM " in message[:32] else OWN,
        )
    return NOTHING if _LOGIN_NOTHING.match(message) else None


def read_su(message: str) -> Said | None:
    """Return what a message of su's or runuser's says; None: its wording is not known here."""
    found = _SU.fullmatch(message)
    if found is not None:
        terminal = "" if found["tty"] == "none" else _terminal(found["tty"])
        return Said("refused" if found["failed"] else "let in", found["to"], terminal=terminal)
    found = _SHADOW_SU.fullmatch(message)
    if found is not None:
        return Said("refused" if found["how"] == "FAILED" else "let in", found["to"])
    return None


def read_sudo(message: str) -> Said | None:
    """Return what a message of sudo's says; None: its wording is not known here.

    The account of `refused` is that of the person, who sudo asks for their own password; of `told`
    it is the one that the command is to run as.
    """
    found = _SUDO.fullmatch(message)
    if found is None:
        return None
    terminal = _terminal(found["tty"] or "")
    terminal = "" if terminal == "unknown" else terminal
    reason = found["reason"] or ""
    user = command = ""
    # A directory may be called ` ; USER=root ; COMMAND=...`, and an argument, too.
    if all(f" ; {found['rest']}".count(f" ; {word}=") == 1 for word in ("USER", "COMMAND")):
        order = _SUDO_ORDER.fullmatch(found["rest"])
        if order is not None:
            user, command = order["user"], order["command"]
    if _WRONG_PASSWORDS.fullmatch(reason):
        return Said("refused", found["by"], terminal=terminal, reason=reason, command=command)
    return Said("told", user, terminal=terminal, reason=reason, command=command)


def read_pam(message: str, *, tells_refusals: bool) -> Said | None:
    """Return what a PAM module says in a program's name; None: it is none, or says it otherwise.

    Args:
        message: The message.
        tells_refusals: Whether nothing but PAM tells of refusals: a program that does so itself
            would be heard twice.
    """
    found = _PAM.fullmatch(message)
    if found is None:
        return None
    kind, text = found["kind"], found["text"]
    if kind == "session":
        opened = _OPENED.fullmatch(text)
        closed = _CLOSED.fullmatch(text)
        if opened is not None:
            return Said("opened", opened["user"])
        return NOTHING if closed is None else Said("closed", closed["user"])
    refused = _REFUSED.fullmatch(text) if tells_refusals and kind == "auth" else None
    if refused is None:
        return NOTHING
    return Said(
        "refused",
        refused["user"] or "",
        refused["host"],
        terminal=_terminal(refused["tty"]),
        reason="authentication failure",
    )


def _known(user: str) -> str:
    return "" if user in _NOBODY else user


def _terminal(text: str | None) -> str:
    return (text or "").removeprefix("/dev/")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
