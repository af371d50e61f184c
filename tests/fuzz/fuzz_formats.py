"""Fuzz all decoders with atheris: see docs/develop.md, "Fuzzing".

The first byte chooses the format, the second how the rest is cut. Whatever the bytes are, a decoder
gives items in order, the same for every cut, or a FormatError; and every encoder takes the items.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "formats"))

with atheris.instrument_imports(include=["steno"]):
    from reading import GOLDEN_NAMES, Files, cut_every, decode_or_fail, encode, load_golden

    from steno.errors import AmbiguousError
    from steno.formats.export import KINDS
    from steno.formats.guess import guess_format
    from steno.formats.track import Finish, Header, Item
    from steno.model import Damage

FORMATS = ("asciicast", "ttyrec", "tlog", "typescript", "sudo")
STREAMS = {
    "typescript": ("timing", "output", "input"),
    "sudo": ("log.json", "timing", "ttyout", "ttyin", "stderr", "log"),
}
SEPARATOR = b"\n===\n"
"""Stands between the files of a recording that has several."""


def split_files(format_name: str, data: bytes) -> Files:
    """Return the files that `data` holds, as many as there are."""
    if format_name not in STREAMS:
        return {"": data}
    return dict(zip(STREAMS[format_name], data.split(SEPARATOR), strict=False))


def fuzz_one(data: bytes) -> None:
    """Check what holds for all decoders with one input."""
    guess_format(data[2:])
    if len(data) < 3:
        return
    format_name = FORMATS[data[0] % len(FORMATS)]
    files = split_files(format_name, data[2:])
    try:
        items = decode_or_fail(format_name, files)
        again = decode_or_fail(format_name, files, cut_every(1 + data[1] % 16))
    except AmbiguousError:
        return
    if items != again:
        raise AssertionError("another cut gives other items")
    if not isinstance(items, str):
        check_items(items)


def check_items(items: list[Item]) -> None:
    """Check the order of items, and that every format takes them."""
    pieces = [item for item in items if not isinstance(item, (Header, Finish, Damage))]
    instants = [piece.at_us for piece in pieces]
    if not isinstance(items[0], Header) or not isinstance(items[-1], Finish):
        raise AssertionError("there is no header, or no end")
    if instants != sorted(instants) or any(at_us < 0 for at_us in instants):
        raise AssertionError("instants are out of order")
    for kind in KINDS:
        encode(kind, items)


def write_seeds(folder: Path) -> None:
    """Write the real programs' recordings as inputs to begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in GOLDEN_NAMES:
        format_name, files = load_golden(name)
        streams = STREAMS.get(format_name, ("",))
        content = SEPARATOR.join(files.get(stream, b"") for stream in streams)
        (folder / name).write_bytes(bytes((FORMATS.index(format_name), 1)) + content)
    for path in (Path(__file__).parent.parent / "data" / "tlog").glob("0[16]*.log"):
        (folder / path.name).write_bytes(bytes((FORMATS.index("tlog"), 1)) + path.read_bytes())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write-seeds"]:
        write_seeds(Path(sys.argv[2]))
    else:
        atheris.Setup(sys.argv, fuzz_one)
        atheris.Fuzz()
