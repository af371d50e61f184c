"""A file system that stops answering (FUSE), and a program that hands the agent a file of it.

    python stuck_files.py DIRECTORY SOCKET PACKET

mounts it in a mount namespace of its own, opens a file there, sends PACKET (hexadecimal) with the
file as descriptors 0, 1 and 2 to SOCKET, says so with a line, and answers nothing about the file
from then on. When it is killed, whoever waits for an answer gets an error.

Source: Linux, include/uapi/linux/fuse.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<IIQQ16x")
_ANSWER = struct.Struct("<IiQ")
_LOOKUP, _FORGET, _GETATTR, _OPEN, _RELEASE, _INIT, _OPENDIR = 1, 2, 3, 14, 18, 26, 27
_NO_SUCH_CALL = 38
_NONSEEKABLE = 1 << 2
_ROOT, _FILE = 1, 2
_NEW_NAMESPACE, _PRIVATE, _NO_SETUID_NO_DEVICES = 0x20000, 0x44000, 6


@contextlib.contextmanager
def stuck_caller(directory: Path, agent: Path, packet: bytes) -> Iterator[None]:
    """While this lasts, the agent has got `packet` and three descriptors that nobody serves."""
    words = [sys.executable, __file__, str(directory), str(agent), packet.hex()]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"sent\n"
            yield
        finally:
            program.kill()


def _attributes(inode: int) -> bytes:
    mode = 0o40755 if inode == _ROOT else 0o100644
    return struct.pack("<6Q10I", inode, 5, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _serve(device: int) -> None:
    """Answer what is asked before the file is open, and nothing after."""
    is_open = False
    while True:
        data = os.read(device, 1 << 17)
        _, call, number, inode = _HEADER.unpack_from(data)
        body: bytes | None = None
        if call == _INIT:
            body = struct.pack("<4I2H2I2HI28x", 7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, 0)
        elif call == _LOOKUP:
            body = struct.pack("<4Q2I", _FILE, 1, 0, 0, 0, 0) + _attributes(_FILE)
        elif call == _GETATTR and not is_open:
            body = struct.pack("<QII", 0, 0, 0) + _attributes(inode)
        elif call in (_OPEN, _OPENDIR):
            body = struct.pack("<QII", 1, _NONSEEKABLE, 0)
            is_open = call == _OPEN
        elif call == _RELEASE:
            body = b""
        if body is not None:
            os.write(device, _ANSWER.pack(_ANSWER.size + len(body), 0, number) + body)
        elif call != _FORGET and not is_open:
            os.write(device, _ANSWER.pack(_ANSWER.size, -_NO_SUCH_CALL, number))


def _call(directory: str, agent: str, packet: bytes) -> None:
    file = os.open(f"{directory}/file", os.O_RDWR)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(agent)
        socket.send_fds(connection, [packet], [file, file, file])
        print("sent", flush=True)
        time.sleep(1000)


def _main(directory: str, agent: str, packet: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    words = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if (
        libc.unshare(_NEW_NAMESPACE) != 0
        or libc.mount(b"none", b"/", None, _PRIVATE, None) != 0
        or libc.mount(b"stuck", directory.encode(), b"fuse", _NO_SETUID_NO_DEVICES, words) != 0
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if os.fork() == 0:
        os.close(device)
        libc.prctl(1, 9, 0, 0, 0)  # ends with who serves
        _call(directory, agent, bytes.fromhex(packet))
    _serve(device)


if __name__ == "__main__":
    _main(*sys.argv[1:])
