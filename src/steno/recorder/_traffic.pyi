from collections.abc import Callable

_Encoded = tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]
_Stretches = list[tuple[int, _Encoded]]
_Messages = list[tuple[int, bytes, bytes, bytes]]
_Record = Callable[[_Stretches, _Messages], bool]

def carry(
    waits: list[tuple[int, int]],
    timeout_ms: int,
    keys: tuple[int, int],
    output: tuple[int, int, int, int, int, int, bytes, str, _Record] | None,
    /,
) -> tuple[
    list[tuple[int, int]],
    int,
    tuple[bytes, int] | None,
    tuple[_Stretches, bytes, int],
    tuple[bytes, int, int] | None,
]: ...
