"""A host in namespaces of its own, as long as a script runs there."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def run_host(script: Path, *arguments: str, timeout_s: float) -> Iterator[Path]:
    """Run a script that makes a host and what happens there; yield the directory with its files.

    The script is called with that directory, that of Steno's programs and this Python, before
    `arguments`; nothing that it starts outlives it.
    """
    with tempfile.TemporaryDirectory(prefix="steno-host-") as directory:
        base = Path(directory)
        base.chmod(0o755)
        done = subprocess.run(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("bash", str(script), directory, sysconfig.get_path("scripts"), sys.executable),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        logs = [path.read_text() for path in base.glob("*.log")]
        assert done.returncode == 0, "\n".join([done.stdout, done.stderr, *logs])
        yield base
