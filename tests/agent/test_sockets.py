"""The agent's sockets."""

from __future__ import annotations

import errno
import socket
import threading
from collections import Counter
from pathlib import Path

from steno.agent.sockets import listen

_CALLS = 3000


def test_who_calls_meanwhile_is_only_put_off(tmp_path: Path) -> None:
    """While an agent takes another's place, nobody meets nothing: a login would be refused."""
    path = str(tmp_path / "agent.sock")
    listen(path, socket.SOCK_SEQPACKET, 0o666).close()
    met: Counter[int] = Counter()

    def call() -> None:
        for _ in range(_CALLS):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
                met[caller.connect_ex(path)] += 1

    calling = threading.Thread(target=call)
    calling.start()
    while calling.is_alive():
        listen(path, socket.SOCK_SEQPACKET, 0o666).close()
    calling.join()
    assert met[0] + met[errno.ECONNREFUSED] == _CALLS, met
    assert [item.name for item in tmp_path.iterdir()] == ["agent.sock"]
