#!/usr/bin/env bash
# Usage: python.sh VENV STAMP
# Install the package, editable, and its tools in VENV; touch STAMP when all of it is done.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 stamp=$2 ours=$1/.made-by-make
torch=$(grep '^torch==' constraints.txt)

# In the environment, so that they hold for the isolated build as well; newer pips want both.
# Relative, because pip splits these values at spaces.
export PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
quiet=()
[ -t 1 ] || quiet=(--quiet)

# An environment of ours without the stamp is half made. One that the user made is left alone.
if [ -e "$ours" ] && [ ! -e "$stamp" ]; then
    rm -rf "$venv"
fi
rm -f "$stamp"

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! python=$(scripts/find_python.sh); then
        echo "There is no Python 3.11 or 3.12 (tried python3.11, python3 and python3.12)." >&2
        echo "Install one, on Debian 12: apt-get install python3 python3-venv" >&2
        exit 1
    fi
    mkdir -p "$venv"
    touch "$ours"
    "$python" -m venv "$venv"
fi

echo "Installing the Python packages in $venv; the first time this takes some minutes."
pip() { "$venv/bin/python" -m pip install "${quiet[@]}" "$@"; }
# Where the package index has PyTorch with CUDA alone, TORCH_INDEX may name one with the CPU's build.
if [ -n "${TORCH_INDEX:-}" ]; then
    pip --no-deps --index-url "$TORCH_INDEX" "$torch"
fi
pip --editable '.[dev]'
touch "$stamp"
