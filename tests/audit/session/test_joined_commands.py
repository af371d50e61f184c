"""The tree of what ran: the real session f1 against its ground truth, and made-up ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited_session import read_events, read_typed
from made_events import SHELL, START_US, Session
from shown_commands import show

from steno.audit.session.commands import Joined, join
from steno.audit.session.ran import Ran
from steno.audit.session.recording_trail import RecordingFacts, join_recording
from steno.audit.session.scopes import Root
from steno.audit.session.typed_lines import TypedLine
from steno.model import Command, Start

MADE = Path(__file__).parents[2] / "data" / "audit" / "made"
TICK_US = 5_000
"""f1's kernel ticks 250 times a second, and the log has milliseconds."""


def typed(*lines: tuple[float, str]) -> list[TypedLine]:
    """Return lines typed at these seconds."""
    return [TypedLine(text, START_US + int(at * 1_000_000)) for at, text in lines]


def tree(session: Session, *lines: tuple[float, str]) -> str:
    """Return the tree of a made-up session as text."""
    return show(join(session.events, typed(*lines)).items)


# The real session.


@pytest.mark.parametrize(
    ("name", "session", "is_typed"),
    [
        ("f1-commands", 4, True),
        ("f1-commands-tty", 4, False),
        ("f1-command-ssh", 5, False),
        ("f1-scp", 6, False),
    ],
)
def test_the_real_sessions_are_as_they_were_looked_at(
    name: str, session: int, is_typed: bool
) -> None:
    """f1's three sessions give the trees that were compared with the ground truth by eye."""
    joined = join(read_events(session), read_typed() if is_typed else ())
    expected = (MADE / f"{name}.txt").read_text(encoding="utf-8")
    assert show(joined.items, start_unix_us=1_795_161_724_000_000) == expected


def test_every_typed_line_is_there_with_its_programs_at_the_right_instant() -> None:
    """Each line of the ground truth is in the list once, and began what it names within a tick."""
    joined = join(read_events(4), read_typed())
    lines = [one for one in joined.items if one.typed is not None]
    expected = read_typed()
    assert [one.typed for one in lines] == [line.text for line in expected]
    below: dict[int, list[Ran]] = {number: [] for number in range(len(joined.items) + 1)}
    for one in joined.items:
        if one.parent is not None and one.origin == "typed":
            below[one.parent].append(one)
    begun = 0
    for one, line in zip(lines, expected, strict=True):
        assert abs(one.at_unix_us - line.at_unix_us) <= TICK_US
        programs = [one] if one.serial is not None else below[one.number]
        firsts = [event for event in joined.events if event.serial in {p.serial for p in programs}]
        if firsts:
            begun += 1
            first_us = min(event.at_unix_us for event in firsts)
            assert -TICK_US <= first_us - line.at_unix_us <= TICK_US
    builtins_only = {"cd ~ && echo hello > notes.txt", "read -s -p pw: v", "exit"}
    missing = {"nonexistent-cmd --x"}
    runs_something = [one for one in expected if one.text not in builtins_only | missing]
    assert begun == len(runs_something) == 24


def test_tty_records_alone_tell_the_same_lines() -> None:
    """Without a screen, the keystrokes that the kernel logged late give the lines, in order."""
    joined = join(read_events(4))
    told = [one.typed or "" for one in joined.items if one.typed is not None]
    expected = [line.text.replace("\t", "") for line in read_typed()]
    assert told == expected
    truth = {line.text.replace("\t", ""): line.at_unix_us for line in read_typed()}
    for one in joined.items:
        if one.typed is not None and one.serial is not None:
            assert abs(one.at_unix_us - truth[one.typed]) <= TICK_US


def test_each_event_belongs_to_one_node_and_counts_add_up() -> None:
    """Every event of the shell's processes is in one node; the shell's counts are their sums."""
    joined = join(read_events(4), read_typed())
    shell = joined.items[0]
    owned = [number for number in joined.command_of if number is not None]
    assert shell.below.events == len(owned) == 352
    assert sum(one.own.events for one in joined.items) == len(owned)
    assert shell.below.programs == 54
    outside = {
        event.process.program
        for event, number in zip(joined.events, joined.command_of, strict=True)
        if number is None
    }
    assert outside <= {"/usr/sbin/sshd", None}


# Made-up sessions.


def test_a_pipeline_is_one_and_in_its_order() -> None:
    """Programs that pipes join have one number, in the line's order, whichever began first."""
    made = Session()
    made.shell()
    made.run(12, SHELL, ["sort"], 1.004)
    made.run(11, SHELL, ["cat", "a"], 1.005)
    made.end(11, 1.01)
    made.end(12, 1.02, 1)
    made.run(13, SHELL, ["ls"], 1.03)
    made.end(13, 1.04)
    assert tree(made, (1, "cat a | sort; ls")) == (
        "-bash [shell] (other)\n"
        "  cat a | sort; ls [line] =0\n"
        "    cat a =0 |1\n"
        "    sort =1 |1\n"
        "    ls =0\n"
    )


def test_a_job_in_the_background_is_told_from_those_before_and_after() -> None:
    """`a & b` is a background job and a foreground one; the line ends with the latter."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["sleep", "60"], 1)
    made.run(12, SHELL, ["ls"], 1.001)
    made.end(12, 1.002)
    made.run(13, SHELL, ["date"], 5)
    made.end(13, 5.001)
    made.end(11, 61)
    items = join(made.events, typed((1, "sleep 60 & ls"), (5, "date"))).items
    assert [one.is_background for one in items] == [False, False, True, False, False]
    assert items[1].end_unix_us == START_US + 1_002_000
    assert items[2].end_unix_us == START_US + 61_000_000


def test_what_a_script_runs_is_told_from_what_was_typed() -> None:
    """Programs of a script are the script's children and its, not the person's."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["/bin/sh", "./deploy.sh", "web1"], 1, program="/usr/bin/dash")
    made.run(12, 11, ["rsync", "a", "b"], 1.1)
    made.end(12, 1.2)
    made.run(13, 11, ["ssh", "web1"], 1.3)
    made.end(13, 1.4)
    made.end(11, 1.5)
    assert tree(made, (1, "./deploy.sh web1")) == (
        "-bash [shell] (other)\n"
        "  ./deploy.sh web1 =0\n"
        "    rsync a b (script) =0\n"
        "    ssh web1 (script) =0\n"
    )


def test_sudo_with_a_terminal_of_its_own_shows_what_it_ran_as_whom() -> None:
    """Through sudo's monitor, which is known by its id alone, the program is sudo's child."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["sudo", "id"], 1, effective="root")
    made.run(13, 12, ["id"], 1.1, user="root", terminal="pts/3")
    made.end(13, 1.2)
    made.end(12, 1.2, parent=11)
    made.end(11, 1.3)
    assert tree(made, (1, "sudo id")) == (
        "-bash [shell] (other)\n  sudo id =0 as root\n    id =0 as root\n"
    )


def test_lines_typed_after_su_are_the_inner_shells() -> None:
    """What is typed while the inner shell lives stands below it, what comes after does not."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["su", "-", "blake"], 1, effective="root")
    made.run(12, 11, ["-bash"], 1.1, program="/usr/bin/bash", user="blake")
    made.run(13, 12, ["ls"], 2, user="blake")
    made.end(13, 2.01)
    made.end(12, 3)
    made.end(11, 3.01)
    made.run(14, SHELL, ["date"], 4)
    made.end(14, 4.01)
    lines = (1, "su - blake"), (2, "ls"), (2.5, "cd /tmp"), (3, "exit"), (4, "date")
    assert tree(made, *lines) == (
        "-bash [shell] (other)\n"
        "  su - blake =0 as blake\n"
        "    -bash [shell] (other) =0 as blake\n"
        "      ls =0\n"
        "      cd /tmp [line]\n"
        "      exit [line]\n"
        "  date =0\n"
    )


def test_exec_replaces_a_program_and_the_new_one_stands_below() -> None:
    """`env X=1 make` is one process: env until make takes its place."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["env", "X=1", "make"], 1)
    made.run(11, SHELL, ["make"], 1.01)
    made.run(12, 11, ["cc", "-c", "a.c"], 1.1)
    made.end(12, 1.2)
    made.end(11, 1.3, 2)
    items = join(made.events, typed((1, "env X=1 make"))).items
    assert [(one.text, one.parent, one.ended) for one in items] == [
        ("-bash", None, "last"),
        ("env X=1 make", 1, "replaced"),
        ("make", 2, "exit"),
        ("cc -c a.c", 3, "exit"),
    ]
    assert items[2].exit_status == 2


def test_a_subshell_that_runs_several_things_is_shown() -> None:
    """`(a; b) | c` has the fork that ran a and b; one that ran only one thing is left out."""
    made = Session()
    made.shell()
    made.fork(SHELL, 11, 1)
    made.fork(SHELL, 12, 1)
    made.run(12, SHELL, ["tee", "log"], 1)
    made.fork(11, 13, 1)
    made.run(13, 11, ["date"], 1.001)
    made.end(13, 1.01)
    made.fork(11, 14, 1.01)
    made.run(14, 11, ["uptime"], 1.02)
    made.end(14, 1.03)
    made.end(11, 1.03)
    made.end(12, 1.04)
    assert tree(made, (1, "(date; uptime) | tee log")) == (
        "-bash [shell] (other)\n"
        "  (date; uptime) | tee log [line] =0\n"
        "    ( … ) [subshell] (other) =0\n"
        "      date =0\n"
        "      uptime =0\n"
        "    tee log =0\n"
    )


def test_a_program_that_could_not_be_run_says_why() -> None:
    """A refused execve is a node with its errno, and a denial."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["x"], 1, program="/srv/secret", error="EACCES")
    made.end(11, 1.01, 126)
    items = join(made.events, typed((1, "/srv/secret"))).items
    assert (items[1].program, items[1].error, items[1].exit_status) == (
        "/srv/secret",
        "EACCES",
        126,
    )
    assert items[1].own.denials == 1


def test_signals_that_end_processes_are_told() -> None:
    """A crash has the signal's number; so has a process that another one killed."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["boom"], 1)
    made.crash(11, 11, 1.5)
    made.run(12, SHELL, ["sleep", "60"], 2)
    made.run(13, SHELL, ["pkill", "sleep"], 3)
    made.kill(13, 12, 3.01)
    made.end(13, 3.02)
    items = join(made.events, typed((1, "boom"), (2, "sleep 60 &"), (3, "pkill sleep"))).items
    assert [(one.ended, one.signal) for one in items[1:]] == [
        ("signal", 11),
        ("signal", 9),
        ("exit", None),
    ]


def test_without_exits_the_next_line_bounds_a_command() -> None:
    """Rule sets without exit_group: a command ended at the next line at the latest, and says so."""
    made = Session(exits=False)
    made.shell()
    made.run(11, SHELL, ["ls"], 1)
    made.run(12, SHELL, ["make"], 2)
    made.run(13, 12, ["cc"], 4)
    items = join(made.events, typed((1, "ls"), (2, "make"))).items
    ends = [(one.text, one.ended, (one.end_unix_us or 0) - START_US) for one in items[1:3]]
    assert ends == [("ls", "next", 2_000_000), ("make", "last", 4_000_000)]


def test_a_process_id_that_is_used_again_is_another_process() -> None:
    """After a process's end its id may come back: two nodes, each with its own events."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["ls"], 1)
    made.end(11, 1.01)
    made.run(11, SHELL, ["touch", "x"], 9)
    made.write(11, "/home/avery/x", 9.001)
    made.end(11, 9.01)
    assert tree(made, (1, "ls"), (9, "touch x")) == (
        "-bash [shell] (other) files:1\n  ls =0\n  touch x =0 files:1\n"
    )


def test_ids_that_begin_anew_are_used_again_without_exits_too() -> None:
    """Where no exits are audited, falling process ids tell that old ones are free again."""
    made = Session(exits=False)
    made.shell()
    made.run(11_000, SHELL, ["ls"], 1)
    made.run(30_000, SHELL, ["date"], 2)
    made.run(2_000, SHELL, ["id"], 3)
    made.run(11_000, SHELL, ["make"], 4)
    lines = (1, "ls"), (2, "date"), (3, "id"), (4, "make")
    assert tree(made, *lines) == "-bash [shell] (other)\n  ls\n  date\n  id\n  make\n"


def test_a_fork_says_that_an_id_is_used_again() -> None:
    """Where forks are audited, no guess is needed, also when the child is seen before the fork."""
    made = Session(exits=False)
    made.shell()
    made.fork(SHELL, 11, 1)
    made.run(11, SHELL, ["sleep", "9"], 1)
    made.run(11, SHELL, ["env"], 2)
    events = made.events
    made.fork(SHELL, 11, 2)  # Its record comes after its child's, as vfork's does.
    assert [life.text for life in join(events, typed((1, "sleep 9"), (2, "env"))).items] == [
        "-bash",
        "sleep 9",
        "env",
    ]


def test_a_reparented_process_keeps_its_place() -> None:
    """A job whose parent has ended belongs to what began it, not to init."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["sh", "-c", "nohup job &"], 1, program="/usr/bin/dash")
    made.run(12, 11, ["nohup", "job"], 1.01)
    made.end(11, 1.02)
    made.write(12, "/home/avery/nohup.out", 1.03, parent=1)
    items = join(made.events, typed((1, "sh -c 'nohup job &'"))).items
    assert [(one.text, one.parent) for one in items[1:]] == [
        ("sh -c 'nohup job &'", 1),
        ("nohup job", 2),
    ]
    assert items[2].own.files_changed == 1


def test_lines_typed_ahead_belong_to_what_they_name() -> None:
    """Two lines typed while the first still ran: the second's program began later, and is its."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["sleep", "5"], 1)
    made.end(11, 6)
    made.run(12, SHELL, ["ls", "/srv"], 6.001)
    made.end(12, 6.01)
    made.run(13, SHELL, ["date"], 6.02)
    made.end(13, 6.03)
    lines = (1, "sleep 5"), (2, "ls /srv"), (3, "date")
    items = join(made.events, typed(*lines)).items
    assert [one.typed for one in items[1:]] == ["sleep 5", "ls /srv", "date"]
    assert all(one.serial is not None for one in items)


def test_an_alias_belongs_to_the_line_that_was_just_entered() -> None:
    """`ll` runs ls: the line does not name it, but nothing else can have begun it."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["ls", "--color=auto", "-l"], 1.001)
    made.end(11, 1.01)
    made.run(12, SHELL, ["git", "branch"], 8)  # the prompt of a shell that was woken up
    made.end(12, 8.01)
    items = join(made.events, typed((1, "ll"))).items
    assert [(one.typed, one.origin, one.parent) for one in items[1:]] == [
        ("ll", "typed", 1),
        (None, "other", 1),
    ]


@pytest.mark.parametrize("adopter", [1, 363])
def test_what_sudos_monitor_ran_is_sudos(adopter: int) -> None:
    """Only its exit tells of sudo's monitor, which may outlive sudo and be adopted."""
    made = Session()
    made.shell()
    made.run(20, SHELL, ["sudo", "useradd", "temp9"], 1, effective="root")
    made.run(22, 21, ["useradd", "temp9"], 1.1, user="root", terminal="pts/9")
    made.end(22, 1.2)
    made.end(20, 1.204)
    made.end(21, 1.204, 1, parent=adopter, program="/usr/bin/sudo")
    items = join(made.events, typed((1, "sudo useradd temp9"))).items
    assert [(one.arguments, one.parent) for one in items[1:]] == [
        (["sudo", "useradd", "temp9"], 1),
        (["useradd", "temp9"], 2),
    ]


def test_a_late_tick_takes_no_program_from_its_line() -> None:
    """A stamp may lie a bit further back than a tick: the line that names it has it."""
    made = Session()
    made.shell()
    for number in range(9):
        made.run(11 + number, SHELL, ["true"], 0.1 + number * 0.004)
        made.end(11 + number, 0.1 + number * 0.004)
    made.run(30, SHELL, ["ls", "--color=auto", "-l"], 1.000)
    made.end(30, 1.004)
    items = join(made.events, typed((1.0055, "ls -l"))).items
    assert (items[-1].typed, items[-1].arguments) == ("ls -l", ["ls", "--color=auto", "-l"])


def test_who_types_fast_has_each_line_at_its_own_enter() -> None:
    """The screen tells the beginning of a moment: the Enter in it counts, not one before."""
    made = Session()
    made.shell()
    for number, (name, at) in enumerate((("ls", 1.3), ("df", 1.9))):
        made.run(11 + number, SHELL, [name], at)
        made.end(11 + number, at + 0.004)
    facts = RecordingFacts(
        Start("avery", "web1", START_US, "steno", pid=SHELL),
        3_000_000,
        True,
        commands=[Command(1_270_000, "ls"), Command(1_565_000, "cd /"), Command(1_880_000, "df")],
        entered_us=[1_300_000, 1_600_000, 1_900_000],
    )
    trail = join_recording(facts, made.events)
    assert trail is not None
    assert [(one.typed, one.at_us) for one in trail.commands.items[1:]] == [
        ("ls", 1_300_000),
        ("cd /", 1_600_000),
        ("df", 1_900_000),
    ]


def test_what_the_prompt_runs_is_not_the_lines() -> None:
    """Programs that PROMPT_COMMAND runs after each line stand below the shell, and are its own."""
    made = Session()
    made.shell()
    for number, words in enumerate((["ls"], ["git", "rev-parse"], ["cc", "a.c"], ["git", "x"])):
        made.run(11 + number, SHELL, words, 1 + number * 0.01)
        made.end(11 + number, 1.005 + number * 0.01)
    made.run(20, SHELL, ["git", "rev-parse"], 5.001)
    made.end(20, 5.002)
    lines = (1, "ls"), (1.02, "cc a.c"), (5, "cd /")
    assert tree(made, *lines) == (
        "-bash [shell] (other)\n"
        "  ls =0\n"
        "  git rev-parse (other) =0\n"
        "  cc a.c =0\n"
        "  git x (other) =0\n"
        "  cd / [line]\n"
        "  git rev-parse (other) =0\n"
    )


def test_a_shell_behind_a_pipe_or_with_a_file_runs_a_script() -> None:
    """`curl ... | bash` and `bash < file`: what such a shell runs was typed by nobody."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["curl", "http://x"], 1)
    made.run(12, SHELL, ["bash"], 1)
    made.run(13, 12, ["rm", "-rf", "x"], 1.1)
    made.end(13, 1.2)
    made.end(11, 1.2)
    made.end(12, 1.3)
    made.run(14, SHELL, ["sh"], 2, program="/usr/bin/dash")
    made.run(15, 14, ["date"], 2.1)
    made.end(15, 2.2)
    made.end(14, 2.3)
    lines = (1, "curl http://x | bash"), (2, "sh < ./install")
    assert tree(made, *lines) == (
        "-bash [shell] (other)\n"
        "  curl http://x | bash [line] =0\n"
        "    curl http://x =0 |1\n"
        "    bash =0 |1\n"
        "      rm -rf x (script) =0\n"
        "  sh < ./install =0\n"
        "    date (script) =0\n"
    )


def test_a_shell_within_a_shell_was_not_typed_into_itself() -> None:
    """`bash` begins a shell at once: its line is the outer one's, later ones the inner one's."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["bash"], 1.0)
    made.run(12, 11, ["ls"], 2)
    made.end(12, 2.01)
    made.end(11, 3)
    made.run(13, SHELL, ["ls"], 4)
    made.end(13, 4.01)
    # The recorder saw the line 20 ms after the kernel had begun the shell.
    assert tree(made, (1.02, "bash"), (2, "ls"), (3, "exit"), (4, "ls")) == (
        "-bash [shell] (other)\n  bash [shell] =0\n    ls =0\n    exit [line]\n  ls =0\n"
    )


def test_what_a_sourced_file_runs_is_the_lines_and_a_scripts() -> None:
    """`. ./env.sh` runs in the shell itself; what it began is below the line all the same."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["uname", "-r"], 1)
    made.end(11, 1.01)
    made.run(12, SHELL, ["date"], 1.02)
    made.end(12, 1.03)
    assert tree(made, (1, ". ./env.sh")) == (
        "-bash [shell] (other)\n"
        "  . ./env.sh [line]\n"
        "    uname -r (script) =0\n"
        "    date (script) =0\n"
    )


def test_a_nested_login_shell_begun_by_a_terminal_multiplexer_has_its_own_terminal() -> None:
    """Of a recording's scope: its process and all below it, on whichever terminal."""
    made = Session()
    made.run(900, 800, ["sshd"], 0, terminal=None, user="root")
    made.run(1000, 900, ["steno-shell"], 0.1, terminal="pts/1")
    made.run(1000, 900, ["-bash"], 0.2, program="/usr/bin/bash", terminal="pts/2")
    made.run(11, 1000, ["ls"], 1)
    made.run(2000, 900, ["-bash"], 0.3, program="/usr/bin/bash", terminal="pts/7")
    made.run(12, 2000, ["date"], 1, terminal="pts/7")
    one = Root(1000, "/dev/pts/2", START_US + 100_000)
    two = Root(2000, "/dev/pts/7", START_US + 300_000)
    joined = join(made.events, (), one, [two])
    assert [item.text for item in joined.items] == ["-bash", "ls"]
    shown = [
        event.serial for event, is_one in zip(joined.events, joined.is_shown, strict=True) if is_one
    ]
    assert shown == [1, 2, 3, 4]
    assert [joined.command_of[number] for number in range(4)] == [None, 1, 1, 2]
    other: Joined = join(made.events, (), two, [one])
    assert [item.text for item in other.items] == ["-bash", "date"]


def test_a_recording_whose_process_nobody_knows_has_the_whole_session() -> None:
    """A process id of a container says nothing here; alone in its session it has all of it."""
    made = Session()
    made.shell()
    made.run(11, SHELL, ["ls"], 1)
    here = Root(7, None, START_US)
    assert [one.text for one in join(made.events, (), here).items] == ["-bash", "ls"]
    other = Root(SHELL, "pts/2", START_US)
    assert join(made.events, (), here, [other]).items == []


def test_a_stray_of_the_terminal_is_the_recordings() -> None:
    """A process on the recording's terminal whose parents nobody knows belongs to it."""
    made = Session()
    made.shell()
    made.run(50, 1, ["daemon"], 2, terminal="pts/2")
    made.run(51, 1, ["daemon"], 2, terminal="pts/8")
    joined = join(made.events, (), Root(SHELL, "/dev/pts/2", START_US))
    assert [(one.text, one.parent) for one in joined.items] == [("-bash", None), ("daemon", None)]


def test_a_shell_that_was_there_before_the_events_is_shown() -> None:
    """Rules loaded in the middle of a session: the shell is known from its children."""
    made = Session()
    made.run(11, SHELL, ["ls"], 1)
    made.end(11, 1.01)
    made.write(SHELL, "/home/avery/x", 2, parent=999)
    items = join(made.events, typed((1, "ls"), (2, "echo > x"))).items
    assert [(one.kind, one.pid, one.typed) for one in items] == [
        ("shell", SHELL, None),
        ("program", 11, "ls"),
        ("line", None, "echo > x"),
    ]
    assert items[2].own.files_changed == 1


def test_no_events_give_no_tree() -> None:
    """Nothing in, nothing out."""
    joined = join([], typed((1, "ls")))
    assert (joined.items, joined.events) == ([], [])
