"""Where tlog-play reads messages: a file, the journal, Elasticsearch."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from steno.cli.messages import say
from steno.cli.playing.sources import (
    ElasticSource,
    FileSource,
    JournalSource,
    LineSource,
    encode_basic,
)
from steno.cli.tlog.configuration import Configuration
from steno.cli.tlog.journal_matches import translate_matches
from steno.errors import UsageError

CREDENTIALS_VARIABLE = "TLOG_CURL_USERPWD"
"""In which tlog-play takes USER:PASSWORD for Elasticsearch."""
_LATEST_S = 253402300799
"""The last second of the year 9999: journalctl knows none beyond."""


def open_source(configuration: Configuration) -> LineSource:
    """Open what the configuration says the messages are in.

    Raises:
        StenoError: It does not say enough, or it cannot be opened.
    """
    reader = configuration.word("reader")
    if reader == "journal":
        return _open_journal(configuration)
    if reader == "es":
        return _open_elastic(configuration)
    path = configuration.text("file.path")
    if not path:
        raise UsageError("no file to read: say --file-path or file.path")
    return FileSource(Path(path))


def _open_journal(configuration: Configuration) -> JournalSource:
    symbols = configuration.texts("journal.match")
    if not symbols:
        raise UsageError("nothing to look for in the journal: say --journal-match")
    options = []
    namespace = configuration.text("journal.namespace")
    until_s = configuration.number("journal.until")
    if namespace is not None:
        options.append(f"--namespace={namespace}")
    if until_s is not None and until_s < _LATEST_S:
        options.append(f"--until=@{until_s}")
    since_s = min(configuration.count("journal.since"), _LATEST_S)
    return JournalSource(translate_matches(symbols), options, f"@{since_s}" if since_s else None)


def _open_elastic(configuration: Configuration) -> ElasticSource:
    url, query = configuration.text("es.baseurl"), configuration.text("es.query")
    if not url:
        raise UsageError("no Elasticsearch to ask: say --es-baseurl or es.baseurl")
    if query is None:
        raise UsageError("nothing to look for in Elasticsearch: say --es-query or es.query")
    parts = urlsplit(url)
    is_search = parts.scheme in ("http", "https") and parts.hostname is not None
    if not is_search or parts.query or parts.fragment:
        raise UsageError(
            f"--es-baseurl: {parts.scheme}://{parts.hostname or ''}: not the address of"
            " a search, http://HOST:9200/INDEX/_search, without ? and #"
        )
    place = parts.netloc.rpartition("@")[2]
    credentials = _find_credentials(
        parts.username, parts.password, parts.hostname or "", os.environ
    )
    authorization = None if credentials is None else encode_basic(credentials)
    source = ElasticSource(
        f"{parts.scheme}://{place}{parts.path}", query, authorization=authorization
    )
    if configuration.flag("es.verbose"):
        source.watch(partial(say, program=configuration.program.name))
    return source


def _find_credentials(
    user: str | None, password: str | None, host: str, environ: Mapping[str, str]
) -> str | None:
    """Return USER:PASSWORD: the environment's, the address's, or those in ~/.netrc."""
    said = environ.get(CREDENTIALS_VARIABLE)
    if said is not None:
        return said
    if user is not None:
        return f"{user}:{password or ''}"
    try:
        found = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return None if found is None else f"{found[0]}:{found[2]}"
