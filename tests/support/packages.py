"""The Debian packages of this tree, built once for a run of the tests, and put into guests."""

from __future__ import annotations

import fcntl
import re
import subprocess
from pathlib import Path

from guest import Guest

ROOT = Path(__file__).parents[2]

Packages = dict[str, Path]


def build(directory: Path) -> Packages:
    """Build them all; return the files by the packages' names."""
    done = subprocess.run(
        [ROOT / "packaging" / "build-deb", directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return find(directory)


def build_once(directory: Path) -> Packages:
    """Build them, unless another process of this run did; return the files by the names."""
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            part = directory.with_suffix(".part")
            build(part)
            part.rename(directory)
    return find(directory)


def find(directory: Path) -> Packages:
    """Return the packages that are in a directory."""
    return {path.name.partition("_")[0]: path for path in directory.glob("*.deb")}


def with_version(package: Path, version: str, directory: Path) -> Path:
    """Make a package with the same content and another version, dependencies among them too.

    It comes to be in `directory`: the one with the packages is shared by the tests of a run.
    """
    tree = directory / f"{package.stem}-{version}"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    text = control.read_text()
    old = re.search(r"^Version: (.*)$", text, re.M)
    assert old
    control.write_text(text.replace(old[1], version))
    made = directory / f"{package.name.partition('_')[0]}_{version}.deb"
    words = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, made]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", tree], check=True)
    return made


def install(guest: Guest, *packages: Path) -> str:
    """Install packages with apt, as an administrator does; there is no network for it to use."""
    names = []
    for package in packages:
        name = f"/var/tmp/{package.name}"
        guest.write(name, package.read_bytes())
        names.append(name)
    said = guest.shell(
        f"DEBIAN_FRONTEND=noninteractive apt-get install -y -q {' '.join(names)} 2>&1"
    )
    guest.run("rm", *names)
    return said
