"""Who may call what: every endpoint of the table with every kind of caller."""

from __future__ import annotations

import httpx2
import pytest
from running_server import Running

from steno.store.accounts import RANKS, Role
from steno.web.endpoint import Endpoint
from steno.web.table import ENDPOINTS, PREFIX

ALICE_REC = "a1ice-0001"
BOB_REC = "b0b-0001"
SHOWS_NO_CONTENT = {
    "show_recording",
    "show_activity",
    "list_notes",
    "verify",
    "kill",
    "send_message",
    "list_orders",
}
CALLERS: list[Role | None] = [None, "user", "auditor", "admin"]
NAMES: dict[Role, str] = {"user": "alice", "auditor": "audrey", "admin": "ada"}


def named(endpoint: Endpoint) -> str:
    """Return a test's name for an endpoint."""
    return f"{endpoint.method} {endpoint.path}"


def ends_session(endpoint: Endpoint) -> bool:
    """Whether a call would sign out the client that the other cases use."""
    return (endpoint.method, endpoint.path) == ("DELETE", "/session")


def ask(client: httpx2.Client, endpoint: Endpoint, rec: str = ALICE_REC) -> tuple[int, bytes]:
    """Call an endpoint with arguments that change nothing; return status and, if short, body."""
    path = PREFIX + endpoint.path
    values = {
        "rec": rec,
        "number": "0",
        "serial": "1",
        "name": "nobody",
        "id": "nothing",
        "host": "none",
        "trail": "trail-x",
    }
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    body = {"json": {"unknown": 1}} if endpoint.body else {}
    if endpoint.path.endswith("/export"):
        path += "?format=tlog"
    if endpoint.path.endswith("/search"):
        path += "?q=hedgehog"
    with client.stream(endpoint.method, path, **body) as answer:
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        return answer.status_code, b"" if is_stream else answer.read()


@pytest.fixture(scope="module")
def clients(running: Running) -> dict[Role | None, httpx2.Client]:
    """A signed-in client per role, and one of nobody."""
    found: dict[Role | None, httpx2.Client] = {None: running.client()}
    for role, name in NAMES.items():
        found[role] = running.sign_in(name)
    return found


@pytest.mark.parametrize("caller", CALLERS, ids=str)
@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if not ends_session(e)], ids=named)
def test_only_those_with_the_role_get_in(
    endpoint: Endpoint, caller: Role | None, clients: dict[Role | None, httpx2.Client]
) -> None:
    """Each endpoint lets in its least role and those above it, and nobody else."""
    status, _ = ask(clients[caller], endpoint)
    if endpoint.least is None or (caller and RANKS[caller] >= RANKS[endpoint.least]):
        assert status not in (401, 403)
        assert status < 500
    else:
        assert status == (403 if caller else 401)


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.is_of_recording], ids=named)
def test_a_user_cannot_tell_anothers_recording_from_none(
    endpoint: Endpoint, clients: dict[Role | None, httpx2.Client]
) -> None:
    """For the role user, another's recording answers exactly as one that does not exist."""
    if endpoint.least != "user":
        assert ask(clients["user"], endpoint, BOB_REC)[0] == 403
        return
    other = ask(clients["user"], endpoint, BOB_REC)
    missing = ask(clients["user"], endpoint, "zzz-0001")
    assert other[0] == missing[0] == 404
    assert other[1].replace(BOB_REC.encode(), b"REC") == missing[1].replace(b"zzz-0001", b"REC")


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.is_of_recording], ids=named)
def test_whatever_shows_content_is_logged(endpoint: Endpoint) -> None:
    """An endpoint of a recording names what the viewing log says, or is known to show nothing."""
    assert (endpoint.viewing is not None) != (endpoint.handler.__name__ in SHOWS_NO_CONTENT)


def test_the_list_and_the_search_hold_only_what_a_user_may_see(
    clients: dict[Role | None, httpx2.Client],
) -> None:
    """List and search of the role user hold their own recordings; an auditor's hold all."""
    expected: dict[Role, set[str]] = {"user": {"alice"}, "auditor": {"alice", "bob"}}
    for role, users in expected.items():
        client = clients[role]
        listed = client.get("/api/v1/recordings").json()["items"]
        assert {item["user"] for item in listed} == users
        query = {"q": "hello OR hedgehog OR secret"}
        found = client.get("/api/v1/search", params=query).json()["items"]
        assert {hit["recording"]["user"] for hit in found} == users


def test_a_prefix_is_ambiguous_only_among_what_a_user_may_see(
    clients: dict[Role | None, httpx2.Client],
) -> None:
    """A prefix finds a recording, is ambiguous among several, and hides what is not visible."""
    assert clients["user"].get("/api/v1/recordings/a1ice-0002").json()["rec"] == "a1ice-0002"
    assert clients["user"].get("/api/v1/recordings/a1ice").status_code == 409
    assert clients["user"].get("/api/v1/recordings/b0b").status_code == 404
    assert clients["auditor"].get("/api/v1/recordings/b0b").json()["rec"] == BOB_REC


def test_a_token_may_do_no_more_than_its_role_and_its_user(running: Running) -> None:
    """An admin's token of role user cannot list users; a user's admin token cannot either."""
    accounts = running.accounts()
    cases: list[tuple[str, Role, int]] = [
        ("ada", "admin", 200),
        ("ada", "user", 403),
        ("bob", "admin", 403),
    ]
    for name, role, status in cases:
        _, secret = accounts.add_token(name, role=role)
        client = running.client({"Authorization": f"Bearer {secret}"})
        assert client.get("/api/v1/users").status_code == status
