//! Reads operations and answers from a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Answer, Bearer, Body, ErrorCode, Header, Operation, Outcome, Parameter, Place, Retry};
use crate::document::{Document, LoadError};
use crate::elements::{METHODS, members};
use crate::fault::pointer_step;
use crate::schema::{Check, Compiler};
use crate::standing::{Standing, sources_of};

/// Reads all operations of a document.
pub(crate) fn read_operations(compiler: &Compiler<'_>) -> Result<Vec<Operation>, LoadError> {
    let document = compiler.document();
    let mut operations = Vec::new();
    for (path_at, path_item) in members(document.root(), "", "paths") {
        for method in METHODS {
            if path_item.get(method).is_some() {
                operations.push(read_operation(compiler, &path_at, method)?);
            }
        }
    }
    Ok(operations)
}

fn read_operation(compiler: &Compiler<'_>, path_at: &str, method: &str) -> Result<Operation, LoadError> {
    let document = compiler.document();
    let at = pointer_step(path_at, method);
    let (path_item, operation) = (element(document, path_at)?, element(document, &at)?);
    let template = path_at.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let own = operation.get("servers").or_else(|| path_item.get("servers"));
    let mut parameters = Vec::new();
    for parent in [path_at, at.as_str()] {
        let count =
            element(document, parent)?.get("parameters").and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..count {
            let parameter_at = format!("{parent}/parameters/{index}");
            parameters.extend(read_parameter(compiler, &parameter_at)?);
        }
    }
    let body = match operation.get("requestBody") {
        None => None,
        Some(_) => {
            let at = target(document, &pointer_step(&at, "requestBody"))?;
            let required = flag(element(document, &at)?, "required");
            let media = read_media(compiler, &at)?;
            Some(Body { required, media })
        }
    };
    Ok(Operation {
        id: text(document, operation, &at, "operationId")?,
        method: method.to_ascii_uppercase(),
        template,
        base_path: base_path(own.or_else(|| document.root().get("servers"))),
        own_servers: own.is_some(),
        standing: standing_of(operation),
        parameters,
        bearer: read_bearer(document, operation),
        body,
        answers: read_answers(compiler, &pointer_step(&at, "responses"))?,
    })
}

/// Reads a map from status to answer.
pub(crate) fn read_answers(compiler: &Compiler<'_>, at: &str) -> Result<BTreeMap<String, Answer>, LoadError> {
    let document = compiler.document();
    let mut answers = BTreeMap::new();
    let statuses = document.at(at).and_then(Value::as_object);
    for status in statuses.into_iter().flat_map(serde_json::Map::keys) {
        let at = target(document, &pointer_step(at, status))?;
        let answer = element(document, &at)?;
        let mut headers = Vec::new();
        for (header_at, _) in members(answer, &at, "headers") {
            let name = header_at.rsplit('/').next().unwrap_or_default();
            let header_at = target(document, &header_at)?;
            headers.push(Header {
                name: name.to_ascii_lowercase(),
                required: flag(element(document, &header_at)?, "required"),
                check: compiler.compile(&pointer_step(&header_at, "schema"))?,
            });
        }
        answers.insert(
            status.clone(),
            Answer {
                status: status.clone(),
                standing: standing_of(answer),
                error_codes: read_error_codes(answer),
                headers,
                media: read_media(compiler, &at)?,
                body_optional: answer.get("x-body").and_then(Value::as_str) == Some("optional"),
            },
        );
    }
    Ok(answers)
}

fn read_error_codes(answer: &Value) -> Vec<ErrorCode> {
    let word =
        |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    answer
        .get("x-error-codes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(code, entry)| ErrorCode {
            code: code.clone(),
            standing: Standing::from_word(&word(entry, "standing")),
            sources: sources_of(entry, "source").unwrap_or_default(),
            meaning: word(entry, "meaning"),
            retry: match word(entry, "retry").as_str() {
                "never" => Some(Retry::Never),
                "after-refresh" => Some(Retry::AfterRefresh),
                "after-delay" => Some(Retry::AfterDelay),
                _ => None,
            },
            outcome: match word(entry, "outcome").as_str() {
                "refused" => Some(Outcome::Refused),
                "ambiguous" => Some(Outcome::Ambiguous),
                _ => None,
            },
        })
        .collect()
}

fn read_media(compiler: &Compiler<'_>, at: &str) -> Result<BTreeMap<String, Option<Arc<Check>>>, LoadError> {
    let parent = element(compiler.document(), at)?;
    let content = parent.get("content").and_then(Value::as_object);
    let mut media = BTreeMap::new();
    for (name, described) in content.into_iter().flatten() {
        let media_at = pointer_step(&pointer_step(at, "content"), name);
        let check = match described.get("schema") {
            None => None,
            Some(_) => Some(compiler.compile(&pointer_step(&media_at, "schema"))?),
        };
        media.insert(name.to_ascii_lowercase(), check);
    }
    Ok(media)
}

fn read_parameter(compiler: &Compiler<'_>, at: &str) -> Result<Option<Parameter>, LoadError> {
    let document = compiler.document();
    let at = target(document, at)?;
    let parameter = element(document, &at)?;
    let name = text(document, parameter, &at, "name")?;
    let (name, place) = match text(document, parameter, &at, "in")?.as_str() {
        "path" => (name, Place::Path),
        "query" => (name, Place::Query),
        "header" => (name.to_ascii_lowercase(), Place::Header),
        // A cookie is no part of this contract.
        _ => return Ok(None),
    };
    Ok(Some(Parameter {
        name,
        place,
        required: flag(parameter, "required"),
        standing: standing_of(parameter),
        check: compiler.compile(&pointer_step(&at, "schema"))?,
    }))
}

/// A certificate cannot be seen in a request; of the schemes only those with a bearer are judged.
fn read_bearer(document: &Document, operation: &Value) -> Bearer {
    let security = operation.get("security").or_else(|| document.root().get("security"));
    let alternatives = security.and_then(Value::as_array);
    let has_bearer = |alternative: &Value| {
        let names = alternative.as_object();
        names.into_iter().flat_map(serde_json::Map::keys).any(|name| {
            let at = pointer_step("/components/securitySchemes", name);
            let scheme = document.at(&at);
            let word = |key: &str| scheme.and_then(|scheme| scheme.get(key)?.as_str().map(str::to_owned));
            match word("type").as_deref() {
                Some("oauth2" | "openIdConnect") => true,
                Some("http") => word("scheme").as_deref() == Some("bearer"),
                _ => false,
            }
        })
    };
    let wants: Vec<bool> = alternatives.into_iter().flatten().map(has_bearer).collect();
    if !wants.contains(&true) {
        Bearer::No
    } else if wants.contains(&false) {
        Bearer::Optional
    } else {
        Bearer::Required
    }
}

/// The path of the first server, its variables at their defaults, without a slash at the end.
fn base_path(servers: Option<&Value>) -> String {
    let Some(server) = servers.and_then(|servers| servers.get(0)) else {
        return String::new();
    };
    let mut url = server.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str);
        url = url.replace(&format!("{{{name}}}"), default.unwrap_or_default());
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url.as_str(),
    };
    path.trim_end_matches('/').to_owned()
}

fn standing_of(element: &Value) -> Option<Standing> {
    element.get("x-standing").and_then(Value::as_str).and_then(Standing::from_word)
}

fn flag(element: &Value, key: &str) -> bool {
    element.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn element<'d>(document: &'d Document, at: &str) -> Result<&'d Value, LoadError> {
    document.at(at).ok_or_else(|| document.shape(at, "an element", "nothing"))
}

fn target(document: &Document, at: &str) -> Result<String, LoadError> {
    document.resolve_pointer(at).ok_or_else(|| document.shape(at, "an element or a `$ref` to one", "nothing"))
}

fn text(document: &Document, element: &Value, at: &str, key: &str) -> Result<String, LoadError> {
    match element.get(key).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(document.shape(pointer_step(at, key), "a text", "nothing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_that_of_the_first_server() {
        for (server, path) in [
            (serde_json::json!([{"url": "https://a.example/authz/v1"}]), "/authz/v1"),
            (serde_json::json!([{"url": "https://a.example"}]), ""),
            (serde_json::json!([{"url": "/x/"}]), "/x"),
            (
                serde_json::json!([{"url": "https://a.example{b}", "variables": {"b": {"default": "/ecom/v1"}}}]),
                "/ecom/v1",
            ),
            (serde_json::json!([]), ""),
        ] {
            assert_eq!(base_path(Some(&server)), path);
        }
        assert_eq!(base_path(None), "");
    }
}
