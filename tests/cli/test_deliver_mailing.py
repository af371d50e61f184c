"""`steno deliver --follow` and mail, as processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import LiveServer
from mail_server import MailServer
from waiting import wait_for

from steno.delivery.spool import Spool
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start

STENO = [str(Path(sys.executable).with_name("steno"))]
_PATIENCE_S = 60.0


def put_recording(spool: Spool, rec: str) -> None:
    """Put a finished recording that is to be mailed into the spool."""
    start = Start("avery", "web1", 1_700_000_000_000_000, "t", mail_to=["auditor@example.com"])
    cutter = Cutter(Identity("web1", rec, "avery", "xterm", 7, start))
    file = spool.begin(rec)
    for line in [
        cutter.begin(0),
        *cutter.add(Output(1000, b"hello\r\n")),
        *cutter.end(End("hangup"), 2000),
    ]:
        file.append(line)
    file.finish()


@pytest.fixture
def mail_server(tmp_path: Path) -> Iterator[MailServer]:
    """Return a mail server, and write mail.toml for it."""
    server = MailServer(tmp_path)
    (tmp_path / "mail.toml").write_text(
        f'from = "steno@web1.example.com"\nport = {server.port}\nca = "{server.ca}"\n'
    )
    yield server
    server.close()


def follow(directory: Path, spool: Path, host: Path) -> subprocess.Popen[bytes]:
    """Start `steno deliver --follow` with mail; what it says is in the file `said`."""
    options = ["--spool", spool, "--host-directory", host, "--mail", directory / "mail.toml"]
    command = [*STENO, "deliver", "--follow", *map(str, options)]
    with (directory / "said").open("wb") as said:
        return subprocess.Popen(command, stderr=said)


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """End it."""
    process.send_signal(number)
    process.wait(_PATIENCE_S)


def test_a_host_without_a_server_mails(mail_server: MailServer, tmp_path: Path) -> None:
    """Mail needs no server of Steno's; killed and started again, each goes out once."""
    spool = Spool(tmp_path / "spool")
    put_recording(spool, "one")
    process = follow(tmp_path, spool.directory, tmp_path / "host")
    wait_for((spool.directory / "one.mailed").exists, "the first mail")
    stop(process, signal.SIGKILL)
    put_recording(spool, "two")
    process = follow(tmp_path, spool.directory, tmp_path / "host")
    wait_for((spool.directory / "two.mailed").exists, "the second mail")
    wait_for((tmp_path / "said").read_bytes, "a word of it")
    stop(process)
    said = (tmp_path / "said").read_text()
    assert said == "steno: recording two was mailed to auditor@example.com\n"
    assert process.returncode == 0
    subjects = [message["subject"] for message in mail_server.handler.messages]
    assert subjects == ["Session of avery on web1: cut off"] * 2
    names = [part.get_filename() for part in mail_server.handler.messages[1].iter_attachments()]
    assert names == ["two.typescript", "two.timing", "two.txt"]


def test_what_is_delivered_is_mailed_too(mail_server: MailServer, tmp_path: Path) -> None:
    """With a server the recording leaves the spool when both have it."""
    with LiveServer(tmp_path) as server:
        host = server.enrol("web1", tmp_path / "host")
        spool = Spool(tmp_path / "spool")
        mail_server.handler.verdict = "451 later, please"
        put_recording(spool, "one")
        process = follow(tmp_path, spool.directory, host)
        wait_for((spool.directory / "one.sent").exists, "the delivery")
        put_off = b"recording one could not be mailed yet: mail server localhost"
        wait_for(lambda: put_off in (tmp_path / "said").read_bytes(), "the refusal told")
        assert mail_server.handler.attempts > 0
        assert (spool.directory / "one.mail").exists()
        stop(process)
        mail_server.handler.verdict = "250 OK"
        process = follow(tmp_path, spool.directory, host)
        wait_for(lambda: spool.entry("one") is None, "the mail and the delivery")
        stop(process)
        assert len(mail_server.handler.messages) == 1


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    """A mail.toml that was named must be there and be right; nothing is begun before."""
    for text, why in ((None, "no such file"), ('from = "x"\n', "from: 'x' is no plain")):
        if text is not None:
            (tmp_path / "mail.toml").write_text(text)
        process = follow(tmp_path, tmp_path / "spool", tmp_path / "host")
        assert process.wait(_PATIENCE_S) == 3
        said = (tmp_path / "said").read_text()
        assert said.startswith(f"steno: {tmp_path}/mail.toml: {why}")
