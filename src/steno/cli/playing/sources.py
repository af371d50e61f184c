"""Where original lines come from: a file, the journal, a library, OpenSearch or Elasticsearch.

Each source is asked again and again and gives what has come since: that is how a live recording is
followed, wherever it is.
"""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import msgspec
import orjson

from steno.cli.input_files import open_input, read_input
from steno.cli.library import Library
from steno.cli.remote import make_context, read_token
from steno.delivery.transport import explain, open_client
from steno.errors import FormatError, NotFoundError, ProtocolError, RefusedError, UsageError
from steno.model import Damage

_READ_BYTES = 1 << 20
_SEARCH_HITS = 200


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
    """A file, which may grow.

    Raises:
        NotFoundError: It is not there.
        FormatError: It is a directory.
        StenoError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = open_input(path)

    def read_new(self) -> bytes:
        """Return up to a megabyte of what has come."""
        return read_input(self._file, _READ_BYTES)

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
        matches: Matches as journalctl takes them; a bare recording id stands for TLOG_REC=id.
        directory: A directory of journal files, instead of this machine's.
    """

    def __init__(self, matches: list[str], directory: str | None = None) -> None:
        self.name = "the journal"
        self._arguments = ["journalctl", "-o", "json", "--no-pager", "-q", "--all"]
        self._arguments += ["--output-fields=MESSAGE"]
        if directory is not None:
            self._arguments += ["--directory", directory]
        self._matches = [m if "=" in m else f"TLOG_REC={m}" for m in matches]
        self._cursor: str | None = None

    def read_new(self) -> bytes:
        """Return the lines that came since the last call."""
        after = [] if self._cursor is None else ["--after-cursor", self._cursor]
        try:
            ran = subprocess.run(  # noqa: S603  # arguments are a list; no shell reads them
                [*self._arguments, *after, *self._matches], capture_output=True, check=False
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


class ElasticSource:
    """Messages in an index of OpenSearch or Elasticsearch, in the order of their ids.

    Args:
        url: `es+http://HOST:9200/INDEX?q=QUERY`, or es+https; the query is Lucene's syntax, as
            `rec:ID`.
        ca: Certificate of the CA that signed the server's.
        token_file: A file that holds `USER:PASSWORD` or an API key.

    Raises:
        UsageError: The address has no index or no query, or holds a password, which others would
            see among the running programs.
        ConfigError: `token_file` is unreadable, or holds nothing.
    """

    def __init__(self, url: str, ca: Path | None, token_file: Path | None = None) -> None:
        parts = urlsplit(url.removeprefix("es+"))
        queries = parse_qs(parts.query).get("q")
        index = parts.path.strip("/")
        if "@" in parts.netloc:
            raise UsageError("a user and password stand in a file, named with --token-file")
        if not index or not queries:
            raise UsageError(
                f"{url}: an index and a query are needed: es+http://HOST/INDEX?q=rec:ID"
            )
        self.name = f"{parts.scheme}://{parts.netloc}/{index}"
        self._query = queries[0]
        self._after: list[Any] | None = None
        self._path = f"/{quote(index)}/_search"
        self._client = open_client(f"{parts.scheme}://{parts.netloc}", make_context(ca))
        if token_file is not None:
            token = read_token(token_file)
            basic = f"Basic {b64encode(token.encode()).decode()}"
            self._client.headers["Authorization"] = basic if ":" in token else f"ApiKey {token}"

    def read_new(self) -> bytes:
        """Return the messages that follow those already read."""
        request: dict[str, Any] = {
            "size": _SEARCH_HITS,
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
            hits = msgspec.json.decode(response.content, type=_SearchAnswer).hits.hits
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"{self.name} answers nonsense: {error}") from error
        if hits:
            self._after = hits[-1].sort
        return b"".join(orjson.dumps(orjson.loads(bytes(hit.source))) + b"\n" for hit in hits)

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def open_journal(target: str) -> JournalSource:
    """Open `journal:MATCH[,MATCH...][?directory=DIR]`.

    Raises:
        UsageError: It says nothing to look for.
    """
    what, _, query = target.removeprefix("journal:").partition("?")
    matches = [match for match in what.split(",") if match]
    if not matches:
        raise UsageError(f"{target}: say which recording: journal:ID")
    directories = parse_qs(query).get("directory", [None])
    return JournalSource(matches, directories[0])


def refuse_empty(name: str, damage: Damage | None = None) -> FormatError:
    """Return the error for a source that holds no recording; `damage` is what it begins with."""
    if damage is None:
        return FormatError("no recording: it is empty", source=name)
    return FormatError(
        f"no recording: {damage.reason}",
        line=damage.line,
        offset_bytes=damage.offset_bytes,
        source=name,
    )
