"""Asking the name service without waiting for it."""

from __future__ import annotations

import grp
import os
import pwd
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.policy import accounts
from steno.policy.accounts import (
    FRESH_US,
    MISSING_FRESH_US,
    PATIENCE_US,
    Account,
    Accounts,
    Answer,
    look_up,
)

NOBODY = 4_000_000_001
"""A numeric id that no system gives away."""


def now_us() -> int:
    """Read a clock that does not go back."""
    return time.monotonic_ns() // 1000


@pytest.fixture
def asked() -> Iterator[Accounts]:
    """What asks."""
    made = Accounts()
    yield made
    made.close()


def wait(asked: Accounts, at_us: int) -> list[Answer]:
    """Return what comes first, polling as the agent's loop does."""
    readable, _, _ = select.select([asked], [], [], 60)
    assert readable
    return asked.collect(at_us)


def test_an_account_is_what_the_system_says() -> None:
    """Name, ids, home, shell and groups of this user are those of pwd, grp and initgroups."""
    entry = pwd.getpwuid(os.getuid())
    found = look_up(entry.pw_uid)
    assert found == look_up(entry.pw_name)
    gids = os.getgrouplist(entry.pw_name, entry.pw_gid)
    groups = tuple(sorted({grp.getgrgid(gid).gr_name for gid in gids}))
    assert found == Account(
        entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, groups
    )


def test_an_account_that_is_not_there_is_none() -> None:
    """Unknown ids and names, strange ones too, are answered with None."""
    assert look_up(NOBODY) is None
    assert look_up("no-such-user") is None
    assert look_up("") is None


def test_answers_come_through_the_descriptor_and_are_kept(asked: Accounts) -> None:
    """The first question is answered later, the next at once, until the answer is old."""
    assert asked.ask(0, os.getuid()) is None
    assert asked.ask(0, os.getuid()) is None
    assert asked.due_us == PATIENCE_US
    (answer,) = wait(asked, 5)
    assert answer.account == look_up(os.getuid())
    assert asked.due_us is None
    assert asked.ask(5 + FRESH_US - 1, os.getuid()) == answer
    assert asked.ask(5 + FRESH_US, os.getuid()) is None
    (again,) = wait(asked, 5 + FRESH_US)
    assert again == answer


def test_who_must_know_asks_anew(asked: Accounts) -> None:
    """However fresh an answer is, another one is fetched where that is wanted."""
    asked.ask(0, os.getuid())
    wait(asked, 0)
    assert asked.ask(1, os.getuid()) is not None
    assert asked.ask(1, os.getuid(), anew=True) is None
    (answer,) = wait(asked, 1)
    assert answer.account == look_up(os.getuid())


def test_misses_are_kept_for_a_shorter_time(asked: Accounts) -> None:
    """That somebody does not exist is believed for a while, so that nobody floods NSS with it."""
    assert asked.ask(0, NOBODY) is None
    assert wait(asked, 0) == [Answer(NOBODY, None)]
    assert asked.ask(MISSING_FRESH_US - 1, NOBODY) == Answer(NOBODY, None)
    assert asked.ask(MISSING_FRESH_US, NOBODY) is None


SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>
int getgrouplist(const char *user, gid_t group, gid_t *list, int *count)
{
    int (*real)(const char *, gid_t, gid_t *, int *) = dlsym(RTLD_NEXT, "getgrouplist");
    while (access(getenv("HANGING"), F_OK) == 0)
        usleep(10000);
    return real(user, group, list, count);
}
"""
"""A name service that hangs for as long as a file is there."""


class SlowHost:
    """A process whose name service hangs while the file `hanging` is there."""

    def __init__(self, directory: Path) -> None:
        self.hanging = directory / "hanging"
        source, self._library = directory / "slow.c", directory / "slow.so"
        source.write_text(SLOW)
        subprocess.run(
            ["gcc", "-shared", "-fPIC", str(source), "-o", str(self._library)], check=True
        )

    def run(self, program: str) -> str:
        """Run a Python program there; return what it prints."""
        variables = {"LD_PRELOAD": str(self._library), "HANGING": str(self.hanging)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        return done.stdout


@pytest.fixture
def slow_host(tmp_path: Path) -> SlowHost:
    """Return a process's surroundings with a name service that can hang."""
    return SlowHost(tmp_path)


HANGING = """
import os, pathlib, select
from steno.policy.accounts import PATIENCE_US, Accounts
hanging = pathlib.Path(os.environ["HANGING"])
asked = Accounts()
asked.ask(0, 0)
select.select([asked], [], [], 60)
(known,) = asked.collect(0)
asked.forget()
hanging.touch()
assert all(asked.ask(1000, uid) is None for uid in range(8))
assert asked.collect(1000 + PATIENCE_US - 1) == []
answers = {answer.uid: answer for answer in asked.collect(1000 + PATIENCE_US)}
assert sorted(answers) == list(range(8))
assert (answers[0].account, answers[0].is_stale) == (known.account, True)
for uid in range(1, 8):
    assert answers[uid].account is None
    assert "does not answer" in answers[uid].error
assert asked.due_us is None
hanging.unlink()
late = 2000 + PATIENCE_US
while asked.ask(late, 1) is None:
    select.select([asked], [], [], 60)
    assert all(answer.uid == 1 for answer in asked.collect(late))
print(asked.ask(late, 1).account.name)
"""


def test_a_name_service_that_hangs_delays_nobody(slow_host: SlowHost) -> None:
    """With all threads stuck, questions end when patience does, by an old answer or an error.

    Answers that come after all are used from then on.
    """
    assert slow_host.run(HANGING).strip() == pwd.getpwuid(1).pw_name


FREE = """
import os, pathlib, threading, time
from steno.policy.accounts import look_up
hanging = pathlib.Path(os.environ["HANGING"])
hanging.touch()
asking = threading.Thread(target=look_up, args=(0,))
asking.start()
for turn in range(50):
    time.sleep(0.01)
assert asking.is_alive()
hanging.unlink()
asking.join()
print("free")
"""


def test_the_interpreter_is_free_while_groups_are_asked_for(slow_host: SlowHost) -> None:
    """A slow name service holds up its thread alone: getgrouplist runs without Python's lock."""
    assert slow_host.run(FREE) == "free\n"


def test_the_oldest_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, memory stays bounded."""
    monkeypatch.setattr(accounts, "LIMIT_ACCOUNTS", 2)
    asked = Accounts()
    try:
        for number in range(4):
            asked.ask(0, NOBODY + number)
            wait(asked, 0)
        kept = [asked.ask(1, NOBODY + number) is not None for number in range(4)]
        assert kept == [False, False, True, True]
    finally:
        asked.close()
