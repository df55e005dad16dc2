//! Keeping web pages and strangers out of the admin port.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq as _;

use super::Admin;
use crate::auth::bearer_of;
use crate::http::intake::Intake;
use crate::http::problem::Problem;

/// Judges host, origin and token, then takes the body in.
pub(super) async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    // The body is taken in first, so that a refusal cuts nobody off who is still sending.
    let intake = Intake::read(&parts.headers, body).await;
    match admin.judge(&parts.headers, parts.uri.host()) {
        Verdict::Welcome => {}
        Verdict::Foreign(error) => {
            return Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", error).into_response();
        }
        Verdict::NoToken => {
            let error = "send the admin token as a bearer";
            let mut response = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", error).into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
    }
    if parts.method == Method::POST
        && let Err(fault) = intake.json(&parts.headers)
    {
        return Problem::from(fault).into_response();
    }
    if parts.method == Method::POST && !parts.headers.contains_key(http::header::CONTENT_TYPE) {
        let error = "send content-type: application/json";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", error)
            .into_response();
    }
    parts.extensions.insert(intake);
    next.run(Request::from_parts(parts, axum::body::Body::empty())).await
}

enum Verdict {
    Welcome,
    Foreign(&'static str),
    NoToken,
}

impl Admin {
    fn judge(&self, headers: &HeaderMap, target_host: Option<&str>) -> Verdict {
        if headers.contains_key(ORIGIN) || is_cross_site(headers) {
            return Verdict::Foreign("requests from web pages are refused");
        }
        match &self.token {
            // Whoever shows the token may come by any name.
            Some(token) => {
                let shown = bearer_of(headers).unwrap_or_default();
                let same = bool::from(shown.as_bytes().ct_eq(token.as_bytes()));
                if same { Verdict::Welcome } else { Verdict::NoToken }
            }
            None => {
                let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(target_host);
                if host.is_some_and(is_loopback) {
                    Verdict::Welcome
                } else {
                    Verdict::Foreign("the Host header must name this machine, e.g. 127.0.0.1")
                }
            }
        }
    }
}

/// Browsers say where a request comes from; a page of another site is not to steer a sandbox.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    site.is_some_and(|site| site != "none" && site != "same-origin")
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_let_in() {
        for host in
            ["localhost", "localhost:8444", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8444", "LOCALHOST:1"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "10.0.0.1:8444",
            "[::2]:1",
            "127.0.0.1.example.com:1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
