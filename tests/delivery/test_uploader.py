"""Delivering over real HTTPS to a real server: whatever is killed, bytes arrive whole and once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cutting_proxy import CuttingProxy
from live_server import STENO, LiveServer, run_steno
from recorded_lines import fill_spool, make_lines
from waiting import wait_for

from steno.delivery.events import Events
from steno.delivery.opening import open_ways
from steno.delivery.protocol import Backoff, Standing
from steno.delivery.spool import Spool
from steno.delivery.spool_limits import SpoolLimits
from steno.delivery.uploader import Uploader
from steno.errors import StenoError, UnreachableError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for all tests of this module; they use recordings of their own."""
    with LiveServer(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def host(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of a host that is enrolled with the server."""
    return server.enrol("web1", tmp_path_factory.mktemp("host") / "state")


def quick() -> Backoff:
    """Return a back-off that keeps tests short."""
    return Backoff(random.random, first_us=20_000, most_us=200_000)


def await_delivery(spool: Spool, rec: str) -> None:
    """Wait until a server has all of `rec`."""
    wait_for(lambda: spool.is_delivered(rec), f"delivery of {rec}")


class Heard(Events):
    """Keeps what an uploader tells."""

    def __init__(self) -> None:
        self.errors: list[StenoError] = []
        self.standings: dict[str, list[Standing]] = {}

    def failed(self, server: str, error: StenoError) -> None:
        """Keep the error."""
        self.errors.append(error)

    def moved(self, rec: str, standing: Standing) -> None:
        """Keep the standing."""
        self.standings.setdefault(rec, []).append(standing)


def test_a_spool_is_emptied(server: LiveServer, host: Path, tmp_path: Path) -> None:
    """Finished recordings are delivered and removed, growing ones delivered as far as they are."""
    spool = Spool(tmp_path / "spool")
    written = fill_spool(spool.directory, [f"empty-{number}" for number in range(5)])
    lines = make_lines("growing", 5)
    growing = spool.begin("growing")
    growing.append(lines[0])
    transports = open_ways(host)[0]
    outcome = Uploader(spool, transports).run()
    assert outcome is not None
    assert sorted(outcome.delivered) == sorted(written)
    assert (outcome.growing, outcome.failed) == (("growing",), {})
    stored = server.stored()
    for rec, data in written.items():
        assert stored[rec] == ("web1", data)
    assert stored["growing"] == ("web1", lines[0])
    assert [entry.rec for entry in spool.entries()] == ["growing"]
    growing.append(lines[1])
    growing.finish()
    outcome = Uploader(spool, transports).run()
    assert outcome is not None
    assert outcome.delivered == ("growing",)
    assert server.stored()["growing"] == ("web1", lines[0] + lines[1])
    assert spool.entries() == []
    for transport in transports:
        transport.close()


def test_a_growing_recording_is_delivered_meanwhile(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """In the background lines go out while the recording is written, and its end is waited for."""
    spool = Spool(tmp_path / "spool")
    lines = make_lines("live-1", 30, is_ended=True)
    [transport] = open_ways(host)[0]
    heard = Heard()
    uploader = Uploader(spool, [transport], events=heard)
    uploader.start()
    file = spool.begin("live-1")
    for number, line in enumerate(lines):
        file.append(line)
        uploader.notify()
        if number % 10 == 9:
            wait_for(lambda: spool.delivered_bytes("live-1") >= file.size_bytes, "all so far")
    time.sleep(0.1)
    assert not spool.is_delivered("live-1")
    file.finish()
    await_delivery(spool, "live-1")
    uploader.stop()
    transport.close()
    assert server.stored()["live-1"] == ("web1", b"".join(lines))
    assert len(heard.standings["live-1"]) > 2
    assert heard.errors == []


def test_delivered_recordings_are_kept_if_policy_says_so(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """Under `drop-oldest-delivered` copies stay, marked as delivered, and are not sent again."""
    spool = Spool(tmp_path / "spool", SpoolLimits(policy="drop-oldest-delivered"))
    fill_spool(spool.directory, ["kept-1"])
    [transport] = open_ways(host)[0]
    outcome = Uploader(spool, [transport]).run()
    assert outcome is not None
    assert outcome.delivered == ("kept-1",)
    assert [(entry.rec, entry.is_delivered) for entry in spool.entries()] == [("kept-1", True)]
    heard = Heard()
    outcome = Uploader(spool, [transport], events=heard).run()
    assert outcome is not None
    assert (outcome.delivered, heard.standings) == ((), {})
    Uploader(Spool(spool.directory), [transport]).run()
    assert spool.entries() == []
    transport.close()


def test_several_servers_are_tried(server: LiveServer, host: Path, tmp_path: Path) -> None:
    """An address where nobody answers costs one attempt, not the delivery."""
    written = fill_spool(tmp_path / "spool", ["second-1", "second-2"])
    transports = open_ways(host, ["https://127.0.0.1:9", server.url])[0]
    heard = Heard()
    outcome = Uploader(Spool(tmp_path / "spool"), transports, events=heard, connections=1).run()
    assert outcome is not None
    assert sorted(outcome.delivered) == sorted(written)
    assert [type(error) for error in heard.errors] == [UnreachableError]
    for transport in transports:
        transport.close()


def test_an_unreachable_server_leaves_the_spool_as_it_was(host: Path, tmp_path: Path) -> None:
    """After a few attempts the error is told; nothing is removed."""
    written = fill_spool(tmp_path / "spool", ["stays"])
    [transport] = open_ways(host, ["https://127.0.0.1:9"])[0]
    with pytest.raises(UnreachableError, match="nothing listens there"):
        Uploader(Spool(tmp_path / "spool"), [transport], backoff=quick()).run()
    assert (tmp_path / "spool" / "stays.done").read_bytes() == written["stays"]
    transport.close()


def test_one_uploader_at_a_time(server: LiveServer, host: Path, tmp_path: Path) -> None:
    """A second one waits, and takes over when the first is gone."""
    spool = Spool(tmp_path / "spool")
    [transport] = open_ways(host)[0]
    descriptor = spool.lock_delivery()
    assert descriptor is not None
    assert Uploader(spool, [transport]).run() is None
    second = Uploader(spool, [transport])
    second.start()
    fill_spool(spool.directory, ["takeover"])
    time.sleep(0.5)
    assert not spool.is_delivered("takeover")
    os.close(descriptor)
    await_delivery(spool, "takeover")
    second.stop()
    transport.close()


def test_a_recording_of_another_host_holds_up_nothing(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """What the server refuses for good stays in the spool with its reason; the rest goes."""
    other = server.enrol("web2", tmp_path / "other")
    fill_spool(tmp_path / "theirs", ["owned-1"])
    theirs = run_steno("deliver", "--spool", tmp_path / "theirs", "--host-directory", other)
    assert theirs.returncode == 0, theirs.stderr
    written = fill_spool(tmp_path / "spool", ["owned-1", "owned-2"])
    [transport] = open_ways(host)[0]
    outcome = Uploader(Spool(tmp_path / "spool"), [transport]).run()
    assert outcome is not None
    assert outcome.delivered == ("owned-2",)
    assert "another" in str(outcome.failed["owned-1"])
    assert (tmp_path / "spool" / "owned-1.done").read_bytes() == written["owned-1"]
    transport.close()


def test_bytes_that_differ_are_told_and_kept(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """Where the server has other bytes for the same id, neither side's are lost."""
    first = fill_spool(tmp_path / "1", ["same"], 20)
    second = fill_spool(tmp_path / "2", ["same"], 25, output_bytes=30)
    [transport] = open_ways(host)[0]
    Uploader(Spool(tmp_path / "1"), [transport]).run()
    outcome = Uploader(Spool(tmp_path / "2"), [transport]).run()
    assert outcome is not None
    assert "other bytes" in str(outcome.failed["same"])
    assert server.stored()["same"] == ("web1", first["same"])
    assert (tmp_path / "2" / "same.done").read_bytes() == second["same"]
    transport.close()


def deliver_process(spool: Path, host: Path, url: str) -> subprocess.Popen[bytes]:
    """Start `steno deliver` through the proxy at `url`."""
    places = ["--spool", str(spool), "--host-directory", str(host), "--server", url]
    return subprocess.Popen(
        [*STENO, "deliver", *places, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_killing_the_uploader_midway_loses_and_doubles_nothing(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """`steno deliver`, killed by SIGKILL at five points of its way, delivers everything once."""
    recs = ["kill-1", "kill-2", "kill-3"]
    written = fill_spool(tmp_path / "spool", recs, 200, output_bytes=12000)
    passed_bytes = 0
    stop_bytes = 0
    process: subprocess.Popen[bytes] | None = None
    is_known = threading.Event()

    def decides(is_answer: bool, length: int) -> bool:
        nonlocal passed_bytes
        passed_bytes += length
        # The process may be at work before this one knows its number.
        if passed_bytes >= stop_bytes and is_known.wait(60) and process and process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            return False
        return True

    with CuttingProxy(server.port, decides) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        for step_bytes in (1_000, 60_000, 300_000, 600_000, 900_000):
            is_known.clear()
            passed_bytes, stop_bytes = 0, step_bytes
            process = deliver_process(tmp_path / "spool", host, url)
            is_known.set()
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
        stop_bytes = 1 << 60
        process = deliver_process(tmp_path / "spool", host, url)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(told)["failed"] == {}
    stored = server.stored()
    for rec, data in written.items():
        assert stored[rec] == ("web1", data)
    assert Spool(tmp_path / "spool").entries() == []


@pytest.mark.slow
def test_killing_the_server_between_write_and_answer_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """A server killed three times when it has stored a body and answers stores each byte once."""
    with LiveServer(tmp_path / "live") as server:
        host = server.enrol("web1", tmp_path / "host")
        written = fill_spool(tmp_path / "spool", ["cut-1", "cut-2"], 300, output_bytes=12000)
        spool = Spool(tmp_path / "spool")
        is_armed = threading.Event()
        is_killed = threading.Event()

        def is_news() -> bool:
            """Tell whether the server has stored what the host has not been told of."""
            stored = server.stored()
            return any(len(data) > spool.delivered_bytes(rec) for rec, (_, data) in stored.items())

        def decides(is_answer: bool, length: int) -> bool:
            if is_answer and is_armed.is_set() and is_news():
                is_armed.clear()
                server.kill()
                is_killed.set()
                return False
            return True

        with CuttingProxy(server.port, decides) as proxy:
            [transport] = open_ways(host, [f"https://127.0.0.1:{proxy.port}"])[0]
            uploader = Uploader(spool, [transport], backoff=quick(), connections=1)
            is_armed.set()
            uploader.start()
            for kill in range(3):
                assert is_killed.wait(60)
                assert is_news()
                is_killed.clear()
                if kill < 2:
                    is_armed.set()
                server.start()
            for rec in written:
                await_delivery(spool, rec)
            uploader.stop()
            transport.close()
        stored = server.stored()
        for rec, data in written.items():
            assert stored[rec] == ("web1", data)


def test_a_server_that_forgets_what_it_took_gets_it_again(tmp_path: Path) -> None:
    """A server whose store was lost, after it had said that all is safe, has all in the end."""
    lines = make_lines("forgotten", 30, is_ended=True)
    with LiveServer(tmp_path / "live") as server:
        host = server.enrol("web1", tmp_path / "host")
        spool = Spool(tmp_path / "spool")
        file = spool.begin("forgotten")
        for line in lines[:20]:
            file.append(line)
        with closing(open_ways(host)[0][0]) as transport:
            Uploader(spool, [transport], backoff=quick()).run()
        assert server.stored()["forgotten"] == ("web1", b"".join(lines[:20]))
        server.stop()
        shutil.rmtree(server.directory / "store")
        server.start()
        assert server.stored() == {}
        for line in lines[20:]:
            file.append(line)
        file.finish()
        with closing(open_ways(host)[0][0]) as transport:
            outcome = Uploader(spool, [transport], backoff=quick()).run()
        assert outcome is not None
        assert outcome.delivered == ("forgotten",)
        assert server.stored()["forgotten"] == ("web1", b"".join(lines))
