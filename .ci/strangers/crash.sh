#!/usr/bin/env bash
# A receiver that dies by kill -9 after it has committed an event and before it has answered: what it committed is
# there when it starts again, and D1 delivers again: the event may be handed on twice, and changes the token once.
#
# RECEIVER names the client's example, as `cargo test --workspace` builds it.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=8

RECEIVER=${RECEIVER:-$root/target/debug/examples/receiver}

# receives LOG [OPTION]...: the receiver with its store in a file.
receives() { launch "$1" "$RECEIVER" --sandbox "$S" --store "$work/tokens.redb" "${@:2}"; }
heard() { grep -qF "$2" "$work/$1.log" || { cat "$work/$1.log"; return 1; }; }
waiting() { curl -sS --max-time 20 "$ADMIN/state" | grep -qE "\"outbox\":$1[,}]" || { echo "not $1 in the outbox"; return 1; }; }

suspends() {
    local said
    said=$(curl -sS --max-time 20 -H 'content-type: application/json' -w '\n%{http_code}' "$ADMIN/events" \
        -d "{\"gateway\":\"MGW_000001\",\"tokenId\":\"$token_id\",\"event\":\"token.suspend\"}")
    same 'status of /events' 202 "${said##*$'\n'}" && within 20 heard first "TOKEN_SUSPENDED token=$token_id"
}

# The file is open until the process is gone.
killed() { kill -KILL -- "-$first" && within 10 group_gone "$first"; }

# shellcheck disable=SC2119 # the defaults are wanted
start_sandbox
receives "$work/first.log" --hold-answers
first=$LAUNCHED
check 'a receiver with a new store listens' within 60 heard first 'listening on'
client=("$S/gateway/client.pem" "$S/gateway/client.key")
bearer=$(token "${client[@]}" | member access_token)
merchant=$(create_merchant "${client[@]}" "$bearer" | member merchantId)
token_id=$(d1 "${client[@]}" -H "authorization: Bearer $bearer" \
    -d "{\"encryptedData\":\"$("$D1SIM" jose seal --sandbox "$S")\"}" \
    "$API/ecom/v1/merchant-gateways/MGW_000001/merchants/$merchant/tokens" | member tokenId)
check 'it commits an event and answers nothing' suspends
check 'D1 keeps the event' waiting 1
check 'it is killed' killed
receives "$work/second.log"
check 'what it committed is there' within 60 heard second '1 token in'
check 'D1 delivers again' within 30 heard second "TOKEN_SUSPENDED token=$token_id state=SUSPENDED"
check 'nothing is left to deliver' within 20 waiting 0
alone() { same 'modes of store and key' '600 600' "$(stat -c %a "$work/tokens.redb" "$work/tokens.key" | tr '\n' ' ' | sed 's/ $//')"; }
check 'store and key are their owner'"'"'s alone' alone

end
