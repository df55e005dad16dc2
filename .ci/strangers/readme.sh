#!/usr/bin/env bash
# Runs what README.md tells the reader to paste: every ```sh block between `<!-- tried by .ci -->` and `<!-- end -->`,
# each by a shell of its own that stops at the first error, in a folder with a sandbox on the default ports. Then the
# lines that the sandbox prints when it starts.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

readme=${README:-$root/README.md}
mkdir "$work/blocks"
awk -v folder="$work/blocks" '
    /^<!-- tried by \.ci -->$/ { marked = 1; next }
    /^<!-- end -->$/           { marked = 0; next }
    marked && !inside && /^```sh$/ { inside = 1; file = sprintf("%s/%02d-line-%d.sh", folder, ++blocks, NR + 1); printf "" >file; next }
    inside && /^```$/          { inside = 0; close(file); next }
    inside                     { print >file }
    END                        { if (marked || inside) { exit 1 } }
' "$readme" || { not_ok 'README.md closes its marks and blocks' 'one is still open at the end of the file'; exit 1; }
blocks=("$work"/blocks/*.sh)
if [ ! -s "${blocks[0]}" ]; then
    not_ok 'README.md has a block to try' 'there is none between <!-- tried by .ci --> and <!-- end -->'
    exit 1
fi
planned=$((${#blocks[@]} + 7))

# shellcheck disable=SC2119 # the defaults are wanted
start_sandbox
# The blocks say target/release, as it is in a clone.
mkdir "$work/target"
ln -s "$(dirname "$D1SIM")" "$work/target/release"
output=$work/output
: >"$output"

runs() {
    local status=0
    (cd "$work" && timeout 60 bash -eu "$1") >"$work/block.log" 2>&1 || status=$?
    cat "$work/block.log" >>"$output"
    [ "$status" -eq 0 ] || { echo "exit code $status"; tail -n 5 "$work/block.log"; return 1; }
}

prints() { holds 'what the blocks print' "$(cat "$output")" "$@"; }
last_line() { same 'the last line' "$1" "$(tail -n 1 "$output")"; }

for block in "${blocks[@]}"; do
    name=$(basename "$block" .sh)
    check "block ${name/-/ of README.md, }" runs "$block"
done
check 'the payment shows a DPAN and a cryptogram' prints '"dpan":' '"cryptogram":'
check 'the event is taken' prints '"journal":'
check 'the suspended token is refused' prints '"errorCode":"FORBIDDEN_STATE"'
check 'the journal shows why' prints '"refused":'
check 'the token is deleted at the end' last_line 204

sed -n '/^Try it:$/,/^Ready/p' "$work/d1sim.log" | sed -e '1d' -e '$d' >"$work/banner.sh"
pasted() { grep -q . "$work/banner.sh" && runs "$work/banner.sh"; }
banner_says() { holds 'what the lines print' "$(cat "$work/block.log")" '"merchantId":'; }
check 'the lines that d1sim prints run as pasted' pasted
check 'they make a merchant' banner_says

end
