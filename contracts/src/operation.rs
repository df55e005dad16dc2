//! The operations of a document, with compiled schemas.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::form::percent_decode;
use crate::schema::Check;
use crate::standing::Standing;

mod read;

pub(crate) use read::{read_answers, read_operations};

/// One operation of the contract.
#[derive(Debug)]
pub struct Operation {
    id: String,
    method: String,
    template: String,
    base_path: String,
    own_servers: bool,
    standing: Option<Standing>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) bearer: Bearer,
    pub(crate) body: Option<Body>,
    pub(crate) answers: BTreeMap<String, Answer>,
}

/// Whether a request must show a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer {
    No,
    Optional,
    Required,
}

/// What may stand in a request body.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) required: bool,
    pub(crate) media: BTreeMap<String, Option<Arc<Check>>>,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
    /// A header.
    Header,
}

/// A parameter of an operation.
#[derive(Debug)]
pub struct Parameter {
    name: String,
    place: Place,
    required: bool,
    standing: Option<Standing>,
    pub(crate) check: Arc<Check>,
}

/// One answer of an operation: a status and what may come with it.
#[derive(Debug)]
pub struct Answer {
    status: String,
    standing: Option<Standing>,
    error_codes: Vec<ErrorCode>,
    pub(crate) headers: Vec<Header>,
    pub(crate) media: BTreeMap<String, Option<Arc<Check>>>,
    pub(crate) body_optional: bool,
}

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) check: Arc<Check>,
}

/// A machine-readable code of an error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// The value of `errorCode`, or `none` for an answer without one.
    pub code: String,
    /// How well the code is known; `None` where the document does not say.
    pub standing: Option<Standing>,
    /// Where from.
    pub sources: Vec<String>,
    /// What it means.
    pub meaning: String,
    /// Whether the same request may be sent again.
    pub retry: Option<Retry>,
    /// Whether the request may have been carried out all the same.
    pub outcome: Option<Outcome>,
}

/// Whether a refused request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Never as it is.
    Never,
    /// Once, with a new bearer token.
    AfterRefresh,
    /// After a delay: that of `Retry-After`, or one's own.
    AfterDelay,
}

/// What an error answer says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was done.
    Refused,
    /// It may have been carried out.
    Ambiguous,
}

impl Operation {
    /// The `operationId`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The method, in capitals.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path of the document, without base path, with parameters in braces.
    #[must_use]
    pub fn path_template(&self) -> &str {
        &self.template
    }

    /// The base path that the document gives it.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// How well it is known; `None` where the document does not say.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter()
    }

    /// Its answers, by status.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values()
    }

    /// The answer of a status: by the number itself, by its class (`5XX`), or `default`.
    #[must_use]
    pub fn answer(&self, status: u16) -> Option<&Answer> {
        self.answers
            .get(&status.to_string())
            .or_else(|| self.answers.get(&format!("{}XX", status / 100)))
            .or_else(|| self.answers.get("default"))
    }

    /// The base path to take off before a match: the document's own where the operation has servers of its own.
    pub(crate) fn base_under<'b>(&'b self, replaced: Option<&'b str>) -> &'b str {
        match replaced {
            Some(base) if !self.own_servers => base,
            _ => &self.base_path,
        }
    }

    /// Matches a path from which the base path was taken; gives the values of the path parameters.
    pub(crate) fn match_path<'o>(&'o self, path: &str) -> Option<Vec<(&'o str, String)>> {
        let mut values = Vec::new();
        let mut wanted = self.template.split('/');
        let mut given = path.split('/');
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(values),
                (Some(wanted), Some(given)) => {
                    let name = wanted.strip_prefix('{').and_then(|wanted| wanted.strip_suffix('}'));
                    match name {
                        Some(name) if !given.is_empty() => {
                            values.push((name, percent_decode(given, false)?));
                        }
                        None if wanted == given => {}
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
    }
}

impl Parameter {
    /// Its name; header names in small letters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it must be there.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// How well it is known; `None` where the document does not say.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }
}

impl Answer {
    /// The status as the document writes it: `201`, `5XX` or `default`.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// How well it is known that this status is given; `None` where the document does not say.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// The codes of an error answer; empty for any other.
    pub fn error_codes(&self) -> impl Iterator<Item = &ErrorCode> {
        self.error_codes.iter()
    }

    /// The media types of the body; none for an answer without a body.
    pub fn media_types(&self) -> impl Iterator<Item = &str> {
        self.media.keys().map(String::as_str)
    }
}
