"""What a check found, and what the checks read."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Literal

import msgspec

Effect = Literal["escape", "lockout", "gap", "secret", "hint"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it should be.

    Attributes:
        check: The check's name, as docs/host.md lists it.
        effect: What it may lead to: `escape` (sessions unrecorded), `lockout` (no sessions),
            `gap` (recordings that say less or are doubtful), `secret` (passwords kept), `hint`
            (nothing by itself).
        text: What was found.
        remedy: What to do about it.
        place: The file, with the line where that is known.
    """

    check: str
    effect: Effect
    text: str
    remedy: str
    place: str = ""


class HostFiles:
    """The files of a host, below `root`; reading is all it does."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return where the host's file `name` is; absolute links in an image stay in the image."""
        path = self.root / name.lstrip("/")
        for _ in range(8):
            if self.root == Path("/") or not path.is_symlink():
                break
            target = os.readlink(path)
            path = self.root / target.lstrip("/") if target[0] == "/" else path.parent / target
        return path

    def read(self, name: str) -> str | None:
        """Return a file's text, None if there is none or it may not be read."""
        try:
            return self.path(name).read_text("utf-8", "surrogateescape")
        except OSError:
            return None

    def stat(self, name: str) -> os.stat_result | None:
        """Return what is known of a file, None if there is none."""
        try:
            return self.path(name).stat()
        except OSError:
            return None

    def is_program(self, name: str) -> bool:
        """Tell whether everybody may execute the file."""
        found = self.stat(name)
        return found is not None and found.st_mode & 0o111 == 0o111

    def list(self, pattern: str) -> list[str]:
        """Return the host's names of files that a pattern fits, sorted."""
        base = str(self.root).rstrip("/")
        found = glob.glob(base + pattern)
        return sorted(name[len(base) :] for name in found)
