"""The documented exit codes are those of the errors."""

from __future__ import annotations

import re
from pathlib import Path

from steno import errors


def test_every_error_has_its_documented_code() -> None:
    """docs/exit-codes.md lists every class of errors.py with its code, and no other."""
    text = (Path(__file__).parents[1] / "docs/exit-codes.md").read_text()
    documented = {
        name: int(code) for code, name in re.findall(r"^\| (\d+) \| (\w+) \|", text, re.M)
    }
    classes = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.StenoError)
    }
    assert documented == classes
