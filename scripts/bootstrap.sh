#!/bin/sh
# Make .venv from the lock file, on a machine that has nothing but a shell and
# either a Python or a network. `make setup` calls this; so can a person.
#
#   sh scripts/bootstrap.sh           make or refresh .venv
#   sh scripts/bootstrap.sh lock      rewrite uv.lock after pyproject.toml changed
#
# PYTHON=/path/to/python chooses the interpreter (3.12, 3.13 or 3.14).

set -eu

CDPATH='' cd -- "$(dirname -- "$0")/.."

# Settings of other projects that would send uv or pip somewhere else.
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT UV_PROJECT UV_WORKING_DIR UV_WORKING_DIRECTORY
unset UV_PYTHON UV_FROZEN UV_LOCKED UV_NO_SYNC UV_NO_DEV UV_NO_GROUP UV_NO_DEFAULT_GROUPS
unset PIP_USER PIP_TARGET PIP_PREFIX PYTHONHOME PYTHONPATH

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }

# --- an interpreter --------------------------------------------------------

# probe COMMAND LOWEST HIGHEST: print the real interpreter behind COMMAND if it
# runs, fits and can make virtual environments. Running it is the only honest
# test: a pyenv shim exists on PATH also where it refuses to start. Behind a
# shim or another project's environment, the base interpreter is what we want.
PROBE='
import sys
def minor(text): return tuple(int(part) for part in text.split("."))
if not minor(sys.argv[1]) <= sys.version_info[:2] <= minor(sys.argv[2]): sys.exit(1)
if sys.implementation.name != "cpython" or sys.maxsize < 2**32: sys.exit(1)
import venv, ensurepip
print(getattr(sys, "_base_executable", None) or sys.executable)
'
probe() {
    command -v "$1" >/dev/null 2>&1 || return 1
    probed=$("$1" -I -c "$PROBE" "$2" "$3" 2>/dev/null </dev/null) || return 1
    if "$probed" -I -c "$PROBE" "$2" "$3" >/dev/null 2>&1 </dev/null; then
        printf '%s\n' "$probed"
    else
        command -v "$1"
    fi
}

# find_python LOWEST HIGHEST MINOR...: the first that fits, in the order of preference.
find_python() {
    lowest=$1 highest=$2
    shift 2
    for minor in "$@"; do
        probe "python$minor" "$minor" "$minor" && return 0
        probe python3 "$minor" "$minor" && return 0
        probe python "$minor" "$minor" && return 0
        for candidate in \
            "${PYENV_ROOT:-$HOME/.pyenv}/versions/$minor"*/bin/python \
            "/opt/homebrew/bin/python$minor" \
            "/usr/local/bin/python$minor" \
            "/usr/bin/python$minor" \
            "/opt/local/bin/python$minor" \
            "/Library/Frameworks/Python.framework/Versions/$minor/bin/python$minor"; do
            probe "$candidate" "$minor" "$minor" && return 0
        done
    done
    probe python3 "$lowest" "$highest" || probe python "$lowest" "$highest"
}

# choose_python: the one asked for, the one .venv already has, the first found.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        probe "$PYTHON" 3.12 3.14 && return 0
        warn "PYTHON=$PYTHON does not run, is not Python 3.12 to 3.14, or lacks venv and ensurepip; looking for another."
    fi
    probe .venv/bin/python 3.12 3.14 && return 0
    find_python 3.12 3.14 3.12 3.13 3.14
}

HOME=${HOME:-/nonexistent}
FOUND=$(choose_python) || FOUND=''

# --- uv --------------------------------------------------------------------

# uv_works COMMAND: it runs (a shim may not) and is new enough for our lock file.
uv_works() {
    command -v "$1" >/dev/null 2>&1 || return 1
    uv_version=$("$1" --version 2>/dev/null </dev/null) || return 1
    uv_version=${uv_version#uv }
    uv_major=${uv_version%%.*}
    uv_minor=${uv_version#*.}
    uv_minor=${uv_minor%%.*}
    case "$uv_major$uv_minor" in '' | *[!0-9]*) return 1 ;; esac
    [ "$uv_major" -gt 0 ] || [ "$uv_minor" -ge 8 ]
}

if uv_works uv; then
    UV=uv
elif uv_works .uv/bin/uv; then
    UV=.uv/bin/uv
else
    # Whatever Python there is will do: this one only has to run pip once.
    MAKER=$FOUND
    if [ -z "$MAKER" ]; then
        MAKER=$(find_python 3.9 3.99 3.11 3.10 3.9) || MAKER=''
    fi
    if [ -z "$MAKER" ]; then
        warn "acmodels needs Python 3.12, 3.13 or 3.14, and this machine has neither that nor uv."
        warn "Install one of them and run this again:"
        warn "  Python 3.12   https://www.python.org/downloads/  (Debian and Ubuntu: apt install python3.12 python3.12-venv)"
        warn "  or uv         https://docs.astral.sh/uv/getting-started/installation/"
        exit 1
    fi
    say "uv is not here (or is older than 0.8): putting a private copy in .uv/"
    rm -rf .uv
    if ! { "$MAKER" -m venv .uv && .uv/bin/python -m pip install --quiet --no-input --disable-pip-version-check 'uv>=0.8'; }; then
        rm -rf .uv
        warn "Could not install uv with $MAKER (see above). Is the network up?"
        warn "You can also install uv yourself: https://docs.astral.sh/uv/getting-started/installation/"
        exit 1
    fi
    UV=.uv/bin/uv
fi

# --- the work --------------------------------------------------------------

# Compiled once here rather than at every start where Python may not write bytecode: the imports of
# a fit then take a third of the time.
UV_COMPILE_BYTECODE=1
export UV_COMPILE_BYTECODE

if [ "${1:-}" = lock ]; then
    exec "$UV" lock
fi

if [ -n "$FOUND" ]; then
    # The choice is made; a preference for uv's own Pythons must not overrule it.
    unset UV_PYTHON_PREFERENCE UV_MANAGED_PYTHON UV_NO_MANAGED_PYTHON
    say "Making .venv with $FOUND"
    if ! "$UV" sync --locked --python "$FOUND" </dev/null; then
        warn ""
        warn "Could not make .venv (see above)."
        warn "If uv says that the lock file needs to be updated, pyproject.toml has changed: run \`make lock\`."
        warn "If .venv itself is broken, remove it (rm -rf .venv) and try again."
        exit 1
    fi
else
    say "No Python 3.12, 3.13 or 3.14 found here; asking uv for 3.12"
    if ! "$UV" sync --locked --python 3.12 </dev/null; then
        warn ""
        warn "Could not make .venv (see above). acmodels needs Python 3.12, 3.13 or 3.14 with venv and ensurepip."
        warn "None was found on PATH, under pyenv or in the usual places, and uv could not get one."
        warn "Install Python 3.12 (https://www.python.org/downloads/), or name yours: make setup PYTHON=/path/to/python3.12"
        exit 1
    fi
fi

say "Ready: $(.venv/bin/python --version) in .venv"
