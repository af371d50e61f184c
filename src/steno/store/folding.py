"""Text as the full-text indexes see it."""

from __future__ import annotations


def fold(text: str) -> str:
    """Return `text` as the indexes see it: the same for capital and small letters."""
    return text.casefold()
