//! What stands in path, query and headers.

use super::{Contract, Matched};
use crate::fault::{Fault, shown_name};
use crate::form;
use crate::operation::{Bearer, Operation, Place};

impl Contract {
    pub(super) fn judge_parameters(
        &self,
        matched: &Matched<'_>,
        path: &str,
        headers: &[(String, String)],
    ) -> Vec<Fault> {
        let document = &self.inner.document;
        let mut faults = Vec::new();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let query = form::read_pairs(query, "request query").unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
        for parameter in &matched.operation.parameters {
            let name = parameter.name();
            let (place, value) = match parameter.place() {
                Place::Path => ("path", value_of(&matched.path_parameters, name)),
                Place::Query => ("query", value_of(&query, name)),
                Place::Header => match one_header(headers, name, &format!("request header {name}")) {
                    Ok(value) => ("header", value),
                    Err(fault) => {
                        faults.push(fault);
                        continue;
                    }
                },
            };
            let place = format!("request {place} {name}");
            match value {
                Some(text) => faults.extend(parameter.check.judge_text(document, text, &place)),
                None if parameter.is_required() => {
                    faults.push(Fault::new(place, "this parameter", "nothing"));
                }
                None => {}
            }
        }
        for (name, _) in &query {
            let mut known = matched.operation.parameters.iter();
            if !known.any(|known| known.place() == Place::Query && known.name() == name) {
                faults.push(Fault::new(
                    "request query",
                    "only parameters that the contract names",
                    format!("the parameter {}", shown_name(name)),
                ));
            }
        }
        faults
    }
}

fn value_of<'v, N: AsRef<str>>(pairs: &'v [(N, String)], name: &str) -> Option<&'v str> {
    pairs.iter().find(|(known, _)| known.as_ref() == name).map(|(_, value)| value.as_str())
}

/// The value of a header; more than one is a fault.
pub(super) fn one_header<'h>(
    headers: &'h [(String, String)],
    name: &str,
    place: &str,
) -> Result<Option<&'h str>, Fault> {
    let mut values =
        headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Fault::new(place, "the header once", "it more than once")),
    }
}

pub(super) fn judge_bearer(operation: &Operation, headers: &[(String, String)], faults: &mut Vec<Fault>) {
    if operation.bearer == Bearer::No {
        return;
    }
    let place = "request header authorization";
    let fault = |found: &str| Fault::new(place, "`Bearer` and one access token", found);
    match one_header(headers, "authorization", place) {
        Err(several) => faults.push(several),
        Ok(None) if operation.bearer == Bearer::Required => faults.push(fault("nothing")),
        Ok(None) => {}
        Ok(Some(value)) => {
            let token = value.strip_prefix("Bearer ").unwrap_or_default();
            let is_token =
                token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
            if token.is_empty() || !is_token {
                faults.push(fault("another form"));
            }
        }
    }
}
