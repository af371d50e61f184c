"""The policy file: what is taken, what is refused, and where it says so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import ConfigError
from steno.policy.file import LIMIT_BYTES, PolicyFile
from steno.policy.parsing import parse_policy
from steno.policy.positions import locate
from steno.policy.rules import BUILT_IN, SETTINGS
from steno.policy.subject import Subject

SHIPPED = Path(__file__).parents[2] / "packaging/etc/policy.toml"
ANN = Subject(user="ann", uid=1000)

BAD = [
    ("x = 1", 1, "x: there is no such key"),
    ("\n[defaults]\nsession = 'off'", 3, "defaults.session: there is no such key"),
    ("[[rule]]\n", 1, "rule: name is missing"),
    ("[[rule]]\nname = 'a'\n\n[[rule]]\nnam = 'b'", 5, "rule.nam: there is no such key"),
    ("[[rule]]\nname = 'a'\nwhen.user = ['x']", 3, "rule.when.user: there is no such key"),
    ("[[rule]]\nname = 'a'\n[rule.when]\nusers = 'x'", 4, "rule.when.users: expected array, got"),
    ("[[rule]]\nname = 'a'\nwhen = { users = [\n'x',\n3] }", 5, "rule.when.users: expected str"),
    ("[[rule]]\nname = 'a'\nwhen.users = []", 3, "rule.when.users: an empty list fits nothing"),
    ("[[rule]]\nname = 'a'\nwhen.users = ['b', '!']", 3, "rule.when.users: an empty name"),
    ("[[rule]]\nname = 'a'\nwhen.terminal = 'no'", 3, "rule.when.terminal: expected bool"),
    ("[[rule]]\nname = 'a'\ninput = 'some'", 3, "rule.input: 'some' is not none, seen or all"),
    ("[[rule]]\nname = 'a'\nsessions = 'x'", 3, "rule.sessions: 'x' is not record or off"),
    ("[[rule]]\nname = 'a'\n[rule.limit]\naction = 'x'", 4, "rule.limit.action: 'x' is not pass"),
    ("[[rule]]\nname = 'a'\nlimit.rate_bytes = 0", 3, "rule.limit.rate_bytes: expected int >= 1"),
    ("[[rule]]\nname = 'a'\npriority = 1001", 3, "rule.priority: expected int <= 1000"),
    ("[[rule]]\nname = 'a'\npayload_bytes = 3", 3, "rule.payload_bytes: expected int >= 256"),
    ("[[rule]]\nname = 'a'\nmail_to = ['a@b', 'A <a@b>']", 3, "rule.mail_to: 'A <a@b>' is no"),
    ("[[rule]]\nname = 'a'\nmail_to = ['a@b\\nBcc: c@d']", 3, "rule.mail_to: "),
    ("[[rule]]\nname = 'a'\nlabels = ['']", 3, "rule.labels: '' is no label"),
    ("[[rule]]\nname = 'a'\nshell = 'bash'", 3, "rule.shell: 'bash' is no absolute path"),
    ('[[rule]]\nname = "a\\u001b"', 2, r"rule.name: 'a\x1b' is no name"),
    ("[[rule]]\nname = ''", 2, "rule.name: '' is no name"),
    ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", 4, "rule.name: a second rule is called 'a'"),
    ("\n[host_groups]\nweb = 'x'", 3, "host_groups.web: expected array"),
    ("\n[host_groups]\nweb = ['x',\n 1]", 4, "host_groups.web: expected str"),
    ("[host_groups]\n'' = ['x']", 2, "host_groups.: '' is no name"),
    ('"a\\nb" = 1', 1, r"a\nb: there is no such key"),
    ("[[rule]]\nname = 'a'\ninput = \"x\\n\"", 3, r"rule.input: 'x\n' is not none"),
    ("rule = 3", 1, "rule: expected array"),
    ("a = 1\na = 2", 2, "no TOML: "),
    ('[[rule]]\nname = "a\nx = 1', 2, "no TOML: "),
    ("[[rule]]\nname = [\n", 3, "no TOML: "),
]


@pytest.mark.parametrize(("text", "line", "reason"), BAD)
def test_bad_files_are_refused_by_line_and_key(text: str, line: int, reason: str) -> None:
    """A mistake is said in one line that names the file, the line and the key."""
    with pytest.raises(ConfigError) as caught:
        parse_policy(text.encode(), "policy.toml")
    assert str(caught.value).startswith(f"policy.toml: line {line}: {reason}")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_utf8_are_refused_by_line() -> None:
    """A file in another charset says on which line that shows."""
    with pytest.raises(ConfigError, match=r"^p: line 2: not UTF-8$"):
        parse_policy(b"[[rule]]\nname = 'M\xfcller'", "p")


def refusal(data: bytes) -> ConfigError | None:
    """Return why a policy file is refused, None if it is taken."""
    try:
        parse_policy(data, "p")
    except ConfigError as error:
        return error
    return None


@given(st.binary())
def test_any_bytes_are_a_policy_or_refused(data: bytes) -> None:
    """Whatever stands in the file, it is taken or refused in one line."""
    assert "\n" not in str(refusal(data))


@given(st.data())
def test_damaged_policies_are_refused_by_line(data: st.DataObject) -> None:
    """A good file with a piece cut out or put in is taken, or refused naming a line."""
    text = re.sub(r"^# (?=\[|[a-z_.]+ = )", "", SHIPPED.read_text(), flags=re.M)
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, min(len(text), first + 40)))
    piece = data.draw(st.text("[]{}=.,\"'#\n ab1", max_size=5))
    damaged = text[:first] + piece + text[last:]
    error = refusal(damaged.encode())
    if error is not None:
        assert error.line is not None
        assert 1 <= error.line <= damaged.count("\n") + 1


def test_deep_nesting_is_refused() -> None:
    """A file made to exhaust the parser is a bad file like others."""
    with pytest.raises(ConfigError):
        parse_policy(b"a = " + b"[" * 100_000, "p")


def test_the_shipped_policy_is_what_is_built_in() -> None:
    """The shipped file has no mistake and changes nothing, nor do its examples of settings."""
    text = SHIPPED.read_text()
    assert parse_policy(text.encode(), "p").decide(ANN).rules == ()
    spoken = re.sub(r"^# (?=\[|[a-z_.]+ = )", "", text, flags=re.M)
    policy = parse_policy(spoken.encode(), "p")
    assert {rule.name for rule in policy.rules} == {
        "administrators, typed words too",
        "deployment, only noted",
    }
    defaults = msgspec.structs.asdict(policy.contents.defaults)
    assert defaults == msgspec.structs.asdict(BUILT_IN)
    assert all(value is not None for name, value in defaults.items() if name != "shell")


def test_every_key_is_documented() -> None:
    """docs/policy.md has each setting and each condition in a table."""
    text = (SHIPPED.parents[2] / "docs/policy.md").read_text()
    rows = {name for row in re.findall(r"^\| (`.*?`) \|", text, re.M) for name in row.split(", ")}
    conditions = parse_policy(b"[[rule]]\nname = 'a'", "p").rules[0].when
    for name in (*SETTINGS, *msgspec.structs.asdict(conditions)):
        assert f"`{name}`" in rows


def test_a_bad_file_leaves_the_last_good_policy_in_force(tmp_path: Path) -> None:
    """Until the mistake is repaired the policy stays; the error is raised once per change."""
    path = tmp_path / "policy.toml"
    path.write_text("[[rule]]\nname = 'good'\n")
    file = PolicyFile(path)
    assert file.refresh()
    # Of another length: where a file system's clock is coarse, that tells the two apart.
    path.write_text("[[rule]]\nnames = 'wrong'\n")
    with pytest.raises(ConfigError, match=r"line 2: rule.names"):
        file.refresh()
    assert file.policy.decide(ANN).rules == ("good",)
    assert file.error is not None
    assert not file.refresh()
    path.write_text("[[rule]]\nname = 'better'\n")
    assert file.refresh()
    assert file.policy.decide(ANN).rules == ("better",)
    assert file.error is None


def test_no_file_is_what_is_built_in(tmp_path: Path) -> None:
    """Without a file sessions are recorded as built in; when one comes it is read."""
    file = PolicyFile(tmp_path / "policy.toml")
    file.refresh()
    assert file.policy.decide(ANN).action == "record"
    (tmp_path / "policy.toml").write_text("[defaults]\nsessions = 'off'\n")
    assert file.refresh()
    assert file.policy.decide(ANN).action == "off"


def test_what_is_no_policy_file_is_refused(tmp_path: Path) -> None:
    """A directory, or a file of unreasonable size, is refused and not read into memory."""
    with pytest.raises(ConfigError, match="Is a directory"):
        PolicyFile(tmp_path).reload()
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than"):
        PolicyFile(large).reload()


def test_positions_of_all_kinds_of_toml() -> None:
    """Keys are found in tables, dotted, quoted, in arrays of tables, and behind long strings."""
    text = '''# a comment
top = 1
"quoted key" = """
not = "a key"
\\""" still """

[a.b]
c.d = [
  1, # one
  { x = 2,  y = [ "]" ] },
]
e = 'a = "b"'
[[t]]
k = 1
[[t.u]]
k = 2
[[t.u]]
k = 3
[[t]]
[t.v]
k = 1979-05-27 07:32:00
'''
    tomllib.loads(text)
    lines = locate(text)
    assert lines["top",] == 2
    assert lines["quoted key",] == 3
    assert lines["a", "b"] == 7
    assert lines["a", "b", "c"] == lines["a", "b", "c", "d"] == 8
    assert lines["a", "b", "c", "d", 1, "y", 0] == 10
    assert lines["a", "b", "e"] == 12
    assert lines["t",] == lines["t", 0] == 13
    assert lines["t", 0, "u", 1, "k"] == 18
    assert lines["t", 1] == 19
    assert lines["t", 1, "v", "k"] == 21


KEYS = st.text("ab.\"'#=[]\\ \né", min_size=1, max_size=4)
SCALARS = (
    st.integers(-99, 99)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab\"'#=[]{},\\ \n\té", max_size=6)
)
INLINE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def quote(text: str) -> str:
    """Return a TOML basic string; the escapes that it takes are JSON's."""
    return msgspec.json.encode(text).decode()


def write(value: Any, path: tuple[str | int, ...], lines: list[str], known: dict[Any, int]) -> str:  # noqa: ANN401
    """Return `value` as TOML; note on which line what is in it begins."""
    if isinstance(value, dict):
        pairs = []
        for key, inner in value.items():
            known[*path, key] = len(lines) + 1
            pairs.append(f"{quote(key)} = {write(inner, (*path, key), lines, known)}")
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return write_list(value, path, lines, known)
    if isinstance(value, str):
        return quote(value)
    return str(value).lower()


def write_list(
    value: list[Any], path: tuple[str | int, ...], lines: list[str], known: dict[Any, int]
) -> str:
    """Return an array on one line."""
    elements = []
    for number, inner in enumerate(value):
        known[*path, number] = len(lines) + 1
        elements.append(write(inner, (*path, number), lines, known))
    return "[" + ",".join(elements) + "]"


@given(st.lists(st.tuples(KEYS, st.dictionaries(KEYS, INLINE, max_size=3)), max_size=4))
def test_positions_of_any_toml(tables: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever a file holds, each key is found on the line on which it was written."""
    lines: list[str] = []
    known: dict[Any, int] = {}
    numbers: dict[str, int] = {}
    for name, values in tables:
        number = numbers[name] = numbers.get(name, -1) + 1
        lines.append("# [x] = 'y")
        lines.append(f"[[{quote(name)}]]")
        known[name, number] = len(lines)
        for key, value in values.items():
            known[name, number, key] = len(lines) + 1
            lines.append(f"{quote(key)} = {write(value, (name, number, key), lines, known)} # =")
    text = "\n".join(lines)
    tomllib.loads(text)
    found = locate(text)
    assert {path: found.get(path) for path in known} == known
