_Encoded = tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]
_Row = tuple[
    list[tuple[int, _Encoded]],
    list[tuple[int, bytes, bytes, bytes]],
    list[tuple[int, _Encoded]],
    bytes,
    int,
]

def carry(
    waits: list[tuple[int, int]],
    timeout_ms: int,
    keys: tuple[int, int],
    output: tuple[int, int, int, int, int, int, bytes, str] | None,
    /,
) -> tuple[
    list[tuple[int, int]],
    int,
    tuple[bytes, int] | None,
    _Row,
    tuple[bytes, int, int] | None,
]: ...
