"""Trees of commands as text, for tests to compare and people to read."""

from __future__ import annotations

from collections.abc import Iterable

from steno.audit.session.ran import Ran


def show(items: Iterable[Ran], *, start_unix_us: int | None = None) -> str:
    """Return a line a node: indented, with what is not as usual.

    Args:
        items: The nodes.
        start_unix_us: What instants count from; None: without instants.
    """
    lines: list[str] = []
    depth: dict[int | None, int] = {None: -1}
    for one in items:
        depth[one.number] = depth[one.parent] + 1
        words = ["  " * depth[one.number] + one.text[:60].replace("\n", "\\n")]
        words += [] if one.kind == "program" else [f"[{one.kind}]"]
        words += [] if one.origin == "typed" else [f"({one.origin})"]
        if one.exit_status is not None:
            words.append(f"={one.exit_status}")
        words += [f"signal {one.signal}"] if one.signal is not None else []
        words += [one.error] if one.error else []
        words += ["&"] if one.is_background else []
        words += [f"|{one.pipeline}"] if one.pipeline is not None else []
        words += [f"as {one.privilege}"] if one.privilege else []
        below = one.below
        for letter, count in (
            ("files", below.files_changed),
            ("connections", below.connections),
            ("denials", below.denials),
        ):
            words += [f"{letter}:{count}"] if count else []
        if start_unix_us is not None:
            at_us = one.at_unix_us - start_unix_us
            lasted_us = None if one.end_unix_us is None else one.end_unix_us - one.at_unix_us
            lasted = "" if lasted_us is None else f" {lasted_us / 1000:.0f} ms {one.ended}"
            words.insert(0, f"{at_us / 1_000_000:7.3f}{lasted:>16} ")
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"
