"""Settings as people write them: TOML files, and paths that begin at a home directory."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from steno.errors import ConfigError
from steno.structs import convert

T = TypeVar("T")


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section [log], of the server's and the agent's configuration.

    Attributes:
        level: debug, info, warning or error.
        style: `auto` (text on a terminal, else JSON lines), `text` or `json`.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    style: Literal["auto", "text", "json"] = "auto"


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: It is unreadable, or no TOML.
    """
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(error.strerror or str(error), file=str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"no TOML: {error}", file=str(file)) from error


def convert_settings(values: dict[str, Any], kind: type[T], file: str) -> T:
    """Return `values`, from `file`, as the msgspec struct `kind`.

    Raises:
        ConfigError: A key is unknown or a value wrong; the text names file and key.
    """
    try:
        return convert(values, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        key = path.rstrip("`").lstrip(".")
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason, re.S):
            key = f"{key}.{unknown[1]}" if key else unknown[1]
            reason = "there is no such key"
        reason = reason.replace("`", "")
        raise ConfigError(reason[:1].lower() + reason[1:], file=file, key=key or None) from error


def home_directory() -> Path:
    """Return the home directory of who runs this.

    Raises:
        ConfigError: $HOME is not set, and the system knows no home for this user.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError(f"user {os.geteuid()} has no home directory; set HOME") from error


def expand_home(path: Path, *, file: str | None = None, key: str | None = None) -> Path:
    """Return `path` with a `~` or `~NAME` that it begins with replaced.

    Raises:
        ConfigError: There is no such home directory; the text names `file` and `key`.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no such home directory", file=file, key=key) from error
