#!/usr/bin/env bash
# openssl makes certificate requests, `d1sim pki sign` signs them or says what it wants, curl uses what was signed.
# shellcheck disable=SC2317 # the functions are called through `check`
# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "$0")/sandbox.sh"

planned=17

start_sandbox --api 127.0.0.1:0 --admin 127.0.0.1:0
cd "$work" || exit 1
subject='/C=FR/ST=Paris/L=Paris/O=My Company/OU=Payments/CN='

# request FILE COMMON-NAME OPENSSL-OPTION...: a key and a request. The common name's slashes are escaped for -subj.
request() {
    local file=$1 name=${2//\//\\/}
    shift 2
    openssl req -new -nodes -keyout "$file.key" -out "$file.csr" -subj "$subject$name" "$@" || return 1
    [ -s "$file.csr" ]
}

signs() {
    "$D1SIM" pki sign "$1.csr" --out "$1.pem" || return 1
    openssl verify -x509_strict -no-CApath -no-CAstore -CAfile "$S/ca/thales-ca.pem" -purpose sslclient "$1.pem"
}

# refuses FILE WANTED...: exit 64, a message that names what is wanted, and no certificate.
refuses() {
    local file=$1 said status=0
    shift
    said=$("$D1SIM" pki sign "$file.csr" --out "$file.pem" 2>&1) || status=$?
    same 'exit code' 64 "$status" || { echo "$said"; return 1; }
    [ ! -e "$file.pem" ] || { echo "a certificate was written"; return 1; }
    holds 'the message' "$said" "$file.csr" "$@"
}

# refuses_request FILE WANTED COMMON-NAME OPENSSL-OPTION...
refuses_request() {
    local file=$1 wanted=$2
    shift 2
    request "$file" "$@" >/dev/null 2>"$file.log" || { cat "$file.log"; return 1; }
    refuses "$file" "$wanted"
}

ec=TLSMA-ECDSA/MGW_000001/PPR
rsa=TLSMA-RSA/MGW_000001/PPR
p256=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)

check 'openssl makes an RSA 4096 request' request rsa4096 "$rsa" -newkey rsa:4096 -sha256
check 'openssl makes a P-256 request' request p256 "$ec" "${p256[@]}" -sha256
check 'the RSA 4096 request is signed and verifies' signs rsa4096
check 'the P-256 request is signed and verifies' signs p256
check 'the RSA 4096 certificate onboards a merchant' onboards "$work/rsa4096.pem" "$work/rsa4096.key"
check 'the P-256 certificate onboards a merchant' onboards "$work/p256.pem" "$work/p256.key"

check 'RSA 2048 is refused' refuses_request rsa2048 4096 "$rsa" -newkey rsa:2048 -sha256
check 'P-384 is refused' refuses_request p384 P-256 "$ec" -newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha256
check 'SHA-1 is refused' refuses_request sha1 SHA-256 "$ec" "${p256[@]}" -sha1
check 'SHA-384 is refused' refuses_request sha384 SHA-256 "$ec" "${p256[@]}" -sha384
check 'a common name without the prefix is refused' refuses_request plain TLSMA- MGW_000001 "${p256[@]}" -sha256
check 'the RSA prefix on an EC key is refused' refuses_request prefix ECDSA "$rsa" "${p256[@]}" -sha256
check 'another environment is refused' refuses_request env PPR TLSMA-ECDSA/MGW_000001/PRD "${p256[@]}" -sha256
check 'an unknown gateway is refused' refuses_request unknown sandbox.yaml TLSMA-ECDSA/MGW_000099/PPR "${p256[@]}" -sha256
# A request with another's subject in it: the signature over it no longer holds.
openssl req -in p256.csr -outform DER | sed 's/MGW_000001/MGW_000002/' | openssl req -inform DER -out forged.csr 2>/dev/null
check 'a request whose signature does not hold is refused' refuses forged signature
printf 'not a request\n' >garbage.csr
check 'what is no request is refused' refuses garbage PEM
touch taken.pem
keeps() {
    local said status=0
    said=$("$D1SIM" pki sign p256.csr --out taken.pem 2>&1) || status=$?
    [ "$status" -ne 0 ] && [ ! -s taken.pem ] && holds 'the message' "$said" taken.pem
}
check 'an existing file is not overwritten' keeps

end
