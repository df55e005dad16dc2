#!/usr/bin/env bash
# The client's examples, with the options that README.md names, against a sandbox on the default ports: a payment is made, and
# the receiver prints the events that the admin port causes.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=10

# Cargo finds its settings by the folder, so it runs in the clone.
cargo=(env -C "$root" cargo)

builds() { "${cargo[@]}" check --quiet --examples -p d1-client; }

# example NAME: the command that runs it, as `cargo test --workspace` has built it, in an array.
example() { command=("${EXAMPLES:-$root/target/debug/examples}/$1" --sandbox "$S"); }

pays() {
    example first_payment
    timeout 120 "${command[@]}" >"$work/payment.log" 2>&1 || { cat "$work/payment.log"; return 1; }
    holds 'first_payment' "$(cat "$work/payment.log")" 'state ACTIVE' 'dpan ***' cryptogram deleted
}

# The receiver prints a line with every part.
received() {
    local line
    within 20 heard "$@" || { echo "expected a line with $*: $(cat "$work/receiver.log")"; return 1; }
    line=$(grep -F "$1" "$work/receiver.log" | tail -n 1)
    holds 'the line' "$line" "$@"
}
heard() { grep -qF "$1" "$work/receiver.log"; }

event() {
    local said
    said=$(curl -sS --max-time 20 -H 'content-type: application/json' -w '\n%{http_code}' "$ADMIN/events" \
        -d "{\"gateway\":\"MGW_000001\",\"tokenId\":\"$token_id\",\"event\":\"$1\"}")
    same 'status of /events' 202 "${said##*$'\n'}" || { echo "$said"; return 1; }
    received "$2" "token=$token_id" "${@:3}"
}

# shellcheck disable=SC2119 # the defaults are wanted
start_sandbox
check 'the examples build' builds
example receiver
launch "$work/receiver.log" "${command[@]}"
listening() { within 60 heard 'listening on https://127.0.0.1:8445' || { cat "$work/receiver.log"; return 1; }; }
check 'the receiver listens on the default port' listening
check 'first_payment pays with a DPAN and a cryptogram' pays

# A token that lives on, made with curl.
client=("$S/gateway/client.pem" "$S/gateway/client.key")
bearer=$(token "${client[@]}" | member access_token)
merchant=$(create_merchant "${client[@]}" "$bearer" | member merchantId)
token_id=$(d1 "${client[@]}" -H "authorization: Bearer $bearer" \
    -d "{\"encryptedData\":\"$("$D1SIM" jose seal --sandbox "$S")\"}" \
    "$API/ecom/v1/merchant-gateways/MGW_000001/merchants/$merchant/tokens" | member tokenId)

check 'the receiver prints a suspension' event token.suspend TOKEN_SUSPENDED state=SUSPENDED sequence=1
check 'the receiver prints a resumption' event token.resume TOKEN_RESUMED state=ACTIVE sequence=2
check 'the receiver prints an extension' event token.extend TOKEN_UPDATED sequence=3
check 'the receiver prints a changed card' event card.replace CARD_UPDATED sequence=4
check 'the receiver prints a deletion' event token.delete TOKEN_DELETED state=DELETED sequence=5

# Identifiers of tokens may hold as many digits in a row as a card number has.
no_secret() {
    ! sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}//g' "$work/payment.log" "$work/receiver.log" | grep -E '[0-9]{12,}|eyJ'
}
check 'no example prints a card number or a JWE' no_secret
nothing_waits() { curl -sS --max-time 20 "$ADMIN/state" | grep -q '"outbox":0[,}]' || { echo 'the outbox is not empty'; return 1; }; }
check 'nothing is left to deliver' within 10 nothing_waits

end
