"""The generated tables."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import steno.audit.values.tables
from steno.audit.values.tables import choices, errors, flags, records

FOLDER = Path(steno.audit.values.tables.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
CALLS = [name for name in MODULES if name.startswith("syscalls_")]


@pytest.mark.parametrize("module", MODULES)
def test_no_number_stands_twice(module: str) -> None:
    """Each table names each number once, in ascending order, and each name once."""
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Dict):
            numbers = [ast.literal_eval(key) for key in node.keys if key is not None]
            names = [ast.literal_eval(value) for value in node.values]
            assert numbers == sorted(set(numbers))
            assert len(names) == len(set(names))
            assert all(names)


def test_tables_hold_what_their_makers_list_says() -> None:
    """Each table of tools/audit_tables.toml is there, with no name that it does not ask for."""
    specs = tomllib.loads((FOLDER.parents[4] / "tools/audit_tables.toml").read_text())
    assert set(CALLS) == {f"syscalls_{arch}" for arch in specs["syscalls"]}
    for module, sections in ((flags, ("flags",)), (choices, ("choices", "literal"))):
        listed = {name: spec for section in sections for name, spec in specs[section].items()}
        assert {name for name in vars(module) if name.isupper()} == set(listed)
        for name, spec in listed.items():
            table = getattr(module, name)
            if "names" not in spec:
                assert table == {int(number): word for number, word in spec.items()}
            elif not spec.get("strip") and not spec.get("small"):
                assert all(re.fullmatch(spec["names"], word) for word in table.values())


def test_the_usual_is_there() -> None:
    """A table that lost its header would be short: some of each."""
    assert errors.NAMES[13] == "EACCES"
    assert errors.TEXTS[2] == "No such file or directory"
    assert records.NAMES[1300] == "SYSCALL"
    assert records.NAMES[1123] == "USER_CMD"
    assert choices.CAPABILITY[21] == "sys_admin"
    assert choices.ADDRESS_FAMILY[10] == "inet6"
    assert choices.IOCTL[0x5413] == "TIOCGWINSZ"
    assert flags.OPEN[0o100] == "O_CREAT"
    tables = {**vars(choices), **vars(flags)}
    assert all(len(table) > 1 for name, table in tables.items() if name.isupper())


_RENAMED = {
    "pread": "pread64", "pwrite": "pwrite64", "sys_kexec_load": "kexec_load",
    "sched_rr_get_interval64": "sched_rr_get_interval_time64", "llseek": "_llseek",
    "newselect": "_newselect", "sysctl": "_sysctl", "fadvise64_64": "arm_fadvise64_64",
    "sync_file_range": "arm_sync_file_range", "newfstat": "fstat", "getdents": "getdents64",
    "timerfd": "timerfd_create", "perf_counter_open": "perf_event_open",
    "fstatat64": "newfstatat",
}  # fmt: skip
"""Names that libaudit 3.0.9 has instead of the kernel's."""

_ONLY_32_BITS = frozenset({"ppc64"})
"""Where libaudit has a 32-bit machine's table for the 64-bit one."""


@pytest.mark.real
@pytest.mark.skipif(shutil.which("ausyscall") is None, reason="Debian package auditd is missing")
@pytest.mark.parametrize(
    "arch", ["x86_64", "i386", "aarch64", "arm", "ppc", "ppc64", "s390", "s390x"]
)
def test_system_calls_are_those_of_libaudit(arch: str) -> None:
    """All numbers that libaudit knows have the same name here, but for names that it made up."""
    done = subprocess.run(["ausyscall", arch, "--dump"], capture_output=True, text=True, check=True)
    ours = importlib.import_module(f"steno.audit.values.tables.syscalls_{arch}").NAMES
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    wrong = {
        (int(number), name, ours.get(int(number)))
        for number, name in lines
        if ours.get(int(number)) not in (name, _RENAMED.get(name))
    }
    if arch in _ONLY_32_BITS:
        wrong = {entry for entry in wrong if entry[2] is not None}
    assert wrong == set()
    assert len(ours) > len(lines) - 25
