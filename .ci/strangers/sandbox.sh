# shellcheck shell=bash
# Sourced by the strangers that are written in bash: a sandbox of their own, and checks that are counted.
#
# A check prints one line, `ok NAME` or `not ok NAME: reason`. A stranger says beforehand how many checks it will make;
# one that ends early, or makes another number, has failed.

set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
D1SIM=${D1SIM:-$root/target/release/d1sim}
stranger=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/d1-$stranger.XXXXXX")
children=()
planned=0
passed=0
failed=0
ended=no
# A proxy of the machine must not stand between, nor a language change what openssl and curl say.
export NO_PROXY='*' no_proxy='*' LC_ALL=C

ok() {
    passed=$((passed + 1))
    echo "ok $stranger: $1"
}

# Tokens and JWEs stay out of the reason.
not_ok() {
    failed=$((failed + 1))
    echo "not ok $stranger: $1: $(sed -E 's/eyJ[A-Za-z0-9_.-]+/eyJ***/g' <<<"${2:0:600}")"
}

# check NAME COMMAND...: passes if the command succeeds; otherwise what it printed is the reason.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1 </dev/null); then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s' "${said:-the command printed nothing}" | tr '\n' ' ')"
    fi
}

# same WHAT EXPECTED ACTUAL
same() {
    [ "$2" = "$3" ] || { echo "$1: expected $2, found $3"; return 1; }
}

# holds WHAT TEXT PART...: the text has every part.
holds() {
    local what=$1 text=$2 part
    shift 2
    for part in "$@"; do
        case $text in
            *"$part"*) ;;
            *) echo "$what: expected to find $part in: $text"; return 1 ;;
        esac
    done
}

# member NAME: the string member of the JSON object on stdin.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# within SECONDS COMMAND...: tries until the command succeeds.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# launch LOG COMMAND...: in the background, in a process group of its own, so that finish ends it with all that it
# started: cargo, for one, does not pass a signal on to the program that it runs. Sets LAUNCHED.
launch() {
    local log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    LAUNCHED=$!
    set +m
    children+=("$LAUNCHED")
}

# start_sandbox [OPTION]...: a sandbox in the stranger's own folder. Sets API, ADMIN and SANDBOX_PID.
start_sandbox() {
    # shellcheck disable=SC2034 # read by the strangers
    S=$work/d1-sandbox
    rm -f "$work/ready.json"
    launch "$work/d1sim.log" env -C "$work" "$D1SIM" serve --ready-file "$work/ready.json" "$@"
    SANDBOX_PID=$LAUNCHED
    if ! within 30 sandbox_settled || [ ! -s "$work/ready.json" ]; then
        not_ok "the sandbox starts" "$(tail -n 5 "$work/d1sim.log" | tr '\n' ' ')"
        exit 1
    fi
    API=$(member api <"$work/ready.json")
    # shellcheck disable=SC2034
    ADMIN=$(member admin <"$work/ready.json")
}

# Up, or gone.
sandbox_settled() { [ -s "$work/ready.json" ] || ! kill -0 "$SANDBOX_PID" 2>/dev/null; }

# d1 CERTIFICATE KEY CURL-ARGUMENT...: a call of a gateway. Prints the body, and the status on a line of its own.
d1() {
    local certificate=$1 key=$2
    shift 2
    curl -sS --max-time 20 --cacert "$S/ca/server-ca.pem" --cert "$certificate" --key "$key" \
        -H "x-correlation-id: $stranger" -H 'content-type: application/json' -w '\n%{http_code}' "$@"
}

# token CERTIFICATE KEY [GATEWAY [ASSERTION-OF]]: what the token endpoint answers.
token() {
    local assertion
    assertion=$("$D1SIM" jose assert --sandbox "$S" --gateway "${4:-${3:-MGW_000001}}") || return 1
    d1 "$1" "$2" "$API/authz/v1/oauth2/token" \
        -d "{\"grant_type\":\"urn:ietf:params:oauth:grant-type:jwt-bearer\",\"assertion\":\"$assertion\"}"
}

# create_merchant CERTIFICATE KEY BEARER [GATEWAY]
create_merchant() {
    d1 "$1" "$2" -H "authorization: Bearer $3" -d '{"merchantName":"Corner Bookshop"}' \
        "$API/ecom/v1/merchant-gateways/${4:-MGW_000001}/merchants"
}

# onboards CERTIFICATE KEY [GATEWAY]: the certificate gets a bearer and makes a merchant with it.
onboards() {
    local answer bearer
    answer=$(token "$1" "$2" "${3:-MGW_000001}") || { echo "token endpoint: $answer"; return 1; }
    same 'status of the token endpoint' 200 "${answer##*$'\n'}" || { echo "$answer"; return 1; }
    bearer=$(member access_token <<<"$answer")
    answer=$(create_merchant "$1" "$2" "$bearer" "${3:-MGW_000001}") || { echo "createMerchant: $answer"; return 1; }
    same 'status of createMerchant' 201 "${answer##*$'\n'}" || { echo "$answer"; return 1; }
    [[ $(member merchantId <<<"$answer") =~ ^[0-9]{11}$ ]] || { echo "no merchantId of 11 digits in $answer"; return 1; }
}

end() {
    ended=yes
    exit 0
}

end_group() {
    kill -TERM -- "-$1" 2>/dev/null || return 0
    within 10 group_gone "$1" || kill -KILL -- "-$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
group_gone() { ! kill -0 -- "-$1" 2>/dev/null; }

finish() {
    local child status=0
    for child in ${children[@]+"${children[@]}"}; do
        end_group "$child"
    done
    if [ "$ended" = no ]; then
        not_ok 'runs to its end' "stopped after $((passed + failed)) of $planned checks"
    elif [ $((passed + failed)) -ne "$planned" ]; then
        not_ok 'makes all its checks' "$planned planned, $((passed + failed)) made"
    fi
    [ "$failed" -eq 0 ] || status=1
    # What the sandbox said after its banner.
    [ "$failed" -eq 0 ] || [ ! -s "$work/d1sim.log" ] || sed -e '1,/^Ready/d' -e 's/^/    /' "$work/d1sim.log" | tail -n 20
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

[ -x "$D1SIM" ] || { not_ok 'finds d1sim' "no program at $D1SIM; build it or set D1SIM"; exit 1; }
