"""Where a host keeps things, and how a code names a CA."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.delivery.fingerprint import fingerprint, split_code
from steno.delivery.places import default_places
from steno.server.certificates import Authority


def test_root_keeps_its_state_in_var_lib() -> None:
    """Root's spool does not depend on the environment."""
    places = default_places({"XDG_STATE_HOME": "/elsewhere", "HOME": "/root"}, 0)
    assert places.spool == Path("/var/lib/steno/spool")
    assert places.host == Path("/var/lib/steno/host")


def test_others_keep_theirs_as_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_STATE_HOME counts when it is absolute, else ~/.local/state."""
    monkeypatch.setenv("HOME", "/home/avery")
    assert default_places({"XDG_STATE_HOME": "/state"}, 1000).spool == Path("/state/steno/spool")
    for environ in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
        assert default_places(environ, 1000).host == Path("/home/avery/.local/state/steno/host")


def test_a_code_names_one_ca() -> None:
    """The fingerprint is the CA's own, and comes out of a code however it was typed."""
    first, second = Authority.create("CA").pem, Authority.create("CA").pem
    assert fingerprint(first) != fingerprint(second)
    code = f" ABCD-EFGH.{fingerprint(first).lower()}\n"
    assert split_code(code) == ("ABCD-EFGH", fingerprint(first))
    assert split_code("ABCD-EFGH") == ("ABCD-EFGH", "")
