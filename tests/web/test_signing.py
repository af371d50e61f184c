"""Signing in and out: passwords, sessions, one-time links, limits."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from running_server import PASSWORD, Running, running_server

from steno.store.accounts_file import AccountsFile

SESSION = "/api/v1/session"
HOUR_US = 3600 * 1_000_000


def change(running: Running, statement: str) -> None:
    """Change the accounts' database behind the server's back."""
    file = AccountsFile(running.config.accounts_path)
    with file.writing() as db:
        db.execute(statement)
    file.close()


def attempt(client: httpx2.Client, name: str, password: str) -> httpx2.Response:
    """Try to sign in."""
    return client.post(SESSION, json={"name": name, "password": password})


def test_a_password_signs_in_and_the_cookie_is_out_of_reach_of_scripts(running: Running) -> None:
    """The right password answers who it is, and sets an HttpOnly, SameSite=Strict cookie."""
    client = running.client()
    answer = attempt(client, "audrey", PASSWORD)
    assert answer.json()["user"] == {"name": "audrey", "role": "auditor"}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert client.get(SESSION).json() == answer.json()


def test_a_wrong_password_and_an_unknown_name_look_the_same(running: Running) -> None:
    """Nobody learns from the answer which names exist."""
    client = running.client()
    wrong, unknown = attempt(client, "audrey", "wrong"), attempt(client, "nobody", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert "set-cookie" not in wrong.headers


def test_a_user_without_a_password_cannot_sign_in_with_any(running: Running) -> None:
    """Someone who was added without a password is refused like an unknown name."""
    running.accounts().add_user("linked", "user", None)
    assert attempt(running.client(), "linked", "anything").status_code == 401


def test_failures_of_one_name_are_limited_also_for_the_right_password(
    tmp_path: Path, password_hash: str
) -> None:
    """After the limit a name gets 429 with Retry-After from anywhere; other names go on."""
    with running_server(tmp_path, password_hash, {"login.per_name": 3}) as running:
        client = running.client()
        assert [attempt(client, "audrey", "wrong").status_code for _ in range(3)] == [401] * 3
        refused = attempt(client, "audrey", PASSWORD)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 900
        assert attempt(client, "alice", PASSWORD).status_code == 200
        # Names that do not exist are limited just so.
        tries = [attempt(client, "nobody", "wrong").status_code for _ in range(4)]
        assert tries == [401, 401, 401, 429]


def test_failures_from_one_address_are_limited_over_all_names(
    tmp_path: Path, password_hash: str
) -> None:
    """After the limit an address gets 429 for any name; a success does not pay for failures."""
    with running_server(tmp_path, password_hash, {"login.per_address": 4}) as running:
        client = running.client()
        statuses = [attempt(client, f"name{n}", "wrong").status_code for n in range(3)]
        statuses.append(attempt(client, "ada", PASSWORD).status_code)
        statuses.append(attempt(client, "name3", "wrong").status_code)
        statuses.append(attempt(client, "ada", PASSWORD).status_code)
        assert statuses == [401, 401, 401, 200, 401, 429]


@pytest.mark.parametrize("column", ["seen_unix_us", "created_unix_us"])
def test_a_session_ends_when_it_idles_or_is_too_old(fresh: Running, column: str) -> None:
    """A session that was idle or open for longer than configured is refused, and forgotten."""
    client = fresh.sign_in("alice")
    assert client.get(SESSION).status_code == 200
    change(fresh, f"UPDATE sessions SET {column} = {column} - {13 * HOUR_US}")
    assert client.get(SESSION).status_code == 401


@pytest.mark.parametrize(("by_itself", "status"), [(True, 401), (False, 200)])
def test_what_a_page_asks_by_itself_keeps_no_session_going(
    fresh: Running, by_itself: bool, status: int
) -> None:
    """Refreshing a page that nobody uses does not count as use; all else does."""
    client = fresh.sign_in("alice")
    headers = {"X-Steno-Unattended": "1"} if by_itself else {}
    for _ in range(2):
        change(fresh, f"UPDATE sessions SET seen_unix_us = seen_unix_us - {2 * HOUR_US // 3}")
        answer = client.get("/api/v1/recordings", headers=headers)
    assert answer.status_code == status


def test_signing_out_ends_the_session_and_clears_the_cookie(running: Running) -> None:
    """After DELETE the same cookie is worth nothing, even if a thief kept it."""
    client = running.sign_in("alice")
    stolen = client.cookies["steno_session"]
    assert client.delete(SESSION).status_code == 204
    assert "steno_session" not in client.cookies
    thief = running.client({"Cookie": f"steno_session={stolen}"})
    assert thief.get(SESSION).status_code == 401


def test_a_new_password_ends_all_sessions_of_its_user(fresh: Running) -> None:
    """Whoever was signed in under the old password is out."""
    client, admin = fresh.sign_in("alice"), fresh.sign_in("ada")
    changed = admin.patch("/api/v1/users/alice", json={"password": "a brand new one"})
    assert changed.status_code == 200
    assert client.get(SESSION).status_code == 401
    assert attempt(fresh.client(), "alice", "a brand new one").status_code == 200


def test_signing_in_again_ends_the_session_before(running: Running) -> None:
    """A browser has one session: the one it had before is worth nothing."""
    client = running.sign_in("alice")
    before = client.cookies["steno_session"]
    assert attempt(client, "alice", PASSWORD).status_code == 200
    assert running.client({"Cookie": f"steno_session={before}"}).get(SESSION).status_code == 401


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_a_change_by_cookie_needs_the_csrf_token(running: Running, token: str | None) -> None:
    """A form on another site, which cannot know the token, changes nothing."""
    client = running.sign_in("alice")
    del client.headers["X-CSRF-Token"]
    headers = {} if token is None else {"X-CSRF-Token": token}
    refused = client.request("DELETE", SESSION, headers=headers)
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:steno:problem:csrf"
    assert client.get(SESSION).status_code == 200


def test_another_sites_page_cannot_sign_anybody_in(running: Running) -> None:
    """A sign-in whose Origin is another host is refused, whatever the password."""
    body = {"name": "alice", "password": PASSWORD}
    answer = running.client({"Origin": "https://evil.example"}).post(SESSION, json=body)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_one_time_link_signs_in_once_and_goes_to_its_page(running: Running) -> None:
    """The first GET signs in and redirects, looking with HEAD does not count, the second is 410."""
    path = "/once/" + running.accounts().add_link("alice", HOUR_US)
    client = running.client()
    page = quote("/recordings/a1ice-0001?t=2", safe="")
    assert client.head(path).status_code == 200
    first = client.get(f"{path}?next={page}")
    assert first.status_code == 303
    assert first.headers["location"] == "/recordings/a1ice-0001?t=2"
    assert client.get(SESSION).json()["user"]["name"] == "alice"
    second = running.client().get(path)
    assert second.status_code == 410
    assert "set-cookie" not in second.headers


def test_a_one_time_link_expires(running: Running) -> None:
    """A link that was not used in time is refused."""
    secret = running.accounts().add_link("alice", 0)
    assert running.client().get(f"/once/{secret}").status_code == 410


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "evil",
        "/\t/evil",
        "/a\r\nX: y",
    ],
)
def test_a_one_time_link_leads_nowhere_else(running: Running, target: str) -> None:
    """A link whose `next` is no path on this server is refused and not used up."""
    secret = running.accounts().add_link("alice", HOUR_US)
    client = running.client()
    assert client.get(f"/once/{secret}?next={quote(target, safe='')}").status_code == 422
    assert client.get(f"/once/{secret}").status_code == 303


def test_a_revoked_or_expired_token_is_refused(running: Running) -> None:
    """A token works until it expires or is revoked; then each request answers 401."""
    accounts = running.accounts()
    token, secret = accounts.add_token("alice", role="user")
    _, expired = accounts.add_token("alice", role="user", lifetime_us=0)
    client = running.client({"Authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/recordings").status_code == 200
    accounts.revoke_token(token.id)
    assert client.get("/api/v1/recordings").status_code == 401
    stale = running.client({"Authorization": f"Bearer {expired}"})
    assert stale.get("/api/v1/recordings").status_code == 401


def test_a_token_cannot_make_tokens_or_links(running: Running) -> None:
    """What leaked cannot prolong its own life: that takes a session."""
    _, secret = running.accounts().add_token("ada", role="admin")
    client = running.client({"Authorization": f"Bearer {secret}"})
    assert client.post("/api/v1/tokens", json={}).status_code == 403
    assert client.post("/api/v1/users/bob/links").status_code == 403


def test_no_secret_is_on_disk(fresh: Running) -> None:
    """The database holds neither session, token, link nor password, only what checks them."""
    client = fresh.sign_in("alice")
    secrets = [client.cookies["steno_session"], PASSWORD]
    made = client.post("/api/v1/tokens", json={"label": "script"}).json()
    secrets += [made["secret"], fresh.accounts().add_link("alice", HOUR_US)]
    path = fresh.config.accounts_path
    for file in path.parent.glob(path.name + "*"):
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content]
        assert file.stat().st_mode & 0o077 == 0


def test_an_admin_manages_people_but_not_themselves_away(fresh: Running) -> None:
    """Add, promote, link and remove others; one's own role and account stay."""
    admin = fresh.sign_in("ada")
    new = {"name": "carol", "role": "user", "password": "a long enough one"}
    assert admin.post("/api/v1/users", json=new).status_code == 201
    assert admin.post("/api/v1/users", json=new).status_code == 422
    assert admin.patch("/api/v1/users/carol", json={"role": "auditor"}).json()["role"] == "auditor"
    link = admin.post("/api/v1/users/carol/links").json()["path"]
    assert fresh.client().get(link).status_code == 303
    assert admin.delete("/api/v1/users/carol").status_code == 204
    assert admin.get("/api/v1/users/carol").status_code == 404
    assert admin.delete("/api/v1/users/ada").status_code == 409
    assert admin.patch("/api/v1/users/ada", json={"role": "user"}).status_code == 409
    names = [item["name"] for item in admin.get("/api/v1/users").json()["items"]]
    assert names == ["ada", "alice", "audrey", "bob"]


def test_removing_a_user_ends_sessions_and_tokens(fresh: Running) -> None:
    """Someone who was removed is out at once, by cookie and by token."""
    client = fresh.sign_in("bob")
    _, secret = fresh.accounts().add_token("bob", role="user")
    assert fresh.sign_in("ada").delete("/api/v1/users/bob").status_code == 204
    assert client.get(SESSION).status_code == 401
    by_token = fresh.client({"Authorization": f"Bearer {secret}"})
    assert by_token.get("/api/v1/recordings").status_code == 401


def test_a_disabled_user_is_kept_out_by_every_way_until_enabled(fresh: Running) -> None:
    """Disabling ends sessions and links and makes tokens useless; enabling brings tokens back."""
    admin, alice = fresh.sign_in("ada"), fresh.sign_in("alice")
    token = alice.post("/api/v1/tokens", json={"label": "x"}).json()["secret"]
    bearer = fresh.client({"Authorization": f"Bearer {token}"})
    link = admin.post("/api/v1/users/alice/links").json()["path"]
    changed = admin.patch("/api/v1/users/alice", json={"is_disabled": True})
    assert changed.json()["disabled_unix_us"] > 0
    assert alice.get("/api/v1/recordings").status_code == 401
    assert bearer.get("/api/v1/recordings").status_code == 401
    assert fresh.client().get(link).status_code == 410
    assert admin.post("/api/v1/users/alice/links").status_code == 404
    password = {"name": "alice", "password": PASSWORD}
    assert fresh.client().post("/api/v1/session", json=password).status_code == 401
    assert admin.patch("/api/v1/users/ada", json={"is_disabled": True}).status_code == 409
    assert admin.patch("/api/v1/users/alice", json={"is_disabled": False}).status_code == 200
    assert bearer.get("/api/v1/recordings").status_code == 200
    assert fresh.client().post("/api/v1/session", json=password).status_code == 200
