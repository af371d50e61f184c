"""A host in namespaces of its own, as long as a script runs there."""

from __future__ import annotations

import contextlib
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
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        words += ["bash", str(script), directory, sysconfig.get_path("scripts"), sys.executable]
        said = base / "said.log"
        status = "not in time"
        with said.open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                [*words, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=timeout_s,
                check=False,
            )
            status = str(done.returncode)
        logs = [path.read_text() for path in base.glob("*.log")]
        assert status == "0", "\n".join([status, *logs])
        yield base
