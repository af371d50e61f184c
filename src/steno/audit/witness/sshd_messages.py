"""What sshd's messages say of logins. Pure.

A name that a client offers is its own choice, so that it may hold all that follows a name in a
message. Where the name is free, the message is read from its end, which is sshd's; where an
account was let in, from its beginning, since accounts that there are have no blanks. What can be
read in two ways keeps its deed, and loses who and where from.

Source: OpenSSH 9.2 to 10.0, auth.c: auth_log(), format_method_key(), auth_maxtries_exceeded(),
getpwnamallow(); auth-pam.c: sshpam_query(); packet.c: sshpkt_vfatal(), ssh_packet_disconnect().
"""

from __future__ import annotations

import re

from steno.audit.witness.said import ASIDE, NOTHING, OWN, SUMMARY, Said

_ADDRESS = r"(?P<address>[0-9A-Fa-f.:]+(?:%[\w.-]+)?|UNKNOWN)"
_PLACE = rf"{_ADDRESS} port (?P<port>\d{{1,5}})"
_KEY = r"(?P<key>[A-Za-z0-9@.-]+ (?:SHA256|MD5|SHA1|SHA384|SHA512):[A-Za-z0-9+/=:]+)"
_METHOD = r"(?P<method>[a-z-]+(?:/[\w.-]+)?)"
_END = r"(?: \[preauth\])?"

_LET_IN = re.compile(
    rf"Accepted {_METHOD} for (?P<user>[^ ]+) from {_PLACE} ssh2(?:: (?:{_KEY}(?:[ ,].*)?|.*))?",
    re.DOTALL,
)
_FAILED = re.compile(
    rf"Failed {_METHOD} for (?P<user>.*) from {_PLACE} ssh2(?:: {_KEY})?{_END}", re.DOTALL
)
_FAILED_SOMEHOW = re.compile(rf"Failed {_METHOD} for ", re.DOTALL)
_TOO_MANY = re.compile(
    r"(?:error: )?maximum authentication attempts exceeded for (?P<user>.*)"
    rf" from {_PLACE} ssh2{_END}",
    re.DOTALL,
)
# PAM's own texts, because one of them has the word "for" in it. Linux-PAM, libpam/pam_strerror.c.
_PAM_TEXTS = (
    "Authentication failure|User not known to the underlying authentication module"
    "|Have exhausted maximum number of retries for service|Permission denied"
    "|User account has expired|Authentication service cannot retrieve authentication info"
    "|Authentication information cannot be recovered|System error|Module is unknown"
)
_PAM = re.compile(
    rf"(?:error: )?PAM: (?P<reason>{_PAM_TEXTS}) for (?P<illegal>illegal user )?(?P<user>.*)"
    rf" from (?P<address>[^ ]+){_END}",
    re.DOTALL,
)
_LEFT = re.compile(
    r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting)"
    rf" (?P<state>authenticating|invalid) user (?P<user>.*) {_PLACE}"
    rf"(?:: Too many authentication failures)?{_END}",
    re.DOTALL,
)
_LEFT_SOMEHOW = re.compile(
    r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting)"
    r" (?:authenticating|invalid) user "
)
_DENIED = re.compile(
    rf"(?:fatal: )?Access denied for user (?P<user>[^ ]+) by PAM account configuration{_END}"
)
# What another message says of the same attempt, with more in it, or before there was any.
_NOTHING = re.compile(
    r"(?:Invalid user|Postponed|Partial|User|ROOT LOGIN REFUSED|Received disconnect from"
    r"|Disconnected from user|Connection (?:closed|reset) by [0-9A-Fa-f.:]+ port"
    r"|Connection from|Starting session:|pam_\w+\([^)]*:auth\):) ?"
)
_INVALID = "invalid user "


def read_sshd(message: str) -> Said | None:
    """Return what a message of sshd's says; None: its wording is not known here."""
    found = _LET_IN.fullmatch(message)
    if found is not None:
        return _said("let in", found, found["user"], method=_method(found))
    if _FAILED_SOMEHOW.match(message):
        return _failed(message)
    for pattern, reason in ((_TOO_MANY, "too many attempts"), (_LEFT, "gave up")):
        found = pattern.fullmatch(message)
        if found is not None:
            return _said("refused", found, _offered(found["user"]), reason=reason, rank=SUMMARY)
    found = _PAM.fullmatch(message)
    if found is not None:
        return Said(
            "refused",
            found["user"],
            found["address"],
            method="keyboard-interactive/pam",
            reason=_lower(found["reason"]),
            rank=ASIDE,
        )
    found = _DENIED.fullmatch(message)
    if found is not None:
        return Said("refused", found["user"], reason="the account may not be used", rank=SUMMARY)
    if _LEFT_SOMEHOW.match(message):
        return Said("refused", reason="gave up", rank=SUMMARY)
    return NOTHING if _NOTHING.match(message) else None


def _failed(message: str) -> Said:
    found = _FAILED.fullmatch(message)
    if found is None:
        # A certificate's name or a principal stands behind, or the end was cut off.
        found = _FAILED_SOMEHOW.match(message)
        method = "" if found is None else found["method"]
        return Said("refused", method=method, rank=OWN)
    return _said("refused", found, _offered(found["user"]), method=_method(found))


def _said(deed: str, found: re.Match[str], account: str, **more: str | int) -> Said:
    address = found["address"]
    port = int(found["port"])
    return Said(
        deed,  # type: ignore[arg-type]
        account,
        "" if address == "UNKNOWN" else address,
        port if 0 < port < 65536 and address != "UNKNOWN" else None,
        **more,  # type: ignore[arg-type]
    )


def _method(found: re.Match[str]) -> str:
    """Return the method, with the key that was shown; of other methods a text is no key."""
    has_key = found["key"] and found["method"] in ("publickey", "hostbased")
    return f"{found['method']} {found['key']}" if has_key else found["method"]


def _offered(user: str) -> str:
    """Return the name that a client offered, be there such an account or not."""
    return user.removeprefix(_INVALID)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
