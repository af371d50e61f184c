from collections.abc import Callable

def encode(
    data: bytes, marks: str, is_final: bool, /
) -> tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]: ...
def render_line(
    head: bytes,
    number: int,
    time_ms: int,
    content: tuple[int, bytes, bytes, bytes, bytes, bytes],
    member: bytes,
    /,
) -> bytes: ...
def chain_lines(
    messages: list[tuple[int, bytes, bytes, bytes]],
    head: bytes,
    number: int,
    started_ms: int,
    window: bytes,
    member: tuple[bytes, bytes],
    prev: str,
    digest: Callable[[bytes], str],
    /,
) -> tuple[list[bytes], str]: ...
