#!/usr/bin/env bash
# Measures the same build by partitur, make and ninja: all of it, nothing to do, and one file changed.
#
#   examples/c-build/compare.sh [PARTITUR [UNITS]]      what is not installed is left out
#
# Each figure is the best of three; two jobs at once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
partitur=$(command -v "${1:-partitur}")
partitur=$(realpath "$partitur")
units=${2:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

best() { # best COMMAND BEFORE: seconds of the fastest of three, BEFORE run each time first
    local least=
    for _ in 1 2 3; do
        eval "$2"
        local begin end took
        begin=$(date +%s.%N)
        eval "$1" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
        end=$(date +%s.%N)
        took=$(echo "$end - $begin" | bc)
        if [ -z "$least" ] || [ "$(echo "$took < $least" | bc)" = 1 ]; then least=$took; fi
    done
    printf '%.2f s' "$least"
}

measure() { # measure NAME COMMAND [STATE]
    "$here/generate.py" "$work/$1" "$units"
    cd "$work/$1"
    local full null one
    full=$(best "$2" "rm -rf obj program ${3:-}; mkdir obj")
    null=$(best "$2" true)
    one=$(best "$2" "sleep 0.02; echo '/* changed '\$RANDOM' */' >>src/unit_007.c")
    printf '| %s | %s | %s | %s |\n' "$1" "$full" "$null" "$one"
}

echo "| $units files, two jobs | all of it | nothing to do | one file changed |"
echo "|---|---|---|---|"
command -v make >/dev/null && measure make "make -j2"
command -v ninja >/dev/null && measure ninja "ninja -j2" ".ninja_log .ninja_deps"
measure partitur "'$partitur' run flow.yaml --quiet" ".partitur"
