"""`steno host check` on whether SSSD, which says who is recorded, is there to say it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from steno.policy.checks.running import check_sssd_answers
from steno.policy.checks.sssd import SessionRecording

SOME = SessionRecording("some", users=("zoe",))


def test_sssd_that_takes_questions_is_well(tmp_path: Path) -> None:
    """Nothing is found while somebody listens where the system asks for accounts."""
    pipe = tmp_path / "nss"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as responder:
        responder.bind(str(pipe))
        responder.listen()
        assert not [*check_sssd_answers(SOME, str(pipe))]


@pytest.mark.parametrize("is_left_behind", [False, True])
def test_sssd_that_is_down_is_told_in_one_line(tmp_path: Path, is_left_behind: bool) -> None:
    """One finding, with what to do, whether its socket was left behind or is not there at all."""
    pipe = tmp_path / "nss"
    if is_left_behind:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as responder:
            responder.bind(str(pipe))
    (finding,) = check_sssd_answers(SOME, str(pipe))
    assert (finding.check, finding.effect, finding.place) == ("sssd", "lockout", str(pipe))
    why = "Connection refused" if is_left_behind else "No such file or directory"
    assert f"does not answer: {why}: " in finding.text
    assert "\n" not in finding.text
    assert "systemctl restart sssd" in finding.remedy


@pytest.mark.parametrize("scope", ["none", "some"])
def test_sssd_that_names_nobody_may_be_down(tmp_path: Path, scope: str) -> None:
    """Where SSSD records nobody, whether it runs is not Steno's business."""
    assert not [*check_sssd_answers(SessionRecording(scope), str(tmp_path / "nss"))]
