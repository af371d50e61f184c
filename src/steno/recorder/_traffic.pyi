_Encoded = tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]

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
    list[tuple[int, _Encoded]],
    int,
    bytes,
    tuple[int, bytes, int] | None,
]: ...
