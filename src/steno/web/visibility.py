"""Which recordings a caller may see."""

from __future__ import annotations

from steno.errors import AmbiguousError, NotFoundError
from steno.store.protocol import Store, Summary


def is_visible(summary: Summary, visible_to: str | None) -> bool:
    """Return whether somebody limited to the recordings of `visible_to` may see this one."""
    return visible_to is None or visible_to in (summary.user, summary.login_user)


def find_visible(store: Store, rec_or_prefix: str, visible_to: str | None) -> Summary:
    """Return the recording with this id or unique prefix, among those that may be seen.

    To somebody who may not see it, a recording looks like one that does not exist, and it
    does not make another's prefix ambiguous.

    Raises:
        NotFoundError: There is none.
        AmbiguousError: There are several.
    """
    if visible_to is None:
        return store.find(rec_or_prefix)
    try:
        summary = store.find(rec_or_prefix)
    except AmbiguousError:
        return _find_among_own(store, rec_or_prefix, visible_to)
    if not is_visible(summary, visible_to):
        raise NotFoundError(f"no recording {rec_or_prefix}")
    return summary


def _find_among_own(store: Store, prefix: str, visible_to: str) -> Summary:
    found: list[Summary] = []
    cursor: str | None = None
    while True:
        page = store.recordings(cursor=cursor, limit=200, visible_to=visible_to)
        found += [item for item in page.items if item.rec.startswith(prefix)]
        cursor = page.cursor
        if cursor is None or len(found) > 1:
            break
    if not found:
        raise NotFoundError(f"no recording {prefix}")
    if len(found) > 1:
        names = ", ".join(item.rec for item in found[:3])
        raise AmbiguousError(f"{prefix} fits several recordings: {names}")
    return found[0]
