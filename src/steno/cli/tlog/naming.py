"""What the name that tlog-rec-session was called by says, and what SSSD says in its environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from steno.cli.tlog.options import Value

SHELL_VARIABLE = "TLOG_REC_SESSION_SHELL"
"""In which SSSD says which shell the account has. No other variable is believed."""
_MARK = "-shell-"
_LETTER = re.compile(r"\\(.)|(-)|([^\\])", re.DOTALL)


def read_name(called: str) -> dict[str, Value]:
    """Return what the name says of the configuration.

    A dash before it makes the shell a login shell; behind `-shell-` the shell's path stands, with
    dashes for slashes, and a backslash before what is to stay as it is.
    """
    name = os.path.basename(called)
    values: dict[str, Value] = {}
    if name.startswith("-"):
        values["login"] = True
        name = name[1:]
    _, mark, encoded = name.partition(_MARK)
    if mark:
        letters = _LETTER.findall("-" + encoded)
        values["shell"] = "".join(kept or ("/" if dash else one) for kept, dash, one in letters)
    return values


def read_shell_variable(environ: Mapping[str, str]) -> dict[str, Value]:
    """Return what SSSD's variable says of the configuration."""
    shell = environ.get(SHELL_VARIABLE)
    return {} if shell is None else {"shell": shell}
