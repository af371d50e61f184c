"""Write src/player/widths.ts: how many cells each character takes, as libghostty says.

The server draws keyframes with libghostty; the player must break lines at the same
columns, so its table is measured from there. Run from frontend/ after pyghostty changes:

    python tools/make_widths.py > src/player/widths.ts
"""

from __future__ import annotations

from collections.abc import Iterator

from pyghostty import Terminal

FIRST = 0xA0
"""Below it every printable character takes one cell."""
BEYOND = 0x110000


def measure() -> bytearray:
    """Return each code point's width, found by writing it and asking for the cursor."""
    terminal = Terminal(80, 2, scrollback=0)
    widths = bytearray([1]) * BEYOND
    for code in range(FIRST, BEYOND):
        if not 0xD800 <= code <= 0xDFFF:
            terminal.feed(b"\x1b[2K\r..." + chr(code).encode())
            widths[code] = terminal.cursor[0] - 3
    return widths


def ranges(widths: bytearray, width: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each stretch of code points that have this width."""
    first: int | None = None
    for code in range(FIRST, BEYOND + 1):
        inside = code < BEYOND and widths[code] == width
        if inside and first is None:
            first = code
        elif not inside and first is not None:
            yield first, code - 1
            first = None


def base36(number: int) -> str:
    """Return `number` as JavaScript's parseInt(text, 36) reads it."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


def encode(stretches: Iterator[tuple[int, int]]) -> str:
    """Return stretches as distances, each from the one before: short to write, quick to read."""
    numbers, at = [], 0
    for first, last in stretches:
        numbers += [base36(first - at), base36(last - first)]
        at = last
    return " ".join(numbers)


def main() -> None:
    """Write the module to standard output."""
    widths = measure()
    print("/** Made by tools/make_widths.py from libghostty; do not edit. */")
    print()
    print(
        "/** Distances from one stretch's end to the next one's begin, and lengths, in base 36. */"
    )
    for name, width in (("ZERO_WIDTH", 0), ("DOUBLE_WIDTH", 2)):
        print(f'export const {name} =\n  "{encode(ranges(widths, width))}";')


if __name__ == "__main__":
    main()
