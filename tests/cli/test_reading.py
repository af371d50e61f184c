"""ls, search, show, verify and cat say what is there, and what is wrong, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_recordings import Steno, make_recording


def test_ls_lists_recordings_for_people_and_scripts(steno: Steno, library_directory: Path) -> None:
    """A table has who, where, how it ended; --json has one object a line."""
    table = steno("ls", "--store", library_directory)
    assert table.returncode == 0
    assert "aa-1" in table.stdout
    assert "avery" in table.stdout
    assert "exit 3" in table.stdout
    assert "BROKEN" in table.stdout
    rows = steno("ls", "--json", "--store", library_directory, "user:blake").stdout.splitlines()
    assert [json.loads(row)["rec"] for row in rows] == ["ab-2"]


def test_search_finds_lines_with_their_context(steno: Steno, library_directory: Path) -> None:
    """Hits come with their instant and the lines around them; nothing found ends with 1."""
    found = steno("search", "--store", library_directory, '"hello world"')
    assert found.returncode == 0
    assert "0:01.0  hello world" in found.stdout
    assert "permission denied" in found.stdout
    nothing = steno("search", "--store", library_directory, "zebra")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    (hit,) = steno("search", "--json", "--store", library_directory, "other").stdout.splitlines()
    assert json.loads(hit)["line"]["text"] == "other text"


def test_a_bad_query_is_shown_with_a_caret(steno: Steno, library_directory: Path) -> None:
    """The caret stands under the place where the query cannot be understood."""
    bad = steno("search", "--store", library_directory, "hello AND (")
    assert bad.returncode == 7
    _, query, caret = bad.stderr.splitlines()
    assert query == "  hello AND ("
    assert caret.rstrip().endswith("^")
    assert 2 <= len(caret.rstrip()) - 1 <= len(query)


def test_show_tells_all_that_is_known(steno: Steno, library_directory: Path) -> None:
    """Facts, chain and commands of one recording; its text; JSON."""
    shown = steno("show", "--store", library_directory, "aa").stdout
    assert "avery (uid 1501)" in shown
    assert "complete: 4 lines, unbroken" in shown
    text = steno("show", "--text", "--store", library_directory, "aa-1").stdout
    assert "hello world" in text.splitlines()
    facts = json.loads(steno("show", "--json", "--store", library_directory, "aa-1").stdout)
    assert facts["end"]["exit_status"] == 3


def test_a_file_is_shown_like_a_stored_recording(
    steno: Steno, library_directory: Path, tmp_path: Path
) -> None:
    """What is known of a recording does not depend on where it is; of several one is chosen."""
    path = tmp_path / "first.log"
    texts = ["[avery@web01 ~]$ ls", "hello world", "permission denied"]
    path.write_bytes(make_recording("aa-1", texts))
    for option in ([], ["--json"], ["--text"], ["--text", "--json"]):
        stored = steno("show", *option, "--store", library_directory, "aa-1")
        assert steno("show", *option, path).stdout == stored.stdout
    path.write_bytes(path.read_bytes() + make_recording("ab-2", ["other"]))
    several = steno("show", path)
    assert (several.returncode, "name one with --rec" in several.stderr) == (6, True)
    assert steno("show", path, "--rec", "ab", "--text").stdout == "other\n"
    assert steno("show", path, "--rec", "b", "--text").returncode == 5
    # One that has no end shows all that it holds.
    path.write_bytes(b"".join(make_recording("r", texts).splitlines(keepends=True)[:-1]))
    assert steno("show", path, "--text").stdout.splitlines() == texts
    assert "unbroken so far" in steno("show", path).stdout


def test_standard_input_is_a_file(steno: Steno, tmp_path: Path) -> None:
    """What goes through a pipe is read, shown and verified as from a file; `./-` is a file."""
    data = make_recording("aa-1", ["[avery@web01 ~]$ ls", "hello world"])
    path = tmp_path / "-"
    path.write_bytes(data)
    text = data.decode()
    for words in (
        ["cat"], ["play"], ["show"], ["show", "--json"], ["commands", "--json"], ["verify"],
    ):  # fmt: skip
        piped = steno(*words, "-", stdin=text)
        from_file = steno(*words, path)
        assert (piped.returncode, piped.stderr) == (from_file.returncode, from_file.stderr)
        assert piped.stdout == from_file.stdout != ""
    (verdict,) = steno("verify", "--json", "-", stdin=text).stdout.splitlines()
    assert json.loads(verdict)["source"] == "standard input"
    broken = steno("verify", "-", stdin=text.replace("world", "wurld"))
    assert (broken.returncode, "BROKEN at line 3" in broken.stderr) == (8, True)
    several = steno("cat", "-", stdin=text + make_recording("ab-2", ["other"]).decode())
    assert several.returncode == 6
    chosen = steno("cat", "-", "--rec", "ab", stdin=text + make_recording("ab-2", ["x"]).decode())
    assert chosen.stdout == "x\n"


@pytest.mark.parametrize("command", ["cat", "play", "show", "verify", "commands"])
def test_no_recording_on_standard_input(steno: Steno, command: str) -> None:
    """Nothing, or something else, is named for what it is."""
    for text in ("", "hello\n"):
        done = steno(command, "-", stdin=text)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("steno: standard input: ")


def test_lines_of_tables_end_where_their_words_do(steno: Steno, library_directory: Path) -> None:
    """What goes to a file or a pipe has no blanks at the ends of lines."""
    for words in (["ls"], ["show", "aa-1"]):
        lines = steno(*words, "--store", library_directory).stdout.splitlines()
        assert lines
        assert lines == [line.rstrip() for line in lines]


def test_that_nothing_was_found_is_said(steno: Steno, library_directory: Path) -> None:
    """Nothing to show is a word on standard error, for scripts nothing at all."""
    for words in (["ls", "zebra"], ["search", "zebra"], ["events"], ["commands", "ab-2"]):
        done = steno(*words, "--store", library_directory)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert done.returncode == (0 if words[0] == "ls" else 1)
    done = steno("search", "--json", "zebra", "--store", library_directory)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 1)


def test_verify_tells_good_from_broken(steno: Steno, library_directory: Path) -> None:
    """A broken chain is named by line and byte, and ends with 8; good ones end with 0."""
    good = steno("verify", "--store", library_directory, "aa-1", "ab-2")
    assert good.returncode == 0
    assert good.stdout.count("unbroken") == 2
    all_of_it = steno("verify", "--store", library_directory)
    assert all_of_it.returncode == 8
    assert "BROKEN at line 3" in all_of_it.stdout


def test_verify_reads_files(steno: Steno, tmp_path: Path) -> None:
    """A file is verified like a stored recording; a flipped bit in it is named."""
    path = tmp_path / "recording.log"
    data = make_recording("r", ["one", "two"])
    path.write_bytes(data)
    assert steno("verify", path).returncode == 0
    path.write_bytes(data.replace(b"one", b"ome"))
    broken = steno("verify", "--json", path)
    assert broken.returncode == 8
    assert json.loads(broken.stdout)["verification"]["broken_line"] == 2
    path.write_bytes(data + data[:50])
    assert steno("verify", path).returncode == 8


def test_cat_writes_the_raw_output(steno: Steno, library_directory: Path) -> None:
    """What reached the terminal comes out as it was."""
    shown = steno("cat", "--store", library_directory, "ab-2")
    assert (shown.returncode, shown.stdout) == (0, "other text\n")


def test_play_without_a_terminal_is_cat(steno: Steno, tlog_recordings: Path) -> None:
    """With its output not a terminal, play writes the raw output and ends."""
    played = steno("play", tlog_recordings / "01-simple-commands.log")
    raw = (tlog_recordings / "01-simple-commands.out").read_bytes()
    assert played.stdout.encode() == raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["show", "nope"], 5, "nope"),
        (["show", "a"], 6, "aa-1"),
        (["cat", "nope"], 5, "nope"),
        (["ls", "--sort", "colour"], 2, "colour"),
        (["ls", "--nope"], 2, "--nope"),
        (["nope"], 2, "nope"),
        (["ls", "longer:soon"], 7, "soon"),
    ],
)
def test_bad_calls_get_one_clear_line_and_their_code(
    steno: Steno, library_directory: Path, arguments: list[str], status: int, said: str
) -> None:
    """What is wrong is said on standard error, with the documented exit code."""
    store = [] if arguments == ["nope"] else ["--store", str(library_directory)]
    failed = steno(*arguments, *store)
    assert failed.returncode == status
    assert said in failed.stderr
    assert failed.stdout == ""
    assert "Traceback" not in failed.stderr


def test_files_that_are_no_recordings_are_refused(steno: Steno, tmp_path: Path) -> None:
    """No file, an empty one, rubbish: each gets its line, with file, line and byte."""
    path = tmp_path / "x.log"
    assert steno("cat", path).returncode == 5
    path.write_bytes(b"")
    empty = steno("cat", path)
    assert (empty.returncode, "empty" in empty.stderr) == (4, True)
    path.write_bytes(b"\x00\xffrubbish\n")
    rubbish = steno("verify", path)
    assert rubbish.returncode == 4
    assert f"{path}: line 1, byte 0" in rubbish.stderr


def test_damage_is_named_and_the_rest_still_read(steno: Steno, tmp_path: Path) -> None:
    """A damaged line is said by line and byte; what is good still comes out; the status is 4."""
    path = tmp_path / "x.log"
    lines = make_recording("r", ["one", "two", "three"]).splitlines(keepends=True)
    lines[1] = b"{garbage}\n"
    path.write_bytes(b"".join(lines))
    shown = steno("cat", path)
    assert shown.returncode == 4
    assert "one" in shown.stdout
    assert "three" in shown.stdout
    assert f"line 2, byte {len(lines[0])}" in shown.stderr


def test_several_recordings_in_a_file_are_told_apart(steno: Steno, tmp_path: Path) -> None:
    """Interleaved recordings need --rec, which plays just that one."""
    path = tmp_path / "mixed.log"
    one = make_recording("r-1", ["one", "uno"]).splitlines(keepends=True)
    two = make_recording("r-2", ["two", "due"]).splitlines(keepends=True)
    path.write_bytes(b"".join(line for pair in zip(one, two, strict=True) for line in pair))
    assert steno("cat", path).returncode == 6
    assert steno("cat", "--rec", "r-2", path).stdout == "two\ndue\n"
    assert steno("cat", "--rec", "r-9", path).returncode == 5
    ambiguous = steno("cat", "--rec", "r-", path)
    assert (ambiguous.returncode, "r-1 and r-2" in ambiguous.stderr) == (6, True)
    path.write_bytes(path.read_bytes() + make_recording("s-1", ["three"]))
    assert steno("cat", "--rec", "s", path).stdout == "three\n"
    assert steno("verify", path).stdout.count("unbroken") == 3


def test_a_wrong_client_configuration_is_named(steno: Steno, tmp_path: Path) -> None:
    """An unknown key in client.toml is an error that names key and file."""
    config = tmp_path / ".config/steno/client.toml"
    config.parent.mkdir(parents=True)
    config.write_text("sever = 'https://x'\n")
    failed = steno("ls")
    assert failed.returncode == 3
    assert "client.toml" in failed.stderr
    assert "sever" in failed.stderr


def test_recorded_names_cannot_drive_the_readers_terminal(steno: Steno, tmp_path: Path) -> None:
    """Control characters in names and lines are shown as such."""
    path = tmp_path / "x.log"
    path.write_bytes(make_recording("r\x1b]0;evil\x07", ["x"]))
    assert "\x1b" not in steno("verify", path).stdout
