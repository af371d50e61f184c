"""The file accounts.sqlite: older and newer ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.errors import StoreError
from steno.store.accounts import Accounts
from steno.store.accounts_file import SCHEMA_VERSION, AccountsFile
from steno.store.hosts import HostRegistry, IssuedCertificate


def test_a_file_of_version_1_is_brought_along(tmp_path: Path) -> None:
    """Its users are there, none disabled, and can be disabled."""
    file = AccountsFile(tmp_path / "accounts.sqlite")
    Accounts(file).add_user("avery", "auditor", "hash")
    with file.writing() as db:
        db.execute("ALTER TABLE users DROP COLUMN disabled_unix_us")
        for name in ("next_certificate_digest", "next_certificate_serial"):
            db.execute(f"ALTER TABLE hosts DROP COLUMN {name}")
        db.execute("ALTER TABLE hosts DROP COLUMN is_next_certificate_used")
        db.execute("PRAGMA user_version = 1")
    file.close()
    file = AccountsFile(tmp_path / "accounts.sqlite")
    accounts = Accounts(file)
    assert accounts.user("avery").disabled_unix_us is None
    accounts.set_disabled("avery", is_disabled=True)
    assert accounts.password_hash("avery") is None
    registry = HostRegistry(file)
    registry.enrol(registry.make_code().code, "web1", IssuedCertificate(b"old", "1"))
    registry.renew("web1", IssuedCertificate(b"new", "2"))
    host = registry.by_certificate(b"new")
    assert host is not None
    assert host.name == "web1"
    file.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """One line names the file and both versions; the file stays as it is."""
    file = AccountsFile(tmp_path / "accounts.sqlite")
    with file.writing() as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    file.close()
    with pytest.raises(StoreError, match=rf"accounts\.sqlite: of version {SCHEMA_VERSION + 1}"):
        AccountsFile(tmp_path / "accounts.sqlite")
