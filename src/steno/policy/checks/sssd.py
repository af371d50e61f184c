"""SSSD's configuration, as far as it says who is recorded.

Sources: sssd.conf(5), sssd-session-recording(5). Does no I/O but through what is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from steno.policy.checks.finding import Finding, HostFiles

RECORDER = "/usr/bin/tlog-rec-session"
"""What SSSD makes the login shell of recorded users; the path is compiled into it."""


class SessionRecording(msgspec.Struct, frozen=True):
    """The section [session_recording].

    Attributes:
        scope: `none`, `some` or `all`.
        users: Recorded ones, for `some`.
        groups: Recorded ones, for `some`.
        place: File that says the scope.
    """

    scope: str = "none"
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    place: str = ""

    @property
    def is_on(self) -> bool:
        """Whether anybody is recorded."""
        return self.scope == "all" or (self.scope == "some" and bool(self.users or self.groups))


def parse_recording(texts: list[tuple[str, str]]) -> SessionRecording:
    """Return the section of sssd.conf and its snippets.

    Args:
        texts: Names and texts of the files in the order in which SSSD reads them; later ones win.
    """
    found: dict[str, str] = {}
    place = ""
    for file, text in texts:
        for key, value in _options(text, "session_recording"):
            found[key] = value
            place = file if key == "scope" or not place else place
    return SessionRecording(
        found.get("scope", "none").lower(),
        _words(found.get("users", "")),
        _words(found.get("groups", "")),
        place,
    )


def _options(text: str, wanted: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.splitlines():
        body = line.strip()
        if body.startswith("["):
            section = body.strip("[]").strip().lower()
        elif body and body[0] not in "#;" and "=" in body and section == wanted:
            key, _, value = body.partition("=")
            yield key.strip().lower(), value.strip()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_recording(
    read: Callable[[str], str | None], list_files: Callable[[str], list[str]]
) -> SessionRecording:
    """Return who SSSD records; nobody if it is not configured."""
    names = ["/etc/sssd/sssd.conf", *list_files("/etc/sssd/conf.d/[!.]*.conf")]
    return parse_recording([(name, text) for name in names if (text := read(name)) is not None])


def check_sssd(recording: SessionRecording, files: HostFiles) -> Iterator[Finding]:
    """Yield what keeps SSSD's recorded users from being recorded, or from logging in."""
    if not recording.is_on:
        return
    if not files.is_program(RECORDER):
        yield Finding(
            "sssd-recorder",
            "lockout",
            f"SSSD records sessions, and {RECORDER} is missing or not executable: sssd does not"
            " start, and none of its users can log in",
            f"ln -s steno-shell {RECORDER}",
            recording.place,
        )
    elif not _is_steno(files):
        yield Finding(
            "sssd-recorder",
            "hint",
            f"{RECORDER} is not steno-shell: SSSD's users are recorded by it, not by Steno",
            f"if that is not meant so: ln -sf steno-shell {RECORDER}",
            recording.place,
        )
    yield from _check_order(recording, files)


def _is_steno(files: HostFiles) -> bool:
    ours, theirs = files.stat("/usr/bin/steno-shell"), files.stat(RECORDER)
    return (
        ours is not None
        and theirs is not None
        and ((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino))
    )


def _check_order(recording: SessionRecording, files: HostFiles) -> Iterator[Finding]:
    """Local accounts are SSSD's only where it is asked first."""
    local = {line.partition(":")[0] for line in (files.read("/etc/passwd") or "").splitlines()}
    named = sorted(local & set(recording.users))
    text = files.read("/etc/nsswitch.conf") or ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words[:1] != ["passwd:"] or not named or "sss" not in words:
            continue
        if "files" in words and words.index("files") < words.index("sss"):
            yield Finding(
                "sssd-order",
                "escape",
                f"{', '.join(named)}: local accounts are read before SSSD is asked: it does not"
                " record them",
                "passwd: sss files (and a domain with the proxy provider), or: steno host enable",
                f"/etc/nsswitch.conf:{number}",
            )
