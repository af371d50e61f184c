"""What holds for every page: everybody can use it, and nothing sticks out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from avery import F1, deliver_avery, import_trail
from playwright.sync_api import Page, expect
from sessions import HOSTILE, Session, hostile, ordinary
from spoken_host import SpokenHost
from visiting import Server, Visitor, settle, settle_recording
from waiting import wait_for

from steno.heartbeat import OpenSession, SpoolFacts
from steno.store.accounts_file import AccountsFile
from steno.store.alerts import AlertQuery, Alerts
from steno.store.hosts import HostRegistry

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[3] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

LONG_USER = "a-user-name-of-thirty-two-chars-"
LONG_HOST = "a-host-name-as-long-as-names-may-be-which-is-sixty-three-in-all"
ADDRESS = "2001:db8:85a3:1234:5678:8a2e:370:7334"
BETWEEN = 768
VIEWS = [(1280, "dark"), (390, "light"), (BETWEEN, "light")]

PAGES = {
    "login": "/login",
    "recordings": "/",
    "nothing found": "/?q=zzzz",
    "wrong query": "/?q=user:(",
    "search": "/search",
    "hits": "/search?q=word+OR+uptime",
    "events": "/search?in=events",
    "logins": "/logins",
    "failed attempts": "/logins?show=failed",
    "alerts": "/alerts?state=all",
    "hosts": "/hosts",
    "host": f"/hosts/{LONG_HOST}",
    "no host": "/hosts/nobody",
    "users": "/users",
    "account": "/account",
    "avery": "/recordings/{avery}?t=3",
    "long names": "/recordings/{long}",
    "right to left": "/recordings/{rtl}",
    "attacks": "/recordings/{hostile}",
    "no recording": "/recordings/zzzz",
    "no page": "/nowhere",
}


def long_session(now_unix_us: int) -> Session:
    """Return a session all of whose names are as long as they may be."""
    session = Session(
        "long",
        user=LONG_USER,
        login_user=LONG_USER[::-1],
        host=LONG_HOST,
        remote=ADDRESS,
        started_unix_us=now_unix_us - 10_000_000,
        command=["/usr/bin/sudo", "bash", "-c", "x" * 4000],
        labels=["x" * 60, "pci"],
    )
    session.show(0.2, f"{LONG_USER}@{LONG_HOST}:~$ echo " + "word " * 800 + "\r\n")
    session.end(2.0, status=137)
    return session


def rtl_session(now_unix_us: int) -> Session:
    """Return a session whose names and text are written from right to left."""
    session = Session(
        "rtl", user="משתמש", login_user="مستخدم", started_unix_us=now_unix_us - 20_000_000
    )
    session.show(0.2, "משתמש@web1:~$ echo שלמה\r\nשלמה\r\n")
    session.end(1.0)
    return session


class Site:
    """A server with all that pages can show.

    Attributes:
        server: The server.
        recs: Ids of recordings, by the names that `PAGES` has for them.
    """

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory)
        store, now_unix_us = self.server.store, time.time_ns() // 1000
        made = {
            "long": long_session(now_unix_us),
            "rtl": rtl_session(now_unix_us),
            "hostile": hostile(now_unix_us),
        }
        self.recs = {name: session.deliver(store) for name, session in made.items()}
        for number in range(60):
            ordinary(number, now_unix_us).deliver(store)
        self.recs["avery"] = deliver_avery(store)
        import_trail(self.server, F1 / "audit-enriched.log")
        self.server.wait_indexed(list(self.recs.values()))
        file = AccountsFile(directory / "accounts.sqlite")
        registry = HostRegistry(file)
        token = registry.enrol(registry.make_code().code, LONG_HOST, None)
        wait_for(lambda: Alerts(file).page(AlertQuery()).items, "avery raises no alert")
        file.close()
        self._host = SpokenHost(self.server.origin, token)
        self._host.beat(
            OpenSession(self.recs["long"], LONG_USER, now_unix_us, remote=ADDRESS),
            spool=SpoolFacts(used_bytes=1_020_000_000, limit_bytes=1 << 30, free_bytes=1 << 33),
            failures=("policy: " + "x" * 300, HOSTILE),
            clock_offset_s=-7.5,
        )

    def close(self) -> None:
        """End all."""
        self._host.close()
        self.server.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of these tests' own."""
    site = Site(tmp_path_factory.mktemp("every-page"))
    yield site
    site.close()


def complaints(page: Page) -> list[str]:
    """Return what axe finds wrong, each with the rule and the element."""
    page.evaluate(AXE.read_text("utf-8"))
    found: Any = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("name", list(PAGES))
def test_every_page_is_for_everybody(visit: Visit, site: Site, name: str) -> None:
    """Names, contrasts and roles are as WCAG 2.2 AA wants them, and nothing sticks out."""
    if not AXE.is_file():
        pytest.skip("needs `npm ci` in frontend/ (./test does it)")
    page = visit().page
    visitor = Visitor(page, site.server)
    path = PAGES[name].format(**site.recs)
    if name == "login":
        visitor.go(path)
    else:
        visitor.enter("olga", path)
    for width, scheme in VIEWS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 850})
        if name in ("avery", "long names", "right to left", "attacks"):
            settle_recording(page)
        settle(page)
        if width != BETWEEN:
            assert complaints(page) == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_on_paper_is_dark_on_white(visit: Visit, site: Site) -> None:
    """Printed from dark colours it has light's, and neither navigation nor buttons."""
    page = visit(scheme="dark").page
    Visitor(page, site.server).enter("kim", "/alerts?state=all")
    expect(page.get_by_role("button", name="Acknowledge").first).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).color") == "rgb(26, 32, 39)"
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("button", name="Acknowledge").first).to_be_hidden()
    expect(page.get_by_text("Times are in Europe/Berlin")).to_be_visible()


def test_dialogs_keep_the_keyboard_and_give_it_back(visit: Visit, site: Site) -> None:
    """Tab goes round inside, Escape closes, and the focus is where it was before."""
    page = visit().page
    Visitor(page, site.server).enter("kim", "/alerts")
    button = page.get_by_role("button", name="Acknowledge").first
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Acknowledge this alert?")
    expect(dialog.get_by_label("Comment")).to_be_focused()
    for _ in range(6):
        page.keyboard.press("Tab")
        within = page.evaluate(
            "(() => { let e = document.activeElement;"
            " while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;"
            " return e === document.body || e.closest('dialog') !== null; })()"
        )
        assert within
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


@pytest.mark.parametrize("name", ["Recordings", "Logins", "Alerts", "Hosts"])
def test_what_could_not_be_had_is_asked_for_again(visit: Visit, site: Site, name: str) -> None:
    """With the server out of reach a page says so; once it is there again, one press shows all."""
    page = visit().page
    Visitor(page, site.server).enter("kim", "/search")
    page.context.set_offline(True)
    page.get_by_role("link", name=name, exact=True).click()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("The server cannot be reached")
    page.context.set_offline(False)
    # None where the page has tried by itself meanwhile.
    page.get_by_role("button", name="Try again").evaluate_all("all => all.map(one => one.click())")
    expect(problem).to_have_count(0)
    expect(page.locator("tbody tr, li h2").first).to_be_visible()


@pytest.mark.parametrize("path", ["/logins", "/alerts", "/hosts", "/hosts/web1", "/users"])
def test_pages_for_others_say_whom_they_are_for(visit: Visit, site: Site, path: str) -> None:
    """Nothing is asked of the server that it refuses anyway, and nothing is shown."""
    visitor = Visitor(visit().page, site.server)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.enter("avery", path)
    expect(page.get_by_role("heading", name="Only for")).to_be_visible()
    assert not [url for url in asked if f"/api/v1{path}" in url]


@pytest.mark.parametrize("path", ["/", "/search", "/search?in=events"])
def test_every_example_is_understood(visit: Visit, site: Site, path: str) -> None:
    """What the help offers can be put into the box and asked."""
    page = visit().page
    Visitor(page, site.server).enter("kim", path)
    page.get_by_text("How to ask").click()
    examples = page.locator("steno-query-box dt button")
    expect(examples.first).to_be_visible()
    for index in range(examples.count()):
        text = examples.nth(index).inner_text()
        examples.nth(index).click()
        expect(page.locator("#query")).to_be_focused()
        expect(page.locator("#query")).to_have_value(text)
        with page.expect_response("**/api/v1/**q=*") as answer:
            page.keyboard.press("Enter")
        assert answer.value.status == 200, text


def test_an_auditor_finds_who_became_root_and_what_they_changed(visit: Visit, site: Site) -> None:
    """From the start page by links alone, to the moment in the recording, and its proof."""
    page = visit().page
    Visitor(page, site.server).enter("kim", "/")
    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_role("link", name="What changed below /etc since yesterday").click()
    box = page.get_by_label("Search the audit events of all hosts")
    expect(box).to_have_value("file:/etc/* -action:read after:yesterday")
    box.fill("file:/etc/* -action:read host:vm user:root")
    box.press("Enter")
    expect(page.get_by_role("link", name="wrote /etc/passwd with userdel").first).to_be_visible()
    box.fill('"became root" host:vm')
    box.press("Enter")
    page.get_by_role("link", name="avery became root").last.click()
    expect(page.get_by_role("heading", name="avery on vm")).to_be_visible()
    opened = page.locator("steno-trail [aria-expanded=true]")
    expect(opened).to_contain_text("avery became root")
    expect(opened).to_be_in_viewport()
    expect(page.locator("steno-event")).to_contain_text("steno verify trail-")
    expect(page.get_by_role("heading", name="Is it genuine?")).to_be_visible()
    expect(page.get_by_text("Unbroken from the first line to the recorded end")).to_be_visible()
