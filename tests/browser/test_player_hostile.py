"""A recording is hostile input: what it tries must stay within the terminal's rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from made_recordings import Recording
from made_site import Site, open_context
from player_driving import ask, drawn_rows, open_player, settle, wait_for_details
from playwright.sync_api import Browser, Page, expect
from waiting import wait_for

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
EVIL = "http://evil.invalid/steal"
HTML = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 2'>",
    "<svg onload='window.pwned = 3'></svg>",
    "</script><script>window.pwned = 4</script>",
    "<iframe srcdoc='<script>parent.pwned = 5</script>'></iframe>",
    "<style>@import 'http://evil.invalid/style.css'; * { display: none }</style>",
    "<a href='javascript:window.pwned=6' autofocus onfocus='window.pwned=7'>click</a>",
    '" onmouseover="window.pwned=8" style="background:url(http://evil.invalid/x)',
    "<meta http-equiv=refresh content='0;url=http://evil.invalid/'>",
    "<base href='http://evil.invalid/'><form action='/x'><input name=q></form>",
    "{{constructor.constructor('window.pwned=9')()}} ${window.pwned=10} javascript:alert(1)",
]
CLIPBOARD = base64.b64encode(b"evil").decode()
ESCAPES = [
    # Titles, and questions for them.
    f"{ESC}]0;evil title{BEL}{ESC}]1;evil icon{ST}{ESC}]2;evil title{ST}",
    f"{ESC}[21t{ESC}[22;0t{ESC}[23;0t",
    # The clipboard, written and asked for.
    f"{ESC}]52;c;{CLIPBOARD}{BEL}{ESC}]52;p;{CLIPBOARD}{ST}{ESC}]52;c;?{BEL}",
    f"{ESC}]1337;Copy=:{CLIPBOARD}{BEL}",
    f"{ESC}]1337;CopyToClipboard=general{BEL}evil{ESC}]1337;EndCopy{BEL}",
    # Links.
    f"{ESC}]8;;javascript:window.pwned=11{ST}a link{ESC}]8;;{ST}",
    f"{ESC}]8;;{EVIL}{ST}another{ESC}]8;;{ST}",
    # Device queries: attributes, status, modes, settings, colours, capabilities, checksums.
    f"{ESC}[c{ESC}[>c{ESC}[=c{ESC}[0x{ESC}[>q\x05{ESC}Z",
    f"{ESC}[5n{ESC}[6n{ESC}[?6n{ESC}[?15n{ESC}[?25n{ESC}[?26n",
    f'{ESC}[?1$p{ESC}[20$p{ESC}P$qm{ST}{ESC}P$q"p{ST}{ESC}P+q544e{ST}{ESC}[1;1;1;1;9;9*y',
    f"{ESC}]4;1;?{BEL}{ESC}]10;?{BEL}{ESC}]11;?{BEL}{ESC}]12;?{ST}{ESC}]4;1;url(http://evil.invalid){BEL}",
    # The window: move, resize, iconify, ask for its place; printing; notifications; the folder.
    f"{ESC}[3;0;0t{ESC}[8;500;1000t{ESC}[2t{ESC}[9;1t",
    f"{ESC}[13t{ESC}[14t{ESC}[18t{ESC}[19t{ESC}[5i{ESC}[?5i",
    f"{ESC}]9;evil notice{BEL}{ESC}]777;notify;evil;notice{BEL}",
    f"{ESC}]99;;evil{ST}{ESC}]7;{EVIL}{BEL}",
    # Images: sixel, iTerm, kitty (also from a file).
    f"{ESC}Pq#0;2;100;0;0#0~~@@vv@@~~$-{ST}",
    f"{ESC}]1337;File=inline=1;width=100%:{base64.b64encode(b'GIF89a').decode()}{BEL}",
    f"{ESC}_Gf=100,t=f,a=T;{base64.b64encode(b'/etc/passwd').decode()}{ST}{ESC}_Ga=q,i=1;AAAA{ST}",
    # Mouse, focus and paste reports, key protocols.
    f"{ESC}[?1000h{ESC}[?1003h{ESC}[?1006h{ESC}[?1004h{ESC}[?2004h{ESC}[>1u{ESC}[?u{ESC}[>4;2m",
    # Enormous counts, unended strings, rubbish.
    f"{ESC}[2147483647b{ESC}[99999999999L{ESC}[99999999999S{ESC}[2147483647;2147483647H{ESC}[9999999I",
    f"{ESC}[{';'.join(['1'] * 5000)}m{ESC}[{'9' * 5000}C{ESC}#8{ESC}[?5h{BEL * 1000}",
    f"{ESC}P{'x' * 100_000}{ST}{ESC}]2;{'y' * 100_000}{ST}",
    "\x00\x7f\x80\x9b\x9d0;evil\x9c\ufffe\uffff\ud7ff\u2028\u2029\u202e\u0000",
    f"a{chr(0x301) * 20_000}",
    f"{ESC}]0;unended title",
]


def hostile_recording() -> Recording:
    """Each attack alone on a fresh screen, then all HTML on one screen."""
    events = [(0.0, "o", "begin\r\n")]
    now = 1.0
    for attack in [*HTML, *ESCAPES]:
        events.append((now, "o", f"{ESC}c{attack}"))
        events.append((now + 0.1, "i", attack))
        events.append((now + 0.2, "m", attack))
        events.append((now + 0.3, "r", attack[:40]))
        events.append((now + 0.4, "o", f"{ST}{ESC}c"))
        now += 0.5
    events.append((now, "r", "160x40"))
    events.append((now, "o", f"{ESC}c" + "\r\n".join(HTML) + "\r\nthe end"))
    labels = [*HTML, *ESCAPES]
    return Recording(
        events,
        markers=[(0.5 * n, label) for n, label in enumerate(labels)],
        details={
            "/verification": {
                "state": "broken",
                "lines": 3,
                "broken_line": 4,
                "reason": "".join(HTML),
            },
            "/notes": {
                "notes": [
                    {"at_us": 10_000 * n, "kind": label, "facts": {label: label, "x": [label]}}
                    for n, label in enumerate(labels)
                ],
                "damages": [
                    {"line": 1, "offset_bytes": 0, "length_bytes": 9, "reason": label}
                    for label in labels
                ],
            },
            "/search": {
                "items": [
                    {"number": n, "at_us": 500_000 * n, "text": label, "highlights": [[0, 9]]}
                    for n, label in enumerate(labels)
                ],
                "cursor": None,
            },
        },
    )


WATCH = """
window.seen = [];
document.addEventListener('securitypolicyviolation',
    (e) => seen.push('policy ' + e.violatedDirective));
for (const name of ['open', 'alert', 'confirm', 'prompt', 'print', 'postMessage'])
    window[name] = () => seen.push(name);
window.Notification = class { constructor() { seen.push('notification'); } };
"""


@pytest.fixture
def guarded(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page that may use the clipboard, and on which anything unusual is noted in `unusual`."""
    context = open_context(chromium, viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    context.add_init_script(WATCH)
    page = context.new_page()
    unusual: list[str] = []
    page.on("pageerror", lambda error: unusual.append(f"error {error}"))
    page.on("console", lambda message: unusual.append(f"console {message.text}"))
    page.on("dialog", lambda dialog: unusual.append(f"dialog {dialog.message}"))
    page.on("download", lambda _: unusual.append("download"))
    page.on("popup", lambda _: unusual.append("popup"))
    page.on("websocket", lambda socket: unusual.append(f"socket {socket.url}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((site.origin, "data:,")) else unusual.append(request.url)
        ),
    )
    yield page
    assert unusual == []
    context.close()


def test_nothing_gets_out_of_a_hostile_recording(guarded: Page, site: Site) -> None:
    """No script, request, dialog, clipboard write, navigation, title or policy violation."""
    page = guarded
    base = site.put_recording("evil", hostile_recording().answers())
    address = site.put_player("/p", f'src="{base}"')
    open_player(page, address)
    page.evaluate("navigator.clipboard.writeText('mine')")
    wait_for_details(page)
    site.asked.clear()
    for tenth in range(11):
        ask(page, f"await p.seek(p.duration * {tenth / 10})")
        settle(page)
    # Each piece on its own, drawn; then all of it again, playing.
    ask(page, "await p.seek(0)")
    for _ in range(160):
        ask(page, "await p.step()")
    ask(page, "await p.seek(0)")
    ask(page, "(p.speed = 16, await p.play())")
    wait_for(lambda: ask(page, "p.paused"), "it plays to its end")
    # All that shows a recording's words: the list, the hits, the tips, the badge.
    ask(page, "await p.find('script')")
    page.get_by_role("button", name="Commands and notes").click()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        page.get_by_role("slider").hover(position={"x": 1200 * share, "y": 20})
    page.keyboard.press("Escape")
    # Clicking and typing into the terminal does nothing but move the focus.
    page.locator("steno-player .screen").click()
    page.keyboard.type("xyz")
    ask(page, "await p.seek(p.duration)")
    rows = drawn_rows(page)
    assert rows[: len(HTML)] == HTML, "the attacks are shown, as text"
    assert rows[-1] == "the end"

    assert page.evaluate("window.pwned") is None
    assert page.evaluate("window.seen") == []
    assert page.title() == "A page"
    assert page.url == address
    assert page.evaluate("navigator.clipboard.readText()") == "mine"
    assert (
        ask(page, "[...p.shadowRoot.querySelectorAll('script, img, iframe, style, meta, base')]")
        == []
    )
    links = ask(page, "[...p.shadowRoot.querySelectorAll('a')].map((a) => a.href)")
    assert all(link.startswith(f"{site.origin}{base}/export?") for link in links)
    drawn = ask(
        page, "new Set([...p.shadowRoot.querySelectorAll('.row *')].map((e) => e.tagName)).size"
    )
    assert drawn == 1
    assert all(path.startswith((f"{base}/segments/", f"{base}/search?")) for path in site.asked)


def test_a_hostile_recording_inside_a_page_stays_inside(guarded: Page, site: Site) -> None:
    """The same holds when the recording stands in the page itself, as in exported pages."""
    page = guarded
    recording = hostile_recording()
    answers = recording.answers()
    index = answers["/segments"].decode()
    segments = ",".join(
        answers[f"/segments/{n}"].decode() for n in range(len(recording.segments()))
    )
    trail = json.dumps(
        {
            "commands": [{"at_us": 0, "end_us": 900_000, "text": HTML[0], "signal": 9}],
            "lanes": {
                "files": [
                    {"first_us": 0, "last_us": 0, "events": 1, "failures": 1, "text": HTML[0]}
                ]
            },
        }
    )
    data = f'{{"index":{index},"segments":[{segments}],"trail":{trail}}}'.replace("<", "\\u003c")
    inside = f'<script type="application/json">{data}</script>'
    open_player(page, site.put_player("/inline", "", inside))
    ask(page, "await p.seek(p.duration)")
    assert drawn_rows(page)[0] == HTML[0]
    assert ask(page, "await p.find('pwned')") > 0
    lane = page.locator("steno-player .lane.of-files").bounding_box()
    assert lane is not None
    page.mouse.move(lane["x"] + 1, lane["y"] + 5)
    expect(page.locator("steno-player .tip")).to_contain_text(HTML[0][:40])
    page.keyboard.press("[")
    page.get_by_role("button", name="Commands and notes").click()
    expect(page.locator("steno-player .marks-list")).to_contain_text("ended by signal 9")
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("window.seen") == []
    assert page.title() == "A page"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/segments", b"<h1>nonsense</h1>", "not JSON"),
        ("/segments", b'{"version": 2}', "version 1"),
        ("/segments/0", b'{"events": 3}', "no snapshot"),
    ],
)
def test_nonsense_from_the_server_is_named(
    chromium: Browser, site: Site, path: str, body: bytes, says: str
) -> None:
    """An answer that is no recording gives one clear line, not a dead player."""
    answers = Recording([(0.0, "o", "x"), (1.0, "o", "y")]).answers()
    base = site.put_recording("bad", answers | {path: body})
    page = open_context(chromium).new_page()
    page.goto(site.put_player("/p", f'src="{base}"'))
    alert = page.get_by_role("alert")
    expect(alert.filter(has_text=says)).to_be_visible()
    page.context.close()
