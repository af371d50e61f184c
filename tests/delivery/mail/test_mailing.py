"""Recordings by mail, through a real mail server and a real spool."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from mail_server import MailServer

from steno.delivery.mail.mailer import Mailer, MailEvents
from steno.delivery.mail.settings import MailSettings, load_mail_settings
from steno.delivery.spool import Spool
from steno.errors import ConfigError, StenoError
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Input, Output, Start
from steno.structs import convert
from steno.web.renderings import TextRenderer

TO = ["auditor@example.com", "boss@example.com"]


class Told(MailEvents):
    """Keeps what a mailer tells."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.failures: list[str] = []
        self.given_up: list[tuple[list[str], str]] = []

    def mailed(self, rec: str, to: Sequence[str]) -> None:
        """Keep it."""
        self.sent.append((rec, list(to)))

    def failed(self, rec: str, error: StenoError) -> None:
        """Keep it."""
        self.failures.append(f"{rec}: {error}")

    def gave_up(self, rec: str, to: Sequence[str], why: str) -> None:
        """Keep it."""
        self.given_up.append((list(to), why))


def put_recording(
    spool: Spool,
    rec: str,
    *,
    to: list[str] = TO,
    output: bytes = b"$ id\r\nuid=1000(avery)\r\n",
    end: End | None = None,
    user: str = "avery",
    is_ended: bool = True,
) -> None:
    """Put a recording into the spool as a recorder does."""
    start = Start(
        user,
        "web1",
        1_700_000_000_000_000,
        "t",
        service="sshd",
        remote="192.0.2.7",
        terminal="/dev/pts/3",
        columns=80,
        rows=24,
        mail_to=to,
    )
    cutter = Cutter(Identity("web1", rec, user, "xterm", 7, start))
    file = spool.begin(rec)
    for line in [cutter.begin(0), *cutter.add(Output(500_000, output))]:
        file.append(line)
    for line in cutter.add(Input(900_000, b"s3cret\r")):
        file.append(line)
    file.append(cutter.cut() or b"")
    if is_ended:
        for line in cutter.end(end or End("exit", exit_status=3), 75_000_000):
            file.append(line)
        file.finish()
    else:
        file.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Return an empty spool."""
    return Spool(tmp_path / "spool")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., MailServer]]:
    """Return what starts mail servers, which are stopped afterwards."""
    servers: list[MailServer] = []

    def start(by: str = "starttls", password: str | None = None) -> MailServer:
        servers.append(MailServer(tmp_path, by, password))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def settings_for(server: MailServer, by: str = "starttls", **more: object) -> MailSettings:
    """Return settings that send to `server`."""
    values = {"from": "steno@web1.example.com", "by": by, "port": server.port, **more}
    if by != "smtp":
        values["ca"] = str(server.ca)
    return convert(values, MailSettings)


def look(spool: Spool, settings: MailSettings, **more: object) -> Told:
    """Let a new mailer look at the spool once, as after a restart."""
    told = Told()
    mailer = Mailer(spool, settings, events=told, make_renderer=TextRenderer, **more)
    mailer.look()
    return told


def files_of(message: EmailMessage) -> dict[str, bytes]:
    """Return a mail's attachments by their names."""
    return {
        str(part.get_filename()): part.get_payload(decode=True)
        for part in message.iter_attachments()
    }


@pytest.mark.parametrize("by", ["starttls", "smtps", "smtp"])
def test_an_ended_recording_is_mailed(
    spool: Spool, serve: Callable[..., MailServer], by: str
) -> None:
    """A recording that has ended comes as text and as typescript with timing, to its addresses."""
    server = serve(by)
    put_recording(spool, "a-b-c")
    told = look(spool, settings_for(server, by))
    assert told.sent == [("a-b-c", TO)]
    (message,) = server.handler.messages
    assert server.handler.recipients == [TO]
    # With smtps the server speaks nothing but TLS.
    assert server.handler.was_encrypted == [by == "starttls"]
    assert message["subject"] == "Session of avery on web1: exit status 3"
    assert message["auto-submitted"] == "auto-generated"
    body = message.get_body()
    assert body is not None
    text = body.get_content()
    assert "from:         192.0.2.7" in text
    assert "lasted:       0:01:15" in text
    files = files_of(message)
    assert sorted(files) == ["a-b-c.timing", "a-b-c.txt", "a-b-c.typescript"]
    assert files["a-b-c.txt"].decode().splitlines()[:2] == ["$ id", "uid=1000(avery)"]
    assert b"uid=1000(avery)" in files["a-b-c.typescript"]
    assert not any(b"s3cret" in data for data in files.values())


def test_the_typescript_can_be_replayed(
    spool: Spool, serve: Callable[..., MailServer], tmp_path: Path
) -> None:
    """What scriptreplay plays is the session: the attachments are named as the mail says."""
    server = serve()
    put_recording(spool, "a-b-c", output=b"hello from the past\r\n")
    look(spool, settings_for(server))
    for name, data in files_of(server.handler.messages[0]).items():
        (tmp_path / name).write_bytes(data)
    command = ["scriptreplay", "-m", "0.01", "-T", "a-b-c.timing", "-O", "a-b-c.typescript"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert b"hello from the past\r\n" in ran.stdout


def test_each_is_mailed_once_across_restarts(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """However often the program starts, a recording is mailed once."""
    server = serve()
    put_recording(spool, "a-b-c")
    for _ in range(3):
        look(spool, settings_for(server))
    assert len(server.handler.messages) == 1


def test_others_are_not_mailed(spool: Spool, serve: Callable[..., MailServer]) -> None:
    """A recording without addresses, and one that still goes on, are left alone."""
    server = serve()
    put_recording(spool, "none", to=[])
    put_recording(spool, "live", is_ended=False)
    put_recording(spool, "bad", to=["-oQ/tmp@example.com", "a b@example.com", "x"])
    told = look(spool, settings_for(server))
    assert (told.sent, told.failures, told.given_up) == ([], [], [])
    assert server.handler.messages == []


def test_a_delivered_recording_stays_until_it_is_mailed(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """What a server has is removed from the spool only when its mail is handed over."""
    server = serve()
    put_recording(spool, "a-b-c")
    entry = spool.entry("a-b-c")
    assert entry is not None
    settings = settings_for(server)
    Mailer(spool, settings).notice(entry)
    spool.complete("a-b-c")
    assert spool.entry("a-b-c") is not None
    look(spool, settings)
    assert len(server.handler.messages) == 1
    assert spool.entry("a-b-c") is None
    assert [path.name for path in spool.directory.iterdir() if "a-b-c" in path.name] == []


def test_a_server_that_is_away_is_tried_again(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """While nobody answers the recording waits; when somebody does it is sent."""
    away = serve()
    settings = settings_for(away)
    away.stop()
    put_recording(spool, "a-b-c")
    told = look(spool, settings)
    assert told.failures == [
        f"a-b-c: mail server localhost:{away.port}: [Errno 111] Connection refused"
    ]
    server = serve()
    assert look(spool, settings_for(server)).sent == [("a-b-c", TO)]


def test_a_mailer_waits_between_attempts(spool: Spool, serve: Callable[..., MailServer]) -> None:
    """One that failed is not tried again at once."""
    server = serve()
    server.handler.verdict = "451 later, please"
    put_recording(spool, "a-b-c")
    told = Told()
    mailer = Mailer(spool, settings_for(server), events=told)
    mailer.look()
    mailer.look()
    assert told.failures == [f"a-b-c: mail server localhost:{server.port}: 451 later, please"]


def test_only_those_who_were_put_off_are_tried_again(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """Of several addresses, those that have it do not get it twice."""
    server = serve()
    server.handler.refused = {TO[1]: "451 greylisted"}
    put_recording(spool, "a-b-c")
    assert look(spool, settings_for(server)).sent == [("a-b-c", TO[:1])]
    server.handler.refused = {}
    assert look(spool, settings_for(server)).sent == [("a-b-c", TO[1:])]
    assert server.handler.recipients == [TO[:1], TO[1:]]


def test_refused_addresses_are_told_and_left(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """An address that does not exist is told once; the others get the mail."""
    server = serve()
    server.handler.refused = {TO[1]: "550 no such user"}
    put_recording(spool, "a-b-c")
    told = look(spool, settings_for(server))
    assert told.sent == [("a-b-c", TO[:1])]
    assert told.given_up == [(TO[1:], "refused by the mail server")]
    assert look(spool, settings_for(server)).sent == []


def test_what_is_refused_for_good_is_given_up(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """A server that refuses even the bare mail is not asked for ever."""
    server = serve()
    server.handler.verdict = "554 not wanted"
    put_recording(spool, "a-b-c")
    told = look(spool, settings_for(server))
    assert told.given_up == [(TO, f"mail server localhost:{server.port}: 554 not wanted")]
    assert look(spool, settings_for(server)).given_up == []


def test_too_large_a_mail_is_sent_without_its_files(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """When the server finds it too large the mail comes without attachments and says so."""
    server = serve()
    server.handler.most_bytes = 20_000
    put_recording(spool, "a-b-c", output=os.urandom(30_000))
    assert look(spool, settings_for(server)).sent == [("a-b-c", TO)]
    (message,) = server.handler.messages
    assert files_of(message) == {}
    assert "552 too large for us" in message.get_content()


def test_large_files_are_compressed_or_left_out(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """Within the limit files come as they are, then compressed; beyond, the mail says it."""
    server = serve()
    text = b"".join(b"line %d\r\n" % number for number in range(20_000))
    put_recording(spool, "big", output=text)
    look(spool, settings_for(server, limit_bytes=150_000))
    files = files_of(server.handler.messages[0])
    assert sorted(files) == ["big.timing.gz", "big.txt.gz", "big.typescript.gz"]
    assert text in gzip.decompress(files["big.typescript.gz"])
    put_recording(spool, "bigger", output=text)
    look(spool, settings_for(server, limit_bytes=1000))
    message = server.handler.messages[1]
    assert files_of(message) == {}
    assert "Not attached: the typescript; it has 2" in message.get_content()
    assert "too many for a mail" in message.get_content()


def test_a_bare_host_says_that_it_cannot_render_text(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """Without the server's package the typescript comes alone, and the mail says why."""
    server = serve()
    put_recording(spool, "a-b-c")
    Mailer(spool, settings_for(server)).look()
    (message,) = server.handler.messages
    assert sorted(files_of(message)) == ["a-b-c.timing", "a-b-c.typescript"]
    body = message.get_body()
    assert body is not None
    assert "no steno[server] to render it" in body.get_content()


def test_signs_in(spool: Spool, serve: Callable[..., MailServer], tmp_path: Path) -> None:
    """With user and password the mailer signs in; a wrong password is told, and tried again."""
    server = serve("starttls", "correct horse")
    password = tmp_path / "password"
    settings = settings_for(server, user="steno", password_file=str(password))
    password.write_text("wrong\n")
    put_recording(spool, "a-b-c")
    told = look(spool, settings)
    assert "steno may not sign in" in told.failures[0]
    password.write_text("correct horse\n")
    assert look(spool, settings).sent == [("a-b-c", TO)]


def test_an_impostor_gets_nothing(spool: Spool, serve: Callable[..., MailServer]) -> None:
    """A server whose certificate nobody vouches for gets no mail."""
    server = serve()
    settings = msgspec.structs.replace(settings_for(server), ca=None)
    put_recording(spool, "a-b-c")
    told = look(spool, settings)
    assert "certificate verify failed" in told.failures[0]
    assert server.handler.messages == []


def test_a_server_without_tls_gets_nothing(spool: Spool, serve: Callable[..., MailServer]) -> None:
    """With starttls nothing goes out in the clear."""
    server = serve("smtp")
    put_recording(spool, "a-b-c")
    told = look(spool, settings_for(server, "starttls"))
    assert "STARTTLS extension not supported" in told.failures[0]
    assert server.handler.messages == []


def test_the_recorded_person_cannot_shape_the_mail(
    spool: Spool, serve: Callable[..., MailServer]
) -> None:
    """What a recording says stays text: no header, recipient or line of its own."""
    server = serve()
    put_recording(spool, "a-b-c", user="x\r\nBcc: evil@example.com\r\n\r\nhello\x1b[2J")
    look(spool, settings_for(server))
    (message,) = server.handler.messages
    assert message["bcc"] is None
    assert server.handler.recipients == [TO]
    assert "\x1b" not in str(message["subject"])
    body = message.get_body()
    assert body is not None
    assert "\x1b" not in body.get_content()


@pytest.mark.parametrize(
    ("end", "subject"),
    [
        (End("hangup"), "cut off"),
        (End("signal", signal=9), "ended by signal 9"),
        (End("recorder"), "recording broken off"),
        (End("unknown"), "ended, it is not known how"),
    ],
)
def test_says_how_the_session_ended(
    spool: Spool, serve: Callable[..., MailServer], end: End, subject: str
) -> None:
    """Also one that was disconnected is mailed, and the subject says so."""
    server = serve("smtp")
    put_recording(spool, "a-b-c", end=end)
    look(spool, settings_for(server, "smtp"))
    assert server.handler.messages[0]["subject"] == f"Session of avery on web1: {subject}"


def make_sendmail(directory: Path, status: int) -> Path:
    """Return a sendmail program that keeps what it gets and ends so."""
    program = directory / "sendmail"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {directory}/arguments\ncat > {directory}/mail\n'
        f"[ {status} = 0 ] || echo no luck >&2\nexit {status}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def sendmail_settings(program: Path) -> MailSettings:
    """Return settings that use `program`."""
    values = {"from": "steno@web1", "by": "sendmail", "sendmail": str(program)}
    return convert(values, MailSettings)


def test_sendmail_gets_the_mail(spool: Spool, tmp_path: Path) -> None:
    """The host's own program gets the mail on standard input, the addresses as arguments."""
    settings = sendmail_settings(make_sendmail(tmp_path, 0))
    put_recording(spool, "a-b-c")
    assert look(spool, settings).sent == [("a-b-c", TO)]
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments == ["-i", "-f", "steno@web1", "--", *TO]
    mail = (tmp_path / "mail").read_bytes()
    assert b"Subject: Session of avery on web1" in mail
    assert b"\r\n" not in mail


@pytest.mark.parametrize(("status", "is_lasting"), [(75, False), (1, False), (67, True)])
def test_sendmail_that_fails_is_understood(
    spool: Spool, tmp_path: Path, status: int, is_lasting: bool
) -> None:
    """An exit status for good gives up, another one is tried again."""
    program = make_sendmail(tmp_path, status)
    put_recording(spool, "a-b-c")
    told = look(spool, sendmail_settings(program))
    if is_lasting:
        assert told.given_up == [(TO, f"{program}: no luck")]
    else:
        assert told.failures == [f"a-b-c: {program}: no luck"]


def test_gives_up_in_the_end(spool: Spool, tmp_path: Path) -> None:
    """What cannot be mailed for too long is given up, told, and no longer kept for it."""
    settings = sendmail_settings(tmp_path / "no-such-program")
    put_recording(spool, "a-b-c")
    old_s = time.time() - 4 * 86400
    os.utime(spool.path("a-b-c", ".done"), (old_s, old_s))
    told = look(spool, settings)
    assert told.given_up == [(TO, f"{tmp_path}/no-such-program: No such file or directory")]
    assert look(spool, settings).given_up == []


def test_a_host_without_a_server_may_let_mailed_recordings_go(spool: Spool, tmp_path: Path) -> None:
    """With counts_as_delivered a mailed recording leaves the spool; without, it stays."""
    program = make_sendmail(tmp_path, 0)
    put_recording(spool, "stays")
    look(spool, sendmail_settings(program), is_alone=True)
    assert spool.entry("stays") is not None
    put_recording(spool, "goes")
    lasting = msgspec.structs.replace(sendmail_settings(program), counts_as_delivered=True)
    look(spool, lasting, is_alone=True)
    assert spool.entry("goes") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('from = "root"\n', "from: 'root' is no plain mail address"),
        ('from = "a@b"\nby = "pigeon"\n', "by: invalid enum value 'pigeon'"),
        ('from = "a@b"\ncolour = 1\n', "colour: there is no such key"),
        ('from = "a@b"\nuser = "x"\n', "user: user and password_file go together"),
        (
            'from = "a@b"\nby = "smtp"\nuser = "x"\npassword_file = "/x"\n',
            "by: a password is not sent in the clear: use starttls or smtps",
        ),
        ('from = "a@b"\nsendmail = "sendmail"\n', "sendmail: 'sendmail' is no absolute path"),
        ("from = 3\n", "from: expected str, got int"),
        ("", "object missing required field from"),
        ("from", "no TOML"),
    ],
)
def test_a_bad_file_is_refused_with_its_key(tmp_path: Path, text: str, why: str) -> None:
    """mail.toml's mistakes are named with file and key."""
    file = tmp_path / "mail.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_mail_settings(file)
    assert str(caught.value).startswith(f"{file}: {why}")


def test_no_file_means_no_mail(tmp_path: Path) -> None:
    """A host without mail.toml mails nothing."""
    assert load_mail_settings(tmp_path / "mail.toml") is None
