//! Cards that stand for those of the journal, which knows no more of them than four digits.

use std::collections::BTreeSet;

use d1_fixtures::{Behaviour, TestCard, luhn_valid};

use super::yaml::Yaml;

/// The expiry date of a made-up card whose own is not in the journal.
const USUAL_EXPIRY: &str = "1239";

/// A card of the scenario.
struct Card {
    name: String,
    /// Of the card that it stands for.
    digits: String,
    given: Yaml,
    test: Option<Behaviour>,
}

/// The cards of the scenario, in the order in which they were needed.
pub(super) struct Cards {
    table: Vec<TestCard>,
    cards: Vec<Card>,
    /// Some card of the journal is `approve` itself, or stands for it already.
    approve_is_taken: bool,
    numbers: u32,
}

impl Cards {
    /// `seen` are the last digits of all cards of the journal.
    pub(super) fn new(table: Vec<TestCard>, seen: &BTreeSet<String>) -> Self {
        let approve = table.iter().find(|card| card.behaviour == Behaviour::Approve);
        let approve_is_taken = approve.is_none_or(|card| seen.contains(last(&card.pan)));
        Self { table, cards: Vec::new(), approve_is_taken, numbers: 0 }
    }

    /// The name of the card with these last digits: a card of the table if they are one's, else `approve`, and from the
    /// second such card on a number that nobody has.
    pub(super) fn of_digits(&mut self, digits: &str, expiry: Option<&str>) -> String {
        if let Some(card) = self.cards.iter().find(|card| card.digits == digits) {
            return card.name.clone();
        }
        let known = self.table.iter().find(|card| last(&card.pan) == digits).map(|card| card.name.clone());
        if let Some(name) = known {
            return self.test(&name);
        }
        if !std::mem::replace(&mut self.approve_is_taken, true)
            && let Some(card) = self.table.iter().find(|card| card.behaviour == Behaviour::Approve)
        {
            let (name, test) = (card.name.clone(), Some(card.behaviour));
            let given = Yaml::text(&name);
            self.cards.push(Card { name: name.clone(), digits: digits.to_owned(), given, test });
            return name;
        }
        let name = format!("card-{}", self.cards.len() + 1);
        let exp = expiry.filter(|text| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()));
        let pan = self.number(digits);
        let given =
            Yaml::members([("pan", Yaml::text(pan)), ("exp", Yaml::text(exp.unwrap_or(USUAL_EXPIRY)))]);
        self.cards.push(Card { name: name.clone(), digits: digits.to_owned(), given, test: None });
        name
    }

    /// A card of the table by its name.
    pub(super) fn test(&mut self, name: &str) -> String {
        if let Some(card) = self.cards.iter().find(|card| card.given == Yaml::text(name)) {
            return card.name.clone();
        }
        let card = self.table.iter().find(|card| card.name == name);
        let (digits, test) = card.map(|card| (last(&card.pan).to_owned(), card.behaviour)).unzip();
        let given = Yaml::text(name);
        self.cards.push(Card { name: name.to_owned(), digits: digits.unwrap_or_default(), given, test });
        name.to_owned()
    }

    /// The first card of the table that behaves so.
    pub(super) fn behaving(&mut self, fits: impl Fn(Behaviour) -> bool) -> Option<String> {
        let name = self.table.iter().find(|card| fits(card.behaviour)).map(|card| card.name.clone())?;
        Some(self.test(&name))
    }

    /// What the test card behind a name does by itself.
    pub(super) fn behaviour(&self, name: &str) -> Option<Behaviour> {
        self.cards.iter().find(|card| card.name == name)?.test
    }

    /// A number that nobody has and that ends so: what the last digits must be for D1 to show them again.
    pub(super) fn number(&mut self, digits: &str) -> String {
        let end = if digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            digits
        } else {
            "0000"
        };
        loop {
            self.numbers += 1;
            let pan = format!("9999991{:05}{end}", self.numbers);
            // One in ten, whatever it ends with.
            if luhn_valid(&pan) {
                return pan;
            }
        }
    }

    /// The stage's cards.
    pub(super) fn yaml(&self) -> Yaml {
        Yaml::Members(self.cards.iter().map(|card| (card.name.clone(), card.given.clone())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }
}

fn last(pan: &str) -> &str {
    pan.get(pan.len().saturating_sub(4)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_of_the_table_stays_what_it_is_and_any_other_is_one_that_nobody_has() {
        let table = d1_fixtures::test_cards().expect("the table");
        let mut cards = Cards::new(table.clone(), &BTreeSet::from(["0048".to_owned(), "1111".to_owned()]));
        assert_eq!(cards.of_digits("0048", None), "slow");
        assert_eq!(cards.of_digits("1111", Some("0131")), "approve");
        assert_eq!(cards.of_digits("2222", Some("0131")), "card-3");
        assert_eq!(cards.of_digits("2222", None), "card-3");
        assert_eq!(cards.behaving(|one| one == Behaviour::Decline).as_deref(), Some("decline"));
        let text = cards.yaml().flow();
        assert!(
            text.contains("card-3: {pan: \"9999991") && text.contains("2222\", exp: \"0131\"}"),
            "{text}"
        );
        let mut cards = Cards::new(table, &BTreeSet::from(["0014".to_owned()]));
        assert_eq!(
            (cards.of_digits("3333", None), cards.of_digits("0014", None)),
            ("card-1".into(), "approve".into())
        );
        assert!(luhn_valid(&cards.number("9876")));
    }
}
