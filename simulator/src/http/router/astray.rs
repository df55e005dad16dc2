//! What is wrong with a path that no route has, as far as it comes near one.

use http::Method;

use super::{MERCHANTS, ONE_TOKEN, TOKEN, TOKENS, TRANSACTIONS, operation};

/// In words; what somebody wrote into the path is never part of them.
pub(super) fn astray(base: &str, path: &str) -> String {
    let below = |route: &str| format!("{base}{route}");
    let routes = [TOKEN.to_owned(), below(MERCHANTS), below(TOKENS), below(ONE_TOKEN), below(TRANSACTIONS)];
    let named = |path: &str| routes.iter().find(|route| fits(route, path)).map(|route| called(route));
    let trimmed = path.trim_end_matches('/');
    if trimmed != path
        && let Some(name) = named(trimmed)
    {
        return format!("that of {name} with a slash at its end");
    }
    if let Some(name) = named(&path.replace("//", "/")) {
        return format!("that of {name} with two slashes in a row");
    }
    if let Some(name) = named(&below(trimmed)) {
        return format!("that of {name} without the basePath {base}");
    }
    if trimmed.strip_prefix(base) == Some(TOKEN) {
        return format!("that of getAccessToken below the basePath {base}; it is at {TOKEN}");
    }
    let near = routes.iter().find_map(|route| Some((called(route), one_word_off(route, trimmed)?)));
    match near {
        Some((name, word)) => format!("that of {name}, but for `{word}`"),
        None => "another".to_owned(),
    }
}

fn called(route: &str) -> &'static str {
    let methods = [Method::POST, Method::GET];
    methods.iter().find_map(|method| operation(method, route)).unwrap_or("another route")
}

fn is_parameter(word: &str) -> bool {
    word.starts_with('{')
}

fn words(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn fits(route: &str, path: &str) -> bool {
    let (route, path) = (words(route), words(path));
    let fits =
        |(wanted, found): (&&str, &&str)| wanted == found || (is_parameter(wanted) && !found.is_empty());
    route.len() == path.len() && route.iter().zip(&path).all(fits)
}

/// The only word of the route that the path does not have in its place.
fn one_word_off<'r>(route: &'r str, path: &str) -> Option<&'r str> {
    let (route, path) = (words(route), words(path));
    let differ = |(wanted, found): &(&&str, &&str)| wanted != found && !is_parameter(wanted);
    let wrong: Vec<&str> = route.iter().zip(&path).filter(differ).map(|(wanted, _)| *wanted).collect();
    match wrong[..] {
        [word] if route.len() == path.len() => Some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_near_a_route_is_told_and_nothing_that_was_written() {
        for (path, told) in [
            ("/ecom/v1/merchant-gateways/M/merchants/", "that of createMerchant with a slash at its end"),
            ("/ecom/v1//merchant-gateways/M/merchants", "that of createMerchant with two slashes in a row"),
            ("/merchant-gateways/M/merchants/1/tokens", "that of createToken without the basePath /ecom/v1"),
            ("/ecom/v1/merchant-gateways/M/merchants/1/token", "that of createToken, but for `tokens`"),
            ("/ecom/v2/merchant-gateways/M/merchants/1/tokens/2", "that of getToken, but for `v1`"),
            (
                "/ecom/v1/authz/v1/oauth2/token",
                "that of getAccessToken below the basePath /ecom/v1; it is at /authz/v1/oauth2/token",
            ),
            ("/authz/v1/oauth/token", "that of getAccessToken, but for `oauth2`"),
            ("/secret/words", "another"),
            ("/", "another"),
            ("", "another"),
        ] {
            assert_eq!(astray("/ecom/v1", path), told, "{path}");
        }
        assert_eq!(
            astray("", "/merchant-gateways/M/merchant"),
            "that of createMerchant, but for `merchants`"
        );
    }
}
