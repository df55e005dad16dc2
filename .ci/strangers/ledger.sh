#!/usr/bin/env bash
# The receiver suite and the library of scenarios against a receiver of notifications in Python, which shares no code with
# this workspace, and that both notice when that receiver is broken.
#
# PYTHON names an interpreter that has .ci/strangers/requirements.txt.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=6

PYTHON=${PYTHON:-python3}
ledger=$root/.ci/strangers/ledger.py
"$D1SIM" init "$work/sandbox" >/dev/null 2>&1

# judged NAME EXIT-CODE FAULT: runs the suite against a receiver with this fault.
judged() {
    local name=$1 wanted=$2 status=0 pid url
    rm -f "$work/sandbox/ledger.json"
    mkfifo "$work/$name.url"
    LEDGER_FAULT=$3 "$PYTHON" "$ledger" serve "$work/sandbox" >"$work/$name.url" 2>"$work/$name.err" &
    pid=$!
    read -r url <"$work/$name.url"
    timeout 180 "$D1SIM" contract run --receiver "$url" --sandbox "$work/sandbox" \
        --probe "'$PYTHON' '$ledger' probe '$work/sandbox'" >"$work/$name.log" 2>&1 || status=$?
    kill "$pid"
    same "exit code of $name" "$wanted" "$status" || { grep -A 4 '^failed' "$work/$name.log"; tail -n 3 "$work/$name.log"; return 1; }
}
check 'a receiver in Python passes every case' judged whole 0 none
check 'one that drops every second event is found out' judged hasty 1 arrival
found() { holds 'the report' "$(cat "$work/hasty.log")" 'failed: outbound/notifyTokenUpdate/204/none/several'; }
check 'by the case that is about it' found

# played NAME EXIT-CODE FAULT: plays the library of scenarios with a receiver that has this fault.
played() {
    local name=$1 wanted=$2 status=0 pid url
    rm -f "$work/sandbox/ledger.json"
    mkfifo "$work/$name.url"
    LEDGER_FAULT=$3 "$PYTHON" "$ledger" serve "$work/sandbox" >"$work/$name.url" 2>"$work/$name.err" &
    pid=$!
    read -r url <"$work/$name.url"
    timeout 180 "$D1SIM" scenario run "$root/fixtures/data/scenarios" --receiver "$url" --sandbox "$work/sandbox" \
        --probe "'$PYTHON' '$ledger' probe '$work/sandbox'" --junit "$work/$name.xml" >"$work/$name.log" 2>&1 || status=$?
    kill "$pid"
    same "exit code of $name" "$wanted" "$status" || { tail -n 12 "$work/$name.log"; return 1; }
}
check 'a receiver in Python lives through the bad days of the library' played days 0 none
check 'one that drops every second event does not' played worse 1 arrival
day=$root/fixtures/data/scenarios/suspended-mid-subscription.yaml
line=$(grep -n 'receiver: {subscription: ACTIVE}' "$day" | cut -d: -f1)
told() { holds 'the JUnit file' "$(cat "$work/worse.xml")" "suspended-mid-subscription.yaml:$line:"; }
check 'and JUnit says in which step' told

end
