#!/usr/bin/env bash
# The contract suite against the Python client of contracts/shims/python, which shares no code with this workspace; that
# the suite notices when that client is broken; and our own client as anybody's, behind a shim.
#
# PYTHON names an interpreter that has contracts/shims/python/requirements.txt. SHIM names our own client behind a shim, as
# `cargo test --workspace` builds it.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=9

PYTHON=${PYTHON:-python3}
shims=$root/contracts/shims/python

# proves SHIM-FOLDER NAME EXIT-CODE [OPTION]...: runs the suite against the shim in a folder, with a report by the name.
proves() {
    local folder=$1
    shift
    runs "'$PYTHON' '$folder/shim.py'" "$@"
}
runs() {
    local command=$1 name=$2 wanted=$3 status=0
    shift 3
    timeout 180 "$D1SIM" contract run --exec "$command" --json "$work/$name.json" "$@" \
        >"$work/$name.log" 2>&1 || status=$?
    same "exit code of $name" "$wanted" "$status" || { grep -A 4 '^failed' "$work/$name.log"; tail -n 3 "$work/$name.log"; return 1; }
}
check 'the Python client passes every case but those that it is known to fail' \
    proves "$shims" whole 0 --known-failing "$shims/known-failing.yaml" --html "$work/whole.html" --md "$work/whole.md" --junit "$work/whole.xml"

# Its libraries know no HTTP/2: these cases are put aside, so that the report is not complete, and no others are.
is_whole() {
    holds 'the report' "$(cat "$work/whole.json")" '"partial": false' '"client": "d1_client.py ' '"gaps": []' || return 1
    local ran aside planned
    ran=$(grep -c '<testcase' "$work/whole.xml") && aside=$(grep -c '^aside: .*: not run: needs the feature http2' "$work/whole.log") || return 1
    planned=$(sed -n 's/^  "planned": \([0-9]*\),$/\1/p' "$work/whole.json")
    same 'cases in the JUnit report' "$planned" "$ran" && same 'cases that were run' "  \"ran\": $((planned - aside))," "$(grep '^  "ran"' "$work/whole.json")"
}
check 'its report has every case, and nothing but HTTP/2 is put aside' is_whole

# broken NAME FROM TO FILTER: the client with one line changed fails, and there is a report all the same.
broken() {
    local name=$1 from=$2 to=$3 filter=$4
    mkdir "$work/$name" && cp "$shims"/*.py "$work/$name" || return 1
    sed -i "s/$from/$to/" "$work/$name/d1_client.py"
    ! cmp -s "$shims/d1_client.py" "$work/$name/d1_client.py" || { echo "nothing was changed in $name"; return 1; }
    proves "$work/$name" "$name" 1 --filter "$filter" || return 1
    # A filtered run leaves cases out.
    holds "$name" "$(cat "$work/$name.json")" '"complete": false' '"partial": false'
}
check 'one that never repeats is found out' broken impatient '^ATTEMPTS = 4' 'ATTEMPTS = 1' getToken/
check 'one that reports no doubt is found out' broken sure 'failed.ambiguous = creates' 'failed.ambiguous = False' createTransaction/
check 'one that takes every certificate is found out' broken trusting 'self.http.verify, self.http.cert = ca,' 'self.http.verify, self.http.cert = False,' certificate-
check 'one that follows redirections is found out' broken led 'allow_redirects=False' 'allow_redirects=True' redirected
check 'one that falls over is found out' broken fallen 'raise _refused(answer' 'import os; os._exit(9); (answer' createMerchant

check 'our client passes every case behind a shim' runs "'${SHIM:-$root/target/debug/examples/shim}'" own 0

no_shim() {
    local status=0
    "$D1SIM" contract run --exec "'$PYTHON' '$work/nothing.py'" >"$work/none.log" 2>&1 || status=$?
    same 'exit code without a shim' 4 "$status" && holds 'the reason' "$(cat "$work/none.log")" nothing.py
}
check 'a shim that is not there is no finding about a client' no_shim

end
