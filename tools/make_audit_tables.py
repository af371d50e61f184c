#!/usr/bin/env python3
"""Make src/steno/audit/values/tables/ from a kernel's sources and Debian's python3-audit.

    apt-get download linux-source-6.12
    dpkg-deb --fsys-tarfile linux-source-6.12_*.deb | tar x
    tar xJf usr/src/linux-source-6.12.tar.xz
    /usr/bin/python3 tools/make_audit_tables.py linux-source-6.12

Needs python3-audit (names of user space's record types) and ruff, which formats what is written.
The same sources give the same bytes. audit_tables.toml says what is taken, and adds what
kernels have got since; a newer tree makes that superfluous, and this program says so.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import audit  # Debian's python3-audit

SPECS = tomllib.loads((Path(__file__).parent / "audit_tables.toml").read_text())
OUT = Path(__file__).parent.parent / "src/steno/audit/values/tables"

UAPI = "include/uapi/"

SIZES = {"char": 1, "int": 4, "unsigned int": 4, "unsigned": 4, "__u32": 4, "__s32": 4,
         "long": 8, "size_t": 8, "__u64": 8, "struct termios2": 44, "struct fstrim_range": 24,
         "struct fsxattr": 28, "struct file_clone_range": 32, "struct sock_fprog": 16}  # fmt: skip
"""In bytes, on 64 bits: what _IOR and its like mix into an ioctl's number."""


class Constants:
    """The constants that headers define, the first definition winning."""

    def __init__(self) -> None:
        self.exprs: dict[str, str] = {}

    def read(self, path: Path) -> list[str]:
        """Take in a header; return its names in order."""
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.S)
        text = text.replace("\\\n", " ")
        names = []
        for match in re.finditer(
            r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([^\n]+)$|\benum\b[^{};()]*\{([^}]*)\}",
            text,
            re.M,
        ):
            found = {match[1]: match[2].strip()} if match[1] else _members(match[3])
            for name, expr in found.items():
                names.append(name)
                self.exprs.setdefault(name, expr)
        return names

    def value(self, name: str) -> int | None:
        """Return a constant's value, None where it is none."""
        expr = self.exprs.get(name)
        return None if expr is None or expr == name else self.evaluate(expr)

    def evaluate(self, expr: str) -> int | None:
        """Return the value of a C expression, None where it has none."""
        match = re.fullmatch(
            r"_IO(|R|W|WR)\s*\(\s*([^,]+),\s*([^,)]+?)(?:,\s*([^,)]+?))?\s*\)", expr
        )
        if match:
            return self._ioctl(match[1], match[2], match[3], match[4])
        expr = re.sub(r"'(.)'", lambda char: str(ord(char[1])), expr)
        expr = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", expr)
        expr = re.sub(r"\b0([0-7]+)\b", r"0o\1", expr)

        def known(match: re.Match[str]) -> str:
            inner = self.value(match[0])
            return "(None)" if inner is None else f"({inner})"

        expr = re.sub(r"(?<![0-9A-Za-z_])[A-Za-z_]\w*", known, expr)
        if "None" in expr or not re.fullmatch(r"[0-9a-fA-FxXo\s()|&<>~+*-]+", expr):
            return None
        try:
            return int(eval(expr, {"__builtins__": {}}))
        except (SyntaxError, TypeError):
            return None

    def _ioctl(self, way: str, kind: str, number: str, of: str | None) -> int | None:
        size = 0 if of is None else SIZES.get(re.sub(r"\s+", " ", of.strip()))
        parts = self.evaluate(kind.strip()), self.evaluate(number.strip())
        if size is None or parts[0] is None or parts[1] is None:
            return None
        direction = {"": 0, "W": 1, "R": 2, "WR": 3}[way]
        return direction << 30 | size << 16 | parts[0] << 8 | parts[1]


def _members(body: str) -> dict[str, str]:
    """Return the members of an enum, each with an expression for its value."""
    members: dict[str, str] = {}
    before = ""
    body = re.sub(r"^[ \t]*#.*$", "", body, flags=re.M)
    for part in body.split(","):
        name, _, expr = (piece.strip() for piece in part.partition("="))
        if re.fullmatch(r"\w+", name):
            members[name] = f"({expr})" if expr else (f"({before}) + 1" if before else "0")
            before = name
    return members


def table_of(linux: Path, spec: dict[str, Any], least: int) -> dict[int, str]:
    """Return one table, ascending."""
    constants = Constants()
    names: list[str] = []
    for header in (*spec.get("first", ()), spec["header"], *spec.get("more", ())):
        path = linux / header if header.startswith(("arch", "include")) else linux / UAPI / header
        names += constants.read(path)
    without = re.compile("|".join(spec.get("without", ["(?!)"])))
    strip = spec.get("strip", "")
    table: dict[int, str] = {}
    for name in names:
        if not re.fullmatch(spec["names"], name) or without.fullmatch(name):
            continue
        value = constants.value(name)
        if value is not None and value >= spec.get("least", least):
            shown = name.removeprefix(strip)
            shown = shown.lower() if strip or spec.get("small") else shown
            table.setdefault(value, shown.replace("_", "-") if strip == "SECCOMP_RET_" else shown)
    return dict(sorted(table.items()))


def numbered(section: dict[str, str]) -> dict[int, str]:
    """Return a literal table."""
    return {int(number): name for number, name in section.items()}


def syscalls_of(linux: Path, arch: str) -> dict[int, str]:
    """Return an architecture's system calls, ascending."""
    spec = SPECS["syscalls"][arch]
    table: dict[int, str] = {}
    for line in (linux / spec["table"]).read_text().splitlines():
        words = line.split()
        if len(words) >= 3 and words[0].isdigit() and words[1] in spec["abis"]:
            table[int(words[0])] = words[2]
    if arch == "arm":
        table |= numbered(SPECS["arm_private"])
    for number, name in numbered(SPECS["later_syscalls"]).items():
        if number in table:
            print(f"later_syscalls: {arch} has {number} now", file=sys.stderr)
        table.setdefault(number, name)
    return dict(sorted(table.items()))


def records_of(linux: Path) -> dict[int, str]:
    """Return the record types' names."""
    names = {number: audit.audit_msg_type_to_name(number) for number in range(1000, 3000)}
    table = {number: name for number, name in names.items() if name}
    constants = Constants()
    for name in constants.read(linux / UAPI / "linux/audit.h"):
        number = constants.value(name)
        if (
            number is not None
            and 1000 <= number < 3000
            and not re.search(r"_(FIRST|LAST)_|MAX", name)
        ):
            table.setdefault(number, name.removeprefix("AUDIT_"))
    table = numbered(SPECS["older_records"]) | table
    for number, name in numbered(SPECS["later_records"]).items():
        if number in table:
            print(f"later_records: {number} is known now", file=sys.stderr)
        table.setdefault(number, name)
    return dict(sorted(table.items()))


def errors_of(linux: Path) -> dict[int, str]:
    """Return error numbers' names, also those that only tracing should ever see."""
    constants = Constants()
    names = []
    for header in ("uapi/asm-generic/errno-base.h", "uapi/asm-generic/errno.h", "linux/errno.h"):
        names += constants.read(linux / "include" / header)
    table: dict[int, str] = {}
    for name in names:
        value = constants.value(name)
        if name.startswith("E") and value:
            table.setdefault(value, name)
    return dict(sorted(table.items()))


def architectures_of(linux: Path) -> dict[int, str]:
    """Return the names of AUDIT_ARCH_* numbers."""
    constants = Constants()
    constants.read(linux / UAPI / "linux/elf-em.h")
    names = constants.read(linux / UAPI / "linux/audit.h")
    table: dict[int, str] = {}
    for name in names:
        value = constants.value(name) if name.startswith("AUDIT_ARCH_") else None
        if value is not None:
            table.setdefault(value, name.removeprefix("AUDIT_ARCH_").lower())
    return dict(sorted(table.items()))


def write(name: str, about: str, tables: dict[str, dict[int, str]], digits: str = "{}") -> None:
    """Write one module."""
    parts = [f'"""{about}\n\nMade by tools/make_audit_tables.py; not edited by hand.\n"""\n']
    for table, content in tables.items():
        rows = [f"    {digits.format(value)}: {name!r}," for value, name in content.items()]
        parts.append(f"{table}: dict[int, str] = {{\n" + "\n".join(rows) + "\n}\n")
    path = OUT / f"{name}.py"
    path.write_text("\n".join(parts))
    subprocess.run(["ruff", "format", "-q", str(path)], check=True)


def main() -> None:
    """Make all modules."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("linux", type=Path, help="a kernel's unpacked sources")
    linux = parser.parse_args().linux
    lines = (linux / "Makefile").read_text().splitlines()[1:4]
    source = "Source: Linux " + ".".join(line.partition("=")[2].strip() for line in lines)
    for arch, spec in SPECS["syscalls"].items():
        about = (
            f"System calls of {arch}.\n\n{source}, {spec['table']}; later kernels for later ones."
        )
        write(f"syscalls_{arch}", about, {"NAMES": syscalls_of(linux, arch)})
    flags = {name: table_of(linux, spec, 1) for name, spec in SPECS["flags"].items()}
    write("flags", f"Names of bits.\n\n{source}, include/uapi.", flags, "0x{:x}")
    choices = {name: table_of(linux, spec, 0) for name, spec in SPECS["choices"].items()}
    choices |= {name: numbered(section) for name, section in SPECS["literal"].items()}
    write("choices", f"Names of values.\n\n{source}, include/uapi.", choices)
    errors = errors_of(linux)
    texts = {number: os.strerror(number) for number in errors if number < 512}
    about = f"Error numbers.\n\n{source}, include/uapi/asm-generic/errno.h; texts: glibc."
    write("errors", about, {"NAMES": errors, "TEXTS": texts})
    about = (
        f"Record types.\n\n{source}, include/uapi/linux/audit.h; python3-audit for user space's."
    )
    write("records", about, {"NAMES": records_of(linux)})
    about = f"Architectures.\n\n{source}, include/uapi/linux/audit.h and elf-em.h."
    write("architectures", about, {"NAMES": architectures_of(linux)}, "0x{:x}")
    (OUT / "__init__.py").write_text('"""What numbers in audit records stand for; generated."""\n')


if __name__ == "__main__":
    main()
