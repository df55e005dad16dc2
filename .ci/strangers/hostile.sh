#!/usr/bin/env bash
# Two hundred hostile days, each with another seed: our client and our receiver get through all of them, a receiver that is
# broken does not, and the line that is printed then plays the same day again.
#
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=3

days() {
    local told
    told=$(timeout 120 "$D1SIM" scenario run hostile-day --seeds 1..200 2>&1)
    same 'what 200 seeds come to' 'as expected with every seed from 1 to 200' "$told"
}
check '200 hostile days of our client and our receiver end well' days

broken=(--flaw last-come-wins)
found() {
    local status=0
    timeout 120 "$D1SIM" scenario run hostile-day --seeds 1..200 "${broken[@]}" >"$work/found.log" 2>"$work/found.err" || status=$?
    same 'exit code' 1 "$status" && holds 'what is told' "$(cat "$work/found.log")" 'expected the receiver to have'
}
check 'a receiver that takes what comes last for the newest is found' found

again() {
    local line one other
    line=$(sed -n 's/^to see it again: d1sim //p' "$work/found.err")
    holds 'the line that is printed' "$line" 'scenario run' || return 1
    # shellcheck disable=SC2086 # words of a command
    one=$(timeout 60 "$D1SIM" $line 2>/dev/null)
    # shellcheck disable=SC2086
    other=$(timeout 60 "$D1SIM" $line 2>/dev/null)
    holds 'the transcript' "$one" '     NO  ' && same 'the transcript of a second run' "$one" "$other"
}
check 'and the line that is printed plays the same day, byte for byte' again

end
