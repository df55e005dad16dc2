//! What people see, as it is. `INSTA_UPDATE=always` writes the snapshots anew.

use d1_contracts::Paint;

use super::made::mixed;

/// The version is another one with each release.
fn of_no_version(text: &str) -> String {
    let masked = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_ne!(masked, text, "the catalogue is named");
    masked
}

#[test]
fn text() {
    insta::assert_snapshot!(of_no_version(&mixed().text(Paint::Plain)));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(of_no_version(&mixed().markdown()));
}

#[test]
fn junit() {
    insta::assert_snapshot!(of_no_version(&mixed().junit().expect("XML")));
}

#[test]
fn colours_stand_round_the_marks_alone() {
    let (plain, colour) = (mixed().text(Paint::Plain), mixed().text(Paint::Colour));
    assert!(!plain.contains('\x1b') && colour.contains("\x1b[1;31mFAILED"), "{colour}");
    let mut stripped = colour;
    for code in ["\x1b[32m", "\x1b[33m", "\x1b[1;31m", "\x1b[2m", "\x1b[35m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}
