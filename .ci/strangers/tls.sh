#!/usr/bin/env bash
# openssl and curl judge the sandbox's TLS, its certificates and its refusals.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=50

start_sandbox --api 127.0.0.1:0 --admin 127.0.0.1:0
client=("$S/gateway/client.pem" "$S/gateway/client.key")

# s_client OPTION...: openssl's client; what it saw goes to stdout.
s_client() {
    timeout 20 openssl s_client -connect "${API#https://}" -servername localhost -verify_hostname localhost -x509_strict \
        -verify_return_error -CAfile "$S/ca/server-ca.pem" -brief -ign_eof "$@" 2>&1
}

speaks() {
    local said
    said=$(printf 'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' |
        s_client "$1" -cert "${client[0]}" -key "${client[1]}")
    holds "openssl s_client $1" "$said" "Protocol version: $2" 'Verification: OK' 'HTTP/1.1 404' RESOURCE_NOT_FOUND
}

# The alert must be the server's: with security level 0 openssl itself would speak the old version.
refuses_old() {
    local said
    said=$(s_client -tls1_1 -cipher 'DEFAULT@SECLEVEL=0' -cert "${client[0]}" -key "${client[1]}")
    [[ $said =~ 'SSL alert number '(40|70) ]] || { echo "expected alert 40 or 70 from the server: $said"; return 1; }
}

# last: the number of the journal's last entry.
last() {
    curl -sS --max-time 20 "$ADMIN/state" | sed -n 's/.*"journal":\([0-9]*\).*/\1/p'
}

# explains AFTER CHECK: the journal names the check that failed.
explains() {
    holds 'the journal' "$(curl -sS --max-time 20 "$ADMIN/journal?after=$1&wait_ms=5000")" '"refused":' "\"check\":\"$2\""
}

# refuses_handshake ALERT CHECK OPTION...
refuses_handshake() {
    local alert=$1 reason=$2 before said
    shift 2
    before=$(last)
    said=$(s_client "$@" </dev/null)
    holds 'openssl s_client' "$said" "SSL alert number $alert" || return 1
    explains "$before" "$reason"
}

# curl_fails CURL-ARGUMENT...: no HTTP answer at all.
curl_fails() {
    local status
    status=$(curl -sS --max-time 20 --cacert "$S/ca/server-ca.pem" -o /dev/null -w '%{http_code}' "$@" "$API/" 2>/dev/null) &&
        { echo "curl succeeded with status $status"; return 1; }
    same 'status' 000 "$status"
}

# refuses_certificate NAME CHECK: 403 on the token endpoint, with a good assertion of the gateway.
refuses_certificate() {
    local before said
    before=$(last)
    said=$(token "$S/rogue/$1.pem" "$S/rogue/$1.key")
    same 'status of the token endpoint' 403 "${said##*$'\n'}" || return 1
    holds 'the answer' "$said" '"errorCode":"FORBIDDEN"' || return 1
    explains "$before" "$2"
}

# The same on an operation, with a good bearer of the gateway.
refuses_on_operation() {
    local said
    said=$(create_merchant "$S/rogue/$1.pem" "$S/rogue/$1.key" "$bearer")
    same 'status of createMerchant' 403 "${said##*$'\n'}" || return 1
    holds 'the answer' "$said" '"errorCode":"FORBIDDEN"'
}

# verifies AUTHORITY PURPOSE CERTIFICATE OPTION...
verifies() {
    local authority=$1 purpose=$2 certificate=$3
    shift 3
    openssl verify -x509_strict -no-CApath -no-CAstore -CAfile "$S/ca/$authority.pem" -purpose "$purpose" "$@" "$S/$certificate"
}

# disowns REASON AUTHORITY PURPOSE CERTIFICATE: openssl too finds the rogue one wrong, and why.
disowns() {
    local reason=$1 said
    shift
    said=$(verifies "$@" 2>&1) && { echo "openssl verified it: $said"; return 1; }
    holds 'openssl verify' "$said" "$reason"
}

speaks_http() {
    local said
    said=$(token "${client[@]}") || { echo "$said"; return 1; }
    said=$(curl -sS --max-time 20 --cacert "$S/ca/server-ca.pem" --cert "${client[0]}" --key "${client[1]}" "--http$1" \
        -H 'x-correlation-id: tls' -H 'content-type: application/json' -o /dev/null -w '%{http_version} %{http_code}' \
        -d '{}' "$API/authz/v1/oauth2/token")
    same "curl --http$1, version and status" "$2 400" "$said"
}

check 'TLS 1.2 with the gateway certificate' speaks -tls1_2 TLSv1.2
check 'TLS 1.3 with the gateway certificate' speaks -tls1_3 TLSv1.3
check 'TLS 1.1 is refused' refuses_old
check 'HTTP/1.1 by curl' speaks_http 1.1 1.1
check 'HTTP/2 by curl' speaks_http 2 2
check 'the gateway certificate onboards a merchant' onboards "${client[@]}"

for version in tls1_2 tls1_3; do
    check "no client certificate is refused in the handshake ($version)" \
        refuses_handshake 116 'client certificate' "-$version"
    while read -r name alert reason; do
        check "$name is refused in the handshake ($version)" \
            refuses_handshake "$alert" "$reason" "-$version" -cert "$S/rogue/$name.pem" -key "$S/rogue/$name.key"
    done <<'LIST'
expired 45 certificate dates
not-yet-valid 45 certificate dates
unknown-ca 48 certificate authority
server-usage 43 certificate usage
no-usage 43 certificate usage
LIST
done
check 'curl without a certificate gets no answer' curl_fails
for name in expired not-yet-valid unknown-ca server-usage no-usage; do
    check "curl with $name gets no answer" curl_fails --cert "$S/rogue/$name.pem" --key "$S/rogue/$name.key"
done

bearer=$(token "${client[@]}" | member access_token)
while read -r name reason; do
    check "$name gets 403 from the token endpoint" refuses_certificate "$name" "$reason"
    check "$name gets 403 from createMerchant" refuses_on_operation "$name"
done <<'LIST'
wrong-cn certificate CN
other-env certificate environment
rsa2048 certificate key
p384 certificate key
LIST

other=("$S/rogue/other-gateway.pem" "$S/rogue/other-gateway.key")
other_bearer=$(token "${other[@]}" MGW_000002 | member access_token)

# answers STATUS PART COMMAND...
answers() {
    local status=$1 part=$2 said
    shift 2
    said=$("$@")
    same 'status' "$status" "${said##*$'\n'}" || { echo "$said"; return 1; }
    holds 'the answer' "$said" "$part"
}

check 'other-gateway is at home on its own path' onboards "${other[@]}" MGW_000002
check 'other-gateway with its own bearer gets 403 on our path' \
    answers 403 '"errorCode":"FORBIDDEN"' create_merchant "${other[@]}" "$other_bearer" MGW_000001
check 'other-gateway with our assertion gets 400 naming it' \
    answers 400 '{"errorCode":"INVALID_FIELD","error":"assertion"}' token "${other[@]}" MGW_000002 MGW_000001
check 'other-gateway with our bearer gets 401' \
    answers 401 '{"error":"AUTHORIZER_UNAUTHORIZED"}' create_merchant "${other[@]}" "$bearer" MGW_000002

check 'gateway/client.pem verifies' verifies thales-ca sslclient gateway/client.pem
check 'rogue/other-gateway.pem verifies' verifies thales-ca sslclient rogue/other-gateway.pem
check 'd1/server.pem verifies for localhost' verifies server-ca sslserver d1/server.pem -verify_hostname localhost
check 'd1/server.pem verifies for ::1' verifies server-ca sslserver d1/server.pem -verify_ip ::1
check 'd1/client.pem verifies' verifies thales-client-ca sslclient d1/client.pem
check 'receiver/server.pem verifies for 127.0.0.1' verifies receiver-ca sslserver receiver/server.pem -verify_ip 127.0.0.1
check 'openssl too finds expired expired' disowns 'certificate has expired' thales-ca sslclient rogue/expired.pem
check 'openssl too finds not-yet-valid early' disowns 'not yet valid' thales-ca sslclient rogue/not-yet-valid.pem
check 'openssl too finds no way to unknown-ca' disowns 'unable to get local issuer' thales-ca sslclient rogue/unknown-ca.pem
check 'openssl too finds server-usage unfit' disowns 'unsuitable certificate purpose' thales-ca sslclient rogue/server-usage.pem

# The same of a folder with an RSA key, a second gateway and a name of its own.
S=$work/rsa
check 'init makes an RSA 4096 folder with two gateways and a name' \
    "$D1SIM" init "$S" --key rsa --gateway MGW_000001 --gateway MGW_000007 --san d1sim
check 'its gateway/client.pem verifies' verifies thales-ca sslclient gateway/client.pem
check 'its second gateway verifies' verifies thales-ca sslclient gateways/MGW_000007/client.pem
check 'its d1/server.pem verifies for the name' verifies server-ca sslserver d1/server.pem -verify_hostname d1sim

end
