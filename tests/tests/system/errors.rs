//! What `d1sim errors` prints: every way to an error is tried, and leads to that very error.

use d1_simulator::cli::{Natural, error_ways};
use http::Method;
use serde_json::{Value, json};
use system_tests::{Caller, GATEWAY, OTHER_GATEWAY, Papers, Sandbox};

use crate::flow::APPROVED;

/// Who calls, and what there is to be called about.
struct Scene {
    sandbox: Sandbox,
    caller: Caller,
    bearer: String,
    merchant: String,
    token: String,
}

/// A request that may be spoilt before it is sent.
struct Request {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Scene {
    async fn set() -> Self {
        let sandbox = Sandbox::start().await;
        let caller = sandbox.caller(Papers::good());
        let bearer = caller.bearer().await;
        let merchant = caller.merchant(&bearer).await;
        let token = caller.token(&bearer, &merchant).await;
        Self { sandbox, caller, bearer, merchant, token }
    }

    /// A good request of an operation.
    fn request(&self, operation: &str) -> Request {
        let tokens = format!("/{}/tokens", self.merchant);
        let token = format!("{tokens}/{}", self.token);
        let path = |rest: &str| self.caller.path(rest);
        let (method, path, body) = match operation {
            "getAccessToken" => {
                (Method::POST, "/authz/v1/oauth2/token".to_owned(), self.caller.token_request())
            }
            "createMerchant" => (Method::POST, path(""), json!({"merchantName": "Corner Bookshop"})),
            "createToken" => (Method::POST, path(&tokens), self.card(APPROVED)),
            "getToken" => (Method::GET, path(&token), Value::Null),
            "createTransaction" => {
                (Method::POST, path(&format!("{token}/transactions")), json!({"transactionType": "SINGLE"}))
            }
            "deleteToken" => (Method::DELETE, path(&token), Value::Null),
            other => panic!("an operation that the tests do not know: {other}"),
        };
        let mut headers = vec![("x-correlation-id", "errors".to_owned())];
        if operation != "getAccessToken" {
            headers.push(("authorization", format!("Bearer {}", self.bearer)));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Request { method, path, headers, body }
    }

    fn card(&self, pan: &str) -> Value {
        json!({"encryptedData": self.caller.sealed(&json!({"pan": pan, "exp": "1239"}))})
    }

    /// Sends it; gives status and code.
    async fn answer(&self, caller: &Caller, request: Request) -> (u16, Value) {
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = caller.send(request.method, &request.path, &headers, request.body).await;
        (answer.status, answer.json()["errorCode"].clone())
    }

    /// Goes a way to an error.
    async fn natural(&self, operation: &str, way: Natural) -> (u16, Value) {
        let mut request = self.request(operation);
        let mut caller = self.caller.clone();
        let without = |request: &mut Request, name| request.headers.retain(|(header, _)| *header != name);
        match way {
            Natural::Card(name) => {
                let cards = d1_fixtures::test_cards().expect("the table");
                let card = cards.iter().find(|card| card.name == name).expect("a card of the table");
                request.body = self.card(&card.pan).to_string();
            }
            Natural::NoCorrelation => without(&mut request, "x-correlation-id"),
            Natural::BadCorrelation => {
                without(&mut request, "x-correlation-id");
                request.headers.push(("x-correlation-id", "not one!".to_owned()));
            }
            Natural::NoBearer => without(&mut request, "authorization"),
            Natural::OtherGateway => request.path = request.path.replace(GATEWAY, OTHER_GATEWAY),
            Natural::WrongName => caller = self.sandbox.caller(Papers::rogue("wrong-cn")),
            Natural::UnknownMerchant => request.path = request.path.replace(&self.merchant, "99999999999"),
            Natural::UnknownToken => request.path = request.path.replace(&self.token, "nowhere"),
            Natural::Suspended => {
                self.sandbox.admin.event(&self.token, "token.suspend", json!({})).await;
            }
            Natural::OtherMethod => request.method = Method::PUT,
            Natural::LongBody => request.body = "x".repeat(64 * 1024 + 1),
            Natural::OtherMediaType => {
                without(&mut request, "content-type");
                request.headers.push(("content-type", "text/plain".to_owned()));
            }
            other => panic!("a way that the tests do not know: {other:?}"),
        }
        self.answer(&caller, request).await
    }
}

#[tokio::test]
async fn every_admin_call_makes_the_next_call_get_that_very_error() {
    let scene = Scene::set().await;
    for one in error_ways().expect("the contract") {
        scene.sandbox.admin.fault(one.admin.clone()).await;
        let wanted = (one.status, one.error_code.clone().map_or(Value::Null, Value::from));
        let found = scene.answer(&scene.caller, scene.request(&one.operation)).await;
        assert_eq!(found, wanted, "{}", one.admin);
    }
}

#[tokio::test]
async fn every_natural_way_leads_to_that_very_error() {
    let scene = Scene::set().await;
    let mut tried = 0;
    for one in error_ways().expect("the contract") {
        let Some(way) = one.natural else { continue };
        let wanted = (one.status, one.error_code.clone().map_or(Value::Null, Value::from));
        assert_eq!(scene.natural(&one.operation, way).await, wanted, "{} by {way:?}", one.operation);
        tried += 1;
        if way == Natural::Suspended {
            scene.sandbox.admin.event(&scene.token, "token.resume", json!({})).await;
        }
    }
    assert!(tried > 40, "{tried}");
}
