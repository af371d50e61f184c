"""How audit events are written out for people."""

from __future__ import annotations

from rich.text import Text

from steno.audit.event import Event
from steno.cli.tables import printable

_RESULT_STYLES = {"failure": "red", "success": "", "unknown": "dim"}


def sentence(event: Event) -> Text:
    """Return an event's sentence, red where it failed."""
    text = printable(event.text or event.action)
    text.stylize(_RESULT_STYLES[event.result])
    return text


def format_event_hit(event: Event) -> Text:
    """Return an event among the lines that a search found."""
    return Text.assemble(("• ", "cyan"), sentence(event))
