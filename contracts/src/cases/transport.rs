//! Cases of what carries the answers: each fault of a catalogue, for each class of operations that it can befall.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::derived::essential_of;
use super::load::FAULTS;
use super::sense::{check_fault, check_name, check_patience, check_pause, check_status, check_words};
use super::{
    Case, CaseError, Count, Ending, Expectation, Fault, GoodAnswers, Outcome, Retryable, Turn, whole_number,
};
use crate::yaml::{parse, text_of};

/// How often an operation that may be repeated is sent: a client may repeat it, and need not.
const SOME: Count = Count::Between { min: 1, max: 10 };

/// The catalogue of faults.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct TransportFaults(Vec<Spanned<Entry>>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    why: String,
    source: Vec<String>,
    /// Without any, all.
    #[serde(default)]
    classes: Vec<Class>,
    /// What is answered where it is not the good answer.
    answer: Option<Answer>,
    fault: Fault,
    /// Given to the first attempt alone.
    #[serde(default)]
    once: bool,
    attempt_timeout_ms: Option<u64>,
    #[serde(default, deserialize_with = "whole_number")]
    waits_at_least_ms: u64,
    ends: Ends,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(deserialize_with = "whole_number")]
    status: u16,
    body: Value,
}

/// What may be concluded and repeated differs by these (contract C34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    /// The token endpoint.
    Token,
    /// What changes nothing.
    Read,
    /// What changes something, and may be repeated.
    Repeat,
    /// What must not be done twice.
    Create,
}

/// How a call ends that meets the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ends {
    /// Without an answer, and it is certain that nothing was done: no byte of the request had gone out.
    NothingSent,
    /// Without an answer, and the client may know that D1 read nothing, or not.
    PerhapsSent,
    /// Without an answer, but with D1's word that it has not begun with the request.
    NotBegun,
    /// Without an answer that can be trusted: whether it was done is unknown.
    InDoubt,
    /// With an answer that says "done" and nothing that could be used.
    Unreadable,
    /// As if there were no fault.
    Ok,
    /// As if there were no fault, or in doubt.
    OkOrInDoubt,
    /// As if there were no fault, or with an answer that cannot be used.
    OkOrUnreadable,
    /// As if there were no fault, after another attempt.
    Repeated,
    /// D1 wants a pause that is longer than a call may take.
    PutOff,
    /// With the status as it is: a redirection is not followed.
    NotFollowed,
}

impl Class {
    const ALL: [Self; 4] = [Self::Token, Self::Read, Self::Repeat, Self::Create];

    /// The operation that stands for the class.
    const fn operation(self) -> &'static str {
        match self {
            Self::Token => "getAccessToken",
            Self::Read => "getToken",
            Self::Repeat => "deleteToken",
            Self::Create => "createTransaction",
        }
    }
}

impl TransportFaults {
    /// The catalogue that is built in.
    ///
    /// # Errors
    /// [`CaseError`], which would be a fault of this package.
    pub fn built_in() -> Result<Self, CaseError> {
        Self::read(include_str!("../../cases/transport.yaml"))
    }

    /// That of a folder of cases; nothing if it has no `transport.yaml`.
    ///
    /// # Errors
    /// [`CaseError`] names the file and what is wrong in it.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>, CaseError> {
        let path = folder.join(FAULTS);
        if !path.exists() {
            return Ok(None);
        }
        Self::read(&text_of(&path, FAULTS)?).map(Some)
    }

    fn read(text: &str) -> Result<Self, CaseError> {
        let faults: Self = parse(text, FAULTS)?;
        let mut names = BTreeMap::new();
        for one in &faults.0 {
            let (entry, line) = (&one.value, one.referenced.line());
            let twice = names.insert(entry.name.as_str(), line);
            let twice = twice.map(|line| format!("its name stands on line {line} already; give it another"));
            if let Some(reason) = entry.check().err().or(twice) {
                return Err(CaseError::Meaning {
                    file: FAULTS.to_owned(),
                    line,
                    id: entry.name.clone(),
                    reason,
                });
            }
        }
        Ok(faults)
    }
}

/// The cases of the faults, in the order of their ids. `good` holds the answers that meet them.
#[must_use]
pub fn transport_cases(faults: &TransportFaults, good: &GoodAnswers) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in faults.0.iter().map(|one| &one.value) {
        let of_entry = |class: &Class| entry.classes.is_empty() || entry.classes.contains(class);
        cases.extend(Class::ALL.into_iter().filter(of_entry).filter_map(|class| entry.case(class, good)));
    }
    cases.sort_by(|one: &Case, other| one.id.cmp(&other.id));
    cases
}

impl Entry {
    /// What is wrong with it, what was expected, and what to do.
    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        check_words(&self.why, &self.source)?;
        check_patience(self.attempt_timeout_ms)?;
        check_pause(self.waits_at_least_ms)?;
        check_fault(&self.fault)?;
        // Of HTTP/2 no answer is made but one.
        let answers = self.fault.waits_for_request() && self.ends != Ends::Ok;
        if (self.ends == Ends::Repeated || self.ends == Ends::NotBegun || answers) && !self.once {
            return Err("`once`: expected it here, or no other attempt is answered; add it".to_owned());
        }
        match &self.answer {
            Some(Answer { status, .. }) => check_status(*status),
            None => Ok(()),
        }
    }

    fn case(&self, class: Class, good: &GoodAnswers) -> Option<Case> {
        let operation = class.operation();
        let mut turn =
            Turn { fault: Some(self.fault.clone()), always: !self.once, ..good.of(operation)?.clone() };
        if let Some(Answer { status, body }) = &self.answer {
            (turn.status, turn.body) = (*status, Some(body.clone()));
        }
        let (mut endings, mut attempts) = self.endings(class, &turn);
        // What was met once can be overcome by another attempt, and not without one.
        if self.once && class != Class::Create && attempts == SOME {
            endings.iter_mut().for_each(|ending| ending.attempts = Some(attempts));
            let (outcome, retryable) = (Outcome::Ok, Retryable::Never);
            endings.insert(0, Ending { outcome, retryable, ambiguous: false, attempts: None });
            attempts = Count::Exactly(2);
        }
        let first = endings.remove(0);
        let could_be_good = first.outcome == Outcome::Ok;
        Some(Case {
            id: format!("inbound/{operation}/transport/{}/generated", self.name),
            why: self.why.clone(),
            source: self.source.clone(),
            given: None,
            answers: vec![turn],
            judged: false,
            attempt_timeout_ms: self.attempt_timeout_ms,
            expect: Expectation {
                outcome: first.outcome,
                retryable: first.retryable,
                ambiguous: first.ambiguous,
                or: endings,
                attempts,
                access_tokens: (class != Class::Token).then_some(Count::Exactly(1)),
                waits_at_least_ms: self.waits_at_least_ms,
                result: if could_be_good { result_of(class, good) } else { BTreeMap::new() },
            },
        })
    }

    /// The endings that are right, and how many requests D1 reads.
    fn endings(&self, class: Class, turn: &Turn) -> (Vec<Ending>, Count) {
        let creates = class == Class::Create;
        let ending = |outcome: &Outcome, retryable, ambiguous| Ending {
            outcome: outcome.clone(),
            retryable,
            ambiguous,
            attempts: None,
        };
        let ok = || ending(&Outcome::Ok, Retryable::Never, false);
        let doubtful = |outcome: &Outcome| {
            let retryable = if creates { Retryable::Never } else { Retryable::Safe };
            ending(outcome, retryable, creates)
        };
        let known = |outcome: &Outcome| {
            [Retryable::Safe, Retryable::Never].map(|retryable| ending(outcome, retryable, false)).to_vec()
        };
        let in_doubt = || vec![doubtful(&Outcome::NoAnswer), doubtful(&Outcome::Unreadable)];
        let some = if creates { Count::Exactly(1) } else { SOME };
        // What befalls a connection is not counted as a request, though some of it was read.
        let unread = Count::Exactly(0);
        let of_connection = self.fault.is_of_connection();
        let after_one = |mut endings: Vec<Ending>| {
            endings.iter_mut().for_each(|ending| ending.attempts = Some(unread));
            endings.insert(0, ok());
            (endings, Count::Exactly(1))
        };
        let status = turn.shown_status();
        match self.ends {
            // Either another attempt is read and answered, or none is and nothing was done.
            Ends::NothingSent if self.once => after_one(known(&Outcome::NoAnswer)),
            Ends::NotBegun => after_one(vec![ending(&Outcome::NoAnswer, Retryable::Safe, false)]),
            Ends::NothingSent => (known(&Outcome::NoAnswer), unread),
            Ends::PerhapsSent => {
                let mut endings = known(&Outcome::NoAnswer);
                endings.extend(creates.then(|| doubtful(&Outcome::NoAnswer)));
                (endings, unread)
            }
            Ends::InDoubt if of_connection && creates => (in_doubt(), unread),
            Ends::InDoubt if of_connection => after_one(in_doubt()),
            Ends::InDoubt => (in_doubt(), some),
            Ends::Unreadable => (vec![doubtful(&Outcome::Unreadable)], some),
            Ends::Ok if of_connection => (vec![ok()], unread),
            Ends::Ok => (vec![ok()], Count::Exactly(1)),
            Ends::OkOrInDoubt => {
                // The call that was made with the token, which is a creation.
                let lost = ending(&Outcome::NoAnswer, Retryable::Never, true);
                // Or the client has seen in time that the connection was closed, and nothing was sent.
                let unsent = ending(&Outcome::NoAnswer, Retryable::Safe, false);
                (vec![ok(), lost, unsent], Count::Exactly(1))
            }
            Ends::OkOrUnreadable => (vec![ok(), doubtful(&Outcome::Unreadable)], some),
            Ends::Repeated => (vec![ok()], Count::Exactly(2)),
            Ends::PutOff => {
                let outcome = Outcome::Refused { status, code: turn.code() };
                (vec![ending(&outcome, Retryable::After, false)], Count::Exactly(1))
            }
            Ends::NotFollowed => {
                let outcome = Outcome::Refused { status, code: None };
                let mut endings = known(&outcome);
                endings.extend([doubtful(&outcome), doubtful(&Outcome::Unreadable)]);
                (endings, some)
            }
        }
    }
}

impl Turn {
    pub(crate) fn shown_status(&self) -> u16 {
        match &self.fault {
            Some(Fault::Instead(instead)) => instead.status.unwrap_or(self.status),
            _ => self.status,
        }
    }

    fn code(&self) -> Option<String> {
        self.body.as_ref()?.get("errorCode")?.as_str().map(str::to_owned)
    }
}

/// What a client has understood that took the good answer: of a call about the access token the merchant that was made with it.
fn result_of(class: Class, good: &GoodAnswers) -> BTreeMap<String, Value> {
    let operation = if class == Class::Token { "createMerchant" } else { class.operation() };
    let body = good.of(operation).and_then(|turn| turn.body.as_ref());
    let Some((name, value)) = essential_of(operation).and_then(|name| Some((name, body?.get(name)?))) else {
        return BTreeMap::new();
    };
    match value.get("$sealed") {
        Some(Value::Object(plaintext)) => plaintext.clone().into_iter().collect(),
        _ => BTreeMap::from([(name.to_owned(), value.clone())]),
    }
}
