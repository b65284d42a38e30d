#!/bin/sh
# Bring uv and the locked packages into this folder. Needs Python 3.11+ and a package registry.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.8
UV_CACHE_DIR=${UV_CACHE_DIR:-.uv/cache}
npm_config_cache=${npm_config_cache:-$PWD/.uv/npm}
export UV_CACHE_DIR npm_config_cache

say() { printf '== %s\n' "$*"; }
die() { printf 'voltyard: %s\n' "$*" >&2; exit 1; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    die "Python 3.11 or newer is needed. On Debian 12+: apt-get install python3 python3-venv"
}

# Three ways to a folder with uv in it, the first that works on this Python.
install_uv() {
    rm -rf "$2"
    if "$1" -c 'import ensurepip, venv' 2>/dev/null && "$1" -m venv "$2" &&
        "$2/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
            "uv==$UV_VERSION"; then
        return 0
    fi
    rm -rf "$2"
    if "$1" -m pip --version >/dev/null 2>&1; then
        "$1" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
            --target "$2" "uv==$UV_VERSION" && return 0
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "this Python has neither venv nor pip: apt-get install python3-venv"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv &&
            "$1" -m venv "$2" &&
            "$2/bin/python" -m pip install --quiet --no-cache-dir "uv==$UV_VERSION" && return 0
    else
        die "this Python has neither venv nor pip. On Debian: sudo apt-get install python3-venv"
    fi
    rm -rf "$2"
    die "uv $UV_VERSION could not be installed from the Python package registry (see above)"
}

python=$(find_python)
tool=.uv/tool-$UV_VERSION
if [ ! -x "$tool/bin/uv" ]; then
    say "uv $UV_VERSION with $("$python" -V) into .uv/"
    mkdir -p .uv
    fresh=$(mktemp -d .uv/fresh.XXXXXX)
    install_uv "$python" "$fresh/uv"
    mv -T "$fresh/uv" "$tool" 2>/dev/null || [ -x "$tool/bin/uv" ]
    rm -rf "$fresh"
fi

say "packages as locked, into .venv/"
if [ -d .venv ]; then
    "$tool/bin/uv" sync --frozen
else
    "$tool/bin/uv" sync --frozen --python "$python"
fi
