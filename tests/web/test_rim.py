"""What is on every answer: security headers, the Host check, counts; and pages, health, metrics."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from running_server import Running, running_server

from steno.config import load_config
from steno.server import enrolment
from steno.web import endpoint
from steno.web.rim import allowed_names, host_name


@pytest.mark.parametrize(
    "path",
    ["/api/v1/recordings", "/api/v1/openapi.json", "/nothing", "/healthz", "/login", "/once/x"],
)
def test_every_answer_carries_the_security_headers(running: Running, path: str) -> None:
    """Whatever the status: a strict policy, no sniffing, no framing, no referrer."""
    headers = running.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:8040", "127.0.0.1.evil.example", ""]
)
def test_a_foreign_name_is_refused_on_loopback(running: Running, name: str) -> None:
    """A page that points its own name at this machine (DNS rebinding) gets nothing."""
    for path in ("/api/v1/session", "/", "/metrics"):
        answer = running.client({"Host": name}).get(path)
        assert answer.status_code in (400, 421)
        assert "steno_" not in answer.text


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:1", "127.0.0.1:8040", "[::1]:8040"])
def test_loopbacks_own_names_are_taken(running: Running, name: str) -> None:
    """The names that this machine has for itself work, with any port."""
    assert running.client({"Host": name}).get("/healthz").status_code == 200


def test_configured_names_are_the_only_ones_elsewhere() -> None:
    """Beyond loopback the configuration says which names; without any, all do."""
    open_config = load_config(directory=Path("/d"), flags={"listen": "0.0.0.0:1"})
    assert allowed_names(open_config) is None
    flags = {"listen": "0.0.0.0:1", "names": ["Steno.Example.org"]}
    assert allowed_names(load_config(directory=Path("/d"), flags=flags)) == {"steno.example.org"}
    assert host_name("[2001:DB8::1]:443") == "2001:db8::1"


def test_a_failure_of_ours_is_a_problem_without_details(
    fresh: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw answers 500 without a word about the inside, is logged and counted."""
    client = fresh.sign_in("audrey")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the inside of things")

    monkeypatch.setattr("steno.store.sqlite.SqliteStore.activity", fail)
    answer = client.get("/api/v1/recordings/a1ice-0001/activity")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "inside" not in answer.text
    assert "the inside of things" in caplog.text
    assert "steno_http_errors_total 1\n" in client.get("/metrics").text


def test_metrics_are_for_this_machine_and_for_auditors(running: Running) -> None:
    """From loopback anybody may read them; forwarded by a proxy only with an auditor's token."""
    accounts = running.accounts()
    text = running.client().get("/metrics").text
    for name in (
        "steno_http_requests_total",
        "steno_ingest_bytes_total",
        "steno_recordings",
        "steno_recordings_live",
        "steno_index_waiting",
    ):
        assert f"\n{name}" in text
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert running.client(forwarded).get("/metrics").status_code == 401
    for name, status in (("audrey", 200), ("alice", 403)):
        _, secret = accounts.add_token(name, role="auditor")
        headers = {**forwarded, "Authorization": f"Bearer {secret}"}
        assert running.client(headers).get("/metrics").status_code == status


def test_pages_and_files_of_the_front_end_are_served(
    tmp_path: Path, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page's path answers index.html; files have ETags, and travel compressed."""
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("<!doctype html><title>Steno</title>")
    (static / "app.js").write_text("export const text = 'x';\n" * 200)
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr("steno.web.app.STATIC", static)
    with running_server(tmp_path / "server", password_hash) as running:
        client = running.client()
        for path in ("/", "/login", "/search?q=x", "/hosts", "/recordings/abc?t=1", "/users"):
            page = client.get(path)
            assert page.headers["content-type"].startswith("text/html")
            assert "<title>Steno" in page.text
        for_people = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        missing = client.get("/nowhere", headers=for_people)
        assert (missing.status_code, missing.text) == (404, client.get("/").text)
        for path, headers in (("/nowhere", {}), ("/api/v1/nowhere", for_people)):
            refused = client.get(path, headers=headers)
            assert refused.status_code == 404
            assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/api/v1/users/kim/links", headers=for_people).status_code == 405
        script = client.get("/static/app.js")
        assert script.headers["content-type"].startswith(("text/javascript", "application/java"))
        assert script.headers["content-encoding"] == "gzip"
        again = client.get("/static/app.js", headers={"If-None-Match": script.headers["etag"]})
        assert again.status_code == 304
        plain = client.get("/static/app.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == script.text
        (static / "app.js").write_text("changed")
        assert client.get("/static/app.js").text == "changed"
        for path in ("..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd", ".", "", "nothing.js"):
            assert client.get(f"/static/{path}").status_code == 404, path


def test_a_missing_front_end_says_how_to_build_it(
    tmp_path: Path, password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bundle a page says so in plain words, and the API works."""
    monkeypatch.setattr("steno.web.app.STATIC", tmp_path / "nothing")
    with running_server(tmp_path / "server", password_hash) as running:
        page = running.client().get("/")
        assert page.status_code == 503
        assert "npm run build" in page.text
        assert running.sign_in("ada").get("/api/v1/users").status_code == 200


def test_a_trusted_proxy_says_who_asks_and_how(tmp_path: Path, password_hash: str) -> None:
    """Its X-Forwarded-For is the address in the log, https makes the cookie Secure; others' lie."""
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for trusted, address, is_secure in (
        (["127.0.0.1"], "203.0.113.9", True),
        ([], "127.0.0.1", False),
    ):
        directory = tmp_path / str(len(trusted))
        with running_server(directory, password_hash, {"trusted_proxies": trusted}) as running:
            secret = running.accounts().add_link("audrey", 60_000_000)
            client = running.client(forwarded)
            cookie = client.get(f"/once/{secret}").headers["set-cookie"]
            assert ("Secure" in cookie) == is_secure
            value = cookie.partition(";")[0]
            path = "/api/v1/recordings/a1ice-0001/text"
            assert client.get(path, headers={"Cookie": value}).status_code == 200
            items = running.sign_in("ada").get("/api/v1/viewings").json()["items"]
            assert items[0]["address"] == address


def test_a_body_that_does_not_come_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins a sign-in or an enrolment and stops gets 408, and the connection ends."""
    monkeypatch.setattr(endpoint, "BODY_WAIT_S", 0.3)
    monkeypatch.setattr(enrolment, "BODY_WAIT_S", 0.3)
    host, _, port = running.url.removeprefix("http://").partition(":")
    for path in ("/api/v1/session", "/api/v1/enrol"):
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 408 "), path
        assert b"application/problem+json" in answer
