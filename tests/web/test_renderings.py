"""A recording as text and as a page: what was seen, and nothing that can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from steno.formats.track import Finish, Header, Item, unknown_start
from steno.model import Damage, End, Note, Output, Window
from steno.web.renderings import PageRenderer, TextRenderer, embed_json

PLAYER = 'const a = "</script><!-- x"; customElements.define("steno-player", class {});\r\n'
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "</SCRIPT >",
    "\u2028\u2029&lt;",
    '"><img src=x onerror=alert(1)>',
]


class Outline(HTMLParser):
    """What a browser would make of a page: its elements, and what stands in its scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._is_open = False
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        self._is_open = True

    def handle_endtag(self, tag: str) -> None:
        """Note that what follows stands in no element of interest."""
        self._is_open = False

    def handle_data(self, data: str) -> None:
        """Note the text of the element begun last."""
        if self._is_open:
            self.texts[self.tags[-1][0]][-1] += data

    def recording(self) -> dict:  # type: ignore[type-arg]  # JSON
        """Return the recording's data."""
        scripts = [attrs for tag, attrs in self.tags if tag == "script"]
        place = next(i for i, attrs in enumerate(scripts) if attrs.get("id") == "recording")
        return json.loads(self.texts["script"][place])  # type: ignore[no-any-return]


def render_page(items: list[Item], title: str = "T") -> bytes:
    """Return the page for `items`."""
    renderer = PageRenderer(PLAYER, title=title)
    return b"".join(renderer.write(item) for item in items)


def make_items(*pieces: Item, columns: int | None = 20) -> list[Item]:
    """Return a recording of these pieces, with a window of 20x5."""
    start = unknown_start(columns=columns, rows=columns and 5, user="avery", host="web01")
    return [Header(start), *pieces, Finish(9_000_000, End("exit", 0))]


@given(texts=st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)), max_size=5))
def test_nothing_recorded_becomes_markup(texts: list[str]) -> None:
    """Whatever was put out, named or marked, the page has the same elements, and all the data."""
    text = "".join(texts)
    pieces = [Output(1, text.encode("utf-8", "replace")), Note(2, "marker", {"label": text})]
    start = unknown_start(columns=20, rows=5, user=text, host=text, command=[text])
    items: list[Item] = [Header(start, title=text), *pieces, Finish(3, End("exit", 0))]
    plain = Outline(render_page(make_items()))
    page = Outline(render_page(items, title=text))
    assert page.tags[3:] == plain.tags[3:]
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    events = page.recording()["segments"][0]["events"]
    assert "".join(event[2] for event in events) == text.encode("utf-8", "replace").decode()


def test_json_in_a_page_holds_no_markup_and_reads_as_before() -> None:
    """Characters that mean something in markup are written as escapes."""
    text = embed_json(HOSTILE)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == HOSTILE


def test_the_policy_allows_exactly_what_stands_in_the_page() -> None:
    """Each script and style is allowed by its digest; nothing else may run, load or connect."""
    page = Outline(render_page(make_items(Output(0, b"x"))))
    [policy] = [
        attrs["content"]
        for tag, attrs in page.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.keys() == {"default-src", "base-uri", "form-action", "script-src", "style-src"}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    data, *scripts = page.texts["script"]
    assert json.loads(data)
    assert rules["script-src"].split() == [digest_of(script) for script in scripts]
    assert rules["style-src"].split() == [digest_of(style) for style in page.texts["style"]]
    sources = [attrs for _, attrs in page.tags if attrs.keys() & {"src", "href", "onload"}]
    assert sources == []


def digest_of(text: str) -> str:
    """Return what a policy says for a script or style with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_a_long_recording_is_cut_into_segments_that_each_begin_with_the_screen() -> None:
    """Seeking needs only one segment: its snapshot draws what came before it."""
    pieces = [Output(n * 1_000_000, b"line %d\r\n" % n) for n in range(40)]
    data = Outline(render_page(make_items(*pieces))).recording()
    assert len(data["index"]["segments"]) == len(data["segments"]) > 2
    starts = [segment["start"] for segment in data["index"]["segments"]]
    assert starts == sorted(starts)
    events = [event for segment in data["segments"] for event in segment["events"]]
    assert [event[2] for event in events] == [f"line {n}\r\n" for n in range(40)]
    for start, segment in zip(starts[1:], data["segments"][1:], strict=True):
        first = int(segment["events"][0][2].split()[1])
        assert f"line {first - 1}" in segment["snapshot"]["init"]
        assert f"line {first}" not in segment["snapshot"]["init"]
        assert start <= segment["events"][0][0]
    assert [line["text"] for line in data["text"]] == [f"line {n}" for n in range(40)]


def test_notes_and_damage_stand_in_the_page() -> None:
    """What is missing in the recording is told by the player, too."""
    note, damage = Note(5, "gap", {"first_id": 2, "last_id": 3}), Damage(4, 100, 20, "torn line")
    data = Outline(render_page(make_items(note, damage))).recording()
    assert data["notes"] == [
        {"at_us": 5, "kind": "gap", "facts": {"first_id": 2, "last_id": 3}},
    ]
    assert data["damages"] == [
        {"line": 4, "offset_bytes": 100, "length_bytes": 20, "reason": "torn line"},
    ]
    assert data["index"]["duration"] == 9.0


def test_the_text_of_pipes_begins_each_line_at_the_left() -> None:
    """Pipes' output has newlines only; its text is the lines."""
    header = Header(unknown_start(), is_terminal=False)
    items: list[Item] = [header, Output(0, b"one\ntwo\n"), Finish(1, End("exit", 0))]
    renderer = TextRenderer()
    assert b"".join(renderer.write(item) for item in items) == b"one\ntwo\n"


def test_a_terminal_of_unknown_size_is_taken_for_the_usual_one() -> None:
    """Without any window a terminal's output is followed on 80x24, a bare newline going down."""
    items: list[Item] = [
        Header(unknown_start()),
        Output(0, b"one\ntwo\r\n"),
        Finish(1, End("exit", 0)),
    ]
    renderer = TextRenderer()
    assert b"".join(renderer.write(item) for item in items) == b"one\n   two\n"


def test_windows_are_followed_in_text_and_page() -> None:
    """After a resize lines wrap where the new window wraps them; the player is told."""
    items = make_items(Output(0, b"a"), Window(5, 30, 9), Output(6, b"b" * 25))
    data = Outline(render_page(items)).recording()
    assert [event[1:] for event in data["segments"][0]["events"]] == [
        ["o", "a"],
        ["r", "30x9"],
        ["o", "b" * 25],
    ]
    renderer = TextRenderer()
    text = b"".join(renderer.write(item) for item in items)
    assert text == b"a" + b"b" * 25 + b"\n"
