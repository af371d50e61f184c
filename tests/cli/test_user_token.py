"""`steno user` and `steno token`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from steno.cli import group
from steno.errors import NotFoundError, StenoError, UsageError
from steno.store.accounts import Accounts
from steno.store.accounts_file import AccountsFile


class Shell:
    """Runs steno's commands on one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str, given: str | None = None) -> Result:
        """Run a command; what it raises is raised."""
        result = CliRunner().invoke(
            group, [*arguments, "--directory", str(self.directory)], input=given
        )
        if isinstance(result.exception, StenoError):
            raise result.exception
        return result

    def accounts(self) -> Accounts:
        """Return the directory's accounts."""
        return Accounts(AccountsFile(self.directory / "accounts.sqlite"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A directory with the user ada, an admin."""
    shell = Shell(tmp_path)
    given = "a good password\n"
    added = shell.run("user", "add", "ada", "--role", "admin", "--password-stdin", given=given)
    assert added.output == "added admin ada\n"
    return shell


def test_only_a_hash_of_the_password_is_kept(shell: Shell) -> None:
    """argon2id; the password itself is nowhere in the directory."""
    kept = shell.accounts().password_hash("ada")
    assert kept is not None
    assert kept.startswith("$argon2id$")
    for file in shell.directory.rglob("*"):
        assert b"a good password" not in (file.read_bytes() if file.is_file() else b"")


@pytest.mark.parametrize("given", ["short\n", "\n", ""])
def test_a_short_password_is_refused(shell: Shell, given: str) -> None:
    """Less than eight characters: one line, and no user."""
    with pytest.raises(UsageError, match="at least 8"):
        shell.run("user", "add", "bob", "--role", "user", "--password-stdin", given=given)
    assert [user.name for user in shell.accounts().users()] == ["ada"]


def test_without_a_terminal_nothing_is_asked(shell: Shell) -> None:
    """A script that forgot --password-stdin gets a clear line and no user."""
    with pytest.raises(UsageError, match="--password-stdin"):
        shell.run("user", "add", "bob", "--role", "user")
    assert len(shell.accounts().users()) == 1


def test_there_are_no_accounts_until_somebody_adds_one(tmp_path: Path) -> None:
    """Other commands say how to begin, and create nothing."""
    empty = Shell(tmp_path / "empty")
    for arguments in (["user", "list"], ["token", "list"], ["user", "link", "ada"]):
        with pytest.raises(NotFoundError, match="steno user add"):
            empty.run(*arguments)
    assert not empty.directory.exists()


def test_the_list_is_a_table_or_json(shell: Shell) -> None:
    """People read a table, scripts one object a line."""
    shell.run("user", "add", "lin[k]", "--role", "user", "--no-password")
    table = shell.run("user", "list").output
    assert "lin[k]" in table
    items = [json.loads(line) for line in shell.run("user", "list", "--json").output.splitlines()]
    assert [(item["name"], item["has_password"]) for item in items] == [
        ("ada", True),
        ("lin[k]", False),
    ]


def test_a_new_password_ends_sessions(shell: Shell) -> None:
    """`passwd` replaces the hash and ends what was open under the old one."""
    accounts = shell.accounts()
    session, old = accounts.begin_session("ada", "here"), accounts.password_hash("ada")
    shell.run("user", "passwd", "ada", "--password-stdin", given="another password\n")
    assert accounts.password_hash("ada") not in (old, None)
    assert accounts.find_session(session) is None


def test_roles_are_changed_and_users_removed(shell: Shell) -> None:
    """Both count at once; an unknown name is an error."""
    shell.run("user", "role", "ada", "auditor")
    assert shell.accounts().user("ada").role == "auditor"
    shell.run("user", "remove", "ada")
    assert shell.accounts().users() == []
    with pytest.raises(NotFoundError, match="no user ada"):
        shell.run("user", "remove", "ada")


@pytest.mark.parametrize(
    ("config", "base"),
    [
        ("", "http://127.0.0.1:8040/once/"),
        ('listen = "[::1]:9000"', "http://[::1]:9000/once/"),
        ('listen = "0.0.0.0:443"\nnames = ["steno.example.org"]', "https://steno.example.org:443/"),
    ],
)
def test_a_link_leads_to_the_configured_server(shell: Shell, config: str, base: str) -> None:
    """Scheme, name and port are the configuration's; the secret signs in once."""
    (shell.directory / "server.toml").write_text(config)
    link = shell.run("user", "link", "ada", "--next", "/recordings/x?t=1").stdout.strip()
    assert link.startswith(base)
    assert link.endswith("?next=/recordings/x%3Ft%3D1")
    secret = link.partition("/once/")[2].partition("?")[0]
    assert shell.accounts().use_link(secret) == "ada"


@pytest.mark.parametrize("arguments", [["--next", "https://evil.example"], ["--url", "ftp://x"]])
def test_a_link_that_leads_elsewhere_is_refused(shell: Shell, arguments: list[str]) -> None:
    """A page that is no path here, or an address that no browser takes."""
    with pytest.raises(UsageError, match=arguments[0]):
        shell.run("user", "link", "ada", *arguments)


def test_a_token_is_shown_once_listed_and_revoked(shell: Shell) -> None:
    """The secret works until the id that the list shows is revoked."""
    secret = shell.run("token", "add", "ada", "--role", "user", "--label", "x").output.strip()
    found = shell.accounts().find_token(secret)
    assert found is not None
    assert found.role == "user"
    (item,) = [
        json.loads(line) for line in shell.run("token", "list", "--json").output.splitlines()
    ]
    assert secret not in shell.run("token", "list").output
    shell.run("token", "revoke", item["id"])
    assert shell.accounts().find_token(secret) is None
    assert "revoked" in shell.run("token", "list").output


def test_a_token_never_exceeds_its_user(shell: Shell) -> None:
    """Asking for more gives what the user may."""
    shell.run("user", "add", "bob", "--role", "user", "--no-password")
    shell.run("token", "add", "bob", "--role", "admin")
    (token,) = shell.accounts().tokens()
    assert token.role == "user"
