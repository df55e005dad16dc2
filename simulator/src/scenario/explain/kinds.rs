//! Every kind of step with an example. The tests read the examples.

/// The name of each kind of step, what it does, and an example.
pub(crate) const fn step_kinds() -> &'static [(&'static str, &'static str, &'static str)] {
    &KINDS
}

const KINDS: [(&str, &str, &str); 13] = [
    (
        "call",
        "Our client calls D1. `gives` says what must come of it: ok (if it is left out), refused, noAnswer, unreadable or \
         notSent; `ambiguous`, `attempts` and `answer` may ask for more. The clock moves as far as the call's own pauses need.",
        "- call: {createToken: {merchant: books, card: visa, as: subscription}}\n\
         - call:\n\
         \x20   createTransaction: {token: subscription, transactionType: RECURRING}\n\
         \x20   gives: {refused: {status: 403, errorCode: FORBIDDEN_STATE}}\n\
         \x20   attempts: 1",
    ),
    (
        "issuer",
        "The issuer or the token service acts: token.suspend, token.resume, token.delete, token.extend on a `token`; \
         card.renew, card.replace, card.delete on a `card`, and so on all its tokens. D1 tells the gateway. `gives: forbidden`: the \
         state must forbid it, and nothing changes.",
        "- issuer: {event: token.suspend, token: subscription}\n- issuer: {event: card.renew, card: visa, expiry: \"1242\"}",
    ),
    (
        "fault",
        "Something goes wrong from here on, until it is lifted, or as often (`times`) or as long (`for`) as it says: one \
         effect, with the members of a body of POST /faults.",
        "- fault: {name: storm, on: [createToken], times: 3, answer: {status: 503, retryAfter: 30s}}",
    ),
    ("lift", "The fault of this name ends.", "- lift: storm"),
    (
        "forge",
        "Somebody who is not D1, or a D1 that went wrong, notifies the receiver: wrongCertificate, wrongKey, \
         tampered, oldSequence, unknownType, unknownMembers. `answered`: taken, refused (a 4xx; wrongCertificate also by an end of \
         the connection), or a status.",
        "- forge: {token: subscription, as: wrongCertificate, answered: refused}",
    ),
    (
        "receiver",
        "Our own receiver goes down, comes up, or answers a status and keeps nothing until it is up again.",
        "- receiver: down\n- receiver: {gateway: shop, answers: 503}\n- receiver: up",
    ),
    (
        "certificate",
        "Our client gets a new certificate, which runs out on the sandbox clock.",
        "- certificate: {lifetime: 10d}",
    ),
    (
        "skew",
        "The clock of our client goes ahead of D1's or behind; 0s makes it right.",
        "- skew: {ahead: 20m}\n- skew: {ahead: 0s}",
    ),
    (
        "advance",
        "The sandbox clock moves: by a time, to an instant, or until something. What falls due on the way happens, in order. \
         `until: quiet` lets happen what is due by now, and no time pass.",
        "- advance: 90d\n- advance: {to: 2026-12-24T18:00:00Z}\n- advance: {until: quiet}",
    ),
    (
        "wait",
        "For what somebody outside does, in real time: until all is quiet, or until the n-th call or notification came. \
         What a createToken or createMerchant made can be given a name.",
        "- wait: {call: {operation: createToken, merchant: books, nth: 2, answered: 201}, as: second, within: 10s}\n\
         - wait: quiet",
    ),
    (
        "expect",
        "What must be so by now: `calls` that D1 got, `notifications` that it sent, `tokens` on D1's side, `receiver` on \
         yours, as notifications have told it (`sameAsD1`: all that D1 has), calls `inOrder`, and what must `never` happen within a time.",
        "- expect:\n\
         \x20   calls: {operation: createTransaction, count: 2}\n\
         \x20   notifications: {token: subscription, event: TOKEN_SUSPENDED, count: 1, outcome: delivered}\n\
         \x20   tokens: {subscription: SUSPENDED}\n\
         \x20   receiver: {subscription: SUSPENDED}\n\
         \x20   never: {notification: {token: subscription}, within: 10m}",
    ),
    (
        "repeat",
        "Steps, so many times; `as` names the number of the round.",
        "- repeat:\n\
         \x20   times: 3\n\
         \x20   as: i\n\
         \x20   steps:\n\
         \x20     - call: {createToken: {merchant: books, card: visa, as: \"token-${i}\"}}",
    ),
    ("note", "A remark for the transcript.", "- note: From here on the receiver is back."),
];
