"""tlog-play's stand-in against a real OpenSearch, beside tlog-play."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from driven import STENO, Driven
from opensearch_node import index_lines, needs_opensearch
from tlog_programs import BOTH, STAND_IN, TLOG, Programs, needs_both

PLAY = [*STENO, "tlog", "play", "-r", "es"]


@pytest.mark.real
@pytest.mark.slow
@needs_opensearch
@needs_both
def test_both_play_from_opensearch(opensearch: str, programs: Programs, tmp_path: Path) -> None:
    """Recordings of both programs, in one index, are played by both players."""
    recs = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        words = ["--payload=300", "-o", str(path), "seq", "1000", "2500"]
        assert programs.run(kind, "tlog-rec", *words).returncode == 0
        lines = path.read_bytes().splitlines()
        assert len(lines) > 12  # more than tlog-play asks for at a time
        recs[kind] = json.loads(lines[0])["rec"]
        index_lines(opensearch, "beside", reversed(lines))
    everything = b"".join(b"%d\n" % number for number in range(1000, 2501))
    url = f"--es-baseurl={opensearch}/beside/_search"
    for rec in recs.values():
        words = ["-r", "es", url, f'--es-query=rec.keyword:"{rec}"']
        assert programs.run(STAND_IN, "tlog-play", *words).stdout == everything
        driven = Driven(programs.command(TLOG, "tlog-play", *words, "-g", "end"))
        try:
            driven.expect(b"2500")
            assert driven.finish() == 0
        finally:
            driven.close()
        assert bytes(driven.seen).startswith(everything)
    ran = programs.run(STAND_IN, "tlog-play", *words, "--es-verbose")
    assert b"> POST " in ran.stderr
    assert b" 200 " in ran.stderr
    ran = programs.run(STAND_IN, "tlog-play", "-r", "es", url.replace("beside", "no"), words[-1])
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], b"no Elasticsearch to ask"),
        (["--es-baseurl=http://127.0.0.1:1/x"], b"nothing to look for"),
        (["--es-baseurl=http://127.0.0.1:1/x?q=1", "--es-query=x"], b"the address of a search"),
        (["--es-baseurl=ftp://127.0.0.1/x", "--es-query=x"], b"the address of a search"),
        (["--es-baseurl=http://me:secret@127.0.0.1:1/x", "--es-query=x"], b"127.0.0.1:1/x"),
    ],
)
def test_what_cannot_be_asked_is_told(words: list[str], reason: bytes) -> None:
    """One line says what is missing; no password stands in it."""
    ran = subprocess.run([*PLAY, *words], capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert reason in ran.stderr
    assert b"secret" not in ran.stderr
