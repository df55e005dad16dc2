//! Generator and document are held together: what is said to be allowed is, and what breaks one keyword breaks no other.

use std::collections::BTreeMap;

use super::*;
use crate::stage::Filling;

/// A text of the form of a JWE, as long as one with this plaintext.
fn like_a_jwe(plaintext: &str) -> String {
    let (header, iv, tag) = ("a".repeat(260), "b".repeat(16), "c".repeat(22));
    format!("{header}..{iv}.{}.{tag}", "d".repeat(plaintext.len() * 4 / 3))
}

/// The faults of the first answer of each case, by its rule, and those of its plaintext.
fn faults() -> BTreeMap<String, Vec<String>> {
    let contract = crate::inbound().expect("the contract");
    let good = GoodAnswers::built_in().expect("good answers");
    let schema_of = |operation: &str| if operation == "getToken" { "NetworkToken" } else { "PaymentData" };
    let mut all = BTreeMap::new();
    for case in derived_cases(&contract, &good) {
        let turn = &case.answers[0];
        let plaintexts = std::cell::RefCell::new(Vec::new());
        let seal = |plaintext: String| {
            let jwe = like_a_jwe(&plaintext);
            plaintexts.borrow_mut().push(plaintext);
            Some(jwe)
        };
        let filling = Filling { number: 1, seal: &seal };
        let body = filling.written(turn.body.as_ref().expect("a body"));
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-correlation-id".to_owned(), "a".to_owned()),
        ];
        let judged = contract.judge_answer(case.operation(), turn.status, &headers, body.as_bytes());
        let mut faults = judged.err().unwrap_or_default();
        for plaintext in plaintexts.take() {
            let judged = contract.judge_plaintext(schema_of(case.operation()), plaintext.as_bytes());
            faults.extend(judged.err().unwrap_or_default());
        }
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(!case.judged || faults.is_empty(), "{}: {faults:?}", case.id);
        let rule = case.id.split('/').nth(3).expect("a rule");
        all.insert(format!("{} {rule}", case.operation()), faults);
    }
    all
}

#[test]
fn what_is_allowed_has_no_fault_and_what_breaks_a_keyword_has_one_in_its_place() {
    let faults = faults();
    let mut seen = BTreeMap::new();
    for (rule, found) in &faults {
        let (word, place) = rule.split_once(' ').expect("two").1.split_once('.').unwrap_or((rule, ""));
        let (breaks, allows) = (
            ["absent", "null", "wrong-type", "empty", "too-long", "too-low", "wrong-pattern", "wrong-format"],
            ["lowest", "highest", "with-fraction", "with-exponent", "reordered"],
        );
        let of_code = place == "refusal.errorCode";
        if allows.contains(&word) && !of_code {
            assert_eq!(found, &[""; 0], "{rule}");
        } else if breaks.contains(&word) && !of_code {
            let name = place.rsplit('.').next().expect("a name");
            let own = found.iter().filter(|fault| fault.contains(&format!("/{name}")));
            // A document that does not require a member allows its absence.
            let least = usize::from(word != "absent" || !rule.starts_with("getAccessToken "));
            assert!(own.count() >= least && found.len() <= 2, "{rule}: {found:?}");
            // A text without any letter breaks every form at once; what has no text is no known value either.
            let one = !["empty", "null"].contains(&word) && place != "state" && place != "encryptedData";
            assert!(!one || found.len() <= 1, "{rule}: {found:?}");
        } else {
            continue;
        }
        *seen.entry(word).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
}

#[test]
fn every_member_that_the_document_names_has_its_cases() {
    let contract = crate::inbound().expect("the contract");
    let rules = faults();
    let mut named = 0;
    for operation in contract.operations() {
        for status in [200, 201] {
            for member in of_answer(&contract, operation, status) {
                let of_plaintext =
                    member.sealed.iter().map(|inner| format!("{}.{}", member.name, inner.name));
                for name in of_plaintext.chain([member.name.clone()]) {
                    for word in ["absent", "null", "wrong-type"] {
                        let rule = format!("{} {word}.{name}", operation.id());
                        assert!(rules.contains_key(&rule), "good.yaml has no {rule}");
                    }
                    named += 1;
                }
            }
        }
    }
    assert_eq!(named, 33);
}
