def burst(
    source: int,
    sink: int,
    base_ns: int,
    turn_bytes: int,
    free_bytes: int,
    most_bytes: int,
    carried: bytes,
    marks: str,
    /,
) -> tuple[
    list[tuple[int, tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]]],
    int,
    bytes,
    tuple[int, bytes, int] | None,
    bool,
]: ...
