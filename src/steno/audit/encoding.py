"""Records to the JSON of `Event.records`.

Each record is `{"type": ..., "fields": {NAME: {"raw": ..., "value": ...}}}`: `raw` as it stands,
`value` where it means something else. What is not UTF-8 has U+FFFD for each invalid piece;
`raw_hex` then holds all of a value's bytes. The second field of one name is `NAME#2`. Words that
are no fields stand beside `fields`, as `words` (and `words_hex`). What auditd's ENRICHED part says
of a user, group, system call or architecture is that field's `value`; all else of that part
stands as fields of its own, in capitals. docs/formats/event.md says the same to users.
"""

from __future__ import annotations

from steno.audit._records import Encoder, Record
from steno.audit.values.decoding import Decoder
from steno.audit.values.fields import kind_of, kinds_of_arguments
from steno.audit.values.kinds import NEEDS_ARGUMENT_BEFORE, Kind

# In the order of `enum class` in native/audit_encoder.c.
_ASK, _AS_IT_IS, _STRING, _TITLE, _ID, _ARCH, _SYSCALL, _IF_NEGATIVE, _AFTER_ANOTHER = range(9)
_ARGUMENT_0 = 9

_CLASSES = {
    Kind.PLAIN: _AS_IT_IS,
    Kind.TEXT: _STRING,
    Kind.TITLE: _TITLE,
    Kind.UID: _ID,
    Kind.GID: _ID,
    Kind.ARCH: _ARCH,
    Kind.SYSCALL: _SYSCALL,
    Kind.ARGUMENT_0: _ARGUMENT_0,
    Kind.ARGUMENT_1: _ARGUMENT_0 + 1,
    Kind.ARGUMENT_2: _ARGUMENT_0 + 2,
    Kind.ARGUMENT_3: _ARGUMENT_0 + 3,
    **dict.fromkeys(NEEDS_ARGUMENT_BEFORE, _AFTER_ANOTHER),
}


class RecordEncoder:
    """Write records as JSON, their values decoded. Serves one caller at a time.

    It remembers what the decoder answered, in a table of fixed size.
    """

    def __init__(self, decoder: Decoder) -> None:
        classes = bytes(_CLASSES.get(kind, _ASK) for kind in sorted(Kind))
        self._encoder = Encoder(decoder.value, kind_of, kinds_of_arguments, classes)

    def encode(self, records: list[Record]) -> bytes:
        """Return the records as a JSON array."""
        return self._encoder.encode(records)

    def forget(self) -> None:
        """Ask the decoder anew from now on: the host's accounts have changed."""
        self._encoder.forget()
