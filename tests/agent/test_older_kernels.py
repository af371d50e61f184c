"""On kernels that do not tell how somebody else's child ended, its parent is heard."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from agent_host import LONG_S, AgentHost

SILENT = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pidfd is not asked, as before Linux 6.13: it polls all the same, as since 6.9. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    if ((request >> 8 & 0xff) == 0xff && (request & 0xff) == 11) {
        errno = ENOTTY;
        return -1;
    }
    return (int)syscall(SYS_ioctl, fd, request, argument);
}
"""


@pytest.fixture
def silent_kernel(tmp_path: Path) -> tuple[str, ...]:
    """Words before a program's that keep from it what such kernels do not have."""
    source, library = tmp_path / "silent.c", tmp_path / "silent.so"
    source.write_text(SILENT)
    build = ["cc", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(build, check=True, timeout=LONG_S)
    return "env", f"LD_PRELOAD={library}"


def test_a_terminals_session_ends_as_its_parent_reports(
    host: AgentHost, silent_kernel: tuple[str, ...]
) -> None:
    """The exit status and the signal of a shell are in the recording."""
    host.start(prefix=silent_kernel)
    assert host.shell("-steno-shell", "-c", "exit 7").finish() == 7
    assert host.shell("-steno-shell", "-c", "kill -9 $$").finish() == -9
    ends = [one.end for one in host.recordings(2)]
    assert [(end.reason, end.exit_status, end.signal) for end in ends] == [
        ("exit", 7, None),
        ("signal", None, 9),
    ]


def test_a_captured_command_ends_as_its_parent_reports(
    host: AgentHost, silent_kernel: tuple[str, ...]
) -> None:
    """The exit status of a captured command is in the recording."""
    host.start(prefix=silent_kernel, policy='[defaults]\ncommands = "capture"\n')
    words = [host.build.name, "-c", "echo out; exit 6"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONG_S, check=False
    )
    assert (done.returncode, done.stdout) == (6, b"out\n")
    (recorded,) = host.recordings()
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 6)
