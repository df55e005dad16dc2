//! How well a fact is known, and from where.

use std::fmt;

use serde_json::Value;

/// How well an element of the contract is known. The order is from best to weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// An eCom page or release note of the vendor says so.
    Documented,
    /// Another product of the same vendor documents it so: likely, never proof.
    Sibling,
    /// Written nowhere that could be read, but it follows from what is.
    Inferred,
    /// Our choice where the documentation is silent.
    Choice,
}

impl Standing {
    /// Reads the word of `x-standing`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "documented" => Some(Self::Documented),
            "sibling" => Some(Self::Sibling),
            "inferred" => Some(Self::Inferred),
            "choice" => Some(Self::Choice),
            _ => None,
        }
    }

    /// The word of `x-standing`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Sibling => "sibling",
            Self::Inferred => "inferred",
            Self::Choice => "choice",
        }
    }

    /// The standing that a source such as `D10` or `C34` can carry.
    pub(crate) fn of_source(source: &str) -> Option<Self> {
        let all = [Self::Documented, Self::Sibling, Self::Inferred, Self::Choice];
        all.into_iter().find(|standing| source.starts_with(standing.letter()))
    }

    /// The letter of the sources that can carry this standing.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Documented => 'D',
            Self::Sibling => 'S',
            Self::Inferred => 'I',
            Self::Choice => 'C',
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The sources of an element; `None` where there is none, or something that is no text.
pub(crate) fn sources_of(object: &Value, key: &str) -> Option<Vec<String>> {
    let list = object.get(key)?.as_array()?;
    let sources: Option<Vec<String>> = list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    sources.filter(|sources| !sources.is_empty())
}

/// Whether a source is one of the fact table or a standard.
pub(crate) fn is_source(source: &str) -> bool {
    let in_range = |number: &str, last: u32| {
        !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse::<u32>().is_ok_and(|number| (1..=last).contains(&number))
    };
    if let Some(number) = source.strip_prefix("RFC ") {
        return in_range(number, 99_999);
    }
    let Some((letter, rest)) = source.split_at_checked(1) else {
        return false;
    };
    match letter {
        "D" => in_range(rest, 19),
        "S" => in_range(rest, 28),
        "C" => in_range(rest, 36),
        "I" => {
            let (section, part) = rest.split_once('.').unwrap_or((rest, "1"));
            in_range(section, 13) && in_range(part, 99)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_of_the_fact_table_and_standards_are_sources() {
        for good in ["D1", "D19", "S28", "C36", "I6.3", "I4", "RFC 7516"] {
            assert!(is_source(good), "{good}");
        }
        for bad in [
            "", "D", "D0", "D20", "S29", "C37", "d1", "I", "I14", "I6.", "D01", "D+1", "RFC7516", "hearsay",
            "é",
        ] {
            assert!(!is_source(bad), "{bad}");
        }
    }

    #[test]
    fn standings_are_ordered_from_best_to_weakest() {
        assert!(Standing::Documented < Standing::Sibling);
        assert!(Standing::Inferred < Standing::Choice);
        for standing in [Standing::Documented, Standing::Sibling, Standing::Inferred, Standing::Choice] {
            assert_eq!(Standing::from_word(standing.word()), Some(standing));
        }
    }
}
