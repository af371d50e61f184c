"""Using the player: keys, focus, search, copying, links, sizes."""

from __future__ import annotations

import contextlib

import pytest
from made_recordings import Recording
from made_site import Site, open_context
from player_driving import ask, drawn_rows, open_player, wait_for_details
from playwright.sync_api import Browser, Page, expect
from waiting import wait_for

LINES = [f"line {number} " + "x" * (number % 7) for number in range(100)]


def a_recording() -> Recording:
    """A line a second for a hundred seconds, a resize at 50 s, commands, notes, hits."""
    events = [(float(n + 1), "o", line + "\r\n") for n, line in enumerate(LINES)]
    events.insert(50, (50.5, "r", "100x30"))
    events.insert(0, (0.5, "i", "ls\r"))
    hits = [
        {"number": n, "at_us": (n + 1) * 1_000_000, "text": LINES[n], "highlights": [[0, 4]]}
        for n in (20, 40, 60)
    ]
    return Recording(
        events,
        segment_bytes=300,
        markers=[(10.0, "apt update"), (30.0, "sudo -i"), (70.0, "exit")],
        details={
            "/notes": {
                "notes": [{"at_us": 20_000_000, "kind": "drop", "facts": {"bytes": 512}}],
                "damages": [
                    {
                        "line": 9,
                        "offset_bytes": 1,
                        "length_bytes": 2,
                        "reason": "torn",
                        "at_us": 80_000_000,
                    }
                ],
            },
            "/search": {"items": hits[::-1], "cursor": None},
            "/verification": {"state": "so_far", "lines": 128},
        },
    )


@pytest.fixture
def player(page: Page, site: Site) -> Page:
    """A page with this recording's player, the focus on the terminal."""
    site.put_recording("used", a_recording().answers())
    open_player(page, site.put_player("/p", 'src="/api/v1/recordings/used" linkable'))
    wait_for_details(page)
    page.locator("steno-player .screen").focus()
    return page


@pytest.fixture
def clipboard(page: Page, site: Site) -> Page:
    """The page may use the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    return page


def time_of(page: Page) -> float:
    """Return the shown instant."""
    return float(ask(page, "p.currentTime"))


def wait_for_time(page: Page, time: float) -> None:
    """Wait until the player stands at `time`."""
    slider = page.get_by_role("slider", name="Instant")
    expect(slider).to_have_attribute("aria-valuenow", f"{time:.1f}")


def press_until_said(page: Page, key: str, text: str) -> None:
    """Press a key until the player says `text`, which it does for some seconds only."""

    def is_said() -> bool:
        page.keyboard.press(key)
        with contextlib.suppress(AssertionError):
            expect(page.get_by_text(text)).to_be_visible(timeout=3000)
            return True
        return False

    wait_for(is_said, text)


def test_keys_move_through_the_recording(player: Page) -> None:
    """Digits, arrows, brackets, points and Home and End go where the help says."""
    ways = {
        "5 ArrowRight": [50.0, 55.0],
        "5 ArrowLeft ArrowLeft": [50.0, 45.0, 40.0],
        "5 Shift+ArrowLeft": [50.0, 0.0],
        "End": [100.0],
        "End Home": [100.0, 0.0],
        "] ]": [10.0, 30.0],
        "9 [": [90.0, 70.0],
        "2 . . ,": [20.0, 21.0, 22.0, 21.0],
    }
    for keys, times in ways.items():
        player.keyboard.press("0")
        wait_for_time(player, 0.0)
        for key, time in zip(keys.split(), times, strict=True):
            player.keyboard.press(key)
            wait_for_time(player, time)


def test_space_plays_and_pauses_and_angles_change_the_speed(player: Page) -> None:
    """Space starts and stops; > and < go through the speeds; the buttons show it."""
    for _ in range(3):
        player.keyboard.press(">")
    begun_ms = player.evaluate("performance.now()")
    player.keyboard.press(" ")
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    wait_for(lambda: time_of(player) > 3, "it plays")
    player.keyboard.press(" ")
    expect(player.get_by_role("button", name="Play", exact=True).first).to_be_visible()
    stopped = time_of(player)
    assert stopped <= 8 * (player.evaluate("performance.now()") - begun_ms) / 1000
    player.wait_for_timeout(100)
    assert time_of(player) == stopped
    assert ask(player, "p.speed") == 8
    expect(player.get_by_label("Speed")).to_have_value("8")


def test_everything_is_reached_with_the_keyboard_alone(player: Page) -> None:
    """Tab visits the screen, the slider and every button, each with a name and a visible focus."""
    names = []
    for _ in range(30):
        player.keyboard.press("Tab")
        found = player.evaluate(
            """() => {
                const host = document.activeElement;
                if (!host || host.localName !== 'steno-player') return null;
                const element = host.shadowRoot.activeElement;
                const style = getComputedStyle(element);
                return [element.getAttribute('aria-label') || element.textContent,
                        style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        if found is None:
            break
        name, outline, width = found
        assert name.strip()
        assert outline == "solid"
        assert width >= 2
        names.append(name)
    for wanted in ("Instant", "Play", "Next piece", "Speed", "Search", "Download", "Keys"):
        assert wanted in names


def test_the_help_opens_and_closes_and_gives_the_focus_back(player: Page) -> None:
    """? shows the keys in a dialog, Escape closes it, the focus is where it was."""
    player.keyboard.press("?")
    dialog = player.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("next piece")
    player.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(player.locator("steno-player .screen")).to_be_focused()


def test_search_goes_from_hit_to_hit(player: Page) -> None:
    """/ asks, Enter goes to the first hit from here, n and N go on and round the end."""
    player.keyboard.press("/")
    expect(player.get_by_role("searchbox")).to_be_focused()
    player.keyboard.type("line")
    player.keyboard.press("Enter")
    status = player.locator("steno-player .searchbar .count")
    expect(status).to_have_text("1 of 3")
    wait_for_time(player, 21.0)
    player.locator("steno-player .screen").focus()
    for key, place, time in (("n", "2 of 3", 41.0), ("n", "3 of 3", 61.0), ("n", "1 of 3", 21.0)):
        player.keyboard.press(key)
        expect(status).to_have_text(place)
        wait_for_time(player, time)
    player.keyboard.press("N")
    expect(status).to_have_text("3 of 3")
    marked = "CSS.highlights.get('steno-hit').size"
    wait_for(lambda: player.evaluate(marked) > 3, "the hits are marked")
    player.get_by_role("button", name="Close search").click()
    wait_for(lambda: player.evaluate(marked) == 0, "the marks go")


def test_going_to_a_typed_time(player: Page) -> None:
    """The key g asks for a time; what is none is refused in words."""
    player.keyboard.press("g")
    dialog = player.get_by_role("dialog", name="Go to a time")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    player.keyboard.type("soon")
    player.keyboard.press("Enter")
    expect(dialog).to_contain_text("not a time")
    player.keyboard.press("ControlOrMeta+a")
    player.keyboard.type("1:15")
    player.keyboard.press("Enter")
    wait_for_time(player, 75.0)


def test_copies_clean_text_and_links(clipboard: Page, player: Page) -> None:
    """The key c copies the screen without padding, u the address that shows this instant."""
    player.keyboard.press("3")
    wait_for_time(player, 30.0)
    press_until_said(player, "c", "copied the screen's text")
    text = player.evaluate("navigator.clipboard.readText()")
    assert text == "\n".join(line.rstrip() for line in LINES[7:30])
    press_until_said(player, "u", "copied the link to this instant")
    address = player.evaluate("navigator.clipboard.readText()")
    assert address.endswith("/p?t=30.0")
    open_player(player, address)
    assert time_of(player) == 30.0


def test_a_selection_is_copied_without_padding(clipboard: Page, player: Page) -> None:
    """Selecting rows and copying them gives their text as the terminal meant it."""
    player.keyboard.press("3")
    wait_for_time(player, 30.0)
    player.evaluate(
        """() => {
            const root = document.querySelector('steno-player').shadowRoot;
            const rows = root.querySelectorAll('.row');
            const selection = root.getSelection();
            selection.setBaseAndExtent(rows[0].firstChild.firstChild, 2, rows[2], 1);
        }"""
    )
    player.evaluate("navigator.clipboard.writeText('nothing')")
    player.keyboard.press("ControlOrMeta+c")
    read = "navigator.clipboard.readText()"
    wait_for(lambda: player.evaluate(read) != "nothing", "it is copied")
    first, second, third = (line.rstrip() for line in LINES[7:10])
    assert player.evaluate(read) == f"{first[2:]}\n{second}\n{third}"


def test_the_terminal_takes_the_recordings_size(player: Page) -> None:
    """A resize changes the rows and columns; the text still fits into the player's width."""
    ask(player, "await p.seek(50.2)")
    expect(player.locator("steno-player .size")).to_have_text("80\u00d724")
    ask(player, "await p.seek(60)")
    expect(player.locator("steno-player .size")).to_have_text("100\u00d730")
    expect(player.locator("steno-player .row")).to_have_count(30)
    overflow = "(s => s.scrollWidth - s.clientWidth)(p.shadowRoot.querySelector('.screen'))"
    player.set_viewport_size({"width": 390, "height": 800})
    wait_for(lambda: ask(player, overflow) <= 1, "it does not fit")
    player.keyboard.press("z")
    wait_for(lambda: ask(player, overflow) > 300, "it is not in its real size")
    assert player.evaluate("document.documentElement.scrollWidth") <= 390


def test_full_screen_and_back(player: Page) -> None:
    """The key f fills the screen with the player, and leaves again."""
    player.keyboard.press("f")
    player.locator("steno-player .player.is-full").wait_for()
    assert player.evaluate("document.fullscreenElement.localName") == "steno-player"
    player.keyboard.press("f")
    player.locator("steno-player .player:not(.is-full)").wait_for()


def test_marks_are_listed_and_lead_to_their_instants(player: Page) -> None:
    """Commands, drops and damages are on the timeline and in the list, in order of time."""
    player.locator("steno-player .mark.damage").wait_for()
    for kind, count in (("command", 3), ("note", 1), ("damage", 1)):
        assert player.locator(f"steno-player .mark.{kind}").count() == count
    player.get_by_role("button", name="Commands and notes").click()
    items = player.get_by_role("dialog", name="Commands and notes").get_by_role("button")
    expect(items.filter(has_text="sudo -i")).to_be_visible()
    texts = [text.replace("\n", " ") for text in items.all_inner_texts() if text]
    assert [text.split()[0] for text in texts] == ["0:10.0", "0:20.0", "0:30.0", "1:10.0", "1:20.0"]
    items.filter(has_text="sudo -i").click()
    wait_for_time(player, 30.0)


def test_the_slider_is_dragged(player: Page) -> None:
    """Pressing on the timeline and moving shows the instants under the pointer."""
    slider = player.get_by_role("slider", name="Instant")
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + 25
    player.mouse.move(box["x"] + box["width"] * 0.15, y)
    player.mouse.down()
    for share in (0.2, 0.35, 0.5, 0.65):
        player.mouse.move(box["x"] + box["width"] * share, y)
    player.mouse.up()
    expect(slider).to_have_attribute("aria-valuetext", "1:05.0 of 1:40")
    wait_for(lambda: "line 64" in drawn_rows(player)[-1], "line 64 is not drawn")


def test_the_badge_says_what_is_proven(player: Page) -> None:
    """A recording without its end is verified up to a line, not more."""
    player.get_by_text("verified up to here (line 128)").wait_for()


def test_what_was_typed_is_shown_while_playing(player: Page) -> None:
    """Recorded input appears beside the screen as readable keys."""
    ask(player, "await p.play()")
    player.get_by_text("ls⏎").wait_for()


def test_downloads_are_offered(player: Page) -> None:
    """The menu leads to the recording's exports."""
    player.get_by_role("button", name="Download").click()
    links = player.locator("steno-player .menu a")
    assert links.first.get_attribute("href").endswith("/used/export?format=tlog")
    player.keyboard.press("Escape")
    expect(links.first).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_themes(chromium: Browser, site: Site, scheme: str) -> None:
    """Words of the controls and of the terminal stand out by 4.5 to 1 at least (WCAG AA)."""
    site.put_recording("used", a_recording().answers())
    context = open_context(chromium, color_scheme=scheme)
    page = context.new_page()
    open_player(page, site.put_player("/p", 'src="/api/v1/recordings/used" at="30"'))
    wait_for_details(page)
    ratios = page.evaluate(
        """() => {
            const root = document.querySelector('steno-player').shadowRoot;
            const rgb = (colour) => {
                const canvas = new OffscreenCanvas(1, 1).getContext('2d');
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data];
            };
            const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
                .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const under = (element) => {
                for (let e = element; e; e = e.parentElement) {
                    const colour = rgb(getComputedStyle(e).backgroundColor);
                    if (colour[3] === 255) return colour;
                }
                throw new Error('no background');
            };
            const seen = {};
            for (const name of ['.badge', '.size', '.layer', '.time', '.ticks', '.choice'])  {
                const element = root.querySelector(name);
                const [a, b] = [rgb(getComputedStyle(element).color), under(element)].map(light);
                seen[name] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }
            return seen;
        }"""
    )
    context.close()
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
