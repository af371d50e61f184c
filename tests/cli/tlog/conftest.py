"""What the tests of tlog's stand-ins share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tlog_programs import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Tlog's programs, and Steno's stand-ins, installed."""
    return Programs(tmp_path)
