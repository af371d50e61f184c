"""The example page: the player in a page that knows nothing else of Steno."""

from __future__ import annotations

from pathlib import Path

from made_site import STATIC, Site
from player_driving import ask, drawn_rows, open_player
from playwright.sync_api import Page, expect

EXAMPLE = Path(__file__).parents[2] / "frontend" / "example"


def test_the_example_plays_a_real_recording(page: Page, site: Site) -> None:
    """Served as files, it plays, follows the resizes, lists commands and tells the time."""
    for file in EXAMPLE.iterdir():
        site.answers[f"/example/{file.name}"] = file.read_bytes()
    site.answers["/example/player.js"] = (STATIC / "player.js").read_bytes()
    open_player(page, f"{site.origin}/example/index.html")
    expect(page.locator("steno-player .size")).to_have_text("80\u00d724")
    sizes = set()
    for second in range(10):
        ask(page, f"await p.seek({second})")
        sizes.add(page.locator("steno-player .size").inner_text())
    assert len(sizes) >= 3
    page.get_by_role("button", name="tput lines; tput cols").click()
    expect(page.locator("#now")).to_have_text("8.5")
    assert any("tput lines; tput cols" in row for row in drawn_rows(page))
