"""Asking this host's agent, through its control socket.

docs/formats/agent-control.md specifies what goes over it.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from steno.errors import ProtocolError, RefusedError, UnreachableError
from steno.heartbeat import MOST_SESSIONS, AgentFacts, HostOrder, OpenSession
from steno.structs import decode_json

CONTROL_SOCKET = Path("/run/steno/control.sock")
_ANSWER_LIMIT_BYTES = 16 << 20
_PIECE_BYTES = 65536
_MOST_CHARACTERS = 512
"""Longer names than a server takes are told shortened."""


class _Answer(msgspec.Struct):
    ok: bool
    error: str = ""


class _PolicyState(msgspec.Struct):
    file: str = ""
    is_current: bool = True
    error: str | None = None


class _Status(_Answer):
    version: str = ""
    started_unix_us: int | None = None
    number: int | None = None
    policy: _PolicyState | None = None
    unwritable: list[str] = []
    failures: int = 0
    faults: int = 0


class _Session(msgspec.Struct):
    rec: str
    user: str = ""
    started_unix_us: int = 0
    login_user: str | None = None
    service: str | None = None
    terminal: str | None = None
    remote: str | None = None


class _Sessions(_Answer):
    sessions: list[_Session] = []


T = TypeVar("T", bound=_Answer)


class AgentControl:
    """The agent's control socket. Each call makes a connection of its own.

    Args:
        path: Where it is.
        timeout_s: How long to wait for the agent at any one point.
    """

    def __init__(self, path: Path = CONTROL_SOCKET, *, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def facts(self) -> AgentFacts | None:
        """Return what the agent says of itself; None when there is none for this user.

        Raises:
            UnreachableError: It is there and does not answer.
            ProtocolError: It answers nonsense.
        """
        try:
            with self._connected() as connection:
                if connection is None:
                    return None
                status = self._ask(connection, {"do": "status"}, _Status)
                found = self._ask(connection, {"do": "sessions"}, _Sessions).sessions
        except RefusedError:
            # Somebody's own recordings are delivered; the host's agent is not theirs to ask.
            return None
        return AgentFacts(
            version=status.version,
            started_unix_us=status.started_unix_us,
            sessions=tuple(_session(one) for one in found[:MOST_SESSIONS]),
            number=status.number,
            policy=_digest(status.policy),
            failures=tuple(_failures(status)),
        )

    def unwritable(self) -> list[str]:
        """Return why recordings cannot go where they shall; nothing if no agent tells this user.

        Raises:
            UnreachableError: It is there and does not answer.
            ProtocolError: It answers nonsense.
        """
        try:
            with self._connected() as connection:
                if connection is None:
                    return []
                return self._ask(connection, {"do": "status"}, _Status).unwritable
        except RefusedError:
            return []

    def perform(self, order: HostOrder) -> None:
        """Have the agent carry an order out.

        Raises:
            UnreachableError: There is no agent, or it does not answer.
            RefusedError: It says no, and why.
            ProtocolError: It answers nonsense.
        """
        request = {"do": order.do, "rec": order.rec, "by": order.by}
        if order.do == "message":
            request["text"] = order.text
        with self._connected() as connection:
            if connection is None:
                raise UnreachableError("no agent runs on this host")
            self._ask(connection, request, _Answer)

    def ask(self, do: str) -> dict[str, Any]:
        """Return all that the agent answers to an order without members.

        Raises:
            UnreachableError: There is no agent, or it does not answer.
            RefusedError: It says no, and why, or does not speak with this user.
            ProtocolError: It answers nonsense.
        """
        with self._connected() as connection:
            if connection is None:
                raise UnreachableError(f"{self._path}: no agent runs here")
            line = self._exchange(connection, {"do": do}, _Answer)[1]
        answer: dict[str, Any] = decode_json(line, dict[str, Any])
        return answer

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket | None]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            try:
                connection.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError):
                yield None
                return
            except PermissionError as error:
                raise RefusedError(f"{self._path}: {error.strerror}") from error
            except OSError as error:
                raise UnreachableError(f"{self._path}: {error.strerror or error}") from error
            yield connection

    def _ask(self, connection: socket.socket, request: dict[str, str], kind: type[T]) -> T:
        return self._exchange(connection, request, kind)[0]

    def _exchange(
        self, connection: socket.socket, request: dict[str, str], kind: type[T]
    ) -> tuple[T, bytes]:
        """Return an answer that is not a refusal, decoded and as it came."""
        try:
            connection.sendall(msgspec.json.encode(request) + b"\n")
            line = self._read_line(connection)
        except OSError as error:
            reason = error.strerror or "no answer in time"
            raise UnreachableError(f"agent at {self._path}: {reason}") from error
        try:
            answer = decode_json(line, kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"agent at {self._path} answers nonsense: {error}") from error
        if not answer.ok:
            raise RefusedError(answer.error or f"the agent at {self._path} refuses it")
        return answer, line

    def _read_line(self, connection: socket.socket) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            piece = connection.recv(_PIECE_BYTES)
            if not piece or len(line) > _ANSWER_LIMIT_BYTES:
                raise RefusedError(f"the agent at {self._path} hangs up")
            line += piece
        return bytes(line)


def _session(session: _Session) -> OpenSession:
    facts: dict[str, Any] = msgspec.structs.asdict(session)
    for name, fact in facts.items():
        if isinstance(fact, str):
            facts[name] = fact[:_MOST_CHARACTERS]
    return OpenSession(**facts)


def _digest(policy: _PolicyState | None) -> str | None:
    """Return the digest of the policy's file; None where there is none or it cannot be read."""
    if policy is None or not policy.file:
        return None
    try:
        return hashlib.sha256(Path(policy.file).read_bytes()).hexdigest()
    except OSError:
        return None


def _failures(status: _Status) -> Iterator[str]:
    yield from (f"recordings cannot be written: {why}" for why in status.unwritable)
    if status.policy is not None and not status.policy.is_current:
        yield f"policy: {status.policy.error or 'the file is not the one in force'}"
    if status.failures:
        yield f"{status.failures} sessions could not be recorded since the agent started"
    if status.faults:
        yield f"{status.faults} faults in the agent since it started; its log says which"
