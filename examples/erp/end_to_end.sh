#!/usr/bin/env bash
# The month-end from end to end, in a copy: it succeeds and is verified, its result is found in the cache, and a failure
# in any of some steps takes everything back, byte for byte.
#
#   examples/erp/end_to_end.sh path/to/partitur
set -euo pipefail
partitur=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$here/." "$copy"
rm -rf "$copy/work" "$copy/.partitur"
cd "$copy"
export PARTITUR_SECRET_PSEUDONYM_KEY=only-for-this-test

fail() {
    echo "month-end: $*" >&2
    exit 1
}

"$partitur" run flow.yaml >/dev/null 2>"$copy/talk" || { cat "$copy/talk" >&2; fail "the run failed"; }
grep -q '12 succeeded' "$copy/talk" || { cat "$copy/talk" >&2; fail "not all of the twelve succeeded"; }
python3 verify.py || fail "the totals differ"

before=$(python3 fingerprint.py)
for step in load dunning export notify; do
    status=0
    "$partitur" run flow.yaml --input "inject=$step" >/dev/null 2>"$copy/talk" || status=$?
    [ "$status" -eq 1 ] || { cat "$copy/talk" >&2; fail "a failure in $step ended with exit code $status"; }
    [ "$(python3 fingerprint.py)" = "$before" ] || fail "a failure in $step was not taken back byte for byte"
    echo "month-end: a failure in $step was taken back, byte for byte"
done

"$partitur" run flow.yaml --json >"$copy/events" 2>"$copy/talk" || { cat "$copy/talk" >&2; fail "the second run failed"; }
grep '"task":"revenue"' "$copy/events" | grep -q '"cached":true' || fail "the cached step was executed again"
echo "month-end: the cached step was taken from the cache"
