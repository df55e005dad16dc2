//! Cells, cases and the matrix: what is missing, misspelled or misplaced is found.

use std::collections::BTreeSet;

use d1_contracts::{
    Case, Gap, GoodAnswers, Matrix, Side, Standing, built_in_cases, derived_cases, documented_cells, inbound,
    made_cells, outbound,
};

/// Without the faults of clocks, which are written down as cases are and stand in no document.
fn cases_of_answers() -> Vec<Case> {
    let mut cases = built_in_cases().expect("good cases");
    cases.retain(|case| !case.cell().contains("/transport/"));
    cases
}

fn matrix_of(cases: &[Case]) -> Matrix {
    let contract = inbound().expect("the contract");
    Matrix::new(&documented_cells(&contract, Side::Inbound), cases)
}

#[test]
fn derived_cases_follow_from_the_good_answers_and_each_has_a_cell() {
    let contract = inbound().expect("the contract");
    let cases = derived_cases(&contract, &GoodAnswers::built_in().expect("good answers"));
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "an id stands once");
    for id in [
        "inbound/createToken/derived/unknown-member/generated",
        "inbound/createToken/derived/absent.par/generated",
        "inbound/createToken/derived/null.tokenId/generated",
        "inbound/getToken/derived/unknown-value.state/generated",
        "inbound/getAccessToken/derived/absent.expires_in/generated",
        "inbound/deleteToken/derived/status-504/generated",
    ] {
        assert!(ids.contains(id), "{id}");
    }
    let cells = made_cells(&cases);
    assert_eq!(Matrix::new(&cells, &cases).gaps(), []);
    let standing = |rule: &str| {
        let cell =
            cells.iter().find(|cell| cell.to_string() == format!("inbound/createToken/derived/{rule}"));
        cell.unwrap_or_else(|| panic!("no cell {rule}")).standing
    };
    assert_eq!(standing("unknown-member"), Standing::Documented);
    assert_eq!(standing("status-502"), Standing::Choice);
}

#[test]
fn every_inbound_cell_has_a_case_and_every_case_a_cell() {
    let gaps = matrix_of(&cases_of_answers()).gaps();
    assert_eq!(gaps, []);
}

#[test]
fn without_any_one_cell_s_cases_the_gap_is_named() {
    let cases = cases_of_answers();
    let cells: BTreeSet<String> = cases.iter().map(|case| case.cell().to_owned()).collect();
    assert!(cells.len() > 50, "{}", cells.len());
    for cell in cells {
        let rest: Vec<Case> = cases.iter().filter(|case| case.cell() != cell).cloned().collect();
        assert_eq!(matrix_of(&rest).gaps(), [Gap::Cell(cell)]);
    }
}

#[test]
fn a_case_that_shows_nothing_of_the_contract_is_a_gap() {
    let mut cases = built_in_cases().expect("good cases");
    cases[0].id = "inbound/createMerchant/418/TEAPOT/short".to_owned();
    let gaps = matrix_of(&cases).gaps();
    assert!(gaps.contains(&Gap::Case(cases[0].id.clone())), "{gaps:?}");
}

#[test]
fn the_standing_of_a_cell_is_the_weakest_of_its_parts() {
    let standing = |contract, side, id: &str| {
        let cells = documented_cells(contract, side);
        let cell = cells.into_iter().find(|cell| cell.to_string() == id);
        cell.unwrap_or_else(|| panic!("no cell {id}")).standing
    };
    let (inbound, outbound) = (inbound().expect("the contract"), outbound().expect("the contract"));
    for (id, wanted) in [
        ("inbound/getAccessToken/200/none", Standing::Documented),
        ("inbound/getAccessToken/400/INVALID_FIELD", Standing::Documented),
        ("inbound/getAccessToken/403/FORBIDDEN", Standing::Choice),
        ("inbound/createMerchant/201/none", Standing::Choice),
        ("inbound/createToken/401/none", Standing::Choice),
    ] {
        assert_eq!(standing(&inbound, Side::Inbound, id), wanted, "{id}");
    }
    for id in ["outbound/getAccessToken/200/none", "outbound/getAccessToken/400/FIELD_INVALID_FORMAT"] {
        assert_eq!(standing(&outbound, Side::Outbound, id), Standing::Documented, "{id}");
    }
}
