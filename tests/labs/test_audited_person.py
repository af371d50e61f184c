"""A person's ssh session on a host with a real auditd, from the keys to what an auditor is told.

Real sshd, PAM, steno-shell and agent record it; the kernel, auditd and the steno-audit plugin tell
what the system did; `steno deliver` brings both to a real server, which joins them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from audit_host import STENO, AuditHost, KernelAudit
from audited_logins import HOST, PASSWORD, AuditedLogins, missing_for_logins, who_is_left
from driven import Driven
from live_server import LiveServer, run_steno
from waiting import wait_for

from steno.audit.session.line_matching import TICK_US
from steno.audit.trail import Lost, Placed, TrailDecoder
from steno.formats.tlog import Decoder
from steno.formats.tlog import Placed as PlacedMessage
from steno.model import Input, Message, Output

pytestmark = pytest.mark.lab

POLICY = '[defaults]\ninput = "all"\n'
PROMPT = b"\x1b[00m$ "
TRIES = 30
"""On a busy machine most marks take longer than two seconds; that one need not is what counts."""
PAGE = b"x" * 4711
PAGE_FOR_USERS = Path(__file__).parents[2] / "docs" / "getting-started-host.md"
SCRIPT = "echo 'date >now; rm now; echo ti''died' >tidy.sh"

# What avery types; the arguments of what it runs; what the terminal shows next.
LINES: list[tuple[str, list[list[str]], bytes]] = [
    ("ls -la", [["ls", "--color=auto", "-la"]], b"total"),
    ("vim notes.txt", [["vim", "notes.txt"]], b"[New]"),
    ("cat /etc/shadow", [["cat", "/etc/shadow"]], b"Permission denied"),
    ("curl -s URL | wc -c", [["curl", "-s", "URL"], ["wc", "-c"]], b"4711"),
    ("sudo useradd -M temp9", [["sudo", "useradd", "-M", "temp9"]], b"password for avery"),
    ("tail -1 /etc/passwd", [["tail", "-1", "/etc/passwd"]], b"temp9:x:"),
    (SCRIPT, [], PROMPT),
    ("sh tidy.sh", [["sh", "tidy.sh"]], b"tidied"),
    ("sort /etc/group | head -2 | wc -l", [["sort"], ["head"], ["wc"]], b"\r2\r"),
    ("sleep 2 &", [["sleep", "2"]], b"[1]"),
    ("su - blake", [["su", "-", "blake"]], b"Password: "),
    ("touch mine", [["touch", "mine"]], PROMPT),
    ("whoami", [["whoami"]], b"blake"),
]


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Person(Driven):
    """Somebody who types as people do, a key after the other."""

    def type(self, text: str) -> None:
        """Press keys."""
        for key in text:
            self.send(key.encode())
            time.sleep(0.02)

    def enter(self, line: str, *shown: bytes) -> None:
        """Look at the prompt for a moment, type a line, and wait for what it shows."""
        time.sleep(0.2)
        self.type(line + "\r")
        self.expect(*shown, timeout_s=120)


class Place:
    """The server's side of it all.

    Attributes:
        url: Of the page that avery fetched.
        lags_s: How old marked events were when they were in the store, and when they were found.
    """

    def __init__(self, server: LiveServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.url = ""
        self.lags_s: list[tuple[float, float]] = []
        where = ("--directory", server.directory)
        assert run_steno("user", "add", "ada", "--role", "admin", "--no-password", *where)
        self._token = directory / "token"
        self._token.write_text(run_steno("token", "add", "ada", *where).stdout)
        self._token.chmod(0o600)

    def ask(self, path: str) -> Any:  # noqa: ANN401  # JSON
        """Ask the API."""
        words = {"Authorization": f"Bearer {self._token.read_text().strip()}"}
        request = urllib.request.Request(self.server.url + path, headers=words)  # ours
        trust = ssl.create_default_context(cafile=str(self.server.directory / "ca" / "ca.pem"))
        with urllib.request.urlopen(request, context=trust) as answer:  # ours
            return json.load(answer)

    def say(self, *words: str) -> str:
        """Run a command that asks the server; return what it printed."""
        ca = self.server.directory / "ca" / "ca.pem"
        to = ("--server", self.server.url, "--token-file", self._token, "--ca", ca)
        done = run_steno(*words, *to)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def recordings(self) -> list[dict[str, Any]]:
        """Return the recordings, the first first."""
        found: list[dict[str, Any]] = self.ask("/api/v1/recordings")["items"]
        return sorted(found, key=lambda one: int(one["started_unix_us"]))

    def commands(self, rec: str) -> dict[str, Any]:
        """Return the API's answer about a recording's commands."""
        answer: dict[str, Any] = self.ask(f"/api/v1/recordings/{rec}/commands")
        return answer

    def trail_of(self, rec: str, number: int | None = None) -> list[dict[str, Any]]:
        """Return the events of a recording, or of one of its commands."""
        found: list[dict[str, Any]] = []
        which = "" if number is None else f"&command={number}"
        cursor = ""
        while True:
            page = self.ask(f"/api/v1/recordings/{rec}/events?limit=200{which}{cursor}")
            found += page["items"]
            if not page.get("next"):
                return found
            cursor = f"&cursor={page['next']}"

    def trail_bytes(self) -> bytes:
        """Return what the store has of trails."""
        stored = self.server.stored().items()
        return b"".join(data for rec, (_, data) in stored if rec.startswith("trail-"))

    def messages(self, rec: str) -> list[Message]:
        """Return a recording's messages."""
        data = self.server.stored()[rec][1]
        items = Decoder().feed(data)
        return [item.message for item in items if isinstance(item, PlacedMessage)]


def _work(person: Person, place: Place) -> None:
    """Do all that avery does."""
    person.expect(b"This session is recorded.", PROMPT, timeout_s=120)
    for line, _, shown in LINES:
        person.enter(line.replace("URL", place.url), shown)
        if line.startswith("vim"):
            person.type("iremember the milk")
            person.send(b"\x1b")
            person.type(":wq\r")
            person.expect(b"written")
        elif line.startswith("su"):
            person.type(PASSWORD + "\r")
        if shown != PROMPT:
            person.expect(PROMPT, timeout_s=120)
        if line.endswith("&"):
            wait_for(lambda: _has_begun(person), "the job is no program yet")
    person.enter("exit", b"avery@" + HOST.encode(), PROMPT)
    for number in range(TRIES):
        _measure(person, place, f"lag-{number}-mark")
        if place.lags_s[-1][0] <= 2:
            break
    person.enter("wait", PROMPT)
    person.type("exit\r")
    assert person.finish(60) == 0, bytes(person.seen)


def _has_begun(person: Person) -> bool:
    """Return whether the job that the shell named is `sleep` by now, or was."""
    [job] = re.findall(rb"\[1\] (\d+)\r", bytes(person.seen))
    try:
        return Path(f"/proc/{int(job)}/cmdline").read_bytes() in (b"sleep\x002\0", b"")
    except (FileNotFoundError, ProcessLookupError):
        return True


def _measure(person: Person, place: Place, mark: str) -> None:
    began_s = time.time()
    person.enter(f"/bin/echo {mark}", mark.encode() + b"\r\n", PROMPT)
    wait_for(lambda: f'"{mark}"'.encode() in place.trail_bytes(), f"{mark} is not stored")
    stored_s = time.time() - began_s
    wait_for(lambda: run_steno_events(place, f"ran:{mark}"), f"{mark} is not found")
    place.lags_s.append((stored_s, time.time() - began_s))


def run_steno_events(place: Place, query: str) -> str:
    """Return what `steno events` finds; nothing: ""."""
    return run_steno("events", query, "--json", "--store", place.server.directory).stdout


@pytest.fixture(scope="module")
def place(kernel_audit: KernelAudit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A host and a server, once avery has worked there, copied a file and killed a shell."""
    if reason := missing_for_logins():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("person")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), _Page) as pages,
        AuditedLogins(directory, POLICY) as logins,
        AuditHost(
            kernel_audit,
            directory,
            policy=POLICY,
            options=("--host", HOST),
            inside=logins.inside(),
        ) as host,
        LiveServer(directory) as server,
    ):
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        place = Place(server, directory)
        place.url = f"http://127.0.0.1:{pages.server_port}/"
        state = server.enrol(HOST, directory / "state")
        words = ("deliver", "--follow", "--quiet", "--spool", str(host.spool))
        deliver = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *STENO, *words, "--host-directory", str(state)]
        )
        try:
            _live(logins, place)
            yield place
        finally:
            deliver.send_signal(signal.SIGTERM)
            deliver.wait(60)
            pages.shutdown()
    wait_for(lambda: not who_is_left(directory), "somebody is left")


def _live(logins: AuditedLogins, place: Place) -> None:
    """Let avery fail to log in, log in, work, copy a file, and kill a shell."""
    checked = subprocess.run(
        [*logins.inside(), *STENO, "audit", "rules", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    wrong = os.environ | {"SSH_ASKPASS": "/bin/true", "SSH_ASKPASS_REQUIRE": "force"}
    words = logins.ssh("avery", "true", with_key=False)
    assert subprocess.run(words, env=wrong, capture_output=True, check=False).returncode == 255
    person = Person(logins.ssh("avery"), columns=100, rows=30)
    try:
        _work(person, place)
    finally:
        person.close()
    copied = place.directory / "copied.txt"
    copied.write_text("copied\n")
    subprocess.run(logins.scp(str(copied), "avery@127.0.0.1:"), check=True, capture_output=True)
    killer = Person(logins.ssh("avery"), columns=100, rows=30)
    killer.expect(PROMPT, timeout_s=120)
    killer.type("kill -9 $$\r")
    assert killer.finish(60) != 0
    killer.close()

    def is_there() -> bool:
        found = place.recordings()
        return len(found) == 3 and all(one["end"] for one in found)

    wait_for(is_there, logins.explain("not all recordings came"))
    last = place.recordings()[-1]["audit_session"]
    ended = f'session:{last} action:"ended session"'
    wait_for(lambda: run_steno_events(place, ended), f"no {ended}")


@pytest.fixture(scope="module")
def rec(place: Place) -> str:
    """Avery's first session's recording."""
    return str(place.recordings()[0]["rec"])


def _line(place: Place, items: list[dict[str, Any]], line: str) -> dict[str, Any]:
    [found] = [one for one in items if one["typed"] == line.replace("URL", place.url)]
    return found


def _below(items: list[dict[str, Any]], top: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a command and all below it, in order."""
    inside = {top["number"]}
    for one in items:
        if one["parent"] in inside:
            inside.add(one["number"])
    return [one for one in items if one["number"] in inside]


def test_each_typed_line_has_what_it_ran_in_order(place: Place, rec: str) -> None:
    """The typed lines stand in the list in their order, each with the programs that it ran."""
    answer = place.commands(rec)
    assert answer["source"] == "audit"
    items = answer["items"]
    wanted = [line.replace("URL", place.url) for line, _, _ in LINES]
    assert [one["typed"] for one in items if one["typed"] in wanted] == wanted
    for line, programs, _ in LINES:
        ran = [one for one in _below(items, _line(place, items, line)) if one["serial"]]
        typed = [one for one in ran if one["origin"] == "typed"]
        for words in programs:
            expected = [word.replace("URL", place.url) for word in words]
            begun = [one for one in typed if one["arguments"][: len(words)] == expected]
            assert len(begun) == 1, (line, ran)


def test_instants_lie_between_key_and_output(place: Place, rec: str) -> None:
    """A command's instant lies between its last key and its first output, to one tick."""
    items = place.commands(rec)["items"]
    pieces = [piece for message in place.messages(rec) for piece in message.pieces]
    keys = [(p.at_us, byte) for p in pieces if isinstance(p, Input) for byte in p.data]
    shown = [(p.at_us, byte) for p in pieces if isinstance(p, Output) for byte in p.data]
    typed, seen = bytes(byte for _, byte in keys), bytes(byte for _, byte in shown)
    at_key = at_shown = 0
    for line, programs, output in LINES:
        words = line.replace("URL", place.url).encode() + b"\r"
        at_key = typed.index(words, at_key) + len(words)
        pressed_us = keys[at_key - 1][0]
        # What stands behind the echo of the line.
        at_shown = next(n for n, (at_us, _) in enumerate(shown) if at_us >= pressed_us)
        at_shown = seen.index(output, at_shown)
        appeared_us = shown[at_shown][0]
        if line.endswith("&"):  # The shell names a job before that has begun, but no key came then.
            appeared_us = keys[at_key][0]
        top = _line(place, items, line)
        begun = [one for one in items if top["number"] in (one["number"], one["parent"])]
        if top["kind"] == "program":  # What sudo and su run comes when the password was typed.
            begun = [top]
        assert bool(programs) == any(one["serial"] for one in begun), begun
        for one in begun:
            at_us = one["at_us"]
            assert pressed_us - TICK_US <= at_us <= appeared_us + TICK_US, (line, one)


def test_a_command_has_its_trail(place: Place, rec: str) -> None:
    """Vim wrote the file, curl connected, sudo and su became others, cat was refused."""
    items = place.commands(rec)["items"]

    def told(line: str, kind: str) -> list[str]:
        numbers = {one["number"] for one in _below(items, _line(place, items, line))}
        events = place.trail_of(rec)
        return [
            f"{one['event']['action']} {thing['name']}"
            for one in events
            if one["command"] in numbers and one["kind"] == kind
            for thing in one["event"].get("objects", [])
        ]

    assert "created /home/avery/notes.txt" in told("vim notes.txt", "files")
    address = place.url.removeprefix("http://").rstrip("/")
    assert [one for one in told("curl -s URL | wc -c", "network") if one.endswith(" " + address)]
    assert "wrote /etc/passwd" in told("sudo useradd -M temp9", "files")
    assert [one for one in told("cat /etc/shadow", "denials") if one.endswith(" /etc/shadow")]
    assert "created /home/avery/now" in told("sh tidy.sh", "files")
    assert "deleted /home/avery/now" in told("sh tidy.sh", "files")
    assert "created /home/blake/mine" in told("touch mine", "files")
    assert "became root" in told("sudo useradd -M temp9", "privileges")
    assert "became blake" in told("su - blake", "privileges")


def test_how_commands_relate_is_told(place: Place, rec: str) -> None:
    """Privileges, pipelines, scripts, background jobs and ends stand with the commands."""
    items = place.commands(rec)["items"]

    def one(line: str, program: str) -> dict[str, Any]:
        below = _below(items, _line(place, items, line))
        return next(it for it in below if (it["arguments"] or [""])[0] == program)

    assert one("sudo useradd -M temp9", "useradd")["user"] == "root"
    assert one("touch mine", "touch")["user"] == "blake"
    assert one("cat /etc/shadow", "cat")["exit_status"] == 1
    assert one("sleep 2 &", "sleep")["is_background"]
    assert {one("sh tidy.sh", name)["origin"] for name in ("date", "rm")} == {"script"}
    sort = "sort /etc/group | head -2 | wc -l"
    numbers = {one(sort, name)["pipeline"] for name in ("sort", "head", "wc")}
    assert len(numbers) == 1
    assert None not in numbers


def test_a_copy_and_a_killed_shell_are_told(place: Place) -> None:
    """Logins has scp's session, too, with its recording and the failures before; and a SIGKILL."""
    # The kernel is the machine's: who logs in there meanwhile, by its own sshd, is told, too.
    told = place.say("logins", "--json", "--user", "avery")
    logins = [json.loads(line) for line in told.splitlines()]
    recs = [one["rec"] for one in place.recordings()]
    assert [one["recordings"] for one in reversed(logins)] == [[rec] for rec in recs], logins
    assert {(one["user"], one["host"]) for one in logins} == {("avery", HOST)}
    assert logins[-1]["failures"] >= 1
    [copied] = [json.loads(line) for line in _events(place, "file:copied.txt action:created")]
    assert copied["rec"] == recs[1], copied
    killed = place.commands(recs[2])
    assert killed["source"] == "audit"
    shells = [one for one in killed["items"] if one["kind"] == "shell"]
    assert shells[0]["signal"] == 9, killed


def test_a_key_that_is_offered_first_is_no_failure(place: Place) -> None:
    """Scp offers two keys: sshd tells that it refused the first one, and no attempt counts."""
    refused = _events(place, 'action:"logged in" result:failure addr:127.0.0.2')
    assert len(refused) == 1
    [copying] = [
        json.loads(line)
        for line in place.say("logins", "--json", "--source", "127.0.0.2").splitlines()
    ]
    assert copying["recordings"] == [place.recordings()[1]["rec"]]
    assert copying["failures"] == 0
    assert place.say("logins", "--failed", "--json", "--source", "127.0.0.2") == ""


def test_failed_logins_are_those_of_auditd_s_own_log(place: Place) -> None:
    """`steno logins --failed` and `steno audit report logins` count the same attempts."""
    told = [json.loads(line) for line in place.say("logins", "--failed", "--json").splitlines()]
    log = place.directory / "log" / "audit.log"
    report = run_steno("audit", "report", "logins", "--json", log)
    rows = [json.loads(line) for line in report.stdout.splitlines()]
    counted = {
        (one.get("account", ""), one["program"], one.get("origin", ""), one.get("attempts", 1))
        for one in rows
        if "session" not in one
    }
    assert counted == {(one["user"], one["service"], one["source"], one["count"]) for one in told}
    assert [one for one in counted if one[:2] == ("avery", "sshd")]


def _events(place: Place, query: str) -> list[str]:
    return place.say("events", query, "--json").splitlines()


def test_the_commands_of_the_auditor_answer(place: Place, rec: str) -> None:
    """`steno events`, `search`, `verify` and `alerts` find what happened."""
    assert "could not read /etc/shadow" in place.say("events", "file:/etc/shadow result:EACCES")
    found = place.say("search", 'file:/etc/passwd action:wrote "temp9"')
    assert rec in found
    assert "wrote /etc/passwd" in found
    tree = place.say("commands", rec)
    assert "su - blake" in tree
    assert "as root" in tree
    store = ("--store", str(place.server.directory))
    trails = [one for one in place.server.stored() if one.startswith("trail-")]
    for one in [rec, *trails]:
        assert run_steno("verify", one, *store).returncode == 0
    alerts = place.say("alerts", "list", "--json").splitlines()
    raised = {json.loads(line)["rule"] for line in alerts}
    assert {"shadow-refused", "account-changed"} <= raised


def test_what_the_getting_started_page_asks_is_answered(place: Place) -> None:
    """The page's commands about the audit trail find avery's, as they find pat's."""
    section = (
        PAGE_FOR_USERS.read_text().partition("## What the system did")[2].partition("\n## ")[0]
    )
    lines = re.findall(r"^steno1# (steno [^|\n]*)$", section, re.M)
    assert len(lines) >= 3
    for line in lines:
        assert "avery" in place.say(*shlex.split(line.replace("pat", "avery"))[1:]), line


def test_nothing_is_lost_and_all_is_there_in_time(place: Place) -> None:
    """No event is missing, and events are in the store two seconds after they happened."""
    for trail, (_, data) in place.server.stored().items():
        if trail.startswith("trail-"):
            items = [one.item for one in TrailDecoder().feed(data) if isinstance(one, Placed)]
            assert [item for item in items if isinstance(item, Lost)] == []
    print("seconds until stored, until found:", place.lags_s)
    assert min(stored_s for stored_s, _ in place.lags_s) <= 2, place.lags_s
