"""What a recording's id may look like, where it becomes a file's name or a URL's part."""

from __future__ import annotations

import re

MAX_REC_CHARACTERS = 128

_REC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_sane_rec(rec: str) -> bool:
    """Tell whether `rec` is 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or digit.

    No such id can leave a directory, hide in it, or need quoting in a URL. All ids that tlog
    and Steno make are such.
    """
    return _REC.fullmatch(rec) is not None
