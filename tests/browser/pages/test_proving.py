"""What a recording's page says about its chain, and when that changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sessions import Session
from visiting import Server, Visitor

from steno.store.truth import shard_name

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser


def test_the_page_says_what_the_disk_holds_now(visit: Visit, server: Server) -> None:
    """Stored lines are damaged after they came in: the page does not go on saying "verified"."""
    session = Session("damaged later", user="dora", host="web9")
    for number in range(5):
        session.show(number, f"step {number} of many\r\n")
    session.end(6.0)
    rec = session.deliver(server.store)
    server.wait_indexed([rec])
    page = visit().enter("kim", f"/recordings/{rec}")
    badges = page.locator("h1 + p .badge")
    expect(badges.last).to_have_text("verified")
    expect(page.locator("steno-chain")).to_contain_text("Checked now, from the original lines.")

    packed = server.directory / "store/recordings" / shard_name(rec) / rec / "lines.zst"
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)
    page.get_by_role("button", name="Check again now").click()
    expect(badges.last).to_have_text("broken at line 1")
    page.reload()
    expect(badges.last).to_have_text("broken at line 1")
    expect(page.locator("steno-chain .badge")).to_have_text("broken at line 1")
    expect(page.locator("steno-chain")).to_contain_text("cannot be read")
    expect(page.locator("steno-player .badge").first).to_contain_text("BROKEN at line 1")
