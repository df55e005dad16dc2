//! Holds literal exchanges against a contract document.

mod body;
mod parameters;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::{Document, LoadError};
use crate::elements::members;
use crate::fault::{Fault, shown_name};
use crate::operation::{Answer, Header, Operation, read_answers, read_operations};
use crate::schema::{Check, Compiler};
use crate::{INBOUND_YAML, OUTBOUND_YAML, json};
use body::check_size;
use parameters::{judge_bearer, one_header};

/// A loaded contract: its operations with compiled schemas. Cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Contract {
    inner: Arc<Inner>,
    base_path: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    document: Document,
    operations: Vec<Operation>,
    plaintexts: BTreeMap<String, Arc<Check>>,
    outside: BTreeMap<String, Answer>,
}

/// An operation that matches a method and path.
#[derive(Debug)]
pub struct Matched<'c> {
    /// The operation.
    pub operation: &'c Operation,
    /// The path parameters by name, percent-decoded.
    pub path_parameters: Vec<(&'c str, String)>,
}

/// Loads the inbound contract (the merchant gateway calls D1), with the base paths `/authz/v1` (source D2) and `/ecom/v1`
/// (contract C1).
///
/// # Errors
///
/// [`LoadError`], which for the embedded document would be a fault of this package.
pub fn inbound() -> Result<Contract, LoadError> {
    Contract::parse(INBOUND_YAML, "d1-ecom-inbound.yaml")
}

/// Loads the outbound contract (D1 calls the merchant gateway), without a base path (source D4).
///
/// # Errors
///
/// [`LoadError`], which for the embedded document would be a fault of this package.
pub fn outbound() -> Result<Contract, LoadError> {
    Contract::parse(OUTBOUND_YAML, "d1-ecom-outbound.yaml")
}

impl Contract {
    /// Reads an OpenAPI 3.1 document, in YAML or JSON, and compiles its schemas. `origin` names it in errors.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the place of the fault.
    pub fn parse(yaml: &str, origin: &str) -> Result<Self, LoadError> {
        Self::from_document(Document::parse(yaml, origin)?)
    }

    /// Compiles the schemas of a document that is loaded already.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the place of the fault.
    pub fn from_document(document: Document) -> Result<Self, LoadError> {
        let compiler = Compiler::new(&document)?;
        let operations = read_operations(&compiler)?;
        let outside = read_answers(&compiler, "/x-outside-operations")?;
        let mut plaintexts = BTreeMap::new();
        if let Some(components) = document.at("/components") {
            for (at, _) in members(components, "/components", "schemas") {
                let name = at.rsplit('/').next().unwrap_or_default().to_owned();
                plaintexts.insert(name, compiler.compile(&at)?);
            }
        }
        drop(compiler);
        Ok(Self { inner: Arc::new(Inner { document, operations, plaintexts, outside }), base_path: None })
    }

    /// The same contract with another base path, such as `/ecom/v2`, for all operations that have no servers of their
    /// own. A slash at the end is taken off.
    #[must_use]
    pub fn with_base_path(mut self, base_path: &str) -> Self {
        self.base_path = Some(Arc::from(base_path.trim_end_matches('/')));
        self
    }

    /// The document behind the contract.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.inner.document
    }

    /// All operations, in the order of their paths.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.inner.operations.iter()
    }

    /// The operation that a method and path name. The query of the path, if any, is left aside.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<Matched<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        self.inner.operations.iter().find_map(|operation| {
            let base = operation.base_under(self.base_path.as_deref());
            let rest = path.strip_prefix(base)?;
            let path_parameters = operation.match_path(rest)?;
            (operation.method() == method).then_some(Matched { operation, path_parameters })
        })
    }

    /// Judges a request and gives the id of its operation.
    ///
    /// `path` is the target of the request, with its query. Header names may be in any case. Every object of the body is
    /// taken as closed: a member that the contract does not name is a fault. A body of more than 1 MiB is not read.
    ///
    /// # Errors
    ///
    /// All faults found, at least one.
    pub fn judge_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<&str, Vec<Fault>> {
        let Some(matched) = self.operation(method, path) else {
            return Err(vec![Fault::new(
                "request line",
                "method and path of an operation",
                "one that no operation has",
            )]);
        };
        let operation = matched.operation;
        let mut faults = self.judge_parameters(&matched, path, headers);
        judge_bearer(operation, headers, &mut faults);
        match &operation.body {
            None if body.is_empty() => {}
            None => faults.push(Fault::new("request body", "no body", format!("{} bytes", body.len()))),
            Some(wanted) if body.is_empty() => {
                if wanted.required {
                    faults.push(Fault::new("request body", "a body", "nothing"));
                }
            }
            Some(wanted) => faults.extend(self.judge_body("request", &wanted.media, headers, body)),
        }
        verdict(faults).map(|()| operation.id())
    }

    /// Judges an answer of an operation. Strict on what a peer under test sends: an undocumented status, a member that
    /// no schema names, a body where none belongs and a media type that is not listed are faults.
    ///
    /// # Errors
    ///
    /// All faults found, at least one.
    pub fn judge_answer(
        &self,
        operation_id: &str,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), Vec<Fault>> {
        let operation = self.inner.operations.iter().find(|operation| operation.id() == operation_id);
        let Some(operation) = operation else {
            return Err(vec![Fault::new(
                "operation id",
                "an operation of the contract",
                shown_name(operation_id),
            )]);
        };
        self.judge_one_answer(operation.answer(status), status, headers, body)
    }

    /// Judges an answer to a request that matched no operation (`x-outside-operations`, contract C31 and C32).
    ///
    /// # Errors
    ///
    /// All faults found, at least one.
    pub fn judge_outside_answer(
        &self,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), Vec<Fault>> {
        let answer = self.inner.outside.get(&status.to_string());
        self.judge_one_answer(answer, status, headers, body)
    }

    /// Judges the plaintext of a JWE, or any other JSON text, against a schema of the components, such as
    /// `CardCredentials`; every object is taken as closed.
    ///
    /// # Errors
    ///
    /// All faults found, at least one. None of them holds a value.
    pub fn judge_plaintext(&self, schema: &str, json: &[u8]) -> Result<(), Vec<Fault>> {
        let Some(check) = self.inner.plaintexts.get(schema) else {
            return Err(vec![Fault::new("schema name", "a schema of the components", shown_name(schema))]);
        };
        check_size("plaintext", json)
            .and_then(|()| json::read(json, "plaintext"))
            .map_err(|fault| vec![fault])
            .and_then(|value| verdict(check.judge(&self.inner.document, &value, "plaintext")))
    }

    fn judge_one_answer(
        &self,
        answer: Option<&Answer>,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), Vec<Fault>> {
        let Some(answer) = answer else {
            return Err(vec![Fault::new(
                "answer status",
                "a status that the contract lists",
                status.to_string(),
            )]);
        };
        let mut faults = Vec::new();
        for Header { name, required, check } in &answer.headers {
            let place = format!("answer header {name}");
            match one_header(headers, name, &place) {
                Err(fault) => faults.push(fault),
                Ok(Some(text)) => {
                    faults.extend(check.judge_text(&self.inner.document, text, &place));
                }
                Ok(None) if *required => {
                    faults.push(Fault::new(place, "this header", "nothing"));
                }
                Ok(None) => {}
            }
        }
        match (answer.media.is_empty(), body.is_empty()) {
            (true, true) => {}
            (true, false) => {
                faults.push(Fault::new("answer body", "no body", format!("{} bytes", body.len())))
            }
            (false, true) if answer.body_optional => {}
            (false, true) => faults.push(Fault::new("answer body", "a body", "nothing")),
            (false, false) => {
                faults.extend(self.judge_body("answer", &answer.media, headers, body));
            }
        }
        verdict(faults)
    }
}

fn verdict(faults: Vec<Fault>) -> Result<(), Vec<Fault>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
