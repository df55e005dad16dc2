//! `d1sim cards`.

use super::args::Cards;
use super::exit::Failure;
use super::print;

pub(super) fn run(args: &Cards) -> Result<(), Failure> {
    let cards = d1_fixtures::test_cards().map_err(Failure::internal)?;
    if args.json {
        print(&serde_json::to_string_pretty(&cards).map_err(Failure::internal)?);
        return Ok(());
    }
    let width = cards.iter().map(|card| card.name.len()).max().unwrap_or_default();
    for card in cards {
        print(&format!("{:width$}  {}  {}  {}", card.name, card.pan, card.exp, card.summary));
    }
    Ok(())
}
