"""What an uploader tells, and what it comes to."""

from __future__ import annotations

import msgspec

from steno.delivery.protocol import Standing
from steno.delivery.recovery import Recovery
from steno.delivery.spool import SpoolEntry
from steno.errors import StenoError


class Outcome(msgspec.Struct, frozen=True):
    """What emptying a spool came to.

    Attributes:
        delivered: Recordings that a server now has wholly.
        growing: Recordings still being written, delivered up to their last whole line.
        failed: Recordings that could not be delivered, with the reason.
    """

    delivered: tuple[str, ...]
    growing: tuple[str, ...]
    failed: dict[str, StenoError]


class Events:
    """What an uploader tells; override what is of interest. Called from the uploader's thread."""

    def began(self) -> None:
        """Tell that this process is the one that delivers the spool from now on."""

    def found(self, entry: SpoolEntry) -> None:
        """Tell that a recording is to be delivered, or that it grew."""

    def moved(self, rec: str, standing: Standing) -> None:
        """Tell that a recording's standing changed."""

    def recovered(self, recovery: Recovery) -> None:
        """Tell that an orphaned recording was closed."""

    def failed(self, server: str, error: StenoError) -> None:
        """Tell that a request to a server came to nothing."""
