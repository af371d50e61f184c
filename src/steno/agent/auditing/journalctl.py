"""journalctl: started with what is wanted of the journal. Source: journalctl(1), `-o export`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from steno.agent.auditing.bookmark import Bookmark
from steno.agent.auditing.deafness import MATCH as DEAFNESS
from steno.agent.configuration import AuditSource
from steno.audit.witness.speakers import COMMS, TAGS
from steno.errors import NotFoundError

FIELDS = (
    "MESSAGE", "_AUDIT_TYPE", "_AUDIT_TYPE_NAME", "_AUDIT_ID", "_SOURCE_REALTIME_TIMESTAMP",
    "_TRANSPORT", "_PID", "_UID", "_COMM", "_EXE", "_CAP_EFFECTIVE", "_SYSTEMD_UNIT",
    "_AUDIT_SESSION", "_AUDIT_LOGINUID", "MESSAGE_ID", "SESSION_ID", "USER_ID", "LEADER",
    "SYSLOG_IDENTIFIER",
)  # fmt: skip
CONTAINER = Path("/run/systemd/container")
"""systemd says here that it runs in a container."""


def find_boot(options: Sequence[str] = (), container: Path = CONTAINER) -> str | None:
    """Return what the journal calls this boot; None: as the kernel does.

    A container has a boot id of its own, mounted over the kernel's. A service that is kept from
    changing /proc/sys (ProtectKernelTunables=), as the agent and this are, sees the kernel's.

    Args:
        options: Options of journalctl that say which journal.
        container: The file that is there in containers only.

    Raises:
        NotFoundError: There is no journalctl.
    """
    if not container.exists():
        return None
    words = ["journalctl", "-o", "export", "-q", "--no-pager", "--output-fields=_BOOT_ID"]
    try:
        said = subprocess.run(  # noqa: S603  # our own words; no shell reads them
            [*words, *options, "--lines=1"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise NotFoundError("journalctl is not installed") from error
    found = re.search(rb"^_BOOT_ID=([0-9a-f]{32})$", said.stdout, re.MULTILINE)
    return None if found is None else found[1].decode()


def open_journal(
    bookmark: Bookmark,
    *,
    is_followed: bool,
    source: AuditSource = "records",
    options: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start journalctl on what stands behind the bookmark, of its boot; the caller ends it.

    Args:
        bookmark: Where to begin, and of which boot.
        is_followed: Whether to go on for ever.
        source: What to look for: audit records, login programs' own words, or both.
        options: Options of journalctl that say which journal.

    Raises:
        NotFoundError: There is no journalctl.
    """
    words = [
        "journalctl",
        "-o",
        "export",
        "--no-pager",
        "-q",
        f"--output-fields={','.join(FIELDS)}",
    ]
    words += [*options, "--lines=all"]
    if is_followed:
        words.append("--follow")
        if bookmark.journal_boot_id is not None:
            # --follow adds the boot that the kernel names, but for this option.
            words.append("--merge")
    if bookmark.cursor is not None:
        words.append(f"--after-cursor={bookmark.cursor}")
    boot = f"_BOOT_ID={bookmark.journal_boot_id or bookmark.boot_id}"
    records = ["_TRANSPORT=audit", boot, "+", *DEAFNESS, boot]
    said = [boot, *(f"_COMM={name}" for name in COMMS)]
    said += ["+", boot, *(f"SYSLOG_IDENTIFIER={name}" for name in TAGS)]
    words += {"records": records, "words": said, "auto": [*records, "+", *said]}[source]
    try:
        # Our own words; no shell reads them.
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603
    except FileNotFoundError as error:
        raise NotFoundError("journalctl is not installed") from error
