"""Going on with a derivation where the index left it, for recordings and trails alike."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from steno.server.derivation import StateError
from steno.store.protocol import DerivedState, Store

D = TypeVar("D")

_log = logging.getLogger(__name__)


def reopen(
    store: Store, rec: str, restore: Callable[[str, bytes], D], begin: Callable[[str], D]
) -> tuple[D, DerivedState]:
    """Return what derives `rec`, and how far its index is.

    A state that cannot be read (an older version's, say) is forgotten, and so is what was derived.

    Raises:
        StenoError: What the store raises.
    """
    state = store.derived_state(rec)
    if state.serial:
        try:
            return restore(rec, state.state), state
        except StateError as error:
            _log.warning("%s; it is built anew", error)
        store.clear_derived(rec)
        state = store.derived_state(rec)
    return begin(rec), state
