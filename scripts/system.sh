#!/usr/bin/env bash
# Install the Debian packages that are missing, if that is possible; say what is missing if not.
# Never fails for want of a program: the host target and the Python part work with less.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null 2>&1; }

# The headers come in packages of their own, so only compiling shows whether they are there.
compiles() { has "$1" && echo '#include <stdio.h>' | "$@" -E - >/dev/null 2>&1; }

python_ready() {
    local python
    python=$(scripts/find_python.sh) && "$python" -c 'import ensurepip, venv' 2>/dev/null
}

python_packages() {
    local python
    if python=$(scripts/find_python.sh); then
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    else
        echo "python3 python3-venv"
    fi
}

# Prints "what it is, for the message|its Debian packages" for everything that is missing.
missing() {
    python_ready || echo "Python 3.11 or 3.12 with venv|$(python_packages)"
    compiles gcc || echo "gcc with the C library's headers|gcc libc6-dev"
    has clang-16 || echo "clang-16|clang-16"
    has cmake || echo "cmake|cmake"
    has ninja || echo "ninja|ninja-build"
    has make || echo "make|make"
    compiles arm-none-eabi-gcc ||
        echo "arm-none-eabi-gcc with newlib|gcc-arm-none-eabi libnewlib-arm-none-eabi"
    has qemu-system-arm || echo "qemu-system-arm|qemu-system-arm"
    compiles riscv64-unknown-elf-gcc --specs=picolibc.specs ||
        echo "riscv64-unknown-elf-gcc with picolibc|gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
    has qemu-system-riscv32 || echo "qemu-system-riscv32|qemu-system-misc"
}

# Prints the command that gives root's rights ("env" for root itself), or fails.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        echo env
    elif has sudo && sudo -n true 2>/dev/null; then
        echo "sudo -n env"
    else
        echo "neither root nor sudo without a password" >&2
        return 1
    fi
}

install() {
    local root
    has apt-get || { echo "there is no apt-get here" >&2; return 1; }
    root=$(as_root) || return 1
    echo "Installing with apt: $*"
    # $root is one or more words.
    # shellcheck disable=SC2086
    $root DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 update </dev/null &&
        $root DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
            --no-install-recommends "$@" </dev/null >/dev/null
}

explain() {
    echo "Missing programs that could not be installed:"
    missing | while IFS='|' read -r what packages; do
        echo "  - $what (on Debian: apt-get install $packages)"
    done
    echo "What still works: the target 'host', which needs Python and a C compiler alone."
    echo "Emulated devices need the compiler and the QEMU of their architecture: arm-none-eabi-gcc"
    echo "and qemu-system-arm, or riscv64-unknown-elf-gcc and qemu-system-riscv32. Tests without:"
    echo "  make test MARKS='not board and not emulator'"
} >&2

rows=$(missing)
[ -n "$rows" ] || exit 0
# Word splitting is wanted: several packages in a row, and several rows.
# shellcheck disable=SC2046
install $(cut -d'|' -f2 <<<"$rows") || echo "apt could not be used or failed (see above)." >&2
[ -z "$(missing)" ] || explain
