//! What our client's calls must come to: whether they can.

use super::Checker;
use crate::scenario::finding::{Place, nearest};
use crate::scenario::members::Named;
use crate::scenario::scalar::Scalar;
use crate::scenario::step::{Call, Gives};
use crate::scenario::words::{ERROR_CODES, Operation, STATES, TokenState};

/// The status beside which the contract has each code (C9-C15).
const STATUSES: [(&str, u32); 12] = [
    ("INVALID_FIELD", 400),
    ("MISSING_FIELD", 400),
    ("FORBIDDEN", 403),
    ("FORBIDDEN_STATE", 403),
    ("TOKENIZATION_DECLINED", 403),
    ("RESOURCE_NOT_FOUND", 404),
    ("METHOD_NOT_ALLOWED", 405),
    ("PAYLOAD_TOO_LARGE", 413),
    ("UNSUPPORTED_MEDIA_TYPE", 415),
    ("TOO_MANY_REQUESTS", 429),
    ("INTERNAL_ERROR", 500),
    ("SERVICE_UNAVAILABLE", 503),
];

impl Checker<'_> {
    pub(super) fn outcome(&mut self, call: &Call, operation: Operation, place: &Place, members: &[&str]) {
        if call.gives == Gives::Ok && call.ambiguous == Some(true) {
            self.findings.sense(
                place,
                "what came out well is not ambiguous; expected another `gives`, or no `ambiguous`",
            );
        }
        if call.gives != Gives::Ok && !call.answer.is_empty() {
            self.findings
                .sense(place, "`answer` is what D1 gives when all is well; expected `gives: ok` beside it");
        }
        for (member, value) in &call.answer {
            self.answered(member, value, place, members);
        }
        self.code(call, place);
        self.attempts(call, operation, place);
    }

    fn answered(&mut self, member: &str, value: &Scalar, place: &Place, members: &[&str]) {
        if !members.contains(&member) {
            let near = nearest(member, members.iter().copied());
            let known = if members.is_empty() {
                "it has none; expected no `answer`".to_owned()
            } else {
                format!("expected one of {}{near}", members.join(", "))
            };
            let reason = format!("`answer`: no member of this answer is called `{member}`; {known}");
            self.findings.sense(place, reason);
        } else if matches!(value, Scalar::Whole(_) | Scalar::Truth(_)) {
            let reason =
                format!("`answer`: `{member}` is text; expected it in quotes, found {}", value.told());
            self.findings.sense(place, reason);
        } else if let Scalar::Text(text) = value
            && member == "state"
            && !STATES.iter().any(|(state, _)| state == text)
        {
            let known = STATES.map(|(state, _)| state);
            let near = nearest(text, known);
            let reason =
                format!("`answer`: unknown state `{text}`; expected one of {}{near}", known.join(", "));
            self.findings.sense(place, reason);
        }
    }

    fn code(&mut self, call: &Call, place: &Place) {
        let Gives::Refused { status, error_code: Some(code) } = &call.gives else { return };
        if self.world.codes.contains(code) || self.world.unsure {
            return;
        }
        if !ERROR_CODES.contains(&code.as_str()) {
            let near = nearest(code, ERROR_CODES);
            self.findings.sense(
                place,
                format!("neither the contract nor a fault of this scenario answers `{code}`{near}"),
            );
        }
        let usual = STATUSES.iter().find(|(known, _)| known == code);
        if let (Some((_, usual)), Some(found)) = (usual, status)
            && usual != found
        {
            let reason = format!("D1 answers {code} with {usual}; expected `status: {usual}`, found {found}");
            self.findings.sense(place, reason);
        }
    }

    /// Without trouble a call is sent once.
    fn attempts(&mut self, call: &Call, operation: Operation, place: &Place) {
        let Some(attempts) = call.attempts else { return };
        if attempts == 0 && call.gives != Gives::NotSent {
            let reason =
                "what is sent has one attempt at least; expected `attempts: 1` or more, or `gives: notSent`";
            self.findings.sense(place, reason);
        }
        // Test cards may bring createToken into trouble.
        if attempts > 1 && self.is_calm() && operation != Operation::CreateToken {
            let reason = "nothing so far makes the client send this more than once; expected `attempts: 1`, or a `fault` before";
            self.findings.sense(place, reason);
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.world.calm() && !self.scenario.stage.hostile
    }

    /// What getToken must tell, against what is known.
    pub(super) fn state_answered(&mut self, token: &Named, call: &Call, place: &Place) {
        let told = call.answer.iter().find(|(member, _)| member == "state");
        let (Some((_, Scalar::Text(wanted))), Some(state)) = (told, self.world.state_of(&token.name)) else {
            return;
        };
        if STATES.iter().any(|(known, _)| known == wanted) && wanted != state.as_str() {
            let reason =
                format!("`answer`: `{}` is {} by then, and cannot be {wanted}", token.name, state.as_str());
            self.findings.sense(place, reason);
        }
    }

    /// A call for a token, whose state allows it or not.
    pub(super) fn use_token(&mut self, token: &Named, call: &Call, place: &Place, pays: bool) {
        if !self.token(token) || self.world.troubled() {
            return;
        }
        let Some(state) = self.world.state_of(&token.name) else { return };
        let wanted = match state {
            TokenState::Deleted => Some((404, "RESOURCE_NOT_FOUND")),
            TokenState::Suspended if pays => Some((403, "FORBIDDEN_STATE")),
            _ => None,
        };
        let is = format!("`{}` is {} by then", token.name, state.as_str());
        let reason = match (&call.gives, wanted) {
            (Gives::Ok, Some((status, code))) => format!(
                "{is}, so that this cannot come out well; expected `gives: {{refused: {{status: {status}, errorCode: {code}}}}}`"
            ),
            (Gives::Refused { error_code: Some(code), .. }, _)
                if ["FORBIDDEN_STATE", "RESOURCE_NOT_FOUND"].contains(&code.as_str())
                    && wanted.is_none_or(|(_, wanted)| wanted != code) =>
            {
                format!("{is}, so that D1 has no reason for {code}")
            }
            (Gives::Refused { status: Some(found), error_code: None }, Some((status, code)))
                if *found != status && !self.scenario.stage.hostile =>
            {
                format!(
                    "{is}, so that D1 refuses with {status} {code}; expected `status: {status}`, found {found}"
                )
            }
            (Gives::Refused { .. } | Gives::NoAnswer | Gives::Unreadable | Gives::NotSent, None)
                if self.is_calm() =>
            {
                format!(
                    "{is}, and nothing so far makes this call fail; expected `gives: ok`, or a step before that brings it about"
                )
            }
            _ => return,
        };
        self.findings.sense(place, reason);
    }
}
