"""Read recordings in any format in tests: whole, or cut as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from steno.errors import FormatError
from steno.formats import asciicast, sudoio, tlog_track, ttyrec, typescript
from steno.formats.export import Exporter
from steno.formats.track import Finish, Header, Item
from steno.model import Damage, Input, Output, Piece

GOLDENS = Path(__file__).parent.parent / "data" / "formats"

Files = dict[str, bytes]
"""A recording's files by what they are to its decoder; "" for the only one."""
Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> list[bytes]:
    """Cut nothing."""
    return [data]


def cut_every(size_bytes: int) -> Cut:
    """Return what cuts bytes into pieces of this size."""
    return lambda data: [data[i : i + size_bytes] for i in range(0, len(data) or 1, size_bytes)]


def decode(format_name: str, files: Files, cut: Cut = whole) -> list[Item]:
    """Return all items of a recording, its files cut by `cut`."""
    items: list[Item] = []
    if format_name in ("typescript", "sudo"):
        streams = dict(files)
        decoder: typescript.Decoder | sudoio.Decoder
        if format_name == "typescript":
            decoder = typescript.Decoder()
        else:
            facts = {name: streams.pop(name, None) for name in ("log.json", "log")}
            decoder = sudoio.Decoder(log_json=facts["log.json"], log=facts["log"])
        for name, data in streams.items():
            for chunk in cut(data):
                items += decoder.feed(name, chunk)
        return items + decoder.finish()
    makers = {
        "asciicast": asciicast.Decoder,
        "ttyrec": ttyrec.Decoder,
        "tlog": tlog_track.Reader,
    }
    single = makers[format_name]()
    for chunk in cut(files[""]):
        items += single.feed(chunk)
    return items + single.finish()


def decode_or_fail(format_name: str, files: Files, cut: Cut = whole) -> list[Item] | str:
    """Return all items, or the text of the FormatError that there was."""
    try:
        return decode(format_name, files, cut)
    except FormatError as error:
        return str(error)


def encode(format_name: str, items: Iterable[Item]) -> tuple[Files, list[str]]:
    """Return the files that `items` become in a format of KINDS, and the losses."""
    exporter = Exporter(format_name, rec="0123-rec", recorder="steno test")
    files: dict[str, bytearray] = {}
    for item in items:
        for part in exporter.write(item):
            files.setdefault(part.suffix, bytearray()).extend(part.data)
    return {suffix: bytes(data) for suffix, data in files.items()}, exporter.losses()


def as_streams(format_name: str, files: Files) -> tuple[str, Files]:
    """Return the decoder's name and files for what `encode` returned."""
    if format_name.startswith("typescript"):
        names = {".timing": "timing", "": "output", ".in": "input"}
        return "typescript", {stream: files[s] for s, stream in names.items() if s in files}
    return format_name.partition("-v")[0], files


def load_golden(name: str) -> tuple[str, Files]:
    """Return the decoder's name and the files of a recording in tests/data/formats."""
    path = GOLDENS / name
    if path.is_dir():
        order = ("log.json", "log", "timing", *sudoio.STREAMS)
        return "sudo", {part: (path / part).read_bytes() for part in order}
    if path.suffix == ".cast":
        return "asciicast", {"": path.read_bytes()}
    if path.suffix == ".ttyrec":
        return "ttyrec", {"": path.read_bytes()}
    files = {"timing": Path(f"{path}.timing").read_bytes(), "output": path.read_bytes()}
    beside = Path(f"{path}.in")
    return "typescript", files | ({"input": beside.read_bytes()} if beside.exists() else {})


GOLDEN_NAMES = [
    "v2.cast",
    "v3.cast",
    "session.ttyrec",
    "classic",
    "advanced",
    "both",
    "sudo-gzip",
    "sudo-plain",
    "sudo-pipes",
]


def header_of(items: list[Item]) -> Header:
    """Return the header, which must be the first item and the only one."""
    assert isinstance(items[0], Header)
    assert not [item for item in items[1:] if isinstance(item, Header)]
    return items[0]


def finish_of(items: list[Item]) -> Finish:
    """Return the end, which must be the last item and the only one."""
    assert isinstance(items[-1], Finish)
    assert not [item for item in items[:-1] if isinstance(item, Finish)]
    return items[-1]


def pieces_of(items: list[Item]) -> list[Piece]:
    """Return the pieces."""
    return [item for item in items if not isinstance(item, (Header, Finish, Damage))]


def damages_of(items: list[Item]) -> list[Damage]:
    """Return what could not be read."""
    return [item for item in items if isinstance(item, Damage)]


def output_of(items: list[Item]) -> bytes:
    """Return all output."""
    return b"".join(item.data for item in items if isinstance(item, Output))


def input_of(items: list[Item]) -> bytes:
    """Return all input."""
    return b"".join(item.data for item in items if isinstance(item, Input))
