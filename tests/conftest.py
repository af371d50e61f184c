"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import audit_host
import guest
import guest_tree as trees
import packages as debian_packages
import pytest
from hypothesis import HealthCheck, settings

from steno.store.accounts_file import AccountsFile
from steno.store.opening import open_store
from steno.store.protocol import Store

# Tests promise behaviour, not speed; a busy machine is no failure. What passes for one passes for
# all: examples are the same in each run, but with `--hypothesis-profile random`.
settings.register_profile(
    "steno",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.register_profile("random", settings.get_profile("steno"), derandomize=False)
settings.load_profile("steno")


def pytest_configure() -> None:
    """Give programs that tests start their usual signals, also where ./test runs in background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = open_store(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def accounts_file(tmp_path: Path) -> Iterator[AccountsFile]:
    """An empty accounts.sqlite."""
    file = AccountsFile(tmp_path / "accounts.sqlite")
    yield file
    file.close()


@pytest.fixture(scope="session")
def tlog_recordings() -> Path:
    """The folder of real recordings made with tlog 12.1; its README says what each is."""
    return Path(__file__).parent / "data" / "tlog"


@pytest.hookimpl(tryfirst=True)  # before the tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that borrow the kernel's audit; give laboratories a loaded machine's time."""
    for item in items:
        if "kernel_audit" in getattr(item, "fixturenames", ()):
            item.add_marker("kernel_audit")
            item.add_marker("lab")
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def guest_tree() -> trees.Tree:
    """A Debian tree for `Lab.boot`; tests that want it are skipped where none can be booted."""
    if reason := guest.why_not():
        pytest.skip(reason)
    try:
        return trees.base_tree()
    except trees.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def kernel_audit() -> Iterator[audit_host.KernelAudit]:
    """The machine's audit system; tests that want it are skipped where it cannot be borrowed."""
    try:
        audit = audit_host.KernelAudit()
    except audit_host.UnavailableError as error:
        pytest.skip(str(error))
    yield audit
    audit.close()


@pytest.fixture(scope="session")
def sssd_tree(guest_tree: trees.Tree) -> trees.Tree:
    """The same with SSSD and slapd."""
    try:
        return trees.sssd_tree()
    except trees.UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> debian_packages.Packages:
    """The Debian packages of this tree, by name; those in $STENO_TEST_PACKAGES, if it is set."""
    if built := os.environ.get("STENO_TEST_PACKAGES"):
        return debian_packages.find(Path(built))
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers' directories stand in the run's own
        return debian_packages.build_once(tmp_path_factory.getbasetemp().parent / "packages")
    return debian_packages.build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def lab(guest_tree: trees.Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[guest.Lab]:
    """A laboratory for a module's tests, which boots guests."""
    with guest.Lab(tmp_path_factory.mktemp("lab")) as made:
        yield made
