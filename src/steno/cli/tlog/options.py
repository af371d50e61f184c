"""tlog's command lines: the GNU ways of writing options, and the usage message.

Source: getopt_long(3), as tlog's programs call it: options end at the first other argument, long
ones may be shortened as far as they stay unique, and a truth value stands behind `=` or directly
behind the letter. A letter that no such value follows may be followed by other letters, too
(`-lc`), as with shells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from steno.cli.tlog.schema import Kind, Parameter, Program
from steno.errors import UsageError

Value = bool | int | float | str | list[str]

_TRUTHS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


def parse_options(program: Program, words: Sequence[str]) -> tuple[dict[str, Value], list[str]]:
    """Return what the options say, by their keys, and the other arguments.

    Raises:
        UsageError: An option is not known, has a bad value, or none that it needs.
    """
    reader = _Reader(program, words)
    while reader.read_next():
        pass
    return reader.values, reader.rest


class _Reader:
    """Reads options from the front of `rest`."""

    def __init__(self, program: Program, words: Sequence[str]) -> None:
        options = [parameter for parameter in program.parameters if parameter.is_option]
        self._long = {parameter.option: parameter for parameter in options}
        self._short = {parameter.short: parameter for parameter in options if parameter.short}
        self.rest = list(words)
        self.values: dict[str, Value] = {}

    def read_next(self) -> bool:
        """Read one word of options; return False when there are no more."""
        if not self.rest or not self.rest[0].startswith("-") or self.rest[0] == "-":
            return False
        word = self.rest.pop(0)
        if word == "--":
            return False
        if word.startswith("--"):
            self._read_long(word)
        else:
            self._read_short(word[1:])
        return True

    def _read_long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        fitting = [name] if name in self._long else [n for n in self._long if n.startswith(name)]
        if len(fitting) != 1:
            reason = f"may be --{', --'.join(fitting)}" if fitting else "no such option"
            raise UsageError(f"--{name}: {reason}")
        self._take(self._long[fitting[0]], f"--{fitting[0]}", value if equals else None)

    def _read_short(self, letters: str) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            parameter = self._short.get(letter)
            if parameter is None:
                raise UsageError(f"-{letter}: no such option")
            if not letters:
                self._take(parameter, f"-{letter}", None)
            elif parameter.kind is not Kind.BOOLEAN or letters.lower() in _TRUTHS:
                self._take(parameter, f"-{letter}", letters)
                return
            else:
                self._take(parameter, f"-{letter}", None)

    def _take(self, parameter: Parameter, name: str, text: str | None) -> None:
        if parameter.kind is Kind.BOOLEAN:
            self.values[parameter.key] = True if text is None else _read_truth(name, text)
            return
        if text is None:
            if not self.rest:
                raise UsageError(f"{name}: needs a value")
            text = self.rest.pop(0)
        value = _read_value(parameter, name, text)
        if parameter.kind is Kind.STRINGS:
            before = self.values.setdefault(parameter.key, [])
            assert isinstance(before, list)  # noqa: S101  # made above, or by an earlier turn
            before.append(text)
        else:
            self.values[parameter.key] = value


def _read_truth(name: str, text: str) -> bool:
    truth = _TRUTHS.get(text.lower())
    if truth is None:
        raise UsageError(f"{name}: {text!r} is neither yes, on or true nor no, off or false")
    return truth


def _read_value(parameter: Parameter, name: str, text: str) -> Value:
    value: Value = text
    if parameter.kind in (Kind.INTEGER, Kind.NUMBER):
        try:
            value = int(text) if parameter.kind is Kind.INTEGER else float(text)
        except ValueError as error:
            raise UsageError(f"{name}: {text!r} is not a number") from error
    reason = find_fault(parameter, value)
    if reason is not None:
        raise UsageError(f"{name}: {reason}")
    return value


def find_fault(parameter: Parameter, value: Value) -> str | None:
    """Return what is wrong with a value of the right kind, or None."""
    if parameter.choices and value not in parameter.choices:
        return f"{value!r} is none of {', '.join(parameter.choices)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a number that something can be"
    least = parameter.minimum
    if least is not None and isinstance(value, (int, float)) and value < least:
        return f"{value} is less than {least}"
    return None


def write_usage(program: Program) -> str:
    """Return the usage message."""
    calls = [line.format(name=program.name) for line in program.usage]
    lines = [f"Usage: {calls[0]}", *(f"   or: {call}" for call in calls[1:]), program.purpose]
    options = [parameter for parameter in program.parameters if parameter.is_option]
    for group in dict.fromkeys(parameter.group for parameter in options):
        lines += ["", f"{group} options:"]
        for parameter in options:
            if parameter.group == group:
                short = f"-{parameter.short}, " if parameter.short else ""
                call = f"{short}--{parameter.option}{parameter.value}"
                lines.append(f"    {call:<30} {parameter.help}")
    return "\n".join(lines) + "\n"
