//! The client of a call, and the call: what is the same whatever asks for it.

use std::time::Duration;

use d1_client::{
    AssertionKey, Card, Client, Clock, Config, Credentials, GatewayId, MerchantId, NetworkToken, NewMerchant,
    NewToken, OwnKey, RecipientKey, TlsIdentity, Token, TokenId, TransactionType, TrustedRoots,
};
use serde_json::{Value, json};

/// Why there is no result: an error of the client, or an argument that it does not take.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn client(call: &Value, clock: Clock) -> Result<Client, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = |name: &str| std::fs::read(text(&call["files"][name]));
    let credentials = Credentials {
        identity: TlsIdentity::from_pem(&file("client_certificate")?, &file("client_key")?)?,
        trust: TrustedRoots::from_pem(&file("ca")?)?,
        assertion: AssertionKey::from_pkcs8_pem(
            &file("assertion_key")?,
            text(&call["files"]["assertion_kid"]),
        )?,
        d1_key: RecipientKey::from_jwk(&file("d1_jwk")?)?,
        own_key: OwnKey::from_jwk(&file("own_jwk")?)?,
    };
    let gateway = GatewayId::new(text(&call["gateway"]))?;
    let attempt = Duration::from_millis(call["attempt_timeout_ms"].as_u64().unwrap_or(10_000));
    let config = Config::new(text(&call["base_url"]), gateway, credentials)
        .attempt_timeout(attempt)
        .connect_timeout(attempt / 2);
    Ok(Client::new(config.clock(clock))?)
}

pub(super) async fn make(call: &Value, clock: Clock) -> Result<Value, Failure> {
    let client = client(call, clock)?;
    let given = |name: &str| call["arguments"][name].as_str().unwrap_or_default().to_owned();
    let merchant = || MerchantId::new(given("merchantId"));
    let token = || TokenId::new(given("tokenId"));
    Ok(match call["operation"].as_str().unwrap_or_default() {
        "createMerchant" => {
            let made = client.create_merchant(&NewMerchant::new(given("merchantName"))?, None).await?;
            json!({"merchantId": made.merchant_id.as_str(), "merchantName": made.merchant_name})
        }
        "createToken" => {
            let card = Card::new(given("pan"), &given("exp"))?;
            members(&client.create_token(&merchant()?, &NewToken::new(card), None).await?, None)
        }
        "getToken" => {
            let details = client.get_token(&merchant()?, &token()?, None).await?;
            members(&details.token, Some(&details.network_token))
        }
        "createTransaction" => {
            let kind = TransactionType::Single;
            let paid = client.create_transaction(&merchant()?, &token()?, kind, None).await?;
            let network = paid.network_token;
            json!({"transactionId": paid.transaction_id, "eci": paid.eci, "cryptogram": paid.cryptogram.expose(),
                "dpan": network.dpan.expose(), "exp": network.exp})
        }
        "deleteToken" => client.delete_token(&merchant()?, &token()?, None).await.map(|()| json!({}))?,
        other => return Err(format!("{other}: no such operation").into()),
    })
}

fn members(token: &Token, network: Option<&NetworkToken>) -> Value {
    let mut members = json!({
        "tokenId": token.token_id.as_str(),
        "state": token.state.as_ref().map(d1_client::TokenState::as_str),
        "cardLastDigits": token.card_last_digits,
        "cardExpiryDate": token.card_expiry_date,
        "tokenLastDigits": token.token_last_digits,
        "tokenExpiryDate": token.token_expiry_date,
        "par": token.par,
    });
    if let Some(network) = network {
        members["dpan"] = json!(network.dpan.expose());
        members["exp"] = json!(network.exp);
    }
    members
}
