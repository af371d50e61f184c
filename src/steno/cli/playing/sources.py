"""Where original lines come from: a file, the journal, a library, OpenSearch or Elasticsearch.

Each source is asked again and again and gives what has come since: that is how a live recording is
followed, wherever it is.
"""

from __future__ import annotations

import os
import select
import stat
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import msgspec
import orjson

from steno.cli.input_files import name_input, open_input, read_input
from steno.cli.library import Library
from steno.cli.remote import make_context, read_token
from steno.delivery.transport import explain, open_client
from steno.errors import (
    AmbiguousError,
    FormatError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    UsageError,
)
from steno.formats.guess import HEAD_BYTES, TIMING, guess_format
from steno.model import Damage
from steno.structs import decode_json

_READ_BYTES = 1 << 20
_SEARCH_HITS = 200
_MOST_SEARCH_HITS = 10_000
"""What OpenSearch gives at most in one answer, by default."""
_OTHER_FORMATS = {
    "asciicast": "this is an asciicast; steno convert makes a recording of it",
    "typescript": "this is a typescript; steno convert makes a recording of it",
    "ttyrec": "this is a ttyrec; steno convert makes a recording of it",
    TIMING: "this is a typescript's timing file; steno convert takes both",
}
"""What is said of files in other formats than tlog's."""


class LineSource(Protocol):
    """A place that lines come from."""

    @property
    def name(self) -> str:
        """What to call it in a message."""

    def read_new(self) -> bytes:
        """Return bytes that came since the last call, or b"" when none are there now."""

    def close(self) -> None:
        """Release everything."""


class FileSource:
    """A file, which may grow, or a pipe; the text `-` is standard input.

    Attributes:
        is_regular: Whether it can be read twice.
        is_awaited: Whether more is waited for elsewhere: what is not there yet is not waited for
            here, as it is with a pipe otherwise.

    Raises:
        NotFoundError: It is not there.
        FormatError: It is a directory.
        StenoError: It cannot be read.
    """

    def __init__(self, target: str | Path) -> None:
        self.name = name_input(target)
        self._file = open_input(target)
        self.is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self.is_awaited = False

    def rewind(self) -> None:
        """Read from the beginning again."""
        self._file.seek(0)

    def read_head(self) -> bytes:
        """Return its first bytes; what has been read stays read."""
        return os.pread(self._file.fileno(), HEAD_BYTES, 0) if self.is_regular else b""

    def read_new(self) -> bytes:
        """Return up to a megabyte of what has come."""
        if self.is_awaited and not self.is_regular:
            return self._read_there()
        return read_input(self._file, _READ_BYTES)

    def _read_there(self) -> bytes:
        """Return what a pipe has now; nothing of it is held in between."""
        fd = self._file.fileno()
        return os.read(fd, _READ_BYTES) if select.select([fd], [], [], 0)[0] else b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LibrarySource:
    """One recording of a store or server."""

    def __init__(self, library: Library, rec: str) -> None:
        self.name = rec
        self._library = library
        self._rec = rec
        self._offset_bytes = 0
        self._chunks: Iterator[bytes] | None = None

    def read_new(self) -> bytes:
        """Return some of what has come."""
        if self._chunks is None:
            self._chunks = self._library.read(self._rec, self._offset_bytes)
        data = next(self._chunks, b"")
        if not data:
            self._chunks = None
        self._offset_bytes += len(data)
        return data

    def close(self) -> None:
        """Close the library."""
        self._library.close()


class JournalSource:
    """Messages in the systemd journal, read by journalctl.

    Source of the fields: tlog's journal writer (MESSAGE, TLOG_REC); of the output: journalctl(1),
    `-o json`.

    Args:
        matches: Matches as journalctl takes them, `+` between alternatives.
        options: Options of journalctl that say which journals are read, and until when.
        since: Where to begin, as journalctl takes it.
    """

    def __init__(
        self, matches: Sequence[str], options: Sequence[str] = (), since: str | None = None
    ) -> None:
        self.name = "the journal"
        self._arguments = ["journalctl", "-o", "json", "--no-pager", "-q", "--all"]
        self._arguments += ["--output-fields=MESSAGE", *options]
        self._begin = [] if since is None else ["--since", since]
        self._matches = list(matches)
        self._cursor: str | None = None

    @property
    def wanted(self) -> str:
        """What is looked for."""
        return " ".join(self._matches)

    def read_new(self) -> bytes:
        """Return the lines that came since the last call."""
        begin = self._begin if self._cursor is None else ["--after-cursor", self._cursor]
        try:
            ran = subprocess.run(  # noqa: S603  # arguments are a list; no shell reads them
                [*self._arguments, *begin, *self._matches], capture_output=True, check=False
            )
        except FileNotFoundError as error:
            raise NotFoundError("journalctl is not installed") from error
        if ran.returncode != 0 and ran.stderr:
            raise RefusedError(f"journalctl: {ran.stderr.decode(errors='replace').strip()}")
        return b"".join(self._read_entry(entry) for entry in ran.stdout.splitlines())

    def _read_entry(self, entry: bytes) -> bytes:
        fields: dict[str, Any] = orjson.loads(entry)
        self._cursor = fields.get("__CURSOR", self._cursor)
        text = fields.get("MESSAGE", "")
        # journalctl prints what is not printable UTF-8 as an array of bytes.
        line = bytes(text) if isinstance(text, list) else str(text).encode()
        return line + b"\n"

    def close(self) -> None:
        """Nothing is held between calls."""


class _SearchHit(msgspec.Struct, frozen=True, rename={"source": "_source"}):
    source: msgspec.Raw
    sort: list[Any]


class _SearchHits(msgspec.Struct, frozen=True):
    hits: list[_SearchHit]


class _SearchAnswer(msgspec.Struct, frozen=True):
    hits: _SearchHits


def without_ties(hits: Sequence[_SearchHit]) -> list[_SearchHit]:
    """Return a full page's hits without those of the last message's number.

    Messages of several recordings have the same numbers, and of those at a page's end the next page
    would know nothing.
    """
    return [hit for hit in hits if hit.sort != hits[-1].sort]


def before_gap(hits: Sequence[_SearchHit], last_id: int) -> list[_SearchHit]:
    """Return the hits that go on from message `last_id` without one missing between them."""
    whole: list[_SearchHit] = []
    for hit in hits:
        number = hit.sort[0]
        if not isinstance(number, int) or number > last_id + 1:
            break
        whole.append(hit)
        last_id = number
    return whole


class ElasticSource:
    """Messages in OpenSearch or Elasticsearch, in the order of their ids.

    What was indexed at one time need not be found at one time. While a recording is followed,
    `patience_s` says how long a missing message is waited for before those behind it are read.

    Args:
        url: The address that answers searches, `http://HOST:9200/INDEX/_search`.
        query: Which messages, in Lucene's syntax: `rec:ID`.
        ca: Certificate of the CA that signed the server's.
        authorization: The value of the header `Authorization`.
    """

    def __init__(
        self, url: str, query: str, ca: Path | None = None, authorization: str | None = None
    ) -> None:
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/_search')}"
        self.patience_s = 0.0
        self._missing_since_s: float | None = None
        self._query = query
        self._after: list[Any] | None = None
        self._path = parts.path
        self._client = open_client(f"{parts.scheme}://{parts.netloc}", make_context(ca))
        if authorization is not None:
            self._client.headers["Authorization"] = authorization

    def watch(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with a line for every request and every answer."""

        def tell_request(request: httpx2.Request) -> None:
            tell(f"> {request.method} {request.url}")

        def tell_answer(answer: httpx2.Response) -> None:
            tell(f"< {answer.http_version} {answer.status_code} {answer.reason_phrase}")

        self._client.event_hooks = {"request": [tell_request], "response": [tell_answer]}

    def read_new(self) -> bytes:
        """Return the messages that follow those already read."""
        hits = self._search(_SEARCH_HITS)
        if len(hits) == _SEARCH_HITS:
            hits = without_ties(hits) or self._search(_MOST_SEARCH_HITS)
        if self.patience_s:
            hits = self._wait_for_missing(hits)
        if hits:
            self._after = hits[-1].sort
        return b"".join(orjson.dumps(orjson.loads(bytes(hit.source))) + b"\n" for hit in hits)

    def _wait_for_missing(self, hits: list[_SearchHit]) -> list[_SearchHit]:
        """Return the hits that may be read now."""
        whole = before_gap(hits, 0 if self._after is None else self._after[0])
        now_s = time.monotonic()
        if whole or not hits:
            self._missing_since_s = None
            return whole
        if self._missing_since_s is None:
            self._missing_since_s = now_s
        if now_s - self._missing_since_s < self.patience_s:
            return []
        self._missing_since_s = None
        return hits

    def _search(self, size: int) -> list[_SearchHit]:
        request: dict[str, Any] = {
            "size": size,
            "query": {"query_string": {"query": self._query}},
            "sort": [{"id": "asc"}],
        }
        if self._after is not None:
            request["search_after"] = self._after
        try:
            response = self._client.post(self._path, json=request)
        except httpx2.HTTPError as error:
            raise explain(self.name, error) from error
        if response.status_code == httpx2.codes.NOT_FOUND:
            raise NotFoundError(f"{self.name}: there is no such index")
        if response.status_code >= httpx2.codes.BAD_REQUEST:
            raise RefusedError(f"{self.name}: HTTP status {response.status_code}")
        try:
            return decode_json(response.content, _SearchAnswer).hits.hits
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{self.name} answers nonsense: {error}") from error

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def open_elastic(target: str, ca: Path | None, token_file: Path | None = None) -> ElasticSource:
    """Open `es+http://HOST:9200/INDEX?q=QUERY`, or es+https.

    `token_file` holds `USER:PASSWORD` or an API key.

    Raises:
        UsageError: The address has no index or no query, or holds a password, which others would
            see among the running programs.
        ConfigError: `token_file` is unreadable, or holds nothing.
    """
    parts = urlsplit(target.removeprefix("es+"))
    queries = parse_qs(parts.query).get("q")
    index = parts.path.strip("/")
    if "@" in parts.netloc:
        raise UsageError("a user and password stand in a file, named with --token-file")
    if not index or not queries:
        raise UsageError(
            f"{target}: an index and a query are needed: es+http://HOST/INDEX?q=rec:ID"
        )
    authorization = None
    if token_file is not None:
        token = read_token(token_file)
        authorization = encode_basic(token) if ":" in token else f"ApiKey {token}"
    url = f"{parts.scheme}://{parts.netloc}/{quote(index)}/_search"
    return ElasticSource(url, queries[0], ca, authorization)


def encode_basic(credentials: str) -> str:
    """Return the header's value for `USER:PASSWORD`."""
    return f"Basic {b64encode(credentials.encode()).decode()}"


def open_journal(target: str) -> JournalSource:
    """Open `journal:MATCH[,MATCH...][?directory=DIR]`.

    Matches are journalctl's; a bare recording id stands for TLOG_REC=id.

    Raises:
        UsageError: It says nothing to look for.
    """
    what, _, query = target.removeprefix("journal:").partition("?")
    matches = [m if "=" in m else f"TLOG_REC={m}" for m in what.split(",") if m]
    if not matches:
        raise UsageError(f"{target}: say which recording: journal:ID")
    directories = parse_qs(query).get("directory", [])
    return JournalSource(matches, [f"--directory={name}" for name in directories[:1]])


def refuse_empty(name: str, damage: Damage | None = None, head: bytes = b"") -> FormatError:
    """Return the error for a source that holds no recording.

    Args:
        name: What the source is called.
        damage: What it begins with.
        head: Its first bytes, where it is a file.
    """
    if damage is None:
        return FormatError("no recording: it is empty", source=name)
    other = _OTHER_FORMATS.get(guess_format(head[:HEAD_BYTES]) or "")
    if other is not None:
        return FormatError(other, source=name)
    return FormatError(
        f"no recording: {damage.reason}",
        line=damage.line,
        offset_bytes=damage.offset_bytes,
        source=name,
    )


def refuse_several(name: str, one: str, other: str, *_more: str) -> AmbiguousError:
    """Return the error for a source of several recordings of which none was chosen."""
    return AmbiguousError(
        f"{name}: holds several recordings, {one} and {other} among them; name one with --rec"
    )
