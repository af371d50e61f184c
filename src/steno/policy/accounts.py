"""Who an account is and which groups it is in, as the name service switch (NSS) says.

NSS may ask servers (SSSD, LDAP, winbind) and take as long as they do. The agent's loop must not
wait for it: it asks `Accounts`, whose threads wait, and polls its descriptor. `look_up` is for
commands, which may wait.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import errno
import grp
import os
import pwd
import threading

import msgspec

from steno.errors import StenoError, UnreachableError

FRESH_US = 60_000_000
"""For so long an answer is used again: groups may change while the agent runs."""
MISSING_FRESH_US = 10_000_000
"""For so long that an account does not exist is believed; it may just be made."""
PATIENCE_US = 10_000_000
"""How long an answer is waited for; then an old one counts, if there is any."""
LIMIT_ACCOUNTS = 10_000
"""So many answers are kept; the oldest go first."""
_THREADS = 4
"""So many look-ups may hang at a time before others wait behind them."""
_MOST_GROUPS = 65536
"""NGROUPS_MAX, what the kernel takes."""


class Account(msgspec.Struct, frozen=True):
    """An account as NSS has it.

    Attributes:
        name: The account's name.
        uid: Its numeric id.
        gid: The numeric id of its first group.
        home: Its home directory.
        shell: Its login shell, which may be one that records; "" if the field is empty.
        groups: Names of all groups it is in, nested ones too, the first one included, sorted; a
            group without a name goes by its number.
    """

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True):
    """What NSS said of a user id.

    Attributes:
        uid: The id that was asked for.
        account: Its account; None if there is none, or if nobody knows.
        error: Why nobody knows; None when NSS answered, or an old answer stands in.
        is_stale: An old answer stands in, because NSS does not answer.
    """

    uid: int
    account: Account | None
    error: str | None = None
    is_stale: bool = False


def look_up(who: int | str) -> Account | None:
    """Ask NSS for an account, by id or name, and wait for as long as it takes.

    Raises:
        UnreachableError: NSS could not answer; whether the account exists is not known.
    """
    try:
        entry = pwd.getpwuid(who) if isinstance(who, int) else pwd.getpwnam(who)
        groups = _list_groups(entry.pw_name, entry.pw_gid)
        names = tuple(sorted({_name_of_group(gid) for gid in groups}))
    except KeyError:
        return None
    except OSError as error:
        raise UnreachableError(f"user {who}: the name service fails: {error.strerror}") from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, names)


def _list_groups(name: str, gid: int) -> list[int]:
    """Return the ids of all groups of an account: getgrouplist(3), which asks NSS's initgroups.

    By ctypes, as os.getgrouplist holds the interpreter's lock while it waits for NSS.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    room = 64
    while True:
        groups = (ctypes.c_uint32 * room)()
        count = ctypes.c_int(room)
        found = libc.getgrouplist(
            os.fsencode(name), ctypes.c_uint32(gid), groups, ctypes.byref(count)
        )
        if found >= 0:
            return list(groups[:found])
        if count.value <= room or room > _MOST_GROUPS:
            raise OSError(errno.EIO, "getgrouplist fails")
        room = count.value


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


class _Asked(msgspec.Struct):
    """A question that NSS has not answered yet."""

    due_us: int


class _Kept(msgspec.Struct):
    """An answer that is kept."""

    account: Account | None
    fresh_until_us: int


class Accounts:
    """Asks NSS for accounts in threads of its own, and keeps the answers for a while.

    For one loop: `ask` and `collect` are called from one thread, with instants of one clock that
    does not go back. `fileno` becomes readable when there is something to collect.

    A look-up that hangs cannot be stopped; its thread is lost until NSS lets it go. With all
    threads lost each question ends after PATIENCE_US, so that sessions are late, but the loop is
    not.
    """

    def __init__(self) -> None:
        """Start nothing yet; the threads come with the first questions."""
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._wakes = threading.Semaphore(0)
        self._queue: collections.deque[int] = collections.deque()
        self._done: collections.deque[Answer] = collections.deque()
        self._threads = 0
        self._idle = 0
        self._is_closed = False
        self._asked: dict[int, _Asked] = {}
        self._kept: collections.OrderedDict[int, _Kept] = collections.OrderedDict()

    def fileno(self) -> int:
        """Return a descriptor to poll for reading; it stays this object's."""
        return self._event

    @property
    def due_us(self) -> int | None:
        """When `collect` must be called at the latest; None while nothing is asked."""
        return min((asked.due_us for asked in self._asked.values()), default=None)

    def ask(self, at_us: int, uid: int, *, anew: bool = False) -> Answer | None:
        """Ask for the account `uid`; return what is known already, or None: `collect` will say.

        With `anew` no earlier answer will do, unless NSS fails.
        """
        kept = self._kept.get(uid)
        if kept is not None and at_us < kept.fresh_until_us and not anew:
            return Answer(uid, kept.account)
        if uid not in self._asked:
            self._asked[uid] = _Asked(at_us + PATIENCE_US)
            self._start(uid)
        return None

    def collect(self, at_us: int) -> list[Answer]:
        """Return what came, and for what is overdue an old answer or an error; each once."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        answers = []
        while self._done:
            answer = self._done.popleft()
            if answer.error is None:
                self._keep(at_us, answer)
            if self._asked.pop(answer.uid, None) is not None:
                answers.append(self._stand_in(answer))
        for uid in [uid for uid, asked in self._asked.items() if at_us >= asked.due_us]:
            del self._asked[uid]
            late = Answer(uid, None, f"user {uid}: the name service does not answer")
            answers.append(self._stand_in(late))
        return answers

    def forget(self) -> None:
        """Ask NSS anew for everybody from now on; old answers stand in where it fails."""
        for kept in self._kept.values():
            kept.fresh_until_us = 0

    def close(self) -> None:
        """Let the threads end; the descriptor is closed."""
        with self._lock:
            self._is_closed = True
            os.close(self._event)
            threads = self._threads
        for _ in range(threads):
            self._wakes.release()

    def _stand_in(self, answer: Answer) -> Answer:
        kept = self._kept.get(answer.uid)
        if answer.error is None or kept is None:
            return answer
        return Answer(answer.uid, kept.account, is_stale=True)

    def _keep(self, at_us: int, answer: Answer) -> None:
        lasting_us = MISSING_FRESH_US if answer.account is None else FRESH_US
        self._kept[answer.uid] = _Kept(answer.account, at_us + lasting_us)
        self._kept.move_to_end(answer.uid)
        if len(self._kept) > LIMIT_ACCOUNTS:
            self._kept.popitem(last=False)

    def _start(self, uid: int) -> None:
        with self._lock:
            self._queue.append(uid)
            if len(self._queue) > self._idle and self._threads < _THREADS:
                self._threads += 1
                # A daemon, for a look-up that hangs must not keep the process from ending.
                threading.Thread(target=self._work, name="accounts", daemon=True).start()
        self._wakes.release()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            self._wakes.acquire()
            with self._lock:
                self._idle -= 1
                if self._is_closed:
                    return
                uid = self._queue.popleft()
            answer = _answer(uid)
            with self._lock:
                if self._is_closed:
                    return
                self._done.append(answer)
                os.eventfd_write(self._event, 1)


def _answer(uid: int) -> Answer:
    try:
        return Answer(uid, look_up(uid))
    except StenoError as error:
        return Answer(uid, None, str(error))
    except (MemoryError, OverflowError) as error:
        return Answer(uid, None, f"user {uid}: {error or 'no memory'}")
