"""Recordings as recorders make them, put into a server's store."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable

from steno.formats.cutter import Cutter, Identity
from steno.model import End, Note, Output, Piece, Start, Window
from steno.store.protocol import Store

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def rec_of(name: str) -> str:
    """Return an id that is always the same for `name`."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


class Session:
    """One session, as its recorder writes it.

    Attributes:
        rec: The recording's id.
    """

    def __init__(
        self,
        name: str,
        *,
        user: str = "avery",
        host: str = "web1",
        started_unix_us: int | None = None,
        login_user: str | None = None,
        service: str = "sshd",
        remote: str | None = None,
        command: list[str] | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        self.rec = rec_of(name)
        start = Start(
            user=user,
            host=host,
            started_unix_us=started_unix_us or time.time_ns() // 1000,
            recorder="steno 0",
            uid=1001,
            login_user=login_user or user,
            service=service,
            remote=remote,
            command=command or ["/bin/bash", "-l"],
            terminal="/dev/pts/3",
            columns=80,
            rows=24,
            records=["output", "window"],
            labels=list(labels),
            number=1,
        )
        self._cutter = Cutter(Identity(host, self.rec, user, "xterm-256color", 7, start))
        self.lines: list[bytes] = self._cutter.add(Window(0, 80, 24))

    def show(self, at_s: float, text: str) -> None:
        """Let `text` come to the screen, in a message of its own."""
        self.add(Output(round(at_s * SECOND_US), text.encode()))

    def add(self, piece: Piece) -> None:
        """Let something happen, in a message of its own."""
        self.lines += self._cutter.add(piece)
        if line := self._cutter.cut():
            self.lines.append(line)

    def note(self, at_s: float, kind: str, **facts: object) -> None:
        """Let something else happen to the recording."""
        self.add(Note(round(at_s * SECOND_US), kind, facts))

    def end(self, at_s: float, *, status: int = 0) -> None:
        """Let the program exit."""
        self.lines += self._cutter.end(
            End("exit", exit_status=status, output_bytes=100), round(at_s * SECOND_US)
        )

    def deliver(self, store: Store, sender: str | None = None) -> str:
        """Append what is not in the store yet; return the recording's id."""
        data = b"".join(self.lines)
        durable_bytes = store.durable_bytes(self.rec)
        store.append(self.rec, durable_bytes, data[durable_bytes:], sender=sender)
        return self.rec


def ordinary(number: int, now_unix_us: int) -> Session:
    """Return a short session; the higher its number, the longer ago it was."""
    user = ("avery", "blake", "casey")[number % 3]
    host = ("web1", "web2", "db1", "bastion")[number % 4]
    session = Session(
        f"ordinary {number}",
        user=user,
        host=host,
        started_unix_us=now_unix_us - (number + 1) * 3600 * SECOND_US,
        remote=f"192.0.2.{number}",
        service=("sshd", "sudo", "login")[number % 3],
    )
    session.show(0.2, f"{user}@{host}:~$ ")
    session.show(1.0, f"uptime {number}\r\nup {number} days\r\n{user}@{host}:~$ ")
    session.end(2.0 + number, status=number % 5)
    return session


def telling(now_unix_us: int) -> Session:
    """Return the session that an auditor looks for: su, a look at a file, a mistake."""
    session = Session(
        "telling",
        user="root",
        login_user="avery",
        host="db1",
        service="su",
        started_unix_us=now_unix_us - 120 * SECOND_US,
        command=["/bin/bash"],
        labels=["pci"],
    )
    session.show(0.5, "root@db1:~# ")
    session.show(3.0, "cat /etc/shadow\r\nroot:*:20000:0:99999:7:::\r\nroot@db1:~# ")
    session.show(3.5, "print-rows\r\n")
    for number in range(40):
        session.show(4 + number * 0.1, f"row {number} of many\r\n")
    session.show(12.5, "the needle is here\r\nroot@db1:~# ")
    session.note(14.0, "drop", dropped_bytes=1024)
    session.show(20.0, "exit\r\n")
    session.end(21.0, status=3)
    return session


HOSTILE = '<img src=x onerror="document.title=`owned`">'


def hostile(now_unix_us: int) -> Session:
    """Return a session whose every name and line attacks the page that shows it."""
    session = Session(
        "hostile",
        user=HOSTILE,
        login_user="<script>document.title='owned'</script>",
        host="evil\u202etxt.exe<svg/onload=document.title='owned'>",
        service="javascript:document.title='owned'",
        remote='"><script>document.title="owned"</script>',
        command=["bash", "-c", "<iframe srcdoc='<script>top.document.title=1</script>'>"],
        labels=["<b onmouseover=document.title='owned'>x</b>"],
        started_unix_us=now_unix_us - 60 * SECOND_US,
    )
    session.show(0.1, "mallory@evil:~$ <script>document.title='owned'</script> hostileword\r\n")
    session.show(0.2, "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[6n\x1b[>c" + HOSTILE + "\r\n")
    session.show(0.3, "mallory@evil:~$ echo '<a href=javascript:alert(1)>click</a>'\r\n")
    session.note(0.4, "<i>kind</i>", **{"<u>fact</u>": "<script>1</script>"})
    session.end(1.0)
    return session


def altered(now_unix_us: int) -> Session:
    """Return a session of which somebody changed a line afterwards."""
    session = Session(
        "altered", user="casey", host="web2", started_unix_us=now_unix_us - 90 * SECOND_US
    )
    for number in range(5):
        session.show(number, f"step {number} done\r\n")
    session.end(6.0)
    session.lines[2] = session.lines[2].replace(b"step 2 done", b"step 2 fine")
    return session
