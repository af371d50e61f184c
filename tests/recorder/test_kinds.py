"""Kinds of sessions, by what real programs send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.recorder.kinds import Kind, find_command, find_kind

_TMP = "/home/avery/.ansible/tmp/ansible-tmp-1795178705.831803-81-48331103079124"

# As sshd handed them to a login shell: OpenSSH 9.2's scp and sftp, rsync 3.2.7, git 2.39, and
# ansible-core 2.19 with its transfer methods sftp, scp and piped, with and without pipelining.
REAL = [
    (Kind.SFTP, "/usr/lib/openssh/sftp-server"),
    (Kind.SFTP, "/usr/libexec/openssh/sftp-server -l INFO -f AUTH"),
    (Kind.SFTP, "internal-sftp"),
    (Kind.SCP, "scp -t f3"),
    (Kind.SCP, "scp -f f3"),
    (Kind.SCP, "scp -r -p -t with space"),
    (Kind.SCP, "scp -v -d -t -- 'a file'"),
    (Kind.RSYNC, "rsync --server -e.LsfxCIvu . f5"),
    (Kind.RSYNC, "rsync --server --sender -logDtpre.iLsfxCIvu . f5"),
    (Kind.RSYNC, "sudo rsync --server -e.LsfxCIvu . f7"),
    (Kind.RSYNC, "sudo -n -u backup /usr/bin/rsync --server --sender -e.LsfxCIvu . /srv"),
    (Kind.GIT, "git-upload-pack 'r.git'"),
    (Kind.GIT, "git-receive-pack 'r.git'"),
    (Kind.GIT, "git-upload-archive 'r.git'"),
    (Kind.GIT, "git-upload-pack '/srv/avery'\\''s.git'"),
    (Kind.GIT, "git upload-pack r.git"),
    (Kind.GIT, "git-lfs-authenticate r.git upload"),
    (Kind.ANSIBLE, "/bin/sh -c 'echo ~ && sleep 0'"),
    (
        Kind.ANSIBLE,
        f'/bin/sh -c \'( umask 77 && mkdir -p "` echo /home/avery/.ansible/tmp `"&& mkdir "`'
        f' echo {_TMP} `" && echo ansible-tmp-1="` echo {_TMP} `" ) && sleep 0\'',
    ),
    (
        Kind.ANSIBLE,
        "/bin/sh -c 'echo FOUND; command -v '\"'\"'python3.13'\"'\"'; command -v"
        " '\"'\"'python3'\"'\"'; echo ENDFOUND && sleep 0'",
    ),
    (Kind.ANSIBLE, f"/bin/sh -c 'chmod u+rwx {_TMP}/ {_TMP}/AnsiballZ_ping.py && sleep 0'"),
    (Kind.ANSIBLE, f"/bin/sh -c '/usr/bin/python3.11 {_TMP}/AnsiballZ_ping.py && sleep 0'"),
    (Kind.ANSIBLE, f"/bin/sh -c 'rm -f -r {_TMP}/ > /dev/null 2>&1 && sleep 0'"),
    (Kind.ANSIBLE, "/bin/sh -c '/usr/bin/python3.11 && sleep 0'"),
    (
        Kind.ANSIBLE,
        "/bin/sh -c 'sudo -H -S -n  -u root /bin/sh -c '\"'\"'echo BECOME-SUCCESS-pmmyjs ;"
        f" /usr/bin/python3.11 {_TMP}/AnsiballZ_command.py'\"'\"' && sleep 0'",
    ),
    (Kind.ANSIBLE, f"dd of={_TMP}/AnsiballZ_stat.py bs=65536"),
    (Kind.BORG, "borg serve --umask=077 --info"),
    (Kind.SVN, "svnserve -t"),
    (Kind.MOSH, "mosh-server 'new' '-s' '-c' '256' '-l' 'LANG=en_US.UTF-8'"),
    (Kind.COMMAND, "echo hi; exit 3"),
    (Kind.COMMAND, "uname"),
    (Kind.COMMAND, "dd if=/etc/hostname bs=65536"),
    (Kind.COMMAND, "git init -q --bare r.git"),
    (Kind.COMMAND, "rsync -a /a /b"),
    (Kind.COMMAND, "scp a b:c"),
    (Kind.COMMAND, "bash"),
    (Kind.COMMAND, "/bin/sh -c 'sleep 0'"),
    (Kind.COMMAND, ""),
]


@pytest.mark.parametrize(("kind", "command"), REAL)
def test_recognises_what_programs_send(kind: Kind, command: str) -> None:
    """The commands that real programs send through sshd are of their kinds."""
    assert find_kind([b"-c", command.encode()]) is kind


@pytest.mark.parametrize(
    "command",
    [
        "scp -t f3; bash -i",
        "scp -t f3 && id",
        "scp -t f3\nid",
        "scp -t $(id)",
        'scp -t "$(id)"',
        "scp -t `id`",
        "scp -t <(id)",
        "scp -t f | sh",
        "git-upload-pack 'r.git' & id",
        "/usr/lib/openssh/sftp-server; id",
        'rsync --server . "`id`"',
        "rsync --server . ${IFS}",
        "echo scp -t f3",
        "sudo -i scp -t f3",
        "PATH=. git-upload-pack r.git",
        "scp -t 'unfinished",
    ],
)
def test_calls_more_than_a_simple_command_a_command(command: str) -> None:
    """A command that runs more than the program it begins with is not of that program's kind."""
    assert find_kind([b"-c", command.encode()]) is Kind.COMMAND


@pytest.mark.parametrize(
    ("arguments", "kind", "command"),
    [
        ([], Kind.SHELL, None),
        ([b"-l"], Kind.SHELL, None),
        ([b"-i"], Kind.SHELL, None),
        ([b"--login"], Kind.SHELL, None),
        ([b"-l", b"-c", b"scp -t f"], Kind.SCP, b"scp -t f"),
        ([b"-lc", b"scp -t f"], Kind.SCP, b"scp -t f"),
        ([b"-c", b"-l", b"scp -t f"], Kind.SCP, b"scp -t f"),
        ([b"-c", b"--", b"scp -t f"], Kind.SCP, b"scp -t f"),
        ([b"-o", b"pipefail", b"-c", b"uname", b"name"], Kind.COMMAND, b"uname"),
        ([b"-c", rb"rsync \-\-server \-e\.Ls \. f"], Kind.RSYNC, rb"rsync \-\-server \-e\.Ls \. f"),
        ([b"script.sh", b"-c", b"scp -t f"], Kind.COMMAND, None),
        ([b"-s"], Kind.SHELL, None),
        ([b"-c"], Kind.SHELL, None),
        ([b"-c", b"scp -t " + b"x" * 70000], Kind.COMMAND, b"scp -t " + b"x" * 70000),
        ([b"-c", b"scp -t \xff\xfe"], Kind.SCP, b"scp -t \xff\xfe"),
    ],
)
def test_finds_the_command_among_a_shells_arguments(
    arguments: list[bytes], kind: Kind, command: bytes | None
) -> None:
    """A shell's options are told from its command as bash does."""
    assert find_command(arguments) == command
    assert find_kind(arguments) is kind


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(max_size=200))
def test_judges_any_arguments(arguments: list[bytes], command: bytes) -> None:
    """Whatever the arguments are, they have a kind."""
    assert find_kind(arguments) in Kind
    assert find_kind([b"-c", command]) in Kind
