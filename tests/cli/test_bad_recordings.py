"""Damaged recordings on a server: what is good is found and played, what is bad is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from cli_recordings import make_recording
from live_server import LiveServer, run_steno
from waiting import wait_for

from steno.delivery.spool import Spool

WORDS = ["alpha", "bravo", "charlie", "delta"]


def make_lines(rec: str) -> list[bytes]:
    """Return a recording's five lines."""
    return make_recording(rec, WORDS).splitlines(keepends=True)


def make_damaged() -> dict[str, bytes]:
    """Return damaged recordings by their ids."""
    swapped, flipped, newer = make_lines("swapped"), make_lines("flipped"), make_lines("newer")
    swapped[1:3] = swapped[2], swapped[1]
    flipped[1] = flipped[1].replace(b"bravo", b"\xe2ravo")
    newer[1] = newer[1].replace(b'"ver":"2.3"', b'"ver":"7.0"')
    twice, headless = make_lines("twice"), make_lines("headless")[1:]
    return {
        "swapped": b"".join(swapped),
        "flipped": b"".join(flipped),
        "newer": b"".join(newer),
        "twice": b"".join([*twice[:3], twice[2], *twice[3:]]),
        "headless": b"".join(headless),
        "begun": b"rubbish\n" + b"".join(make_lines("begun")),
        "rubbish": bytes(range(256)) * 8 + b"\n",
    }


BAD = {
    "swapped": [(2, "message 2 is missing before this line"), (3, "message 2 comes late, after 3")],
    "flipped": [(2, "not a message: 'utf-8' codec"), (3, "message 2 is missing before this line")],
    "newer": [(2, "unknown format version '7.0'"), (3, "message 2 is missing before this line")],
    "twice": [(4, "message 3 comes again, after 3: left out")],
    "headless": [(1, "message 1 is missing before this line")],
    "begun": [(1, "not a message: ")],
}
MISSING = {"flipped": "bravo", "newer": "bravo", "headless": "alpha"}


class Api:
    """The API of a server that has all of them, delivered and indexed."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx2.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=60,
        )

    def get(self, path: str) -> Any:  # noqa: ANN401  # JSON
        """Return the JSON that is there."""
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Deliver the damaged recordings to a real server, and wait until they are indexed."""
    directory = tmp_path_factory.mktemp("damaged")
    spool = Spool(directory / "spool")
    for rec, data in make_damaged().items():
        file = spool.begin(rec)
        file.append(data)
        file.finish()
    with LiveServer(directory, is_https=False) as server:
        host = server.enrol("h1", directory / "host")
        places = ["--spool", directory / "spool", "--host-directory", host]
        assert run_steno("deliver", *places).returncode == 0
        named = ["--directory", server.directory]
        run_steno("user", "add", "ada", "--role", "auditor", "--no-password", *named)
        api = Api(server.url, run_steno("token", "add", "ada", *named).stdout.strip())
        wait_for(
            lambda: len(api.get("/recordings")["items"]) >= len(make_damaged()), "all in the index"
        )
        yield api


def test_good_lines_of_damaged_recordings_are_found(api: Api) -> None:
    """Every word of every good line is found, late lines included, and only once."""
    for word in WORDS:
        found = [hit["recording"]["rec"] for hit in api.get(f"/search?q={word}")["items"]]
        expected = [rec for rec in BAD if MISSING.get(rec) != word]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("rec", BAD)
def test_bad_lines_are_named_by_line_and_byte(api: Api, rec: str) -> None:
    """The notes say what is wrong at which line, where it begins, and when that was."""
    lines = make_damaged()[rec].splitlines(keepends=True)
    damages = api.get(f"/recordings/{rec}/notes")["damages"]
    assert len(damages) == len(BAD[rec])
    for damage, (line, reason) in zip(damages, BAD[rec], strict=True):
        assert damage["line"] == line
        assert damage["reason"].startswith(reason)
        assert damage["offset_bytes"] == sum(map(len, lines[: line - 1]))
    verification = api.get(f"/recordings/{rec}/verification")
    assert verification["state"] == "broken"
    assert verification["broken_line"] in range(1, 5)


@pytest.mark.parametrize("rec", BAD)
def test_players_get_what_is_good(api: Api, rec: str) -> None:
    """The segments hold the good lines' output, in an order that a player can follow."""
    events = api.get(f"/recordings/{rec}/segments/0")["events"]
    shown = [text.strip() for _, code, text in events if code == "o"]
    assert sorted(shown) == [word for word in WORDS if word != MISSING.get(rec)]
    times = [at_s for at_s, _, _ in events]
    assert times == sorted(times)


def test_rubbish_is_kept_listed_and_named(api: Api) -> None:
    """What is no recording at all is evidence as well: it is there, empty, each line named."""
    recording = api.get("/recordings/rubbish")
    assert recording["chain"]["state"] == "broken"
    assert recording["damages"] == 9
    damages = api.get("/recordings/rubbish/notes")["damages"]
    assert [damage["line"] for damage in damages] == list(range(1, 10))
    assert api.get("/recordings/rubbish/segments/0")["events"] == []
    assert json.dumps(api.get("/recordings/rubbish/text")["items"]) == "[]"
