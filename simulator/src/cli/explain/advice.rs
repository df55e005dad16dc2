//! What each check of the sandbox goes back to, and what to do about it.

/// One check, as the journal names it in `refused`.
pub(super) struct Advice {
    pub(super) check: &'static str,
    /// Sources of what is documented (D), known of sibling products (S) or inferred (I), and our choices (C).
    pub(super) sources: &'static [&'static str],
    pub(super) next: &'static str,
}

const fn row(check: &'static str, sources: &'static [&'static str], next: &'static str) -> Advice {
    Advice { check, sources, next }
}

/// The advice for a check.
pub(super) fn of(check: &str) -> Option<&'static Advice> {
    ALL.iter().find(|advice| advice.check == check)
}

pub(super) const ALL: [Advice; 53] = [
    // The connection.
    row(
        "handshake",
        &["D7"],
        "Speak TLS on the API's address, and end the handshake within 10 s: `openssl s_client` shows how far it gets.",
    ),
    row("TLS version and suites", &["D7"], "Let your TLS library offer 1.2 or 1.3 with its usual suites."),
    row(
        "TLS record",
        &["D7"],
        "Call the API's port with https, not http; the admin port is the one without TLS.",
    ),
    row(
        "room for connections",
        &["C"],
        "Close connections that you do not use, or raise the limit in sandbox.yaml.",
    ),
    row(
        "the caller's view of D1's certificate",
        &["D7"],
        "Trust ca/server-ca.pem of the sandbox folder in your client, and call the name or address that the certificate is for.",
    ),
    row(
        "client certificate",
        &["D7"],
        "Show a client certificate with its key: gateway/client.pem and gateway/client.key of the sandbox folder.",
    ),
    row(
        "certificate authority",
        &["D7"],
        "Have the certificate signed by the sandbox's authority: `d1sim pki sign` takes your CSR.",
    ),
    row(
        "certificate dates",
        &["C2"],
        "Take a certificate that is valid now by the system's clock; `d1sim pki sign` makes a new one.",
    ),
    row(
        "certificate usage",
        &["C2"],
        "Take a certificate whose extended key usage is clientAuth, not one of a server.",
    ),
    // Who it is.
    row(
        "certificate",
        &["D7"],
        "Show an X.509 certificate that can be read; `openssl x509 -text` should print it.",
    ),
    row(
        "certificate CN",
        &["D7", "I", "C2"],
        "Ask for a certificate whose subject has one CN of the form TLSMA-ECDSA/GATEWAY/ENV or TLSMA-RSA/GATEWAY/ENV.",
    ),
    row(
        "certificate environment",
        &["S2", "C2"],
        "Take the certificate of this sandbox's environment (PPR or PRD; `d1sim init --env` picks it).",
    ),
    row(
        "certificate gateway",
        &["D7", "C36"],
        "Take a certificate of a gateway that this sandbox knows: GET /info on the admin port names them.",
    ),
    row(
        "certificate key",
        &["D7", "C3"],
        "Make the CSR with an RSA key of 4096 bits or an ECDSA key on P-256.",
    ),
    row("certificate hash", &["D7", "C3"], "Have the certificate signed with SHA-256."),
    // The route.
    row(
        "path",
        &["C32"],
        "Take the path of the contract: basePath of sandbox.yaml, then /merchant-gateways/...; or /authz/v1/oauth2/token.",
    ),
    row("method", &["C32"], "Use the method of the contract for this path."),
    row(
        "x-correlation-id",
        &["D1", "C7"],
        "Send x-correlation-id once with every call: 1 to 64 of A-Z, a-z, 0-9, _ and -.",
    ),
    // The assertion.
    row(
        "assertion form",
        &["D1"],
        "Send the JWT as three base64url parts; `d1sim jose assert` prints a good one to compare with.",
    ),
    row("assertion header alg", &["D1", "D8"], "Sign with ES256; no other algorithm is taken."),
    row("assertion header crit", &["C6"], "Leave crit out of the JWT's header."),
    row(
        "assertion header kid",
        &["S1", "C4"],
        "Name in kid the key that was onboarded for this gateway; gateway/assertion.jwk has it.",
    ),
    row(
        "assertion signature",
        &["D1", "C6"],
        "Sign with the private key of the kid, and send r and s as 64 bytes, not as DER.",
    ),
    row(
        "assertion claim iss",
        &["D1", "C6"],
        "Set iss to the merchantGatewayId that your certificate names.",
    ),
    row("assertion claim sub", &["S1", "C5"], "Set sub to the same value as iss, or leave it out."),
    row(
        "assertion claim exp",
        &["D1", "C5"],
        "Set exp to seconds since 1970 (UTC), at most 15 minutes ahead; check your clock, and authClock if the sandbox's is manual.",
    ),
    row(
        "assertion claim iat",
        &["S1", "C5"],
        "Set iat to now in seconds; check that your clock is not ahead.",
    ),
    row("assertion claim nbf", &["C5"], "Set nbf to now or earlier, or leave it out."),
    row(
        "assertion claim jti",
        &["C5"],
        "Make a new assertion with a new jti for each access token, or switch the refusal of replays off in sandbox.yaml.",
    ),
    // The call.
    row(
        "bearer",
        &["D8", "C8", "C10"],
        "Ask for an access token and send it as `Authorization: Bearer ...` for 15 minutes; after a 401 ask for a new one, once.",
    ),
    row("gateway in the path", &["C11"], "Put the merchantGatewayId of your own certificate into the path."),
    row(
        "request body",
        &["D10", "C15"],
        "Send UTF-8 JSON with just the members of the contract: an unknown, missing or wrong one is refused by its name.",
    ),
    row("JWE length", &["S14", "C28"], "Send encryptedData of at most 8196 characters."),
    row("JWE form", &["D9"], "Send the JWE in compact serialization: five base64url parts without padding."),
    row("JWE header", &["D9"], "Let the JWE's first part be a JSON object in base64url."),
    row("JWE header alg", &["D9"], "Seal with alg ECDH-ES, which agrees on the key itself and wraps none."),
    row("JWE header enc", &["D9"], "Seal with enc A256GCM."),
    row("JWE header kid", &["D9"], "Name in kid D1's key: that of d1/jwe.jwk in the sandbox folder."),
    row(
        "JWE header epk",
        &["I", "C28"],
        "Put an ephemeral public key on P-256 into epk, with x and y of 32 bytes each.",
    ),
    row(
        "JWE header members",
        &["C28"],
        "Leave everything but alg, enc, kid and epk out of the JWE's header.",
    ),
    row(
        "JWE encrypted key",
        &["D9", "I"],
        "Leave the JWE's second part empty: with ECDH-ES there is no key in it.",
    ),
    row("JWE IV", &["D9"], "Draw an IV of 12 bytes, as A256GCM wants it."),
    row("JWE tag", &["D9"], "Send the whole tag of 16 bytes as the last part."),
    row("JWE plaintext", &["C28"], "Seal {\"pan\", \"exp\"} and nothing more."),
    row(
        "JWE decryption",
        &["D9", "C28"],
        "Seal toward d1/jwe.jwk with the header as it is sent; `d1sim jose seal` prints a good JWE to compare with.",
    ),
    row(
        "card in the JWE",
        &["D9", "C29"],
        "Seal {\"pan\": 12 to 19 digits with a good check digit, \"exp\": \"MMYY\"}; `d1sim cards` prints good ones.",
    ),
    row(
        "card expiry date (MMYY)",
        &["C29"],
        "Send a card that has not expired on the sandbox's clock; GET /info tells its time.",
    ),
    // What is there.
    row(
        "merchant in the path",
        &["C12"],
        "Create the merchant first; a restart and POST /reset forget it. GET /state lists those that are there.",
    ),
    row(
        "token in the path",
        &["C12"],
        "Name a token of this merchant that is not deleted; GET /state lists those that are there.",
    ),
    row(
        "token state",
        &["C11", "C21"],
        "Wait until the token is resumed, or resume it: POST /events token.resume on the admin port.",
    ),
    row(
        "issuer",
        &["C11", "C13", "C30"],
        "The test card decides this; `d1sim cards` prints one that is approved.",
    ),
    row(
        "room in the sandbox",
        &["C13"],
        "Empty it with POST /reset on the admin port, or make fewer calls at once.",
    ),
    row("randomness", &["C14"], "The system gave no randomness: start the sandbox anew."),
];
