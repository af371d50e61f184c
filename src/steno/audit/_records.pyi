from collections.abc import Callable, Mapping, Sequence
from typing import Any

class Record:
    """One audit record.

    Attributes:
        type: `SYSCALL`, or `UNKNOWN[1423]` where auditd did not know it.
        at_unix_us: When, to the millisecond.
        serial: The event's number.
        node: The host, where the line says it (`node=`), else "".
        key: (node, at_unix_us, serial): which event it belongs to.
        line: The line as it was, without its newline.
        offset_bytes: Where in the input it begins; -1 where there is no such place.
    """

    type: str
    at_unix_us: int
    serial: int
    node: str
    key: tuple[str, int, int]
    line: bytes
    offset_bytes: int
    def __new__(cls, line: bytes, offset_bytes: int = -1) -> Record:
        """Read a line.

        Raises:
            ValueError: It is no audit record.
        """

    @property
    def fields(self) -> dict[str, bytes]:
        """The fields as they stand, those within `msg='...'` and of the ENRICHED part (`UID`) too.

        Made anew each time; the first of several of one name. SELinux' `avc:  denied  { read
        write } for` gives `seresult` (`denied`) and `seperms` (`read write`).
        """

    @property
    def pairs(self) -> list[tuple[str, bytes]]:
        """All fields in order, also several of one name; those of the ENRICHED part last."""

    @property
    def words(self) -> bytes:
        """What stands among the fields and is none, with one blank between."""

    def get(self, name: str, /) -> bytes | None:
        """Return the value of the first field of that name, as it stands."""

    def values(self, names: tuple[str, ...], /) -> tuple[bytes | None, ...]:
        """Return what `get` does for each of these names."""

class Encoder:
    """Records to JSON; steno.audit.encoding says how it is made."""

    def __new__(
        cls,
        value: Callable[[int, bytes, bytes, bytes | None], str | bytes | None],
        kind_of: Callable[[str, str], int],
        kinds_of_arguments: Callable[[bytes, bytes], Sequence[int]],
        classes: bytes,
        /,
    ) -> Encoder: ...
    def encode(self, records: list[Record], /) -> bytes:
        """Return the records as a JSON array."""

    def forget(self) -> None:
        """Forget what the decoder answered."""

def split(
    data: bytes, offset_bytes: int, /
) -> tuple[list[Record], list[tuple[int, int, bytes]], int, int]:
    """Read all whole lines.

    Returns:
        The records; (line from 0, offset, bytes) of what is none; how many bytes and lines
        were used.
    """

def join_arguments(records: list[Record], /) -> tuple[list[bytes], bool] | None:
    """Do what `steno.audit.values.arguments.join_arguments` does; None: they come out of order."""

def split_events(data: bytes, offset_bytes: int, /) -> list[list[Record]]:
    """Read all whole lines; return the records that follow each other and are of one event.

    EOE is left out, and what is no record.
    """

def measure_events(
    data: bytes,
    at: int,
    node: bytes,
    serial: int,
    deadline_us: int,
    is_next: bool,
    effects: dict[str, int],
    /,
) -> tuple[int, int, int, int, int]:
    """Find how far events stand whole, one after the other; see `Coalescer.pass_whole_events`.

    Args:
        data: Lines; one that has no end yet is not looked at.
        at: Where to begin.
        node: Whose events they must be.
        serial: The event before; theirs must be greater.
        deadline_us: None must be later.
        is_next: Serials must follow each other without a gap.
        effects: What types of records do; one that is not named ends the search.

    Returns:
        Where the first event that is not so begins, how many lines and events are before it, the
        last one's serial and the latest one's time.
    """

def find_likeness(
    records: list[Record], places: dict[str, int], counted: Mapping[tuple[bytes, bytes], int], /
) -> tuple[bytes, tuple[int | None, ...]] | None:
    """Return what an event's records say but for their numbers, and the numbers.

    Args:
        records: The event's.
        places: Where `gather` puts records of a type; only these types have a likeness.
        counted: Which arguments count, a bit for each, by `arch` and `syscall` as they stand.

    Returns:
        What events that are alike have in common, and `pid`, `ppid` and `ses` of the call or of
        the report and the inodes of the PATH records, in order; None for what has no likeness:
        other types, no call or report or more than one, numbers that are none, too long.
    """

def gather(
    records: list[Record],
    places: dict[str, int],
    names: tuple[str, ...],
    make: Callable[..., Any],
    path: type[Any],
    /,
) -> tuple[Any, ...]:
    """Sort an event's records; return what `words.gathering.Gathered` holds, in its order.

    Args:
        records: The event's.
        places: Where records of a type go; one that is not named leads, if it is the first.
        names: The fields of PATH records.
        make: Makes a `path` of their values.
        path: The first argument of `make`.
    """
