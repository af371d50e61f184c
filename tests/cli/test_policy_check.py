"""`steno policy check`: a verdict that fits how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_recordings import Steno

RULE = '[[rule]]\nname = "one"\nwhen.users = ["{}"]\n'


@pytest.mark.parametrize(
    ("user", "options", "status", "verdict"),
    [
        ("root", [], 0, "1 rule, no mistake"),
        ("root", ["--strict"], 0, "1 rule, no mistake"),
        ("nobody-here", [], 0, "1 rule, no mistake"),
        ("nobody-here", ["--strict"], 5, "1 rule, 1 unknown"),
    ],
)
def test_the_verdict_fits_the_end(
    steno: Steno, tmp_path: Path, user: str, options: list[str], status: int, verdict: str
) -> None:
    """Names that this host does not know are told, and count as mistakes with --strict only."""
    policy = tmp_path / "policy.toml"
    policy.write_text(RULE.format(user))
    done = steno("policy", "check", policy, *options)
    assert (done.returncode, done.stdout) == (status, f"{policy}: {verdict}\n")
    assert ("not known on this host" in done.stderr) == (user != "root")
