"""What one message of a login program says, whichever program and wording it was."""

from __future__ import annotations

from typing import Literal

import msgspec

Deed = Literal["let in", "refused", "opened", "closed", "told", "nothing"]
"""`let in`: who it is was proved; `refused`: it was not; `opened`, `closed`: a session; `told`:
sudo was given a command; `nothing`: what other messages of the program say, too."""

ASIDE, OWN, SUMMARY = 1, 2, 3
"""How a program words a refusal, in the order in which it does so for one attempt: what it says of
PAM's answer, its own word, and what it says when the connection ends."""


class Said(msgspec.Struct, frozen=True):
    """What a message says. Texts are "" where it does not tell.

    Attributes:
        deed: What happened.
        account: Whose account it was about.
        address: Where the person was: an address, or a host's name.
        port: And the port there.
        method: How they proved who they are, or tried to: `password`,
            `publickey ED25519 SHA256:...`.
        terminal: The terminal, without `/dev/`.
        reason: Why it was refused.
        command: What sudo was to run.
        rank: Of a refusal, how it is worded: `ASIDE`, `OWN`, `SUMMARY`.
    """

    deed: Deed
    account: str = ""
    address: str = ""
    port: int | None = None
    method: str = ""
    terminal: str = ""
    reason: str = ""
    command: str = ""
    rank: int = OWN


NOTHING = Said("nothing")
