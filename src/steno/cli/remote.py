"""A library that is a server, over its HTTP API (docs/api.md)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
import orjson

from steno.audit.event import Event
from steno.audit.session.recorded import RecordedCommands
from steno.delivery.transport import explain, open_client
from steno.delivery.wire import checked_url
from steno.errors import (
    AmbiguousError,
    ConfigError,
    NotFoundError,
    ProtocolError,
    QueryError,
    RefusedError,
    StenoError,
    StoreError,
    UnreachableError,
    UsageError,
)
from steno.integrity.chain import verify_stream
from steno.model import Command, Damage, TextLine, Verification, is_trail
from steno.store.event_places import FoundEvent
from steno.store.events import KnownTrail, Login, LoginFailures, LoginQuery, StoredEvent
from steno.store.protocol import Hit, Page, Summary
from steno.structs import convert, decode_json

Value = TypeVar("Value")

_ANSWER_LIMIT_BYTES = 64 << 20
"""Longest answer that is read whole: no server fills the memory of who asks it."""


class _HitEvent(msgspec.Struct, frozen=True):
    trail: str
    event: Event


class _LineHit(msgspec.Struct, frozen=True):
    number: int | None = None
    at_us: int | None = None
    text: str | None = None
    highlights: list[tuple[int, int]] = []
    before: list[TextLine] = []
    after: list[TextLine] = []
    event: _HitEvent | None = None

    def as_hit(self, summary: Summary) -> Hit:
        if self.event is not None:
            # The text is the sentence for all that it stands for.
            event = msgspec.structs.replace(self.event.event, text=self.text or "")
            stored = StoredEvent(self.event.trail, summary.sender, event, 0, 0)
            return Hit(summary, event=stored, at_us=self.at_us)
        has_line = self.at_us is not None and self.text is not None
        line = TextLine(self.at_us or 0, self.text or "") if has_line else None
        return Hit(summary, self.number, line, self.highlights, self.before, self.after)


class _RemoteHit(_LineHit, frozen=True, kw_only=True):
    recording: Summary


class _Items(msgspec.Struct, frozen=True):
    items: list[dict[str, Any]]
    cursor: str | None = None
    next: int | None = None


class _Notes(msgspec.Struct, frozen=True):
    damages: list[Damage] = []


def read_token(token_file: Path) -> str:
    """Return the token that a file holds.

    Raises:
        ConfigError: It is unreadable, or holds none.
    """
    try:
        token = token_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"no token: {error.strerror}", file=str(token_file)) from error
    except UnicodeDecodeError:
        token = ""
    if not token.isascii() or len(token.split()) != 1:
        raise ConfigError("this file holds no token", file=str(token_file))
    return token


class RemoteLibrary:
    """Reads from a server with an API token.

    Raises:
        ConfigError: The token's or the CA's file is unreadable.
        UsageError: `url` cannot be a server's address.
    """

    def __init__(self, url: str, token_file: Path | None, ca: Path | None) -> None:
        self._url = checked_url(url)
        self._client = open_client(self._url, make_context(ca))
        self._remedy = "--ca FILE names the CA that it is from" if ca is None else ""
        if token_file is not None:
            self._client.headers["Authorization"] = f"Bearer {read_token(token_file)}"

    def recordings(
        self, query: str | None, *, sort: str, cursor: str | None, limit: int
    ) -> Page[Summary]:
        """Return recordings that match `query`, or all."""
        parameters = {"q": query, "sort": sort, "cursor": cursor, "limit": limit} | _zone()
        items = self._get("/recordings", _Items, parameters)
        return Page([self._convert(item, Summary) for item in items.items], items.cursor)

    def search(
        self,
        query: str,
        *,
        rec: str | None,
        cursor: str | None,
        limit: int,
        context_lines: int,
        is_bunched: bool = False,
    ) -> Page[Hit]:
        """Return lines and events that match `query`, in all recordings or in one.

        `is_bunched`: of denials that say the same the first stands for all, with their sentence.
        """
        parameters = {"q": query, "cursor": cursor, "limit": limit, "context": context_lines}
        parameters |= _zone()
        if is_bunched:
            parameters["bunched"] = "true"
        if rec is None:
            found = self._get("/search", Page[_RemoteHit], parameters)
            return Page([hit.as_hit(hit.recording) for hit in found.items], found.cursor)
        summary = self.find(rec)
        path = f"/recordings/{quote(rec, safe='')}/search"
        lines = self._get(path, Page[_LineHit], parameters)
        return Page([hit.as_hit(summary) for hit in lines.items], lines.cursor)

    def find(self, rec: str) -> Summary:
        """Return the recording with this id, or the only one whose id begins so."""
        return self._get(f"/recordings/{quote(rec, safe='')}", Summary, {})

    def read(self, rec: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """Yield the original lines' bytes, however cut."""
        kind = "trails" if is_trail(rec) else "recordings"
        path = f"/api/v1/{kind}/{quote(rec, safe='')}/lines"
        headers = {"Range": f"bytes={offset_bytes}-"} if offset_bytes else {}
        try:
            with self._client.stream("GET", path, headers=headers) as response:
                if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
                    return
                wanted = httpx2.codes.PARTIAL_CONTENT if headers else httpx2.codes.OK
                if response.status_code != wanted:
                    raise self._explain_status(response.status_code, self._read_body(response))
                yield from response.iter_bytes()
        except httpx2.HTTPError as error:
            raise explain(self._url, error, remedy=self._remedy) from error

    def lines(self, rec: str) -> Iterator[TextLine]:
        """Yield the screen text."""
        first: int | None = 0
        while first is not None:
            path = f"/recordings/{quote(rec, safe='')}/text"
            items = self._get(path, _Items, {"first": first, "limit": 1000})
            yield from (self._convert(item, TextLine) for item in items.items)
            if items.next is not None and items.next <= first:
                raise ProtocolError(f"{self._url} answers nonsense: it goes on at {items.next}")
            first = items.next

    def commands(self, rec: str) -> list[Command]:
        """Return the lines that were typed, as far as they are known."""
        return [
            Command(item.at_us, item.typed, item.source)
            for item in self.recorded_commands(rec).items
            if item.typed is not None
        ]

    def recorded_commands(self, rec: str) -> RecordedCommands:
        """Return what was typed and what ran."""
        return self._get(f"/recordings/{quote(rec, safe='')}/commands", RecordedCommands, {})

    def damages(self, rec: str) -> list[Damage]:
        """Return the stretches that could not be read."""
        return self._get(f"/recordings/{quote(rec, safe='')}/notes", _Notes, {}).damages

    def verification(self, rec: str) -> Verification:
        """Return what the chain proves, computed here from the lines: no server is believed.

        But what it remembers of the chain must agree with them.
        """
        known = self.find(rec).chain
        return verify_stream(self.read(rec), known)

    def trails(self) -> list[KnownTrail]:
        """Return all audit trails by id; none to those who may not see all."""
        try:
            items = self._get("/trails", _Items, {}).items
            return [self._convert(item, KnownTrail) for item in items]
        except RefusedError:
            return []

    def events(
        self,
        query: str | None,
        *,
        is_ascending: bool,
        cursor: str | None,
        limit: int,
        is_bunched: bool = False,
    ) -> Page[FoundEvent]:
        """Return audit events that match `query`, or all, in the order of their instants.

        `is_bunched`: denials that say the same stand together.
        """
        order = "oldest" if is_ascending else "newest"
        parameters = {"q": query, "order": order, "cursor": cursor, "limit": limit} | _zone()
        if is_bunched:
            parameters["bunched"] = "true"
        return self._get("/events", Page[FoundEvent], parameters)

    def event(self, trail: str, serial: int) -> FoundEvent:
        """Return one audit event whole."""
        return self._get(f"/events/{quote(trail, safe='')}/{serial}", FoundEvent, {})

    def logins(self, query: LoginQuery, *, cursor: str | None, limit: int) -> Page[Login]:
        """Return logins, newest first."""
        parameters = _login_parameters(query) | {"cursor": cursor, "limit": limit}
        if query.is_recorded is not None:
            parameters["recorded"] = "yes" if query.is_recorded else "no"
        return self._get("/logins", Page[Login], parameters)

    def login_failures(
        self, query: LoginQuery, *, cursor: str | None, limit: int
    ) -> Page[LoginFailures]:
        """Return failed attempts, taken together, those with the newest first."""
        parameters = _login_parameters(query) | {"cursor": cursor, "limit": limit}
        return self._get("/logins/failures", Page[LoginFailures], parameters)

    def hosts(self) -> list[dict[str, Any]]:
        """Return the enrolled hosts and how they are, as the API says it."""
        return self._get("/hosts", _Items, {}).items

    def host(self, name: str) -> dict[str, Any]:
        """Return all that is known of one host."""
        return self._get(f"/hosts/{quote(name, safe='')}", dict[str, Any], {})

    def order(self, rec: str, do: str, asked: dict[str, str]) -> dict[str, Any]:
        """Ask that something be done to a session (`kill`, `message`), by its whole id.

        Returns the order. Raises a RefusedError where the session cannot be acted on.
        """
        path = f"/recordings/{quote(rec, safe='')}/{do}"
        try:
            return self._ask("POST", path, dict[str, Any], {}, msgspec.json.encode(asked))
        except AmbiguousError as error:
            # A conflict, which is about the session: a whole id fits one recording only.
            raise RefusedError(str(error)) from error

    def orders(self, rec: str) -> list[dict[str, Any]]:
        """Return what was asked of a session, newest first, and what came of it."""
        return self._get(f"/recordings/{quote(rec, safe='')}/orders", _Items, {}).items

    def alerts(self, parameters: dict[str, Any]) -> Page[dict[str, Any]]:
        """Return a page of what alert rules found, newest first."""
        return self._get("/alerts", Page[dict[str, Any]], parameters)

    def recording_alerts(self, rec: str) -> list[dict[str, Any]]:
        """Return the alerts of a recording, oldest first."""
        return self._get(f"/recordings/{quote(rec, safe='')}/alerts", _Items, {}).items

    def acknowledge(self, number: int, comment: str) -> dict[str, Any]:
        """Say that one has seen to an alert; return it."""
        content = msgspec.json.encode({"comment": comment})
        return self._ask("POST", f"/alerts/{number}/acknowledge", dict[str, Any], {}, content)

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def _get(self, path: str, kind: type[Value], parameters: dict[str, Any]) -> Value:
        return self._ask("GET", path, kind, parameters)

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[Value],
        parameters: dict[str, Any],
        content: bytes | None = None,
    ) -> Value:
        given = {name: value for name, value in parameters.items() if value is not None}
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            with self._client.stream(
                method, "/api/v1" + path, params=given, content=content, headers=headers
            ) as response:
                body = self._read_body(response)
        except httpx2.HTTPError as error:
            raise explain(self._url, error, remedy=self._remedy) from error
        if response.status_code not in (httpx2.codes.OK, httpx2.codes.CREATED):
            raise self._explain_status(response.status_code, body)
        try:
            return decode_json(body, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{self._url} answers nonsense: {error}") from error

    def _read_body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _ANSWER_LIMIT_BYTES:
                raise ProtocolError(f"{self._url} answers more than {_ANSWER_LIMIT_BYTES} bytes")
        return bytes(body)

    def _convert(self, item: dict[str, Any], kind: type[Value]) -> Value:
        try:
            return convert(item, kind)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{self._url} answers nonsense: {error}") from error

    def _explain_status(self, status: int, body: bytes) -> StenoError:
        try:
            problem = orjson.loads(body)
            detail = str(problem["detail"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            problem, detail = {}, f"HTTP status {status}"
        if isinstance(problem.get("position"), int) and isinstance(problem.get("query"), str):
            reason = str(problem.get("reason") or detail.partition("\n")[0])
            return QueryError(reason, query=problem["query"], position=problem["position"])
        if status in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            return RefusedError(f"{self._url}: {detail}")
        if status == httpx2.codes.NOT_FOUND:
            return NotFoundError(f"{self._url}: {detail}")
        if status == httpx2.codes.CONFLICT:
            return AmbiguousError(detail)
        if status in (httpx2.codes.BAD_REQUEST, httpx2.codes.UNPROCESSABLE_CONTENT):
            return UsageError(f"{self._url}: {detail}")
        if status == httpx2.codes.SERVICE_UNAVAILABLE:
            return StoreError(f"{self._url}: {detail}")
        if status in (httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.BAD_GATEWAY):
            return UnreachableError(f"{self._url}: {detail}")
        return ProtocolError(f"{self._url}: {detail}")


def _login_parameters(query: LoginQuery) -> dict[str, Any]:
    return {
        "user": query.user,
        "host": query.host,
        "source": query.source,
        "service": query.service,
        "from_unix_us": query.from_unix_us,
        "until_unix_us": query.until_unix_us,
    }


def _zone() -> dict[str, str]:
    """Return the parameter that makes a server read times as this machine would."""
    offset = f"{datetime.now().astimezone():%z}"
    return {"zone": f"{offset[:3]}:{offset[3:5]}"}


def make_context(ca: Path | None) -> ssl.SSLContext:
    """Return what to trust: the CA in the file `ca`, or this machine's list.

    Raises:
        ConfigError: There is no certificate in that file.
    """
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise ConfigError(f"no certificate there: {reason}", file=str(ca)) from error
    except OSError as error:
        raise ConfigError(f"no certificate: {error.strerror}", file=str(ca)) from error
