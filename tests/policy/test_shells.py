"""Which real shell a session gets, and the table that keeps it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import ConfigError, RefusedError
from steno.policy.shells import (
    ShellFacts,
    choose_shell,
    parse_listed,
    parse_table,
    render_table,
)

LISTED = (b"/bin/sh", b"/bin/bash", b"/usr/bin/zsh", b"/usr/bin/git-shell", b"/bin/zsh")
STENO = b"/usr/bin/steno-shell"


def choose(
    entry_shell: bytes = STENO,
    table: dict[str, bytes] | None = None,
    *,
    policy: str | None = None,
    sssd: bytes | None = None,
    selected: bytes | None = None,
) -> bytes:
    """Return ann's real shell."""
    facts = ShellFacts(
        user="ann",
        entry_shell=entry_shell,
        policy_shell=policy,
        sssd_shell=sssd,
        selected_shell=selected,
    )
    return choose_shell(facts, table or {}, LISTED)


def test_the_administrators_word_counts_before_the_sessions() -> None:
    """Policy, then table, then the passwd entry, whatever name and environment say."""
    table = {"ann": b"/opt/shell"}
    assert choose(table=table, policy="/bin/p", sssd=b"/bin/sh", selected=b"bash") == b"/bin/p"
    assert choose(table=table, sssd=b"/bin/sh", selected=b"bash") == b"/opt/shell"
    assert choose(b"/bin/rbash", sssd=b"/bin/sh", selected=b"bash") == b"/bin/rbash"
    assert choose(table={"ben": b"/opt/shell"}, selected=b"bash", sssd=b"/bin/sh") == b"/bin/bash"
    assert choose(b"/usr/bin/tlog-rec-session", sssd=b"/bin/sh") == b"/bin/sh"


@pytest.mark.parametrize(
    ("selected", "shell"),
    [
        (b"bash", b"/bin/bash"),
        (b"zsh", b"/usr/bin/zsh"),
        (b"/bin/zsh", b"/bin/zsh"),
        (b"/usr/bin/git/shell", b"/usr/bin/git-shell"),
        (b"/usr/bin/git-shell", b"/usr/bin/git-shell"),
        (b"git-shell", b"/usr/bin/git-shell"),
    ],
)
def test_names_select_listed_shells(selected: bytes, shell: bytes) -> None:
    """A path or a base name selects the first entry that it fits, dashes being slashes or not."""
    assert choose(selected=selected) == shell


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"sssd": b"/tmp/evil"},
        {"sssd": b"bash"},
        {"sssd": b""},
        {"sssd": b"/usr/sbin/nologin"},
        {"selected": b"evil"},
        {"selected": b"/tmp/evil"},
        {"selected": b"evil", "sssd": b"/bin/sh"},
        {"selected": b""},
        {"policy": "/usr/bin/steno-shell", "sssd": b"/bin/sh"},
        {"policy": "/usr/sbin/nologin", "sssd": b"/bin/sh"},
        {"table": {"ann": b"/bin/false"}, "sssd": b"/bin/sh"},
        {"table": {"ann": b"/usr/bin/tlog-rec-session-shell-bin-sh"}},
        {"entry_shell": b"", "sssd": b"/bin/sh"},
        {"entry_shell": b"/usr/sbin/nologin", "sssd": b"/bin/sh"},
        {"entry_shell": b"bash"},
    ],
)
def test_without_a_real_shell_there_is_no_session(facts: dict[str, object]) -> None:
    """Unset, nologin, unlisted, relative or recording: nobody gets a default shell instead."""
    with pytest.raises(RefusedError, match=r"^ann: "):
        choose(**facts)  # type: ignore[arg-type]


def test_the_list_of_shells_is_read_as_libc_reads_it() -> None:
    """Comments, blanks and relative lines are none; the order stays."""
    data = b"# /etc/shells\n /bin/sh # the first\n\nbash\n/usr/bin/zsh"
    assert parse_listed(data) == (b"/bin/sh", b"/usr/bin/zsh")
    assert parse_listed(b"") == ()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"ann\n", 1),
        (b"# x\nann:bash\n", 2),
        (b"ann:/bin/sh\n:/bin/sh\n", 2),
        (b"ann:/bin/sh:x\n", 1),
        (b"ann:\n", 1),
        (b"ann:/bin/sh\n\nann:/bin/bash\n", 3),
    ],
)
def test_a_damaged_table_is_refused_by_line(data: bytes, line: int) -> None:
    """What might give somebody another's shell is not guessed at."""
    with pytest.raises(ConfigError, match=f"^t: line {line}: "):
        parse_table(data, "t")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":\n\r#"), min_size=1).filter(
    lambda name: len(name.splitlines()) == 1 and name.strip() == name
)
SHELLS = st.binary(max_size=9).map(
    lambda data: b"/" + data.translate(None, b":\n\r \t\v\f\x1c\x1d\x1e\x85")
)


@given(st.dictionaries(NAMES, SHELLS, max_size=5))
def test_the_table_is_read_as_it_was_written(table: dict[str, bytes]) -> None:
    """A table comes back as it was, names and paths being any bytes but the separators."""
    assert parse_table(render_table(table), "t") == table
