#!/usr/bin/env bash
# Print the path of a Python 3.11 or 3.12, the first that works; fail silently if there is none.
set -euo pipefail

# A version manager may answer to a name and then refuse to run, hence the trial.
for name in python3.11 python3 python3.12; do
    if path=$("$name" -c 'import sys
if not (3, 11) <= sys.version_info < (3, 13): sys.exit(1)
print(sys.executable)' 2>/dev/null); then
        echo "$path"
        exit 0
    fi
done
exit 1
