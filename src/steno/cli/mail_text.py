"""The text that is attached to mails, where the server's package is installed."""

from __future__ import annotations

from steno.web.renderings import TextRenderer


def make_renderer() -> TextRenderer:
    """Return what turns one recording's items into the screen's text."""
    return TextRenderer()
