"""Terminals of a host that does not speak UTF-8, through the agent."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept_host import KeptHost
from shell_builds import Build
from waiting import wait_for

from steno.formats.tlog import Decoder, Placed
from steno.model import Output

TEXT = "Привет, мир"
OCTAL = "".join(f"\\{byte:03o}" for byte in TEXT.encode("koi8_r"))


@pytest.fixture
def host(tmp_path: Path, checked_shell: Build) -> Iterator[KeptHost]:
    """Return a host whose terminals speak KOI8-R, by its configuration."""
    kept = KeptHost(tmp_path, checked_shell)
    with (tmp_path / "agent.toml").open("a") as file:
        file.write('charset = "KOI8-R"\n')
    with kept:
        yield kept


def read_output(path: Path, *, is_original: bool) -> bytes:
    """Return what the terminal was shown, in UTF-8 or as it was."""
    decoder = Decoder(is_original=is_original)
    items = decoder.feed(path.read_bytes()) + decoder.finish()
    pieces = [piece for item in items if isinstance(item, Placed) for piece in item.message.pieces]
    return b"".join(piece.data for piece in pieces if isinstance(piece, Output))


def test_the_original_is_recovered_also_over_a_crash(host: KeptHost) -> None:
    """Messages hold UTF-8, and give back the terminal's bytes, before and after a killed agent."""
    session = host.start(
        "-c", f"printf '{OCTAL}'; read x; printf '\\377{OCTAL} end'; read y; exit 0"
    )
    shown = TEXT.encode("koi8_r")
    session.expect(shown)
    host.kill(signal.SIGKILL)
    session.send(b"\n")
    session.expect(b"\xff" + shown + b" end")
    session.send(b"\n")
    assert session.finish() == 0
    wait_for(lambda: len(host.recordings()) == 1, "the recording")
    path = host.recordings()[0]
    assert read_output(path, is_original=True) == bytes(session.seen)
    text = read_output(path, is_original=False).decode()
    assert text.count(TEXT) == 2
    assert "Ъ" in text, "0xff is a letter in KOI8-R"
