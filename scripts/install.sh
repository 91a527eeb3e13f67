#!/usr/bin/env bash
# Installs packages into a virtual environment: install.sh PYTHON FOLDER ARGUMENTS-OF-PIP...
# An environment that is missing, broken or of a Python that is too old is made again. A failure ends with one sentence.
set -uo pipefail
python=$1 folder=$2
shift 2
log=$folder.log

refuse() {
    echo "$*" >&2
    exit 2
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Whether the disk of $1 has less than 1 MiB left; programs do not always say so.
is_full() {
    [ "$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')" -lt 1024 ] 2>/dev/null
}

works() {
    is_new_enough "$folder/bin/python" && "$folder/bin/python" -m pip --version >/dev/null 2>&1
}

if ! works; then
    set_python="Set PYTHON, as in: make run PYTHON=python3.12"
    command -v "$python" >/dev/null || refuse "Sellergate needs Python 3.11 or newer, and $python was not found. $set_python"
    is_new_enough "$python" || refuse "Sellergate needs Python 3.11 or newer, and $python is $("$python" --version 2>&1 | head -n 1). $set_python"
    rm -rf "$folder"
    if ! "$python" -m venv "$folder" >"$log" 2>&1; then
        is_full "$(dirname "$folder")" && full=yes || full=
        rm -rf "$folder"
        { [ "$full" ] || grep -qi "No space left" "$log"; } && refuse "The disk is full: $folder was not made. Free some space, then run the command again."
        refuse "$python cannot make a virtual environment (Debian has what it needs in python3-venv); $log says why."
    fi
fi
echo "Installing (about a minute) ..."
if "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@" >"$log" 2>&1; then
    rm -f "$log"
    exit 0
fi
if grep -qi "No space left" "$log" || is_full "$folder"; then
    refuse "The disk is full: the packages were not installed into $folder. Free some space, then run the command again."
elif grep -qE "NewConnectionError|Failed to establish|Name or service not known|Temporary failure in name resolution|ProxyError|ReadTimeout|ConnectTimeout|Network is unreachable|No matching distribution found" "$log"; then
    refuse "The package index was not reached or lacks a package, and nothing was installed. Check the network and pip's settings ($folder/bin/pip config list); $log has pip's output."
fi
refuse "The packages were not installed; $log has pip's output. Its last line: $(grep -v '^\s*$' "$log" | tail -n 1)"
