"""The page that `steno convert --to html` writes, in a real browser, without any server."""

from __future__ import annotations

from pathlib import Path

from made_site import STATIC
from playwright.sync_api import Page, expect

from steno.formats.track import Finish, Header, Item
from steno.model import End, Note, Output, Start, Window
from steno.web.lanes import Stretch
from steno.web.renderings import PageRenderer

ATTACK = "</script><script>document.title = 'broken out'</script><img src=x onerror=alert(1)>"
# Playwright's own waiting evaluates text as code, which the page's policy forbids.
WAIT = """name => new Promise(done => {
    const player = document.querySelector("steno-player");
    const look = () => player[name] >= 1 ? done() : setTimeout(look, 20);
    look();
})"""
SCREEN = "document.querySelector('steno-player').screenText().trim()"


def write_page(path: Path) -> str:
    """Write a page full of attacks; return its address."""
    start = Start(ATTACK, "web01", 1_790_000_000_000_000, "", columns=80, rows=24, command=[ATTACK])
    items: list[Item] = [
        Header(start, title=ATTACK),
        Output(0, b"hello\r\n"),
        Output(500_000, ATTACK.encode() + b"\r\n"),
        Output(600_000, b"\x1b]0;" + ATTACK.encode() + b"\x07\x1b]52;c;aGVsbG8=\x07\x1b[c\x1b[6n"),
        Note(700_000, "marker", {"label": ATTACK}),
        Window(800_000, 90, 30),
        Output(900_000, b"\x1b[31mbye\x1b[0m\r\n"),
        Finish(1_000_000, End("exit", 0)),
    ]
    trail = {
        "commands": [{"at_us": 500_000, "end_us": 900_000, "text": ATTACK, "exit_status": 1}],
        "lanes": {"files": [Stretch(600_000, 600_000, 1, 0, ATTACK, 1)]},
    }
    renderer = PageRenderer((STATIC / "player.js").read_text(), title=ATTACK, trail=trail)
    path.write_bytes(b"".join(renderer.write(item) for item in items))
    return path.as_uri()


def test_a_page_alone_plays_and_nothing_gets_out(page: Page, tmp_path: Path) -> None:
    """It plays, seeks and finds; what was recorded neither runs nor loads nor asks for anything."""
    asked: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    address = write_page(tmp_path / "page.html")
    page.goto(address)
    page.evaluate(WAIT, "duration")
    page.evaluate("document.querySelector('steno-player').seek(1)")
    screen = page.evaluate(SCREEN)
    assert screen.startswith("hello\n</script><script>document.title")
    assert screen.endswith("bye")
    assert page.evaluate("document.querySelector('steno-player').find('hello')") == 1
    page.evaluate("document.querySelector('steno-player').seek(0.1)")
    assert page.evaluate(SCREEN) == "hello"
    page.evaluate("document.querySelector('steno-player').play()")
    page.evaluate(WAIT, "currentTime")
    assert page.locator("steno-player .lane").count() == 2
    box = page.locator("steno-player .lane.of-files").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 5)
    expect(page.locator("steno-player .tip")).to_contain_text(ATTACK[:60])
    assert page.title() == ATTACK
    assert page.locator("img").count() == 0
    assert asked == [address]
    assert dialogs == []
    box = page.locator("steno-player").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800
