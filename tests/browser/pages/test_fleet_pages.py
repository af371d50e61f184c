"""Hosts that tell how they are, and acting on live sessions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sessions import Session
from spoken_host import SpokenHost
from visiting import Server, Visitor, expect_viewing

from steno.heartbeat import AuditFacts, OpenSession, SpoolFacts
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry

Visit = Callable[..., Visitor]

pytestmark = pytest.mark.browser

NOW_US = time.time_ns() // 1000
HOSTILE = "<img src=x onerror=document.title='owned'>\u202e"


class Fleet:
    """A server of its own with hosts that speak to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._hosts: list[SpokenHost] = []

    def host(self, name: str) -> SpokenHost:
        """Enrol a host."""
        file = AccountsFile(self.server.directory / "accounts.sqlite")
        registry = HostRegistry(file)
        host = SpokenHost(self.server.origin, registry.enrol(registry.make_code().code, name, None))
        file.close()
        self._hosts.append(host)
        return host

    def live(self, name: str, host: str) -> Session:
        """Begin a recording that its host delivers."""
        session = Session(name, host=host, remote="192.0.2.7", started_unix_us=NOW_US)
        session.show(0.5, "avery@web1:~$ ")
        self.server.wait_indexed([session.deliver(self.server.store, host)])
        return session

    def close(self) -> None:
        """End all."""
        for host in self._hosts:
            host.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server that gives hosts little time, and lets auditors send messages."""
    directory = tmp_path_factory.mktemp("fleet")
    (directory / "server.toml").write_text(
        '[hosts]\nsilent_after_s = 4\n[orders]\nmessage = "auditor"\nexpire_s = 600\n'
    )
    fleet = Fleet(Server(directory))
    yield fleet
    fleet.close()
    fleet.server.close()


def opened(session: Session, **facts: str) -> OpenSession:
    """Return what a host's agent says of a session."""
    return OpenSession(session.rec, "avery", NOW_US, service="sshd", number=7, **facts)


def fits(page: Page) -> bool:
    """Tell whether nothing sticks out of the page on the right."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_hosts_show_how_they_are(visit: Visit, fleet: Fleet, width: int, scheme: str) -> None:
    """A host that fell silent is on top of the page; lag, clock, spool and sessions are named."""
    name = f"web-{width}-{scheme}"
    host, lost = fleet.host(name), fleet.host(f"lost-{width}-{scheme}")
    session = fleet.live(f"live {name}", name)
    lost.beat(OpenSession(f"gone {name}", "casey", NOW_US))
    spool = SpoolFacts(
        used_bytes=1_020_000_000,
        limit_bytes=1 << 30,
        free_bytes=1 << 33,
        undelivered_bytes=312_000,
        oldest_undelivered_unix_us=NOW_US - 125_000_000,
        undelivered=1,
        open=(session.rec,),
    )
    page = Visitor(visit(width, 850, scheme).page, fleet.server).enter("kim", "/hosts")
    banner = page.get_by_role("status", name="Warnings")
    audit = AuditFacts(
        "journal",
        NOW_US - 300_000_000,
        "trail-1",
        events=81_234,
        kept=80_112,
        lost={"gap": 2},
        is_deaf=True,
    )
    with_trouble: dict[str, Any] = {
        "spool": spool,
        "number": 7,
        "failures": (f"policy: {HOSTILE}",),
        "audit": audit,
    }
    host.keep_beating(opened(session, remote=HOSTILE), clock_offset_s=-7.5, **with_trouble)
    expect(banner.get_by_role("link", name=f"lost-{width}-{scheme}")).to_be_visible()
    expect(banner).to_contain_text("fallen silent")
    row = page.get_by_role("row", name=name)
    expect(row).to_contain_text(re.compile(r"clock .[5-9]\.\d s"))
    expect(row).to_contain_text("spool nearly full")
    expect(row).to_contain_text("behind")
    expect(page.get_by_role("row", name=f"lost-{width}-{scheme}")).to_contain_text("silent")
    assert fits(page)
    row.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_focused()
    expect(page.get_by_role("table", name="Open sessions")).to_contain_text("avery")
    expect(page.get_by_text("What goes wrong there")).to_be_visible()
    expect(page.get_by_text("80,112 of 81,234 events kept")).to_be_visible()
    expect(page.get_by_text("2 lost")).to_be_visible()
    expect(page.get_by_text("journald is deaf")).to_be_visible()
    expect(page.locator("steno-host-page img")).to_have_count(0)
    assert fits(page)
    page.get_by_role("table", name="Open sessions").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="avery on")).to_be_visible()


def test_a_message_reaches_its_host_and_the_answer_the_page(visit: Visit, fleet: Fleet) -> None:
    """With the keyboard alone: the text goes out as typed, and the page says that it is done."""
    host = fleet.host("desk")
    session = fleet.live("message", "desk")
    host.beat(opened(session))
    host.serve(opened(session))
    page = Visitor(visit(390, 850, "dark").page, fleet.server).enter(
        "kim", f"/recordings/{session.rec}"
    )
    button = page.get_by_role("button", name="Send a message")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.type("Please <b>log out</b>")
    page.keyboard.press("Tab")
    page.keyboard.type("maintenance")
    page.keyboard.press("Enter")
    acts = page.get_by_role("region", name="Act on the session")
    expect(acts).to_contain_text("kim sent “Please <b>log out</b>” (maintenance)")
    expect(acts).to_contain_text("done")
    assert [(one.do, one.text, one.by) for one in host.told] == [
        ("message", "Please <b>log out</b>", "kim")
    ]
    expect(page.get_by_role("button", name="End the session")).to_have_count(0)
    assert fits(page)


def test_ending_a_session_asks_first_and_says_what_came_of_it(visit: Visit, fleet: Fleet) -> None:
    """Cancelled, nothing is sent; what the host could not do is said, with its reason as text."""
    host = fleet.host("stubborn")
    session = fleet.live("kill", "stubborn")
    host.beat(opened(session))
    host.serve(opened(session), failure=f"no session {HOSTILE}")
    page = Visitor(visit().page, fleet.server).enter("olga", f"/recordings/{session.rec}")
    page.get_by_role("button", name="End the session").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("cannot be undone")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="End the session").click()
    dialog.get_by_role("button", name="End it").click()
    acts = page.get_by_role("region", name="Act on the session")
    expect(acts).to_contain_text("failed: no session <img")
    assert [one.do for one in host.told] == ["kill"]
    expect_viewing(page, "olga")


def test_those_without_the_role_see_no_way_to_act(visit: Visit, fleet: Fleet) -> None:
    """The recorded person sees their live recording, and neither buttons nor warnings."""
    session = fleet.live("own", "desk-2")
    page = Visitor(visit().page, fleet.server).enter("avery", f"/recordings/{session.rec}")
    expect(page.get_by_role("heading", name="avery on")).to_be_visible()
    expect(page.locator("steno-actions")).to_have_count(0)
    expect(page.locator("steno-warnings")).to_have_count(0)
