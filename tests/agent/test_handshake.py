"""The bytes between `steno-shell` and the agent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.agent.handshake import (
    ANSWER_LIMIT_BYTES,
    ARGUMENTS_LIMIT,
    ARGUMENTS_LIMIT_BYTES,
    MAGIC,
    MESSAGE_LIMIT_BYTES,
    PATH_LIMIT_BYTES,
    REQUEST_LIMIT_BYTES,
    Answer,
    Report,
    Request,
    decode_answer,
    decode_report,
    decode_request,
    encode_answer,
    encode_report,
    encode_request,
)
from steno.errors import ProtocolError

VALUES = st.binary(max_size=60).map(lambda value: value.replace(b"\0", b"\x01"))
WORDS = VALUES.filter(bool)
PATHS = VALUES.map(lambda value: b"/" + value)


def test_a_request_reads_as_documented() -> None:
    """The packet is the one that the format's page shows."""
    packet = (
        b"STENO1\nargv0=-steno-shell\0term=xterm-256color\0sssd_shell=/bin/zsh\0"
        b"argument=-c\0argument=echo a=b\0"
    )
    request = Request(b"-steno-shell", (b"-c", b"echo a=b"), b"xterm-256color", b"/bin/zsh")
    assert decode_request(packet) == request
    assert encode_request(request) == packet


def test_an_answer_reads_as_documented() -> None:
    """The packet is the one that the format's page shows."""
    packet = b"STENO1\naction=terminal\0shell=/bin/bash\0argv0=-bash\0message=Recorded.\0"
    answer = Answer("terminal", b"/bin/bash", b"-bash", b"Recorded.")
    assert decode_answer(packet) == answer
    assert encode_answer(answer) == packet


@given(
    st.builds(
        Request,
        argv0=VALUES,
        arguments=st.lists(VALUES, max_size=5).map(tuple),
        term=VALUES,
        sssd_shell=st.none() | VALUES,
        selected_shell=st.none() | VALUES,
        omitted_bytes=st.integers(0, 1 << 40),
    )
)
def test_requests_survive_a_round_trip(request: Request) -> None:
    """Whatever bytes arguments hold, they come back."""
    assert decode_request(encode_request(request)) == request


@given(
    st.builds(
        Answer,
        action=st.sampled_from(["terminal", "pipes", "exec"]),
        shell=PATHS,
        argv0=WORDS,
        message=VALUES,
        must_wait=st.booleans(),
    )
    | st.builds(Answer, action=st.just("deny"), message=VALUES, status=st.integers(0, 255))
)
def test_answers_survive_a_round_trip(answer: Answer) -> None:
    """Every answer comes back as it went."""
    assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize(
    "report",
    [
        Report("started", pid=4711),
        Report("failed", errno=2, text=b"/bin/none: No such file or directory"),
        Report("ended", exit_status=7),
        Report("ended", exit_status=0),
        Report("ended", signal=9),
        Report("stopped"),
        Report("continued"),
    ],
)
def test_reports_survive_a_round_trip(report: Report) -> None:
    """Every report comes back as it went."""
    assert decode_report(encode_report(report)) == report


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: MAGIC + rest))
def test_any_bytes_are_read_or_refused(packet: bytes) -> None:
    """Strangers' bytes give a value or a ProtocolError, nothing else."""
    said = []
    for decode in (decode_request, decode_answer, decode_report):
        try:
            decode(packet)
        except ProtocolError as error:
            said.append(str(error))
    assert all(text.isprintable() for text in said)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"STENO1",
        b"STENO2\nargv0=sh\0",
        MAGIC,
        MAGIC + b"argv0=sh",
        MAGIC + b"argv0\0",
        MAGIC + b"=sh\0",
        MAGIC + b"\0",
        MAGIC + b"argv0=a\0argv0=b\0",
        MAGIC + b"term=xterm\0",
        MAGIC + b"argv0=a\0omitted_bytes=-1\0",
        MAGIC + b"argv0=a\0omitted_bytes=" + b"9" * 5000 + b"\0",
        MAGIC + b"argv0=" + b"a" * (PATH_LIMIT_BYTES + 1) + b"\0",
        MAGIC + b"argv0=a\0" + b"argument=\0" * (ARGUMENTS_LIMIT + 1),
        MAGIC + b"argv0=a\0argument=" + b"x" * ARGUMENTS_LIMIT_BYTES + b"\0",
        MAGIC + b"argv0=a\0other=" + b"x" * REQUEST_LIMIT_BYTES + b"\0",
    ],
)
def test_wrong_requests_are_refused(packet: bytes) -> None:
    """What is cut short, doubled, missing or too long is no request."""
    with pytest.raises(ProtocolError):
        decode_request(packet)


@pytest.mark.parametrize(
    "packet",
    [
        MAGIC,
        MAGIC + b"action=\0",
        MAGIC + b"action=sing\0",
        MAGIC + b"action=exec\0",
        MAGIC + b"action=exec\0shell=bin/sh\0argv0=sh\0",
        MAGIC + b"action=exec\0shell=/bin/sh\0",
        MAGIC + b"action=exec\0action=deny\0",
        MAGIC + b"action=exec\0shell=/bin/sh\0argv0=sh\0wait=2\0",
        MAGIC + b"action=deny\0status=256\0",
        MAGIC + b"action=deny\0message=" + b"x" * (MESSAGE_LIMIT_BYTES + 1) + b"\0",
        MAGIC + b"action=deny\0other=" + b"x" * ANSWER_LIMIT_BYTES + b"\0",
    ],
)
def test_wrong_answers_are_refused(packet: bytes) -> None:
    """An answer without what its action needs is none."""
    with pytest.raises(ProtocolError):
        decode_answer(packet)


@pytest.mark.parametrize(
    "packet",
    [MAGIC, MAGIC + b"ended=\0", MAGIC + b"ended=exit x\0", MAGIC + b"failed=\0", MAGIC + b"a=\0"],
)
def test_wrong_reports_are_refused(packet: bytes) -> None:
    """A report that says nothing definite is none."""
    with pytest.raises(ProtocolError):
        decode_report(packet)


def test_unknown_fields_are_passed_over() -> None:
    """A newer program on the other side may say more; an upgrade locks nobody out."""
    assert decode_request(MAGIC + b"argv0=sh\0mood=fine\0") == Request(b"sh")
    assert decode_answer(MAGIC + b"action=deny\0mood=bad\0") == Answer("deny")


def test_nul_bytes_do_not_pass() -> None:
    """A value cannot smuggle a field in."""
    with pytest.raises(ProtocolError):
        encode_answer(Answer("exec", b"/bin/sh\0action=deny", b"sh"))
