"""What hosts tell the server, what it asks of them, and new certificates: over real TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from https_server import HttpsServer
from waiting import wait_for

from steno.delivery.credentials import Credentials, client_context, expiry, load, make_request, save
from steno.delivery.opening import open_ways
from steno.delivery.renewal import Renewal
from steno.delivery.transport import HttpTransport
from steno.errors import ProtocolError, RefusedError
from steno.heartbeat import Heartbeat, OrderResult, SpoolFacts
from steno.store.accounts import Signed
from steno.store.orders import NewOrder

ADA = Signed("ada", "admin", "session", "session 1")
BEAT = Heartbeat(sent_unix_us=0, boot_id="b", source="s", version="1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpsServer]:
    """Hosts' routes behind uvicorn."""
    with HttpsServer(tmp_path / "server") as server:
        yield server


def enrol(server: HttpsServer, directory: Path, host: str = "web1", age_days: int = 0) -> Path:
    """Enrol a host whose certificate was made so long ago; return where its credentials are."""
    key, request = make_request(host)
    now = datetime.now(UTC) - timedelta(days=age_days)
    pem, issued = server.authority.issue_host(request, host, now)
    token = server.registry.enrol(server.registry.make_code(host).code, host, issued)
    save(directory, Credentials(host, (server.url,), token, key, pem, server.authority.pem))
    return directory


def way(directory: Path) -> tuple[HttpTransport, Renewal]:
    """Return the way to the server, and what renews the certificate shown on it."""
    transports, renewal = open_ways(directory)
    return transports[0], renewal


def test_a_heartbeat_is_kept_and_answered_with_orders(server: HttpsServer, tmp_path: Path) -> None:
    """The server's clock and what to do come back; a result settles its order; then silence."""
    transport, _ = way(enrol(server, tmp_path / "host"))
    before_us = time.time_ns() // 1000
    spool = SpoolFacts(open=("r1",), waiting_numbers=tuple(range(500)))
    answer = transport.beat(Heartbeat(before_us, "b", "s", "1", spool=spool))
    assert answer.orders == ()
    assert before_us <= answer.server_unix_us <= time.time_ns() // 1000
    kept = server.store.heard("web1")[0]
    assert kept.heartbeat.spool == spool
    assert before_us <= kept.received_unix_us
    order = server.orders.add(ADA, NewOrder("web1", "r1", "kill"), "")
    told = transport.beat(BEAT).orders
    assert [(one.id, one.do, one.rec) for one in told] == [(str(order.id), "kill", "r1")]
    result = OrderResult(str(order.id), "failed", "no session r1")
    settled = Heartbeat(0, "b", "s", "1", results=(result,))
    assert transport.beat(settled).orders == ()
    assert server.orders.find(order.id).failure == "no session r1"
    host = server.registry.find("web1")
    assert host.last_seen_unix_us is not None
    transport.close()


def test_a_question_for_orders_is_answered_when_there_is_one(
    server: HttpsServer, tmp_path: Path
) -> None:
    """While it waits nothing is answered; an order for another host wakes nobody."""
    transport, _ = way(enrol(server, tmp_path / "host"))
    assert transport.orders(0.0).orders == ()
    answers: list[tuple[str, ...]] = []

    def ask() -> None:
        answers.append(tuple(one.rec for one in transport.orders(55.0).orders))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    server.orders.add(ADA, NewOrder("web2", "other", "kill"), "")
    thread.join(1.5)
    assert thread.is_alive()
    server.orders.add(ADA, NewOrder("web1", "r1", "kill"), "")
    thread.join(60)
    assert answers == [("r1",)]
    transport.close()


def test_an_order_of_another_process_is_found(server: HttpsServer, tmp_path: Path) -> None:
    """Several servers may share a directory: who waits at one hears of orders given at another."""
    transport, _ = way(enrol(server, tmp_path / "host"))
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(len(transport.orders(55.0).orders)), daemon=True
    )
    thread.start()
    thread.join(0.5)
    other = server.open_orders()
    other.add(ADA, NewOrder("web1", "r1", "message", "hello"), "")
    thread.join(60)
    assert answers == [1]
    transport.close()


def test_who_asks_again_and_again_holds_no_more_than_a_few(
    server: HttpsServer, tmp_path: Path
) -> None:
    """The oldest question of a host is answered when there are more than four."""
    transport, _ = way(enrol(server, tmp_path / "host"))
    threads = [
        threading.Thread(target=transport.orders, args=(55.0,), daemon=True) for _ in range(7)
    ]
    for thread in threads:
        thread.start()
    # Only as long as a question would be open of itself.
    wait_for(lambda: sum(thread.is_alive() for thread in threads) <= 4, "more are held", 50)
    server.orders.add(ADA, NewOrder("web1", "r1", "kill"), "")
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    transport.close()


def test_strangers_and_nonsense_are_refused(server: HttpsServer, tmp_path: Path) -> None:
    """Without a host's proof nothing is read; what is no heartbeat is 400, too much 413."""
    host = load(enrol(server, tmp_path / "host"))
    client = httpx2.Client(
        base_url=server.url, verify=client_context(host, None), trust_env=False, timeout=60
    )
    paths = [("POST", "/api/v1/heartbeat"), ("GET", "/api/v1/orders"), ("POST", "/api/v1/renew")]
    for method, path in paths:
        assert client.request(method, path).status_code == 401
        wrong = client.request(method, path, headers={"Authorization": "Bearer steno_host_no"})
        assert wrong.status_code == 401
    client.headers["Authorization"] = f"Bearer {host.token}"

    def post(body: bytes, path: str = "/api/v1/heartbeat", **headers: str) -> int:
        return client.post(path, content=body, headers=headers).status_code

    many = b'{"sent_unix_us":0,"boot_id":"","source":"","version":"%s"}'
    assert post(many % b"1") == 200
    for body in (b"", b"[]", b"{}", b"\xff", b"{" * 100_000, many % (b"1" * 600)):
        assert post(body) == 400
    assert post(b'{"sent_unix_us":1e400,"boot_id":"","source":"","version":""}') == 400
    assert post(b" " * (5 << 20)) == 413
    assert post(b"x", **{"Content-Encoding": "gzip"}) == 415
    assert post(b"no zstd", **{"Content-Encoding": "zstd"}) == 400
    assert post(b'{"csr":"no request"}', "/api/v1/renew") == 400
    for wait in ("-1", "61", "x", "nan", "inf"):
        assert client.get("/api/v1/orders", params={"wait_s": wait}).status_code == 400
    server.registry.revoke("web1")
    assert post(many % b"1") == 403
    client.close()


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(
    server: HttpsServer, tmp_path: Path
) -> None:
    """Not before; then it has a new key, is good for longer, and the next connection shows it."""
    fresh, renewal = way(enrol(server, tmp_path / "fresh"))
    assert renewal.renew_if_due(fresh.renew) is None
    fresh.close()
    directory = enrol(server, tmp_path / "old", "web2", age_days=500)
    transport, renewal = way(directory)
    before = load(directory)
    until = renewal.renew_if_due(transport.renew)
    after = load(directory)
    assert until == expiry(after)
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(days=700)
    assert after.key != before.key
    assert (after.token, after.ca, after.servers) == (before.token, before.ca, before.servers)
    assert server.registry.find("web2").is_renewing
    transport.close()
    transport, renewal = way(directory)
    transport.beat(BEAT)
    assert not server.registry.find("web2").is_renewing
    assert renewal.renew_if_due(transport.renew) is None
    transport.close()


def test_the_old_certificate_serves_until_the_new_one_is_in_use(
    server: HttpsServer, tmp_path: Path
) -> None:
    """A renewal whose answer is lost locks nobody out, however often that happens."""
    directory = enrol(server, tmp_path / "host", age_days=500)
    transport, renewal = way(directory)
    for _ in range(2):
        with pytest.raises(ProtocolError, match="another key"):
            renewal.renew_if_due(lambda _: transport.renew(make_request("web1")[1]))
    transport.beat(BEAT)
    assert renewal.renew_if_due(transport.renew) is not None
    # What was open before shows the old one still, and is not cut off.
    transport.beat(BEAT)
    transport.close()


def test_after_its_certificate_expired_a_host_goes_on_with_its_token(
    server: HttpsServer, tmp_path: Path
) -> None:
    """The expired one is not shown; the token alone gets a new one."""
    directory = enrol(server, tmp_path / "host", age_days=740)
    transport, renewal = way(directory)
    assert renewal.expired() is not None
    transport.beat(BEAT)
    assert renewal.renew_if_due(transport.renew) is not None
    assert renewal.expired() is None
    transport.close()
    transport, _ = way(directory)
    transport.beat(BEAT)
    assert not server.registry.find("web1").is_renewing
    transport.close()


def test_a_crash_between_key_and_certificate_hurts_nothing(
    server: HttpsServer, tmp_path: Path
) -> None:
    """Whichever of the files were replaced, key and certificate belong together."""
    directory = enrol(server, tmp_path / "host", age_days=500)
    old = load(directory)
    key, request = make_request("web1")
    pem, issued = server.authority.issue_host(request, "web1")
    server.registry.renew("web1", issued)
    for name in ("", "key.pem", "certificate.pem"):
        (directory / "renewed.pem").write_bytes(key + pem)
        if name:
            (directory / name).write_bytes(key if name == "key.pem" else pem)
        found = load(directory)
        assert (found.key, found.certificate) == (key, pem)
        transport, _ = way(directory)
        transport.beat(BEAT)
        transport.close()
    save(directory, old)
    assert load(directory) == old


def test_a_server_without_an_authority_says_so(server: HttpsServer, tmp_path: Path) -> None:
    """The host keeps what it has, and the courier says why there is no new certificate."""
    transport, _ = way(enrol(server, tmp_path / "host"))
    server.fleet._authority = None
    with pytest.raises(ProtocolError, match="no certificate authority"):
        transport.renew(make_request("web1")[1])
    server.registry.revoke("web1")
    with pytest.raises(RefusedError, match="revoked"):
        transport.renew(make_request("web1")[1])
    transport.close()
