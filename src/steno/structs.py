"""Make msgspec's structs ready for programs with several threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec


def prepare_structs() -> None:
    """Have msgspec work out now how each struct that is defined so far is decoded.

    Call it before a program's first thread starts, when its modules are imported.

    msgspec does that when a struct is first decoded into. It runs Python code for that (the
    annotations), and so other threads, to whom what it has worked out so far is there already,
    half of it null: two threads that decode into a struct for the first time can end the process
    with SIGSEGV. Source: msgspec 0.22.0, _core.c, StructInfo_Convert(), which sets the class's
    `struct_info` before it fills it. Not needed any more once msgspec holds a lock there.
    """
    for struct in list(_derived_from(msgspec.Struct)):
        with suppress(TypeError):  # one that nobody can decode into
            msgspec.msgpack.Decoder(struct)


def _derived_from(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for struct in base.__subclasses__():
        yield struct
        yield from _derived_from(struct)
