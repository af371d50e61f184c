"""`steno local`: all of Steno on one machine: a server on loopback, and a recorded shell."""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from steno.cli.library import Library, open_store_library
from steno.cli.options import SERVER_DIRECTORY_DEFAULT, examples
from steno.cli.tables import make_console, make_recordings_table
from steno.cli.user import once_url
from steno.config import load_config
from steno.delivery.credentials import load, save
from steno.delivery.enrolment import enrol
from steno.errors import AddressInUseError, ConfigError, StenoError
from steno.server.certificates import Authority, CertificateFiles
from steno.server.enrolment import open_registry
from steno.store.accounts import Accounts
from steno.store.accounts_file import AccountsFile
from steno.store.protocol import Summary

DEFAULT_LISTEN = "127.0.0.1:8040"
_INDEX_TIMEOUT_S = 30
_MINUTE_US = 60_000_000


@click.command(
    "local",
    context_settings={"allow_interspersed_args": False},
    epilog=examples("steno local", "steno local --once make test"),
)
@click.argument("command_line", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--once", is_flag=True, help="End with the recorded command; do not go on serving.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where the server listens [default: 127.0.0.1:8040, or a free port if that is taken].",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The server's directory {SERVER_DIRECTORY_DEFAULT}.",
)
def command(
    command_line: tuple[str, ...], once: bool, listen: str | None, directory: Path | None
) -> int:
    """Start a server on loopback, record a shell or COMMAND, and show where it plays.

    Then serve until Ctrl-C. Without a terminal and without COMMAND, only serve. What was recorded
    stays, and is there the next time. With --once, or when COMMAND cannot be run, the exit status
    is that of `steno rec`.
    """
    base = Path(load_config(directory=directory).directory)
    status = 0
    with _serve(base, listen) as url:
        _enrol_here(base, url)
        page = "/"
        if command_line or sys.stdin.isatty():
            began_unix_us = time.time_ns() // 1000
            counted = _read_counter(base)
            status = _record(base, command_line)
            if _read_counter(base) == counted:
                return status  # nothing could be recorded; steno rec has said why
            recorded = _show_recorded(base, began_unix_us, counted)
            page = f"/recordings/{recorded[-1].rec}"
        if not once:
            # Before anybody is told of Ctrl-C: it may come at once.
            awaited = {signal.SIGINT, signal.SIGTERM}
            signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
            _tell_address(base, url, page)
            signal.sigwait(awaited)
            print(file=sys.stderr)
    return status if once else 0


@contextmanager
def _serve(base: Path, listen: str | None) -> Iterator[str]:
    """Run `steno serve` beside this process; yield its address; stop it in the end."""
    try:
        server, url = _start_server(base, listen or DEFAULT_LISTEN)
    except AddressInUseError:
        if listen is not None:
            raise
        server, url = _start_server(base, "127.0.0.1:0")
    try:
        yield url
    finally:
        server.terminate()
        server.wait()


def _start_server(base: Path, listen: str) -> tuple[subprocess.Popen[bytes], str]:
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_path = base / "server.log"
    with log_path.open("ab") as log:
        before_bytes = log.tell()
        server = subprocess.Popen(  # noqa: S603  # our own program
            [
                *(sys.executable, "-m", "steno.cli", "serve", "--log-style", "text"),
                *("--directory", str(base), "--listen", listen),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C is for the recorded program, and then for this one, not for the server.
            start_new_session=True,
        )
    assert server.stdout is not None  # noqa: S101  # it is a pipe
    said = server.stdout.readline().decode()
    if not said.startswith("serving on "):
        raise _explain_end(server.wait(), log_path, before_bytes)
    return server, said.removeprefix("serving on ").strip()


def _explain_end(status: int, log_path: Path, before_bytes: int) -> StenoError:
    """Return why the server did not start: by its last words, and else by how it ended."""
    with log_path.open("rb") as log:
        log.seek(before_bytes)
        lines = log.read().decode(errors="replace").splitlines()
    if status < 0:
        reason = f"ended by signal {-status} ({signal.strsignal(-status)}); its log is {log_path}"
    elif lines:
        reason = lines[-1].removeprefix("steno: ")
    else:
        reason = f"it ended with {status} and without a word"
    if status == AddressInUseError.exit_code:
        return AddressInUseError(reason)
    return StenoError(f"the server did not start: {reason}")


def _host_directory(base: Path) -> Path:
    return base / "local" / "host"


def _enrol_here(base: Path, url: str) -> None:
    """Make this machine a host of its own server, once."""
    directory = _host_directory(base)
    try:
        if url in load(directory).servers:
            return
    except ConfigError:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = load_config(directory=base)
    name = socket.gethostname()
    file = AccountsFile(config.accounts_path)
    try:
        authority = Authority.load(CertificateFiles(config.ca_directory))
        code = open_registry(file, authority).make_code(name)
    finally:
        file.close()
    save(directory, enrol(url, code.code, name))


def _record(base: Path, command_line: tuple[str, ...]) -> int:
    """Run `steno rec` in this terminal; return its exit status, as a shell would say it."""
    arguments = [
        *(sys.executable, "-m", "steno.cli", "rec", "--to", "server"),
        *("--spool", str(base / "local" / "spool"), "--host-directory", str(_host_directory(base))),
    ]
    # Ctrl-C is the recorded program's. Caught here, not ignored: what is ignored stays so in the
    # programs that are started, and Ctrl-C would end nothing in the recorded shell.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        recorded = subprocess.run(  # noqa: S603  # our own program
            [*arguments, "--", *command_line], check=False
        )
    finally:
        signal.signal(signal.SIGINT, previous)
    code = recorded.returncode
    return code if code >= 0 else 128 - code


def _read_counter(base: Path) -> int:
    """Return the number of the newest recording that `steno rec` made here, 0 for none."""
    path = base / "local" / "number"
    return int(path.read_text()) if path.exists() else 0


def _show_recorded(base: Path, began_unix_us: int, counted: int) -> list[Summary]:
    """Wait until what was recorded here since is indexed; list it, and return it, newest first."""
    console = make_console()
    library = open_store_library(base)
    try:
        deadline_s = time.monotonic() + _INDEX_TIMEOUT_S
        recorded = _list_since(library, began_unix_us, counted)
        while not (recorded and all(summary.end for summary in recorded)):
            if time.monotonic() > deadline_s:
                break
            time.sleep(0.1)
            recorded = _list_since(library, began_unix_us, counted)
    finally:
        library.close()
    if not recorded:
        raise StenoError("the recording did not reach the server; see steno deliver")
    console.print()
    console.print(make_recordings_table(recorded, console.width))
    return recorded


def _list_since(library: Library, began_unix_us: int, counted: int) -> list[Summary]:
    page = library.recordings(None, sort="-started", cursor=None, limit=20)
    return [
        summary
        for summary in page.items
        if summary.started_unix_us >= began_unix_us and (summary.number or 0) > counted
    ]


def _tell_address(base: Path, url: str, page: str) -> None:
    """Print a link that signs in once, and leads to `page`."""
    config = load_config(directory=base)
    file = AccountsFile(config.accounts_path)
    try:
        accounts = Accounts(file)
        name = getpass.getuser()
        if all(user.name != name for user in accounts.users()):
            accounts.add_user(name, "admin", None)
        secret = accounts.add_link(name, config.sessions.link_minutes * _MINUTE_US)
    finally:
        file.close()
    print(f"\nplays at   {once_url(url, secret, page)}")
    print(f"           (works once; signs in {name}; a new one: steno user link {name})")
    print("terminal   steno ls, steno search WORD, steno play, steno verify")
    print(f"serving    {url} until Ctrl-C", flush=True)
