//! Any input: no panic, no hang, and a finding for whatever is not taken.

use proptest::prelude::*;

use super::{findings, loaded, with_steps};

#[test]
fn deep_wide_and_self_made_documents_are_told_or_taken() {
    let deep = format!("scenario: {}", "[".repeat(20_000));
    let closed = format!("scenario: {}{}", "[".repeat(3_000), "]".repeat(3_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    for text in [
        deep.as_str(),
        &closed,
        bomb,
        "",
        "---\n...\n",
        "- 1\n",
        "\u{feff}scenario: 1\n",
        "a: b\n---\nc: d\n",
        "? [a]\n: b\n",
    ] {
        let (scenario, told, _) = loaded(&[("a.yaml", text)], &[]);
        assert!(scenario.is_none() && !told.is_empty(), "{}", text.chars().take(60).collect::<String>());
    }
    let many: String = (0..3000).map(|n| format!("  - cal{n}: x\n")).collect();
    assert_eq!(findings(&[("a.yaml", &with_steps(&many))], &[]).len(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_taken_or_told(text in any::<String>()) {
        let (scenario, told, _) = loaded(&[("a.yaml", &text)], &[]);
        prop_assert!(scenario.is_some() || !told.is_empty());
    }

    #[test]
    fn any_cut_or_changed_file_of_the_library_is_taken_or_told(
        which in 0..d1_fixtures::scenario_files().len(), at in any::<prop::sample::Index>(), put in "[{}\\[\\]:,\"$a-z0-9 \n-]{0,4}", cut in 0..9_usize,
    ) {
        let all = d1_fixtures::scenario_files();
        let letters: Vec<char> = all[which].1.chars().collect();
        let at = at.index(letters.len());
        let mut text: String = letters[..at].iter().collect();
        text.push_str(&put);
        text.extend(&letters[(at + cut).min(letters.len())..]);
        let mut files = vec![("a.yaml", text.as_str())];
        files.extend(all);
        let (scenario, told, _) = loaded(&files, &[]);
        prop_assert!(scenario.is_some() || !told.is_empty());
        if let Some(scenario) = scenario {
            prop_assert!(crate::scenario::explain(&scenario).lines().count() > scenario.steps.len());
        }
    }
}
