"""Logins of a host without kernel auditing, as its login programs tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from journal_entries import hear, read_entries
from playwright.sync_api import expect
from visiting import Server, Visitor

from steno.audit.trail import TrailEncoder, TrailHead, make_trail_id

pytestmark = pytest.mark.browser

BOOT_ID = "d1" * 16
NARROW = 390


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has the trail of such a host, made of a real journal."""
    server = Server(tmp_path_factory.mktemp("told"))
    trail = make_trail_id(BOOT_ID, "1")
    events = hear(read_entries())
    encoder = TrailEncoder()
    head = TrailHead(trail, "web1", BOOT_ID, events[0].at_unix_us, "steno 0")
    lines = [encoder.encode(item) for item in (head, *events)]
    server.store.append(trail, 0, b"".join(lines), sender=None)
    server.wait_indexed([trail])
    yield server
    server.close()


@pytest.mark.parametrize("width", [1280, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_program_s_own_word_is_marked(
    visit: Callable[..., Visitor], width: int, scheme: str
) -> None:
    """Logins and attempts are listed as others are, and say how they are known."""
    page = visit(width=width, scheme=scheme).enter("kim", "/logins")
    rows = page.get_by_role("table", name="Logins").get_by_role("row")
    expect(rows.filter(has_text="its word")).to_have_count(6)
    of_root = rows.filter(has_text="root")
    expect(of_root).to_have_count(1)
    expect(of_root).to_contain_text("pts/1")
    page.get_by_role("link", name="Failed attempts").click()
    failed = page.get_by_role("table", name="Failed attempts").get_by_role("row")
    expect(failed.filter(has_text="nobodyhere").filter(has_text="10.77.0.10")).to_have_count(1)
    expect(failed.filter(has_text="root from 10.0.0.1 port 22 ssh2")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
