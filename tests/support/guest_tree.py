"""Debian trees to boot guests from, built by debootstrap and kept in .cache/guest.

A tree is a list of layers, lowest first, each a directory; a guest sees them through an overlay
and never changes them. A layer's name holds a digest of what it was made from: another list of
packages makes another one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "guest"
MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"

BASE = """
    adduser bash ca-certificates dash dbus fish git iproute2 less libpam-systemd login
    openssh-client openssh-server passwd procps python3 rsync screen sshpass sudo systemd
    systemd-sysv tcsh tmux util-linux zsh
"""

SSSD = """
    ldap-utils libnss-sss libpam-sss openssl slapd sssd-common sssd-ldap sssd-proxy sssd-tools
"""

# Runs in the new tree: what is the guest's own is made when it boots; nothing phones home.
TIDY = """
    apt-get clean
    rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*_key* /etc/machine-id /var/lib/dbus/machine-id
    : >/etc/machine-id
    systemctl mask -q apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \\
        e2scrub_all.timer fstrim.timer
    mkdir -p /etc/systemd/system/ssh.service.d
    printf '[Service]\\nExecStartPre=\\nExecStartPre=/usr/bin/ssh-keygen -A\\n' \\
        >/etc/systemd/system/ssh.service.d/own-keys.conf
    printf '[Journal]\\nStorage=persistent\\nRateLimitIntervalSec=0\\n' >/etc/systemd/journald.conf
"""

Tree = tuple[Path, ...]


class UnavailableError(Exception):
    """A tree cannot be built here; the text says why."""


def base_tree() -> Tree:
    """Return a Debian 12 with systemd, sshd, shells and the programs that sessions use."""
    return (_layer("base", (), BASE.split()),)


def sssd_tree() -> Tree:
    """Return `base_tree` with SSSD and an LDAP server installed, neither of them started."""
    below = base_tree()
    return (*below, _layer("sssd", below, SSSD.split()))


def ansible_tree() -> Tree:
    """Return `base_tree` with what Ansible's module for apt needs on a host."""
    below = base_tree()
    return (*below, _layer("ansible", below, ["python3-apt"]))


def tlog_tree() -> Tree:
    """Return `base_tree` with tlog."""
    below = base_tree()
    return (*below, _layer("tlog", below, ["tlog"]))


def _layer(name: str, below: Tree, packages: Sequence[str]) -> Path:
    """Return the layer that adds `packages` to `below`; build it if it is not there yet.

    Raises:
        UnavailableError: debootstrap or apt failed; a log is in the cache.
    """
    made_from = [SUITE, TIDY, *packages, *(layer.name for layer in below)]
    digest = hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:12]
    layer = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.exists():
            with _unfinished(layer) as unfinished:
                build = _add_packages if below else _bootstrap
                build(unfinished, below, packages, CACHE / f"{layer.name}.log")
    return layer


@contextmanager
def _unfinished(layer: Path) -> Iterator[Path]:
    """Give a directory that becomes `layer` if the block ends well."""
    for stale in CACHE.glob(f"{layer.name}.part*"):
        shutil.rmtree(stale)
    part = CACHE / f"{layer.name}.part"
    try:
        yield part
        (part / "tree").rename(layer)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _bootstrap(part: Path, _below: Tree, packages: Sequence[str], log: Path) -> None:
    tree = part / "tree"
    tree.mkdir(parents=True)
    wanted = f"--include={','.join(packages)}"
    _apart(
        'debootstrap --variant=minbase "$1" "$2" "$3" "$4" && chroot "$3" sh -ec "$5"',
        [wanted, SUITE, str(tree), MIRROR, TIDY],
        log,
    )


def _add_packages(part: Path, below: Tree, packages: Sequence[str], log: Path) -> None:
    for directory in ("tree", "work", "root"):
        (part / directory).mkdir(parents=True)
    lower = ":".join(map(str, reversed(below)))
    # Services of the new packages are not started: no guest is running.
    install = f"""
        printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
        apt-get update -q
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y -q --no-install-recommends {" ".join(packages)}
        rm /usr/sbin/policy-rc.d
        systemctl mask -q slapd.service
    """
    _apart(
        'mount -t overlay -o "lowerdir=$1,upperdir=$2/tree,workdir=$2/work" steno "$2/root"'
        ' && cp /etc/resolv.conf "$2/root/etc/resolv.conf" && mount -t proc proc "$2/root/proc"'
        ' && chroot "$2/root" sh -ec "$3" && chroot "$2/root" sh -ec "$4"'
        ' && rm "$2/root/etc/resolv.conf"',
        [lower, str(part), install, TIDY],
        log,
    )


def _apart(script: str, arguments: Sequence[str], log: Path) -> None:
    """Run a shell script as root with mounts and processes of its own, which end with it."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with log.open("wb") as output:
        done = subprocess.run(
            [*namespaces, "sh", "-c", script, "sh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | _proxies(),
            check=False,
        )
    if done.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise UnavailableError(f"no Debian tree could be built: {''.join(last)} ({log})")


def main() -> None:
    """Build all of them, or say why not."""
    for make in (base_tree, sssd_tree, ansible_tree, tlog_tree):
        try:
            make()
        except UnavailableError as error:
            sys.exit(str(error))


def _proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


if __name__ == "__main__":
    main()
