"""`steno-shell` as it is shipped, and what compilers' tools find in its source."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from shell_builds import NATIVE, SOURCES, WAITER

from steno.agent.handshake import Answer, encode_answer

SCRIPTS = Path(sysconfig.get_path("scripts"))
SHIPPED = SCRIPTS / "steno-shell"
CLANG = shutil.which("clang")
needs_clang = pytest.mark.skipif(CLANG is None, reason="clang is not installed")


@pytest.fixture(scope="module", params=["steno-shell", "steno-wait"])
def elf(request: pytest.FixtureRequest) -> str:
    """What readelf says of a program that the package installs."""
    command = ["readelf", "-W", "-h", "-l", "-d", str(SCRIPTS / request.param)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_program_is_position_independent(elf: str) -> None:
    """PIE: its addresses differ from run to run."""
    assert re.search(r"Type:\s+DYN", elf)
    assert re.search(r"FLAGS_1.*\bPIE\b", elf)


def test_the_program_is_read_only_after_the_start(elf: str) -> None:
    """Full RELRO: everything is bound at the start, and then no longer writable."""
    assert "GNU_RELRO" in elf
    assert re.search(r"FLAGS_1.*\bNOW\b", elf)


def test_no_memory_is_writable_and_executable(elf: str) -> None:
    """Neither stack nor any segment may be both."""
    segments = re.findall(r"^\s+(\w+)\s+0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([RWE ]{3})", elf, re.M)
    assert {"LOAD", "GNU_STACK"} <= {name for name, _ in segments}
    assert not [flags for _, flags in segments if "W" in flags and "E" in flags]


def test_the_program_is_static_or_needs_libc_alone(elf: str) -> None:
    """Nothing but libc; linked statically, no LD_PRELOAD gets in before it."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", elf)
    assert needed in ([], ["libc.so.6"])
    assert ("INTERP" in elf) == bool(needed)


def test_the_program_checks_its_stack_and_buffers() -> None:
    """Stack protector and fortified functions are in it."""
    code = SHIPPED.read_bytes()
    assert b"stack smashing detected" in code or b"__stack_chk_fail" in code
    assert b"buffer overflow detected" in code or b"_chk" in code


@pytest.mark.skipif(platform.machine() != "x86_64", reason="endbr64 is x86-64's")
def test_jumps_land_at_marked_places_only() -> None:
    """Control-flow protection: functions begin with endbr64."""
    assert SHIPPED.read_bytes().count(b"\xf3\x0f\x1e\xfa") > 10


@pytest.mark.parametrize("name", ["steno-shell", "steno-wait"])
def test_the_program_has_no_privileges(name: str) -> None:
    """It is neither setuid nor setgid."""
    assert (SCRIPTS / name).stat().st_mode & 0o6000 == 0


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="steno-wait is made with libc here"
)
def test_the_waiting_program_changes_no_memory_before_it_begins() -> None:
    """It has no relocations: none of its pages becomes each session's own by loading it."""
    command = ["readelf", "-W", "-r", str(SCRIPTS / "steno-wait")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "There are no relocations" in said


@needs_clang
@pytest.mark.parametrize("source", [*SOURCES, WAITER], ids=lambda path: path.name)
def test_the_analyser_finds_nothing(source: Path) -> None:
    """Clang's static analyser has no finding."""
    checks = "core,unix,security,deadcode,nullability,optin.portability"
    options = ["-std=c11", "-D_GNU_SOURCE", "--analyze", "--analyzer-output", "text"]
    options += ["-Xclang", f"-analyzer-checker={checks}"]
    # memcpy_s and its like are not in glibc.
    unwanted = "security.insecureAPI.DeprecatedOrUnsafeBufferHandling"
    options += ["-Xclang", f"-analyzer-disable-checker={unwanted}"]
    done = subprocess.run(
        [str(CLANG), *options, str(source)], capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


SEEDS = [
    b"\0" + encode_answer(Answer("terminal", b"/bin/bash", b"-bash", b"Hello.")),
    b"\0" + encode_answer(Answer("pipes", b"/bin/sh", b"sh", must_wait=True)),
    b"\0" + encode_answer(Answer("deny", message=b"No.", status=7)),
    b"\x01# Steno\non_failure = allow\nrescue = none\ncontact = me\n",
    b"\x01bob:/bin/bash\nbob:x:1000:1000:Bob:/home/bob:/bin/sh\n/bin/my-sh # x\n",
    b"\x02-tlog-rec-session-shell-bin-my\\-sh",
    b"\x02steno-shell-shell-bash",
]


@needs_clang
def test_no_bytes_break_the_readers(tmp_path: Path) -> None:
    """LibFuzzer finds no bytes from agent, files or names that are read wrongly."""
    fuzzer, corpus = tmp_path / "fuzz", tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    words = ["-g", "-O1", "-D_GNU_SOURCE", "-fsanitize=fuzzer,address,undefined"]
    words += ["-fno-sanitize-recover=all", str(NATIVE / "fuzz/fuzz_reading.c")]
    built = subprocess.run(
        [str(CLANG), *words, str(NATIVE / "reading.c"), "-o", str(fuzzer)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    if "libclang_rt" in built.stderr:
        pytest.skip("clang's libFuzzer is not installed (Debian: libclang-rt-dev)")
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [str(fuzzer), "-runs=60000", "-max_len=6000", "-timeout=20", str(corpus)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 60000 runs" in done.stderr
