"""What compilers' tools find in the modules in C for audit logs, and in what they do to memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from native_modules import CLANG, NATIVE, check_with_analyser, run_sanitized

DATA = Path(__file__).parents[1] / "data" / "audit"
SOURCES = sorted(NATIVE.glob("audit_*.c"))

_TRIAL = """
import importlib.util, json, random, sys
import steno.audit
spec = importlib.util.spec_from_file_location("steno.audit._records", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["steno.audit._records"] = steno.audit._records = module
from steno.audit.coalescing import Coalescer
from steno.audit.values.decoding import Decoder
from steno.audit.encoding import RecordEncoder
from steno.audit.events import EventBuilder
from steno.audit.values.names import Names
from steno.audit.records import LineReader
from steno.audit import _records
chance = random.Random(7)
data = b"".join(open(path, "rb").read() for path in sys.argv[2:])
lines = data.splitlines(keepends=True)
specials = [b"\\x1d", b'"', b"'", b"=", b" ", b"{", b"}", b"\\xff", b"\\n", b"\\0", b"msg='"]
encoder, builder = RecordEncoder(Decoder(Names())), EventBuilder()
count = 0
for turn in range(150):
    piece = bytearray(b"".join(chance.sample(lines, 20)))
    for _ in range(turn):
        at = chance.randrange(len(piece))
        piece[at : at + chance.randrange(3)] = chance.choice(specials)
    reader, coalescer = LineReader(), Coalescer(finds_losses=True)
    records = reader.feed(bytes(piece)) + reader.finish()
    for group in coalescer.feed(records) + coalescer.finish():
        json.loads(encoder.encode(group.records))
        builder.build(group)
        count += 1
    for record in records:
        record.fields, record.pairs, record.words, record.get("uid"), record.values(("a0", "x"))
    coalescer.pass_whole_events(bytes(piece)[: piece.rfind(b"\\n") + 1], 0)
whole = LineReader().feed(data)
encoder.encode(whole)
print("done", count > 1000, len(whole))
"""


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_analyser_finds_nothing(source: Path) -> None:
    """Clang's static analyser has no finding."""
    check_with_analyser([source])


def test_no_log_breaks_memory(tmp_path: Path) -> None:
    """Real logs, whole and damaged: the sanitizers see no byte touched where none may be."""
    logs = [str(DATA / "f1" / "audit-enriched.log"), str(DATA / "f2" / "plugin-string-zoo.log")]
    printed = run_sanitized(SOURCES, tmp_path / "_records.abi3.so", _TRIAL, *logs)
    assert printed == "done True 2266\n"


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """A few seconds of libFuzzer, begun with real lines, find no crash and no broken promise."""
    target = tmp_path / "fuzz_audit"
    build = subprocess.run(
        [
            *(str(CLANG), "-g", "-O1", "-fsanitize=fuzzer,address,undefined"),
            *(str(NATIVE / "fuzz" / "fuzz_audit.c"), str(NATIVE / "audit_lexing.c")),
            *("-o", str(target)),
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    if "libclang_rt" in build.stderr:
        pytest.skip("clang's runtime is not installed (Debian: libclang-rt-dev)")
    assert build.returncode == 0, build.stderr
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for log in ("f1/audit-enriched.log", "f2/audit-enriched-zoo.log"):
        for number, line in enumerate((DATA / log).read_bytes().splitlines()[::9]):
            (corpus / f"{log[:2]}-{number}").write_bytes(line[:1500])
    options = ["-runs=40000", "-max_total_time=20", "-max_len=1500", "-seed=1"]
    done = subprocess.run(
        [str(target), *options, str(corpus)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
