"""Print what auparse reads in a log, one JSON line for each record; for Debian's own Python.

Each line has the event's number and serial, the type, and the fields: name, raw value, what it
means. Where Python's binding cannot tell (names that are not UTF-8), null stands for that.
"""

from __future__ import annotations

import json
import sys

import auparse


def name_of_type(parser: auparse.AuParser) -> str:
    """Return the record type's name, in auditd's words also where auparse has none."""
    try:
        return parser.get_type_name()
    except LookupError:
        return f"UNKNOWN[{parser.get_type()}]"


def fields_of(parser: auparse.AuParser) -> list[list[str | None]]:
    """Return the fields of the record that the parser stands at."""
    fields = []
    parser.first_field()
    while True:
        name, raw = parser.get_field_name(), parser.get_field_str()
        try:
            meaning = parser.interpret_field()
        except UnicodeDecodeError:
            meaning = None
        if name != "type":
            fields.append([name, raw, meaning])
        if not parser.next_field():
            return fields


def main() -> None:
    """Print all records of a log."""
    parser = auparse.AuParser(auparse.AUSOURCE_FILE, sys.argv[1])
    parser.set_escape_mode(auparse.AUPARSE_ESC_RAW)
    event = 0
    while parser.parse_next_event():
        event += 1
        serial = parser.get_timestamp().serial
        parser.first_record()
        while True:
            record = {"event": event, "serial": serial, "type": name_of_type(parser)}
            print(json.dumps({**record, "fields": fields_of(parser)}))
            if not parser.next_record():
                break


main()
