"""The configuration of tlog's programs: files, environment, name and options, one over the other.

Values are kept by their keys, `log.input`; what stands in nobody's words has the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from steno.cli.tlog.options import Value, find_fault, parse_options
from steno.cli.tlog.schema import Kind, Origin, Parameter, Program
from steno.errors import ConfigError, FormatError
from steno.formats.commented_json import decode_commented
from steno.recorder.facts import to_text

DIRECTORY = Path("/etc/tlog")
"""Where the configuration files are."""

_WORDS = {bool: "a truth value", int: "a whole number", float: "a number", str: "a string",
          list: "a list", dict: "a section", type(None): "null"}  # fmt: skip
_TYPES: dict[Kind, type] = {Kind.BOOLEAN: bool, Kind.INTEGER: int, Kind.STRING: str}


class Configuration:
    """What a program was told, and the arguments that are no options."""

    def __init__(self, program: Program, values: Mapping[str, Value], arguments: list[str]) -> None:
        self.program = program
        self.arguments = arguments
        self._values = values
        self._defaults = {one.key: one.default for one in program.parameters}

    def flag(self, key: str) -> bool:
        """Return a truth value; False when nobody says anything."""
        return bool(self._get(key))

    def text(self, key: str) -> str | None:
        """Return a string, if there is one."""
        value = self._get(key)
        return value if isinstance(value, str) else None

    def word(self, key: str) -> str:
        """Return a string that has a default."""
        return str(self._get(key))

    def count(self, key: str) -> int:
        """Return a whole number that has a default."""
        value = self._get(key)
        return value if isinstance(value, int) else 0

    def number(self, key: str) -> float | None:
        """Return a number, if there is one."""
        value = self._get(key)
        return value if isinstance(value, (int, float)) else None

    def texts(self, key: str) -> list[str]:
        """Return a list of strings, empty when nobody says anything."""
        value = self._get(key)
        return value if isinstance(value, list) else []

    def render(self) -> bytes:
        """Return all of it as JSON, as `--configuration` writes it."""
        tree: dict[str, Any] = {}
        for parameter in self.program.parameters:
            *sections, name = parameter.key.split(".")
            value = self._get(parameter.key)
            if parameter.first is Origin.FILE or value is not None:
                place = tree
                for section in sections:
                    place = place.setdefault(section, {})
                if value is not None:
                    place[name] = _to_json(value)
        tree["args"] = _to_json(self.arguments)
        return orjson.dumps(tree, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def _get(self, key: str) -> Value | None:
        return self._values.get(key, self._defaults[key])


def load(
    program: Program,
    words: Sequence[str],
    *,
    environ: Mapping[str, str],
    directory: Path = DIRECTORY,
    named: Mapping[str, Value] | None = None,
) -> Configuration:
    """Return what all sources say together.

    They are, the later over the earlier: the file in `directory`, where there need be none; for
    programs that look there, the file and the text that the environment names; what the program's
    name and the like say, `named`; and the command line, `words`.

    Raises:
        ConfigError, FormatError: A file or variable cannot be understood.
        UsageError: The command line cannot.
    """
    values: dict[str, Value] = {}
    file = directory / program.file
    if file.exists():
        values |= read_file(program, file)
    if program.variables is not None:
        values |= _read_environment(program, program.variables, environ)
    values |= named or {}
    said, arguments = parse_options(program, words)
    return Configuration(program, values | said, arguments)


def read_file(program: Program, file: Path) -> dict[str, Value]:
    """Return what a configuration file says, by keys.

    Raises:
        ConfigError: It cannot be read, or says something unknown.
        FormatError: It is no JSON.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(error.strerror or "cannot be read", file=str(file)) from error
    return _read_text(program, data, str(file), Origin.FILE)


def _read_environment(
    program: Program, variables: str, environ: Mapping[str, str]
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    file = environ.get(f"{variables}_CONF_FILE")
    if file is not None:
        values |= read_file(program, Path(file))
    text = environ.get(f"{variables}_CONF_TEXT")
    if text is not None:
        data = text.encode("utf-8", "surrogateescape")
        values |= _read_text(program, data, f"{variables}_CONF_TEXT", Origin.ENVIRONMENT)
    return values


def _read_text(program: Program, data: bytes, source: str, origin: Origin) -> dict[str, Value]:
    tree = decode_commented(data, source)
    if not isinstance(tree, dict):
        raise FormatError("must hold one JSON object", source=source)
    allowed = {one.key: one for one in program.parameters if one.first <= origin}
    sections = {key.partition(".")[0] for key in allowed if "." in key}
    values: dict[str, Value] = {}
    for key, value in tree.items():
        if key not in sections:
            values[key] = _check(allowed, source, key, value)
        elif isinstance(value, dict):
            for name, inner in value.items():
                values[f"{key}.{name}"] = _check(allowed, source, f"{key}.{name}", inner)
        else:
            raise ConfigError(f"must be a section, not {_describe(value)}", file=source, key=key)
    return values


def _check(allowed: Mapping[str, Parameter], source: str, key: str, value: Any) -> Value:  # noqa: ANN401  # JSON enters
    parameter = allowed.get(key)
    if parameter is None:
        raise ConfigError("unknown key", file=source, key=key)
    wanted = _TYPES[parameter.kind]
    if _describe(value) != _WORDS[wanted]:
        reason = f"must be {_WORDS[wanted]}, not {_describe(value)}"
        raise ConfigError(reason, file=source, key=key)
    checked: Value = value
    fault = find_fault(parameter, checked)
    if fault is not None:
        raise ConfigError(fault, file=source, key=key)
    return checked


def _to_json(value: Value) -> Value:
    """Return a value as JSON can hold it: what is no UTF-8 with escapes."""
    if isinstance(value, list):
        return [to_text(one) for one in value]
    return to_text(value) if isinstance(value, str) else value


def _describe(value: object) -> str:
    return _WORDS.get(type(value), "something else")
