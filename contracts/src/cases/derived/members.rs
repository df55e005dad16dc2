//! What can become of the members of a good answer, and of those of its plaintext.

use serde_json::{Map, Value, json};

use super::values::{Breach, breaches, edges, forms};
use super::{About, Good, UNDECIDED, Variant, essential_of};
use crate::cases::Turn;
use crate::described::Described;

/// What head, IV and tag of a JWE take of its length, well counted.
const AROUND_PLAINTEXT: usize = 512;

const EDGE: &str = "The documents allow this value. A client that is built around the usual ones fails on the day on which it comes.";
const NUMBER: &str = "JSON has one kind of number: 900, 900.0 and 9e2 are the same, and a serializer changes its habits without notice.";
const ORDER: &str =
    "The members of an object have no order; a client that reads them by their place takes one for another.";

/// How much depends on a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The call was made for it.
    Vital,
    /// It can be argued either way.
    Debatable,
    /// Nothing that a call is made for.
    None,
}

/// A member of an answer, and where it stands.
struct Spot<'a> {
    described: &'a Described,
    /// It stands in the plaintext.
    inside: bool,
    need: Need,
    /// Its name in rules.
    label: String,
    good: Value,
}

impl About<'_> {
    /// The good answer, changed.
    pub(super) fn of_success(&self) -> Vec<Variant> {
        // An answer without a body has nothing to change.
        let Some(good) = Good::of(self.good) else { return Vec::new() };
        let mut variants =
            vec![self.unknown_member(&good), self.reordered("reordered".to_owned(), good.body(), &good)];
        if let Some((name, plaintext)) = &good.sealed {
            let rule = format!("reordered.{name}");
            let mut body = good.body();
            body[name] = json!({"$sealed": in_other_order(plaintext)});
            variants.push(Variant {
                turn: self.turn(self.good.status, body),
                ..self.reordered(rule, Value::Null, &good)
            });
            variants.push(self.unknown_sealed_member(name, &good));
        }
        for spot in self.spots(&good) {
            variants.extend(self.missing(&good, &spot));
            if spot.described.sealed.is_empty() {
                variants.extend(self.other_values(&good, &spot));
            } else {
                variants.extend(self.other_jwes(&good, &spot));
            }
        }
        variants
    }

    /// The members that the document names and the good answer has.
    fn spots<'m>(&'m self, good: &Good) -> Vec<Spot<'m>> {
        let mut spots = Vec::new();
        for described in &self.members {
            let name = described.name.as_str();
            let need = match essential_of(self.operation) {
                Some(essential) if essential == name => Need::Vital,
                _ if UNDECIDED.contains(&(self.operation, name)) => Need::Debatable,
                _ => Need::None,
            };
            let shown = good.sealed.as_ref().filter(|(sealed, _)| sealed == name);
            let value = shown.map(|_| Value::Null).or_else(|| good.members.get(name).cloned());
            let Some(value) = value else { continue };
            let label = name.to_owned();
            spots.push(Spot { described, inside: false, need, label, good: value });
            for inner in shown.into_iter().flat_map(|_| &described.sealed) {
                let plaintext = good.sealed.as_ref().map(|(_, plaintext)| plaintext);
                let Some(value) = plaintext.and_then(|plaintext| plaintext.get(&inner.name)) else {
                    continue;
                };
                let need = if inner.required { need } else { Need::None };
                let label = format!("{name}.{}", inner.name);
                spots.push(Spot { described: inner, inside: true, need, label, good: value.clone() });
            }
        }
        spots
    }

    fn unknown_member(&self, good: &Good) -> Variant {
        let mut more = good.clone();
        more.members.insert("addedLater".to_owned(), added());
        Variant {
            why:
                "D1 adds members without notice; a client that refuses them stops on the day of D1's release."
                    .to_owned(),
            ..self.tolerated("unknown-member".to_owned(), &more)
        }
    }

    fn unknown_sealed_member(&self, name: &str, good: &Good) -> Variant {
        let mut more = good.clone();
        more.sealed
            .iter_mut()
            .for_each(|(_, plaintext)| drop(plaintext.insert("addedLater".to_owned(), added())));
        Variant {
            why:
                "What is sealed may grow like any other object; a client that refuses it cannot pay any more."
                    .to_owned(),
            ..self.tolerated(format!("unknown-member.{name}"), &more)
        }
    }

    /// `body` in the other order.
    fn reordered(&self, rule: String, body: Value, good: &Good) -> Variant {
        let body = body.as_object().map(in_other_order).unwrap_or_default();
        let turn = self.turn(self.good.status, body);
        Variant { why: ORDER.to_owned(), turn, judged: true, ..self.tolerated(rule, good) }
    }

    /// Without the member, and with nothing in it.
    fn missing(&self, good: &Good, spot: &Spot<'_>) -> Vec<Variant> {
        let rules = [("absent", None), ("null", Some(Value::Null))];
        rules.map(|(rule, value)| self.shown(rule, &spot.with(good, value), spot, Breach::Kind)).into()
    }

    fn other_values(&self, good: &Good, spot: &Spot<'_>) -> Vec<Variant> {
        let schema = &spot.described.keywords;
        let mut variants = Vec::new();
        for (rule, value) in edges(schema, &spot.good) {
            let (lowest_number, rule) = (rule == "lowest" && value.is_number(), spot.rule(&rule));
            let shown = spot.with(good, Some(value));
            // The least life of an access token is over before it begins.
            let variant =
                if lowest_number { self.either(rule, &shown) } else { self.tolerated(rule, &shown) };
            variants.push(Variant { why: EDGE.to_owned(), judged: true, ..variant });
        }
        for (rule, literal) in forms(schema, &spot.good) {
            let shown = spot.with(good, Some(json!({"$literal": literal})));
            let variant = self.tolerated(spot.rule(rule), &shown);
            variants.push(Variant { why: NUMBER.to_owned(), judged: true, ..variant });
        }
        for (rule, value, breach) in breaches(schema, &spot.good) {
            variants.push(self.shown(rule, &spot.with(good, Some(value)), spot, breach));
        }
        if schema.contains_key("enum") {
            let new: Value = "HIBERNATING".into();
            let mut variant = self.tolerated(spot.rule("unknown-value"), &spot.with(good, Some(new.clone())));
            variant.expect.result.insert(spot.described.name.clone(), new);
            variants.push(variant);
        }
        variants
    }

    /// What can come in place of the JWE.
    fn other_jwes(&self, good: &Good, spot: &Spot<'_>) -> Vec<Variant> {
        let mut variants = Vec::new();
        for (rule, value, _) in breaches(&spot.described.keywords, &spot.good) {
            variants.push(self.shown(rule, &spot.with(good, Some(value)), spot, Breach::Kind));
        }
        let Some(most) = spot.described.keywords.get("maxLength").and_then(Value::as_u64) else {
            return variants;
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Three bytes are four characters.
        let fits = most.saturating_sub(AROUND_PLAINTEXT) / 4 * 3;
        let padded = |length: usize| {
            let (_, plaintext) = good.sealed.as_ref()?;
            let text = Value::Object(plaintext.clone()).to_string();
            let literal = format!("{text}{}", " ".repeat(length.saturating_sub(text.len())));
            let mut body = good.body();
            body[&spot.described.name] = json!({"$sealed": {"$literal": literal}});
            Some(self.turn(self.good.status, body))
        };
        variants.extend(padded(fits).map(|turn| Variant {
            why: EDGE.to_owned(),
            turn,
            judged: true,
            ..self.tolerated(spot.rule("highest"), good)
        }));
        variants.extend(padded(most).map(|turn| Variant {
            turn: Turn { always: true, ..turn },
            ..self.either(spot.rule("too-long"), good)
        }));
        variants
    }

    /// A good answer of which one member was broken, and what may be made of it.
    fn shown(&self, rule: &str, shown: &Good, spot: &Spot<'_>, breach: Breach) -> Variant {
        let rule = spot.rule(rule);
        match (spot.need, breach) {
            (Need::Vital, Breach::Kind) => self.unusable(rule, shown.body()),
            (Need::Vital, Breach::Form) | (Need::Debatable, Breach::Kind) | (_, Breach::Number) => {
                self.either(rule, shown)
            }
            (Need::None, _) | (Need::Debatable, Breach::Form) => self.tolerated(rule, shown),
        }
    }
}

impl Spot<'_> {
    fn rule(&self, rule: &str) -> String {
        format!("{rule}.{}", self.label)
    }

    /// The good answer with another value in this place, or with none.
    fn with(&self, good: &Good, value: Option<Value>) -> Good {
        let mut changed = good.clone();
        let name = &self.described.name;
        // The JWE as a whole is not sealed any more.
        drop(changed.sealed.take_if(|(sealed, _)| !self.inside && sealed == name));
        let members = match &mut changed.sealed {
            Some((_, plaintext)) if self.inside => plaintext,
            _ => &mut changed.members,
        };
        match value {
            Some(value) => drop(members.insert(name.clone(), value)),
            None => drop(members.remove(name)),
        }
        changed
    }
}

fn added() -> Value {
    json!({"deep": [1.5, null, {"more": "é"}]})
}

pub(super) fn in_other_order(members: &Map<String, Value>) -> Value {
    let pairs: Vec<Value> = members.iter().rev().map(|(name, value)| json!([name, value])).collect();
    json!({"$members": pairs})
}
