"""The server's configuration: what is taken, what is refused, what is documented."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steno.config import ServerConfig, default_directory, load_config
from steno.errors import ConfigError

OPERATE = Path(__file__).parents[1] / "docs" / "operate.md"


def options(kind: type[msgspec.Struct], prefix: str = "") -> dict[str, Any]:
    """Return every option by its dotted name, with its default."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found.update(options(field.type, f"{prefix}{field.name}."))
        elif field.default is not msgspec.NODEFAULT:
            found[prefix + field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            found[prefix + field.name] = field.default_factory()
        else:
            found[prefix + field.name] = None
    return found


def render(value: object) -> str:
    """Return a default as the documentation writes it."""
    return str(value) if isinstance(value, (int, str)) else "[]" if value == [] else ""


def test_every_option_is_documented_with_its_default() -> None:
    """The table in docs/operate.md holds each option and its default, and no others."""
    table = OPERATE.read_text().partition("| option | default | |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (?:`([^`]*)`)?", table, re.M)
    assert dict(rows) == {name: render(value) for name, value in options(ServerConfig).items()}


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    """What is given twice counts as on the command line; what is not given has its default."""
    file = tmp_path / "server.toml"
    file.write_text(
        'listen = "127.0.0.1:1"\n[log]\nlevel = "debug"\n[sessions]\nidle_minutes = 5\n'
    )
    config = load_config(directory=tmp_path, flags={"listen": "127.0.0.1:2", "log.style": None})
    assert config.address == ("127.0.0.1", 2)
    assert (config.log.level, config.log.style) == ("debug", "auto")
    assert (config.sessions.idle_minutes, config.sessions.absolute_hours) == (5, 12)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("colour = 1", "colour", "no such key"),
        ("[tls]\ncolour = 1", "tls.colour", "no such key"),
        ("listen = 3", "listen", "expected str"),
        ('listen = "8040"', "listen", "not HOST:PORT"),
        ('listen = "::1:8040"', "listen", "not HOST:PORT"),
        ('listen = "localhost:99999"', "listen", "not HOST:PORT"),
        ('[tls]\nmode = "maybe"', "tls.mode", "maybe"),
        ('[tls]\ncertificate = "c.pem"', "tls.key", "missing"),
        ("[sessions]\nidle_minutes = 0", "sessions.idle_minutes", ">= 1"),
        ("[limits]\nstreams = 1.5", "limits.streams", "expected int"),
        ('names = ["https://steno.example.org"]', "names", "no scheme"),
        ('names = ["steno.example.org:443"]', "names", "no port"),
        ('names = ["a", 2]', "names[1]", "expected str"),
        ('trusted_proxies = ["proxy"]', "trusted_proxies", "proxy"),
        ("tls = 1", "tls", "expected object"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(
    tmp_path: Path, text: str, key: str, reason: str
) -> None:
    """One line: the file, the key, and what is wrong with it."""
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: {key}: ")
    assert reason in message
    assert "\n" not in message
    assert caught.value.key == key


@pytest.mark.parametrize("content", [b"listen =", b"\xff\xfe", b"[tls\n"])
def test_what_is_no_toml_is_named_with_its_file(tmp_path: Path, content: bytes) -> None:
    """One line with the file's name."""
    file = tmp_path / "server.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"{file}: no TOML: ")):
        load_config(file)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """--config with a missing file is an error; a missing server.toml is none."""
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "other.toml")
    assert load_config(directory=tmp_path).directory == str(tmp_path)


@pytest.mark.parametrize(
    ("listen", "is_https"),
    [
        ("127.0.0.1:1", False),
        ("[::1]:1", False),
        ("localhost:1", False),
        ("0.0.0.0:1", True),
        ("[::]:1", True),
        ("steno.example.org:1", True),
    ],
)
def test_https_is_the_default_beyond_loopback(tmp_path: Path, listen: str, is_https: bool) -> None:
    """`auto` means HTTPS wherever another machine could listen in."""
    assert load_config(directory=tmp_path, flags={"listen": listen}).is_https == is_https


def test_root_goes_by_the_packaged_configuration(tmp_path: Path) -> None:
    """For root the system's file counts, unless a directory is named; for others it does not."""
    system_file = tmp_path / "server.toml"
    system_file.write_text(f'directory = "{tmp_path}/kept"\nlisten = "127.0.0.1:9"\n')
    config = load_config(system_file=system_file)
    is_root = os.geteuid() == 0
    assert (config.directory == f"{tmp_path}/kept") == is_root
    assert (config.listen == "127.0.0.1:9") == is_root
    assert (default_directory(system_file) == tmp_path / "kept") == is_root
    assert (
        load_config(directory=tmp_path / "named", system_file=system_file).listen != "127.0.0.1:9"
    )


def test_the_default_directory_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """/var/lib/steno for root, below XDG_DATA_HOME for others."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_directory() == Path("/var/lib/steno")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/home/avery/data")
    assert default_directory() == Path("/home/avery/data/steno")
